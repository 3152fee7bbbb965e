"""Turns the bytes of one mail into a Message."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from email.errors import MessageError
from email.header import decode_header
from email.message import Message as Mail
from email.parser import BytesParser
from email.utils import getaddresses, parsedate_to_datetime
from functools import lru_cache, partial
from pathlib import Path

from memory.db import to_stored
from memory.message import Message, Skipped, Unreadable
from memory.sources import folder
from memory.sources.charsets import decode, encoding_of, told_in, unflow
from memory.sources.dates import as_utc
from memory.sources.html import html_to_text
from memory.sources.machine import machine_reason
from memory.store import mail_key

TEXT_TYPES = ("text/plain", "text/html", "text/enriched", "text/markdown")
QUIET_SECONDS = 10.0
LARGEST_MAIL_BYTES = 8 * 2**20  # of a mail: what comes after that are attachments
SMALL_BYTES = 2**16
MOST_LINES, MOST_SEPARATORS, MOST_COMPARISONS = 250_000, 5_000, 10_000_000
CONTENT_FIELD = re.compile(rb"^content-(?:type|disposition)[ \t]*:(?:[^\n]+|\n[ \t])*", re.I | re.M)
BOUNDARY = re.compile(rb"\bboundary\*?[\d*]*[ \t]*=", re.I)
LONGEST_FIELD = 4_000
MOST_PARTS = 500
LONGEST_HEADER = 2**16
HEADERS = ("from", "to", "date", "subject", "message-id", "received", "sender", "return-path",
           "mime-version", "content-type")  # fmt: skip
# What the library's readers raise on broken headers and bodies; 5 of 1,406 real mails do.
BROKEN = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError,
          MessageError)  # fmt: skip
EMLX = re.compile(rb"(\d{1,12})[ \t]*\r?\n")
MESSAGE_ID = re.compile(r"<[^<>\s]{1,998}>|[^<>\s]{1,250}@[^<>\s]{1,250}")
SIMPLE_ADDRESS = re.compile(
    r"(?P<name>(?:[\w'-]+ ){0,4})<?(?P<address>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)>?"
)
REPLY_MARK = re.compile(
    r"\s*(?:(?:re|aw|sv|antw|vs|ref|fwd?|wg|tr|rv|enc|回复|答复|转发|yn|ynt)(?:\[\d+\])?\s*[:：]\s*|"
    r"\[[^\]]{1,40}\]\s*)+",
    re.IGNORECASE,
)


def list_files(root: Path) -> Iterator[Path]:
    """Every visible file: of the source `eml` each is one mail."""
    return folder.list_files(root)


def is_whole(file: Path) -> bool:
    """Whether nobody has written to the file for a while: half of a mail would be another mail."""
    try:
        return time.time() - file.stat().st_mtime >= QUIET_SECONDS
    except OSError:
        return True  # reading it says what is wrong


def read_file(file: Path, root: Path) -> Iterator[Message | Unreadable | Skipped]:
    """The one mail of a file."""
    path = folder.relative(file, root)
    data = folder.read_bytes(file, path, 2**63, first=LARGEST_MAIL_BYTES)
    if isinstance(data, bytes) and (length := EMLX.match(data)):  # Apple Mail
        data = data[length.end() :][: int(length[1])]
    yield read_mail(data, path) if isinstance(data, bytes) else data


def read_mail(
    data: bytes, path: str, where: str = "", envelope: Callable[[], datetime | None] = lambda: None
) -> Message | Unreadable | Skipped:
    """One mail as a Message; Unreadable where it has no header at all. Raises nothing.

    `envelope` gives the time of the mbox `From ` line, for a mail without a date of its own.
    """
    if not data.strip():
        return Skipped(path, where, "empty file")
    try:
        mail = BytesParser().parsebytes(tame(data))
        if not any(name in mail for name in HEADERS):
            return Unreadable(path, where, "has none of the headers that make a mail")
        return _message(mail, path, envelope)
    except BROKEN as error:
        return Unreadable(path, where, f"is no mail that can be read: {error or type(error)}")


def tame(data: bytes) -> bytes:
    """What of a mail is parsed: all of it, unless it is made so that the library takes minutes.

    The library reads the parameters of a Content-Type in squared time, and compares each line with
    the boundary of every multipart it lies in: 4 MB of such took 155 s and 34 s.
    """
    if len(data) <= SMALL_BYTES:
        return data
    data = CONTENT_FIELD.sub(lambda field: field[0][:LONGEST_FIELD], data[:LARGEST_MAIL_BYTES])
    boundaries = len(BOUNDARY.findall(data))
    if boundaries:
        data = _until(data, b"\n--", MOST_SEPARATORS)
    return _until(data, b"\n", min(MOST_LINES, MOST_COMPARISONS // max(1, boundaries)))


def _until(data: bytes, mark: bytes, most: int) -> bytes:
    """`data` up to the `most`-th `mark`."""
    if data.count(mark) <= most:
        return data
    at = -1
    for _ in range(most):
        at = data.find(mark, at + 1)
    return data[:at]


def _message(mail: Mail, path: str, envelope: Callable[[], datetime | None]) -> Message:
    author = read_addresses(raw_header(mail, "from") or raw_header(mail, "sender"))[:1]
    subject = " ".join(header(mail, "subject").split())
    sent_at = read_date(header(mail, "date")) or envelope()
    text = body_text(mail)
    identity = _first_id(header(mail, "message-id"))
    references = _ids(header(mail, "references"))
    replied = _ids(header(mail, "in-reply-to"))[:1] or references[-1:]
    sender = author[0] if author else ""
    by_machine = machine_reason(mail, partial(header, mail), text)
    return Message(
        source="mail",
        kind="mail",
        external_id=identity or mail_key(to_stored(sent_at) or "", sender, subject, text),
        conversation=(references or replied or [identity or _bare_subject(subject)])[0],
        author=sender,
        recipients=tuple(read_addresses(raw_header(mail, "to"), raw_header(mail, "cc"))),
        sent_at=sent_at,
        subject=subject,
        text=text,
        reply_to=replied[0] if replied else "",
        origin="system" if by_machine else "spoken",
        path=path,
    )


# --- headers ----------------------------------------------------------------------------------


def header(mail: Mail, name: str) -> str:
    """A header decoded and on one line; "" without one."""
    return decode_words(raw_header(mail, name))


def raw_header(mail: Mail, name: str) -> str:
    """The first header of that name on one line, its encoded words as they are, cut at 64 kB."""
    for key, value in mail.raw_items():
        if key.lower() == name:
            return _one_line(value)
    return ""


def _one_line(value: object) -> str:
    text = str(value)[:LONGEST_HEADER]
    if not text.isascii():  # raw 8-bit bytes are in there
        text = decode(text.encode("utf-8", "surrogateescape"), "utf-8")
    return " ".join(text.split())


def decode_words(value: str) -> str:
    """`=?utf-8?q?Gr=C3=BC=C3=9Fe?=` as words (RFC 2047); what cannot be decoded stays."""
    if "=?" not in value:
        return value
    try:
        parts = decode_header(value)
    except BROKEN:
        return value
    words = (
        part if isinstance(part, str) else decode(part, encoding_of(name)) for part, name in parts
    )
    return " ".join("".join(words).split())


def read_addresses(*values: str) -> list[str]:
    """ "Name <address>" or "address" for each in raw headers; a header without any stays whole.

    Archives write "ada at example.org (Ada)": the comment is the name.
    """
    return [name for value in filter(None, values) for name in _read_addresses(value)]


@lru_cache(4096)  # a mailbox has few senders, and the library's parser is slow
def _read_addresses(value: str) -> tuple[str, ...]:
    if simple := SIMPLE_ADDRESS.fullmatch(value):
        return (_address(simple["name"].strip(), simple["address"]),)
    try:
        pairs = getaddresses([re.sub(r"(?<=\S) at (?=[^\s()<>]+\.\w)", "@", value)])
    except BROKEN:
        pairs = []
    names = [_address(decode_words(name).strip(), address.strip()) for name, address in pairs]
    return tuple(name for name in names if name) or (decode_words(value),)


def _address(name: str, address: str) -> str:
    if " " in address:  # "Ada Lovelace ada@example.org", as some archives write
        words, _, last = address.rpartition(" ")
        name, address = (words.strip(' "'), last) if "@" in last else (address, "")
    return f"{name} <{address}>" if name and address and name != address else address or name


def read_date(value: str) -> datetime | None:
    """A Date header as aware UTC; None where it is broken."""
    try:
        return as_utc(parsedate_to_datetime(value)) if value else None
    except (*BROKEN, OverflowError):
        return None


def _ids(value: str) -> list[str]:
    return MESSAGE_ID.findall(value)


def _first_id(value: str) -> str:
    return next(iter(_ids(value)), "") or value.strip()


def _bare_subject(subject: str) -> str:
    """A subject without Re:, Fwd: and list marks, in lower case: a conversation's name."""
    return REPLY_MARK.sub("", subject, count=1).strip().lower()


