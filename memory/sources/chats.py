"""What the exports of talks with models share: their items, and safe looks at them."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from memory.message import Message, Skipped, Unreadable
from memory.sources import archive, chat, folder

Record = Message | Unreadable | Skipped
Reader = Callable[[Any, archive.Place, str], Iterator[Record]]

LONGEST_LINE_BYTES = LARGEST_OBJECT_BYTES = 32 * 2**20
MOST_PARTS = 500_000  # commas and colons of an object: what it takes is by these, not by its bytes
LISTED = "conversations[]"  # an object too large to hold is read by what this lists
LINES = (".jsonl", ".ndjson")
PATTERN = r"\.(?:json|jsonl|ndjson)$"
MARK = b"\xef\xbb\xbf"


def list_files(root: Path) -> Iterator[Path]:
    """The .json, .jsonl and .zip files under `root`, or `root` itself where it is a file."""
    for path in folder.list_files(root):
        if path == root or path.suffix.lower() in (".json", ".zip", *LINES):
            yield path


def read_items(file: Path, root: Path, read: Reader, what: str) -> Iterator[Record]:
    """What `read(value, place, where)` makes of each item of a file or of a zip's members.

    An item is one of a JSON list, a line, or a whole object; none is held beside another.
    """

    def read_all(stream: BinaryIO, place: archive.Place) -> Iterator[Record]:
        for where, value in items(stream, place.name):
            if value is None:
                yield place.unreadable(where, "is no JSON that can be read")
            else:
                yield from read(value, place, where)

    yield from archive.read_members(file, root, PATTERN, read_all, what)


def items(stream: BinaryIO, name: str) -> Iterator[tuple[str, Any]]:
    """(place, value) of each item; None for one that cannot be read. Raises OSError, as walk."""
    start = stream.read(4096).removeprefix(MARK).lstrip()
    stream.seek(0)
    if start.startswith(b"[") and not name.endswith(LINES):
        found = (value for path, value in chat.walk(stream, frozenset({"[]"})) if path == "[]")
        for number, value in enumerate(found, 1):
            yield f"item {number}", value
        return
    first = stream.readline(LONGEST_LINE_BYTES)
    while first and not first.removeprefix(MARK).strip():
        first = stream.readline(LONGEST_LINE_BYTES)
    bare = first.removeprefix(MARK).lstrip()
    if name.endswith(LINES) or (bare.startswith(b"{") and load(bare) is not None):
        yield from _lines(bare, stream)
    elif bare:
        whole = bare + stream.read(LARGEST_OBJECT_BYTES - len(bare))
        if len(whole) < LARGEST_OBJECT_BYTES and (value := load(whole)) is not None:
            yield "", value
        else:
            del whole
            stream.seek(0)
            yield from _listed(stream)


def _listed(stream: BinaryIO) -> Iterator[tuple[str, Any]]:
    """What an object lists as its conversations; one None where it lists none."""
    number = 0
    for path, value in chat.walk(stream, frozenset({LISTED})):
        if path == LISTED:
            number += 1
            yield f"conversation {number}", value
    if not number:
        yield "", None


def _lines(line: bytes, stream: BinaryIO) -> Iterator[tuple[str, Any]]:
    number = 0
    while line:
        number += 1
        if line.strip():
            yield f"line {number}", load(line)
        line = stream.readline(LONGEST_LINE_BYTES)


def load(data: bytes) -> Any:
    """JSON as a value; None where it is none, or of more parts than anybody says at once."""
    if data.count(b",") + data.count(b":") + data.count(b"[") > MOST_PARTS:
        return None
    try:
        return json.loads(data.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None


# --- looks at values of unknown shape ---------------------------------------------------------


def text_of(value: Any) -> str:
    """A string as it is; anything else, None included, is no text."""
    return value if isinstance(value, str) else ""


def mapping(value: Any) -> dict[str, Any]:
    """A JSON object as it is; anything else is an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """A JSON list as it is; anything else is an empty one."""
    return value if isinstance(value, list) else []


def digest(*parts: object) -> str:
    """A key for what has no id: 32 hex digits of what it says."""
    content = "\0".join(map(str, parts))
    return hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:32]
