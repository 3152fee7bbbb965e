"""Reads mbox files as a stream, mail by mail."""

import os
import re
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path

from memory.message import Message, Skipped, Unreadable
from memory.sources import folder
from memory.sources.dates import as_utc
from memory.sources.mail import LARGEST_MAIL_BYTES, read_date, read_mail

list_files = folder.list_files
BLANK = (b"\n", b"\r\n")
LONGEST_LINE_BYTES = 2**20
HEADER = re.compile(rb"[!-9;-~]+:(?:[ \t]|\r?$)")
HEAD_END = re.compile(rb"\n\r?\n")
QUIET_SECONDS = 60.0  # after which a last mail without its blank line is taken as it is
ENVELOPE_DATE = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d(?::\d\d)? .*\d{4}.*$")


def read_file(file: Path, root: Path) -> Iterator[Message | Unreadable | Skipped]:
    """Every mail of an mbox file; its number in the file is the place of a reject."""
    path = folder.relative(file, root)
    start = folder.read_bytes(file, path, 2**63, first=5)
    if not isinstance(start, bytes):
        yield start
    elif not start:
        yield Skipped(path, "", "empty file")
    elif start != b"From ":
        yield Skipped(path, "", "not an mbox file")
    else:
        yield from _read(file, path)


def _read(file: Path, path: str) -> Iterator[Message | Unreadable | Skipped]:
    try:
        with open(file, "rb") as opened:
            lines = iter(partial(opened.readline, LONGEST_LINE_BYTES), b"")
            number = 0
            for number, (envelope, mail) in enumerate(split(lines), 1):
                place = f"mail {number}"
                yield read_mail(mail, path, place, partial(_envelope_date, envelope))
            if not number:
                yield Unreadable(path, "", "begins as an mbox file does, but no mail follows")
    except OSError as error:
        yield Unreadable(path, "", f"cannot be read to its end: {error.strerror}")


def begins_as_one(file: Path) -> bool:
    """Whether a file's first lines are an envelope and a header, whatever its name."""
    try:
        with open(file, "rb") as opened:
            envelope, header = opened.readline(200), opened.readline(200)
    except OSError:
        return False
    return envelope.startswith(b"From ") and bool(HEADER.match(header))


def is_whole(file: Path) -> bool:
    """Whether the last mail has its end, or nobody has written to the file for a minute.

    A body ends in a blank line (mbox, RFC 4155); half of a mail would be another mail, for ever.
    """
    try:
        with open(file, "rb") as opened:
            status = os.fstat(opened.fileno())
            opened.seek(max(0, status.st_size - LONGEST_LINE_BYTES))
            mail = opened.read().rpartition(b"\n\nFrom ")[2]
    except OSError:
        return True  # reading it says what is wrong
    head_end = HEAD_END.search(mail)
    ended = head_end and head_end.end() < len(mail) and mail.endswith((b"\n\n", b"\n\r\n"))
    return bool(ended) or time.time() - status.st_mtime >= QUIET_SECONDS


def split(lines: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """(the `From ` line, the mail) one by one; of a mail that is too large only its beginning.

    `From ` begins a mail at the start or after a blank line, and with a header within two lines:
    people do begin paragraphs with "From ". `>From ` stays as it is: unquoted, a quotation would
    pass for the writer's own words.
    """
    envelope, mail, size, blank = b"", [], 0, True
    lines, waiting = iter(lines), []
    while line := waiting.pop(0) if waiting else next(lines, b""):
        if blank and line.startswith(b"From ") and _begins(lines, waiting):
            if envelope:
                yield envelope, b"".join(mail)
            envelope, mail, size = line, [], 0
        elif size <= LARGEST_MAIL_BYTES:
            mail.append(line)
            size += len(line)
        blank = line in BLANK or line.isspace()
    if envelope:
        yield envelope, b"".join(mail)


def _begins(lines: Iterator[bytes], waiting: list[bytes]) -> bool:
    """Whether one of the next two lines, which are kept `waiting`, is a header."""
    waiting += islice(lines, 2 - len(waiting))
    return any(map(HEADER.match, waiting))


def _envelope_date(line: bytes) -> datetime | None:
    """The time of a `From ` line, which asctime() writes; without a zone it is UTC."""
    hit = ENVELOPE_DATE.search(line.decode("latin-1").strip())
    if not hit:
        return None
    for pattern in ("%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S %Y %z", "%a %b %d %H:%M:%S %z %Y"):
        try:
            return as_utc(datetime.strptime(hit[0], pattern))
        except ValueError:
            continue
    return read_date(hit[0])