# --- bodies -----------------------------------------------------------------------------------


def body_text(mail: Mail) -> str:
    """The words of a mail: plain text where there is one, else its HTML; no attachments.

    A text that came with a file name counts where there is no other.
    """
    parts = list(_text_parts(mail))
    for chosen in ([part for part in parts if not part.get_filename()], parts):
        for html, convert in ((False, str), (True, html_to_text)):
            shown = [part for part in chosen if (part.get_content_type() == "text/html") == html]
            texts = [convert(decode_part(part)) for part in shown]
            if text := "\n\n".join(text.strip("\n") for text in texts if text.strip()):
                return text.rstrip()
    return ""


def _text_parts(mail: Mail) -> Iterator[Mail]:
    """Text parts that are shown; of a report and of a forwarded mail only what is said about it."""
    waiting = [mail]
    for _ in range(MOST_PARTS):
        if not waiting:
            return
        part = waiting.pop(0)
        kind = part.get_content_type()
        if not part.is_multipart():
            # a multipart whose boundary is not in its text is read as the text it is
            shown = kind in TEXT_TYPES or kind.startswith("multipart/")
            if shown and part.get_content_disposition() != "attachment":
                yield part
        elif kind.startswith("multipart/"):
            children = part.get_payload()
            waiting[:0] = children[:1] if kind == "multipart/report" else children


def decode_part(part: Mail) -> str:
    """A text part as text with "\\n" line ends, whatever its charset claims."""
    try:
        data = part.get_payload(decode=True) or b""
    except BROKEN:
        data = str(part.get_payload()).encode("utf-8", "replace")
    charset = _parameter(part, "charset")
    if not charset and part.get_content_type() == "text/html":
        charset = told_in(data)
    text = decode(data, encoding_of(charset)).replace("\r\n", "\n").replace("\r", "\n")
    if _parameter(part, "format").lower() == "flowed":
        return unflow(text, _parameter(part, "delsp").lower() == "yes")
    return text


def _parameter(part: Mail, name: str) -> str:
    """A parameter of the Content-Type; "" without one, or where it cannot be read."""
    try:
        value = part.get_content_charset() if name == "charset" else part.get_param(name)
    except BROKEN:
        return ""
    return value if isinstance(value, str) else ""
