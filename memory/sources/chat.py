"""What the readers of chat exports share: JSON as a stream, keys without ids, safe looks."""

import codecs
import hashlib
import io
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

from memory.message import Message
from memory.sources.archive import ArchiveError, Place
from memory.sources.dates import read_stamp
from memory.sources.html import DEEPEST as DEEPEST_PAGE
from memory.sources.html import depth_of, html_to_text

CHUNK_BYTES = 64 * 2**10
LARGEST_TEXT = 16 * 2**20  # characters in one object: no message is longer
LARGEST_VALUE = 8 * 2**20  # bytes of one string
LARGEST_PAGE_BYTES = 16 * 2**20
LONGEST_LINE = 2**20
NUMBER = b"0123456789+-.eE"
LONGEST_PATH, DEEPEST = 300, 200
MOST_PARTS = 200_000  # names and values in one object
REMEMBERED_KEYS = 20_000
STARTS, ENDS = ("start_map", "start_array"), ("end_map", "end_array")


class BrokenJson(ArchiveError):
    """JSON that cannot be read to its end; what came before has been given."""


def walk(stream: BinaryIO, whole: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """(path, value) of a JSON document in the order of the file, in constant memory.

    Values at a path of `whole` come complete; elsewhere only strings, numbers, true, false and
    null, and (path, None) where an object begins. Paths look like "chats.list[].name"; the root
    is "". An object too large to be a message comes as None. Raises BrokenJson.
    """
    events = _events(stream)
    open_paths: list[str] = []
    path = ""
    for event, value in events:
        if event == "map_key":
            path = (open_paths[-1] + value)[:LONGEST_PATH]
        elif event in ENDS:
            open_paths.pop()
            path = open_paths[-1] if open_paths else ""
        elif event not in STARTS:
            yield path, value
        elif path in whole:
            yield path, _build(events, event)
        else:
            if event == "start_map":
                yield path, None
                path = f"{path}." if path else ""
            else:
                path = f"{path}[]"
            open_paths.append(path)
            if len(open_paths) > DEEPEST:
                raise BrokenJson(f"is nested more than {DEEPEST} deep")


def _build(events: Iterator[tuple[str, Any]], start: str) -> Any:
    """The object whose first event was `start`; None when it is too large."""
    from ijson import ObjectBuilder

    builder, depth, parts, size = ObjectBuilder(), 1, 0, 0
    builder.event(start, None)
    while depth:
        event, value = next(events)
        depth += (event in STARTS) - (event in ENDS)
        parts += 1
        size += len(value) if event == "string" else 0
        if parts < MOST_PARTS and size < LARGEST_TEXT:
            builder.event(event, value)
    return builder.value if parts < MOST_PARTS and size < LARGEST_TEXT else None


def _events(stream: BinaryIO) -> Iterator[tuple[str, Any]]:
    """ijson's events; those before a break come before the BrokenJson."""
    import ijson

    found = ijson.sendable_list()
    parser = ijson.basic_parse_coro(found, use_float=True)
    read = silent = 0
    try:
        for chunk in _utf8(stream):
            read, silent = read + len(chunk), silent + len(chunk)
            if chunk:  # an empty one would mean the end
                parser.send(chunk)
            if found:
                yield from found
                del found[:]
                silent = 0
            if silent > CHUNK_BYTES and not chunk.strip(NUMBER):  # yajl takes seconds a megabyte
                raise BrokenJson("holds a number without end")
            if silent > LARGEST_VALUE:
                raise BrokenJson(f"holds one value of more than {LARGEST_VALUE >> 20} MiB")
        parser.close()
    except (ijson.JSONError, ValueError, OverflowError, StopIteration) as error:
        yield from found
        ends = "premature EOF" in str(error) or "Incomplete" in str(error)
        reason = "ends in the middle of its JSON" if ends else f"is no JSON before byte {read}"
        raise BrokenJson(reason) from error
    yield from found


def _utf8(stream: BinaryIO) -> Iterator[bytes]:
    """The stream in chunks of valid UTF-8, whatever its encoding, without its byte order mark."""
    first = stream.read(CHUNK_BYTES)
    marked = first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    decoder = codecs.getincrementaldecoder("utf-16" if marked else "utf-8-sig")("replace")
    chunk = first
    while chunk:
        yield decoder.decode(chunk).encode("utf-8", "replace")
        chunk = stream.read(CHUNK_BYTES)
    yield decoder.decode(b"", True).encode("utf-8", "replace")


# --- looks at values of unknown shape ---------------------------------------------------------


def dig(value: Any, *path: str) -> Any:
    """value[path[0]][path[1]]..., None where one is missing or no object."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def words(value: Any) -> str:
    """A string as it is, a number in digits, "" for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; [] for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def seconds(value: Any, scale: float = 1.0) -> datetime | None:
    """A number, or its digits, of 1/`scale` seconds since 1970 as aware UTC; None for nonsense."""
    try:
        return read_stamp(float(words(value)) / scale)
    except (ValueError, OverflowError):
        return None


# The signed part of a file's address opens the file to whoever reads it.
FILE_ADDRESS = re.compile(
    r"(https?://(?:[\w-]+\.)*(?:slack|slack-files|discordapp)\.(?:com|net)/[^\s?<>|]*)\?[^\s<>|)\]]*"
)
TOKEN = re.compile(r"\b(?:xox[a-z](?:\.xox[a-z])?|xapp)-[\w-]{8,}")


def without_tokens(text: str) -> str:
    """`text` without Slack's tokens and without the signed part of file addresses."""
    return TOKEN.sub("[token]", FILE_ADDRESS.sub(r"\1", text))


def read_page(stream: BinaryIO, place: Place) -> Any:
    """A page of HTML as selectolax has it, or an Unreadable where it is no page of a chat's."""
    from selectolax.lexbor import LexborHTMLParser

    data = stream.read(LARGEST_PAGE_BYTES + 1)
    if len(data) > LARGEST_PAGE_BYTES:
        reason = f"is larger than {LARGEST_PAGE_BYTES >> 20} MiB; export it as JSON"
        return place.unreadable("", reason)
    page = data.decode("utf-8-sig", "replace")
    if depth_of(page) > DEEPEST_PAGE:
        return place.unreadable("", f"is nested more than {DEEPEST_PAGE} deep")
    return LexborHTMLParser(page)


def inner_text(node: Any, selector: str) -> str:
    """What a reader sees of the first element in `node` that fits; "" without one."""
    found = node.css_first(selector) if node is not None else None
    return html_to_text(found.html or "").strip() if found else ""


def lines(stream: BinaryIO) -> Iterator[str]:
    """Lines with their "\\n" ends of a text of unknown encoding; one too long in pieces."""
    first = stream.peek(3) if isinstance(stream, io.BufferedReader) else b""
    marked = first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if marked else "utf-8-sig"
    text = io.TextIOWrapper(stream, encoding, errors="replace")
    try:
        while line := text.readline(LONGEST_LINE):
            yield line
    finally:
        text.detach()


# --- messages ---------------------------------------------------------------------------------


class ContentKeys:
    """Keys of messages whose format has no ids: when, who and what, and which of several alike.

    The same in every export that holds the message, so that overlapping exports meet. Only the
    last REMEMBERED_KEYS are counted: what is alike stands close together.
    """

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def key(self, when: str, *content: str) -> str:
        """`when` (which sorts), a hash of `content`, and "#2" for the second of its kind."""
        joined = "\0".join(content).encode("utf-8", "surrogatepass")
        key = f"{when}-{hashlib.sha256(joined).hexdigest()[:20]}"
        number = self.seen.pop(key, 0) + 1
        self.seen[key] = number
        if len(self.seen) > REMEMBERED_KEYS:
            del self.seen[next(iter(self.seen))]
        return key if number == 1 else f"{key}#{number}"


def chat_message(
    source: str,
    place: Place,
    key: str,
    author: str,
    text: str,
    sent_at: datetime | None,
    *,
    conversation: str = "",
    reply_to: str = "",
    origin: str = "spoken",
) -> Message:
    """A message of kind "chat"."""
    return Message(
        source=source,
        kind="chat",
        external_id=key,
        conversation=conversation,
        author=author,
        recipients=(),
        sent_at=sent_at,
        subject="",
        text=text,
        reply_to=reply_to,
        origin=origin,
        path=place.name,
    )
