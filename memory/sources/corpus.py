"""Reads a raw corpus: text files of any size, cut into documents."""

import codecs
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from memory.message import SELF, Message, Skipped, Unreadable
from memory.sources import folder

Record = Message | Unreadable | Skipped

SUFFIXES = (".txt", ".text", ".md", ".markdown", ".rst", ".tex", ".org", ".jsonl", ".ndjson", "")
LONGEST_DOCUMENT = 8000  # characters; a document ends at the paragraph that goes beyond
LONGEST_PARAGRAPH = 32_000  # a text without blank lines is cut all the same
PIECE_BYTES = 2**16
HEADING = re.compile(
    r"(?:#{1,3}[ \t]+\S|(?:chapter|part|book|kapitel|第.{1,5}章)\b)", re.IGNORECASE
)
FRAME = re.compile(r"\*{3} ?(?P<edge>START|END) OF (?:THE|THIS) PROJECT GUTENBERG", re.IGNORECASE)
LEGAL = re.compile(r"(?:licen[cs]e|copying|notice)(?:\.(?:txt|md|rst))?", re.IGNORECASE)
TEXT_KEYS = ("text", "content", "body", "document", "email")


def list_files(root: Path) -> Iterator[Path]:
    """The text files under `root`, or `root` itself where it is a file."""
    for path in folder.list_files(root):
        if path == root or path.suffix.lower() in SUFFIXES:
            yield path


def read_file(file: Path, root: Path) -> Iterator[Record]:
    """One message for each document of a file; its number is its key.

    A file of up to 8,000 characters is one document. A longer one is cut at a form feed, three
    blank lines or a heading, else at the first paragraph beyond 8,000 characters. Each line of a
    .jsonl file with a `text` is one. Files are read in pieces: memory does not grow with them.
    The author is SELF: configure `author` where the corpus is somebody else's.
    """
    path = folder.relative(file, root)
    start = folder.read_bytes(file, path, 2**63, first=PIECE_BYTES)
    if not isinstance(start, bytes):
        yield start
        return
    if LEGAL.fullmatch(file.name):
        yield Skipped(path, "", "licence")
        return
    if folder.decode(start) is None:
        yield Skipped(path, "", "not a text file")
        return
    lines = _lines(file, encoding_of(start))
    is_json = file.suffix.lower() in (".jsonl", ".ndjson")
    records = _json_lines(lines, path, file) if is_json else _documents(lines, path, file)
    found = False
    try:
        for record in records:
            found = True
            yield record
    except OSError as error:
        found = True
        yield Unreadable(path, "", f"cannot be read to its end: {error.strerror}")
    if not found:
        yield Skipped(path, "", "empty file")


def encoding_of(start: bytes) -> str:
    """What the first bytes of a text are written in; UTF-8 unless they cannot be."""
    for mark, encoding in folder.BYTE_ORDER_MARKS:
        if start.startswith(mark):
            return encoding
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)  # may end within a character
    except UnicodeDecodeError:
        lenient = start.decode("utf-8", "replace")
        foreign = sum(character > "\x7f" for character in lenient)
        return "utf-8" if lenient.count("\ufffd") * 10 <= foreign else "cp1252"
    return "utf-8"


def _lines(file: Path, encoding: str) -> Iterator[str]:
    """Lines without their ends; a line longer than a paragraph may be comes in parts."""
    with open(file, encoding=encoding, errors="replace") as opened:
        while line := opened.readline(LONGEST_PARAGRAPH):
            yield line.removesuffix("\n")


# --- documents --------------------------------------------------------------------------------


def _documents(lines: Iterator[str], path: str, file: Path) -> Iterator[Record]:
    sent_at, title = _time(file), ""
    for number, text in enumerate(cut(_unframed(lines)), 1):
        title = title if number > 1 else _title(text, file)
        yield _message(path, number, title, text, sent_at)


def _unframed(lines: Iterator[str]) -> Iterator[str]:
    """Without the licence that Project Gutenberg puts around a text."""
    waiting: list[str] | None = []
    for line in lines:
        hit = FRAME.match(line)
        if hit and hit["edge"].upper() == "END":
            break
        if hit:
            waiting = None  # all that came before is the frame
            if not line.rstrip().endswith("***"):
                next(lines, "")  # its title goes on
        elif waiting is None:
            yield line
        else:
            waiting.append(line)
            if len(waiting) > 400:
                yield from waiting
                waiting = None
    yield from waiting or ()


def cut(lines: Iterator[str]) -> Iterator[str]:
    """Documents of about LONGEST_DOCUMENT characters at most, in order, nothing left out."""
    document: list[str] = []
    size = blank = 0
    for line in lines:
        new_part = "\f" in line or blank >= 3 or (size > 1000 and HEADING.match(line))
        too_long = size > LONGEST_DOCUMENT and (blank or size > LONGEST_PARAGRAPH)
        if document and size and (too_long or (new_part and size > LONGEST_DOCUMENT // 4)):
            yield "\n".join(document).strip("\n")
            document, size = [], 0
        line = line.replace("\f", "")
        blank = 0 if line.strip() else blank + 1
        if line.strip() or document:
            document.append(line)
            size += len(line.strip()) + 1 if line.strip() else 0
        if blank > 50 and document:
            document.pop()  # a run of blank lines is no text
    if size:
        yield "\n".join(document).strip("\n")


def _title(text: str, file: Path) -> str:
    first = text.split("\n", 1)[0].strip()
    return first.lstrip("# ") if first.startswith("#") and len(first) <= 120 else file.stem


def _message(
    path: str, number: int, title: str, text: str, sent_at: datetime | None, author: str = SELF
) -> Message:
    return Message(
        source="corpus",
        kind="document",
        external_id=f"{path}#{number}",
        conversation=path,
        author=author,
        recipients=(),
        sent_at=sent_at,
        subject=title,
        text=text,
        reply_to="",
        origin="spoken",
        path=path,
    )


def _time(file: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(file.stat().st_mtime), UTC)
    except (OSError, OverflowError, ValueError):
        return None


def _json_lines(lines: Iterator[str], path: str, file: Path) -> Iterator[Record]:
    sent_at = _time(file)
    for number, line in enumerate(_joined(lines), 1):
        if not line.strip():
            continue
        text = _text_in(line)
        if text is None:
            yield Unreadable(path, f"line {number}", "is no JSON object with a text")
        elif not text.strip():
            yield Skipped(path, f"line {number}", "empty document")
        else:
            yield _message(path, number, "", text, sent_at)


def _joined(lines: Iterator[str]) -> Iterator[str]:
    """Lines that came in parts, whole again up to 16 MiB."""
    parts: list[str] = []
    size = 0
    for part in lines:
        if size < folder.LARGEST_TEXT_BYTES:
            parts.append(part)
        size += len(part)
        if len(part) < LONGEST_PARAGRAPH:
            yield "".join(parts)
            parts, size = [], 0
    if parts:
        yield "".join(parts)


def _text_in(line: str) -> str | None:
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    return next((value[key] for key in TEXT_KEYS if isinstance(value.get(key), str)), None)
