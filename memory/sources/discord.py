"""Reads Discord: DiscordChatExporter's JSON and CSV, and the official package."""

import csv
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from memory.message import SELF, Message, Skipped, Unreadable
from memory.sources import folder
from memory.sources.archive import Place, read_members
from memory.sources.chat import (
    LARGEST_TEXT,
    ContentKeys,
    chat_message,
    dig,
    lines,
    walk,
    without_tokens,
    words,
)
from memory.sources.dates import read_stamp

Record = Message | Unreadable | Skipped

list_files = folder.list_files
WHOLE = frozenset(["messages[]", "[]"])
# "20" and "23" are answers to commands, which DiscordChatExporter leaves as numbers
# of the package's folders those of no messages, where JSON of gigabytes lies
PATTERN = (
    r"^(?!(?:.*/)?(?:(?:activit\w+|account|servers|programs|ads|support_tickets|store)/|events-\d))"
    r".*\.(?:json|csv)$"
)
CLOCKS = ("%m/%d/%Y %I:%M %p", "%d-%b-%y %I:%M %p")  # older versions of the exporter
SPOKEN = ("Default", "Reply", "ThreadStarterMessage", "20", "23", "0", "19", "")


def read_file(file: Path, root: Path) -> Iterator[Record]:
    """Every message; the key is Discord's id, in the exporter's CSV, which has none, the content.

    In the official package (messages.json, messages.csv) all messages are the owner's: SELF.
    """
    return read_members(file, root, PATTERN, _read, "a Discord export")


def _read(stream: BinaryIO, place: Place) -> Iterator[Record]:
    if place.name.lower().endswith(".csv"):
        yield from _read_csv(stream, place)
        return
    about: dict[str, str] = {}
    keys, count = ContentKeys(), 0
    for path, value in walk(stream, WHOLE):
        if path in WHOLE:
            count += 1
            yield _from_object(value, place, f"message {count}", about, keys)
        else:
            about[path] = words(value) if len(about) < 100 else ""


def _from_object(
    value: Any, place: Place, where: str, about: dict[str, str], keys: ContentKeys
) -> Record:
    if dig(value, "Contents") is not None:
        return _own(value, place, where, keys)
    if not isinstance(value, dict) or not isinstance(value.get("author"), dict):
        return place.unreadable(where, "is no message: it has no author, or is far too large")
    if words(value.get("type")) not in SPOKEN:
        return place.skipped(where, "notice")
    text, author = without_tokens(words(value.get("content"))), value["author"]
    if not text.strip():
        return place.skipped(where, "media without words")
    key = words(value.get("id"))
    stamp = words(value.get("timestamp"))
    names = (words(author.get(name)) for name in ("nickname", "name", "username", "id"))
    name = next(filter(None, names), "unknown")
    return chat_message(
        "discord",
        place,
        key or keys.key(stamp, name, text),
        name,
        text,
        read_stamp(stamp),
        conversation=_room(about),
        reply_to=words(dig(value, "reference", "messageId")),
    )


def _room(about: dict[str, str]) -> str:
    names = (about.get("guild.name"), about.get("channel.name") or about.get("channel.id"))
    return " / ".join(filter(None, names))


def _own(value: dict[str, Any], place: Place, where: str, keys: ContentKeys) -> Record:
    """A message of the official package, which holds the owner's alone."""
    text = without_tokens(words(value.get("Contents")))
    if not text.strip():
        return place.skipped(where, "media without words")
    parts = place.name.split("/")
    room = parts[-2].removeprefix("c") if len(parts) > 1 else ""
    stamp = words(value.get("Timestamp"))
    key = words(value.get("ID")) or keys.key(stamp, text)
    return chat_message("discord", place, key, SELF, text, read_stamp(stamp), conversation=room)


def _read_csv(stream: BinaryIO, place: Place) -> Iterator[Record]:
    csv.field_size_limit(LARGEST_TEXT)
    keys, rows = ContentKeys(), csv.DictReader(lines(stream))
    try:
        names = set(rows.fieldnames or ())
        if not ({"Contents", "Timestamp"} <= names or {"Author", "Content", "Date"} <= names):
            yield place.skipped("", "not a Discord export")
            return
        for row in rows:
            where = f"line {rows.line_num}"
            read = _own if "Contents" in names else _from_row
            yield read(row, place, where, keys)
    except csv.Error as error:
        yield place.unreadable(f"line {rows.line_num}", f"is no CSV: {error}")


def _from_row(row: dict[str, Any], place: Place, where: str, keys: ContentKeys) -> Record:
    text, author = without_tokens(words(row["Content"])), words(row["Author"])
    if not text.strip():
        return place.skipped(where, "media without words")
    stamp = words(row["Date"])
    key = keys.key(stamp, words(row.get("AuthorID")) or author, text)
    room = place.name.split("/")[-1].rpartition(".")[0]
    sent_at = read_stamp(stamp) or _old_stamp(stamp)
    return chat_message("discord", place, key, author, text, sent_at, conversation=room)


def _old_stamp(stamp: str) -> datetime | None:
    for clock in CLOCKS:
        with suppress(ValueError):
            return datetime.strptime(stamp, clock).replace(tzinfo=UTC)
    return None
