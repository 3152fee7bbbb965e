"""Reads Signal's chats as sigtop and signal-export write them out in text."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from memory.sources.chat_text import LARGEST_MESSAGE, Entry, clean_name
from memory.sources.dates import read_stamp

FIELD = re.compile(r"(From|Type|Sent|Received|Attachment|Reaction|Edited): (.*)")
SHORT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d) ([^:\n]{1,80}):(?: (.*))?$", re.S)
DETAILS = re.compile(r"\[(?:(?:reply to .{1,80}? on [\d-]{10} [\d:]{5}|edited|\d+ attachments?)"
                     r"(?:, )?)+\]\s?")  # fmt: skip
NUMBER = re.compile(r"\s*\(\+?[\d\s]{4,20}\)$")  # after a name
# In signal-export's Markdown: what is quoted, and who reacted how
MARKDOWN = re.compile(r"^>.*\n?|^\(- .* -\)\s*|!?\[[^\]\n]{0,200}\]"
                      r"\(\.?/?media/[^)\n]{0,300}\)", re.M)  # fmt: skip


def read_sigtop(lines: Iterable[str]) -> Iterator[Entry]:
    """The messages of sigtop's text: fields, a blank line, the words with `>` before a quotation.

    Of an edited message, whose versions stand behind `|`, the newest, which comes first.
    """
    fields: dict[str, str] = {}
    body: list[str] = []
    start = size = 0
    for number, (line, after) in enumerate(_pairs(lines), 1):
        if _begins(line, after, fields, body):
            if "Type" in fields:
                yield _entry(start, fields, body)
            fields, body, start, size = {}, [], number, 0
        hit = None if body else FIELD.match(line)
        if hit and start:
            fields.setdefault(hit[1], hit[2].rstrip("\n"))
        elif start and (size := size + len(line)) < LARGEST_MESSAGE:
            body.append(line)
    if "Type" in fields:
        yield _entry(start, fields, body)


def _pairs(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    before = None
    for line in chain(lines, [""]):
        if before is not None:
            yield before, line
        before = line


def _begins(line: str, after: str, fields: dict[str, str], body: list[str]) -> bool:
    """A message begins with From and Type, one that nobody sent with Type and a time."""
    if line.startswith("From: "):
        return after.startswith("Type: ")
    inside = bool(fields) and not body
    return line.startswith("Type: ") and not inside and after.startswith(("Sent: ", "Received: "))


def _entry(number: int, fields: dict[str, str], body: list[str]) -> Entry:
    lines = [line.rstrip("\n") for line in body]
    if "Edited" in fields:
        lines = list(_newest(lines))
    text = "\n".join(line for line in lines if not line.startswith(">")).strip()
    said = fields["Type"] in ("incoming", "outgoing")
    sent_at = read_stamp(fields.get("Sent"))
    author = NUMBER.sub("", clean_name(fields.get("From", ""))) if said else ""
    written = sent_at.strftime("%Y%m%dT%H%M%S") if sent_at else fields.get("Sent", "")
    return Entry(number, sent_at, written, author, text)


def _newest(lines: list[str]) -> Iterator[str]:
    """The words of the first of the versions."""
    versions = -1
    for line in lines:
        plain = line.removeprefix("|").removeprefix(" ")
        versions += plain.startswith("Version: ")
        if versions == 0 and not FIELD.match(plain) and not plain.startswith("Version: "):
            yield plain


def read_short(lines: Iterable[str]) -> Iterator[Entry]:
    """The messages of sigtop's short text: "2026-03-01 09:00 Pell: words"."""
    found: tuple[int, re.Match[str]] | None = None
    more: list[str] = []
    for number, line in enumerate(lines, 1):
        hit = SHORT.match(line)
        if hit:
            if found:
                yield _short(*found, more)
            found, more = (number, hit), []
        elif found and len(more) < 100_000:
            more.append(line)
    if found:
        yield _short(*found, more)


def _short(number: int, hit: re.Match[str], more: list[str]) -> Entry:
    text = ((hit[3] or "") + "".join(more)).strip()
    text = DETAILS.sub("", text, count=1) if text.startswith("[") else text
    notice = re.fullmatch(r"\[[\w-]{1,40} message\]", text)
    written = hit[1].replace("-", "").replace(":", "").replace(" ", "T")
    author = "" if notice else clean_name(hit[2])
    return Entry(number, read_stamp(hit[1]), written, author, text)
