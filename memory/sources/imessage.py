"""Reads the chat.db of macOS Messages."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from memory.db import sqlite3
from memory.message import SELF, Message, Skipped, Unreadable
from memory.sources import folder, relay
from memory.sources.archive import Place
from memory.sources.chat import chat_message, words

Record = Message | Unreadable | Skipped

list_files = relay.list_files
LARGEST_BODY_BYTES = 4 * 2**20
APPLE_EPOCH = datetime(2001, 1, 1, tzinfo=UTC)
NANOSECONDS_FROM = 10**12  # before High Sierra `date` was in seconds
TAPBACKS = range(2000, 4000)  # 2000-2007 given, 3000-3007 taken back
TAPBACK = re.compile(
    r"(?:Loved|Liked|Disliked|Laughed at|Emphasi[sz]ed|Questioned|Reacted \S{1,12} to"
    r"|Removed an? [\w ]{1,20} from) (?:[“\"].*[”\"…]|an? \w+)",
    re.DOTALL,
)
WANTED = ("guid", "text", "attributedBody", "handle_id", "is_from_me", "date", "item_type",
          "associated_message_type", "thread_originator_guid", "date_retracted")  # fmt: skip


def read_file(file: Path, root: Path) -> Iterator[Record]:
    """Every row of `message`: the owner's as SELF, others by phone number or address.

    A NULL text is decoded from attributedBody. Tapbacks and group notices are skipped; messages
    in no chat are read all the same. The key is the guid. Opened read-only, never changed.
    """
    path = folder.relative(file, root)
    start = folder.read_bytes(file, path, 2**63, first=16)
    if not isinstance(start, bytes):
        yield start
    elif start != relay.SQLITE_MAGIC:
        yield Skipped(path, "", "not a chat.db" if start else "empty file")
    else:
        yield from _read(file, Place(path))


def _read(file: Path, place: Place) -> Iterator[Record]:
    nothing = True
    try:
        with closing(relay.open_read_only(file)) as connection:
            for record in _read_rows(connection, place):
                nothing = False
                yield record
    except (sqlite3.DatabaseError, OverflowError) as error:
        yield place.unreadable("", relay.reason_of(error))
        return
    if nothing:
        yield place.skipped("", "no messages in the file")


@dataclass(frozen=True)
class _People:
    """Addresses by handle; name and, where only one other takes part, that other, by chat."""

    handles: dict[Any, str]
    chats: dict[Any, str]
    others: dict[Any, str]


def _read_rows(connection: Any, place: Place) -> Iterator[Record]:
    have = _columns(connection, "message")
    if not {"guid", "date"} <= have or not {"text", "attributedBody"} & have:
        yield place.unreadable("", "has no table of messages as chat.db does")
        return
    people = _people(connection)
    columns = [f"m.{name}" if name in have else f"null as {name}" for name in WANTED]
    join = ""
    if {"message_id", "chat_id"} <= _columns(connection, "chat_message_join"):
        columns.append("j.chat_id")
        chats = "select message_id, min(chat_id) as chat_id from chat_message_join group by 1"
        join = f"left join ({chats}) j on j.message_id = m.rowid"
    else:
        columns.append("null as chat_id")
    sql = f"select m.rowid, {', '.join(columns)} from message m {join} order by m.rowid"
    for number, *row in connection.execute(sql):
        values = dict(zip((*WANTED, "chat"), row, strict=True))
        yield _record(values, place, f"row {number}", people)


def _columns(connection: Any, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"pragma table_info({table})")}


def _people(connection: Any) -> _People:
    handles, chats, members = {}, {}, {}
    if {"id"} <= _columns(connection, "handle"):
        handles = dict(connection.execute("select rowid, id from handle"))
    have = _columns(connection, "chat")
    names = [name for name in ("display_name", "chat_identifier", "guid") if name in have]
    if names:
        empty = ", ".join(f"nullif({name}, '')" for name in (*names, names[0]))
        chats = dict(connection.execute(f"select rowid, coalesce({empty}) from chat"))
    if {"chat_id", "handle_id"} <= _columns(connection, "chat_handle_join"):
        sql = "select chat_id, handle_id from chat_handle_join"
        for chat, handle in connection.execute(sql):
            members.setdefault(chat, set()).add(words(handles.get(handle)))
    others = {chat: next(iter(who)) for chat, who in members.items() if len(who) == 1}
    return _People(handles, chats, others)


def _record(values: dict[str, Any], place: Place, where: str, people: _People) -> Record:
    if values["associated_message_type"] in TAPBACKS:
        return place.skipped(where, "tapback")
    if values["item_type"]:
        return place.skipped(where, "notice")
    if values["date_retracted"]:
        return place.skipped(where, "message taken back")
    text = values["text"]
    if not isinstance(text, str) and isinstance(values["attributedBody"], bytes):
        text = decode_body(values["attributedBody"])
        if text is None:
            return place.unreadable(where, "its attributedBody cannot be decoded")
    text = words(text).replace("\ufffc", "")  # where an attachment stands
    if not text.strip():
        return place.skipped(where, "media without words")
    if TAPBACK.fullmatch(text.strip()):
        return place.skipped(where, "tapback")
    chat = values["chat"]
    other = words(people.handles.get(values["handle_id"])) or people.others.get(chat, "")
    return chat_message(
        "imessage",
        place,
        words(values["guid"]) or where,
        SELF if values["is_from_me"] else other or "unknown",
        text,
        read_date(values["date"]),
        conversation=words(people.chats.get(chat)) or words(chat) or other,
        reply_to=words(values["thread_originator_guid"]),
    )


def read_date(value: Any) -> datetime | None:
    """Nanoseconds (once seconds) since 2001 as aware UTC; None for 0 and for nonsense."""
    if not isinstance(value, int | float) or not value:
        return None
    try:
        whole = int(value)
        whole = whole // 10**9 if abs(whole) >= NANOSECONDS_FROM else whole
        return APPLE_EPOCH + timedelta(seconds=whole)
    except (OverflowError, ValueError):
        return None


def decode_body(data: bytes) -> str | None:
    """The words of an NSAttributedString archived as a typedstream; None where it is damaged.

    The first NSString in the stream is its text; reading its bytes as they come takes a tenth of
    the time of building every attribute.
    """
    from typedstream.stream import InvalidTypedStreamError, TypedStreamReader

    if len(data) > LARGEST_BODY_BYTES:
        return None
    try:
        with TypedStreamReader.from_data(data) as reader:
            found = next((event for event in reader if isinstance(event, bytes)), b"")
    except (InvalidTypedStreamError, ValueError, TypeError, LookupError, EOFError,
            OverflowError, RecursionError, AttributeError, MemoryError):  # fmt: skip
        return None
    return found.decode("utf-8", "replace")
