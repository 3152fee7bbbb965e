"""Reads Signal: its own export, signal-export's folders, and JSON of messages."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from memory.message import SELF, Message, Skipped, Unreadable
from memory.sources import folder
from memory.sources.archive import Place, read_members
from memory.sources.chat import (
    LONGEST_LINE,
    ContentKeys,
    chat_message,
    dig,
    lines,
    seconds,
    walk,
    words,
)
from memory.sources.chat_text import Entry, read_entries
from memory.sources.dates import read_stamp
from memory.sources.signal_text import MARKDOWN, NUMBER, SHORT, read_short, read_sigtop

Record = Message | Unreadable | Skipped

list_files = folder.list_files
ROOMS, MESSAGES = "conversations[]", ("messages[]", "messsages[]", "[]")
NESTED = "conversations[].messages[]"
WHOLE = frozenset([*MESSAGES, NESTED])
ME = ("me", "you", "note to self")


def read_file(file: Path, root: Path) -> Iterator[Record]:
    """Every message; the owner's as SELF where the format only says "Me" or "outgoing".

    main.jsonl of Signal's own export (frames of recipients, chats and items), data.json and
    chat.md of signal-export, sigtop's JSON and texts, JSON with `messages`, and text as "[date,
    time] name: words".
    """
    pattern = r"\.(jsonl?|ndjson|txt|md)$"
    return read_members(file, root, pattern, _read, "a Signal export")


def _read(stream: BinaryIO, place: Place) -> Iterator[Record]:
    first = stream.readline(LONGEST_LINE)
    stream.seek(0)
    state = _State(place, room=place.name.rpartition("/")[0].rpartition("/")[2])
    if not first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")) or _is_clock(first):
        yield from _read_text(stream, state)
    elif _is_object(first):
        yield from _read_lines(stream, state)
    else:
        yield from _read_document(stream, state)


@dataclass
class _State:
    """What a file has said so far: names by id, the other side of a chat by its id."""

    place: Place
    room: str = ""
    names: dict[str, str] = field(default_factory=dict)
    chats: dict[str, str] = field(default_factory=dict)
    keys: ContentKeys = field(default_factory=ContentKeys)


def _is_clock(line: bytes) -> bool:
    return re.match(rb"\[\d{1,4}[./-]", line) is not None


def _is_object(line: bytes) -> bool:
    """Whether a first line is an object of its own, and not a document that holds messages."""
    try:
        value = json.loads(line.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and not isinstance(value.get("messages"), list)


def _read_text(stream: BinaryIO, state: _State) -> Iterator[Record]:
    nothing, is_markdown = True, state.place.name.lower().endswith(".md")
    for entry in _entries(stream, state):
        nothing = False
        where, text = f"line {entry.line}", entry.text.strip("\n")
        if is_markdown:
            text = MARKDOWN.sub("", text).strip()
        author = SELF if entry.author.lower() in ME else entry.author
        if not entry.whole:
            yield state.place.unreadable(where, "is far too long for a message")
        elif not author or not text.strip():
            yield state.place.skipped(where, "media without words" if author else "notice")
        else:
            key = state.keys.key(entry.written, author, text)
            yield _message(state, key, author, text, entry.sent_at, state.room)
    if nothing:
        yield state.place.skipped("", "not a Signal export")


def _entries(stream: BinaryIO, state: _State) -> Iterator[Entry]:
    """sigtop's text, its short text, or "[date, time] name: words" as signal-export's Markdown."""
    first = stream.readline(LONGEST_LINE).removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    stream.seek(0)
    if first.startswith("Conversation: "):
        state.room = NUMBER.sub("", first.partition(": ")[2].strip())
        yield from read_sigtop(lines(stream))
    elif SHORT.match(first):
        yield from read_short(lines(stream))
    else:
        yield from read_entries(stream)


def _read_lines(stream: BinaryIO, state: _State) -> Iterator[Record]:
    for number, line in enumerate(lines(stream), 1):
        where = f"line {number}"
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            yield state.place.unreadable(where, "is no JSON")
            continue
        record = _from_line(value, where, state)
        if record is not None:
            yield record


def _from_line(value: Any, where: str, state: _State) -> Record | None:
    """A frame of Signal's own export, or a message of signal-export; None for what only names."""
    if isinstance(dig(value, "chatItem"), dict):
        return _item(value["chatItem"], where, state)
    if isinstance(dig(value, "recipient"), dict):
        recipient = value["recipient"]
        state.names[words(recipient.get("id"))] = _name(recipient)
    elif isinstance(dig(value, "chat"), dict):
        chat = value["chat"]
        state.chats[words(chat.get("id"))] = words(chat.get("recipientId"))
    elif isinstance(dig(value, "envelope"), dict):
        return _received(value["envelope"], where, state)
    elif isinstance(value, dict) and value.keys() & {"body", "sender"}:
        return _from_object(value, where, state)
    return None


def _received(envelope: dict[str, Any], where: str, state: _State) -> Record:
    """What signal-cli received, or saw the owner send from another device."""
    sent = dig(envelope, "syncMessage", "sentMessage")
    said = sent if isinstance(sent, dict) else envelope.get("dataMessage")
    if not isinstance(said, dict) or "reaction" in said:
        return state.place.skipped(where, "notice")
    text, stamp = (
        words(said.get("message")),
        words(said.get("timestamp") or envelope.get("timestamp")),
    )
    if not text.strip():
        return state.place.skipped(where, "media without words")
    names = (words(envelope.get(key)) for key in ("sourceName", "sourceNumber", "source"))
    sender = next(filter(None, names), "unknown")
    author = SELF if said is sent else sender
    other = (
        words(said.get("destination") or said.get("destinationNumber")) if author == SELF else ""
    )
    room = words(dig(said, "groupInfo", "groupId")) or other or sender
    return _message(state, f"{stamp}:{author}", author, text, seconds(stamp, 1000), room)


def _name(recipient: dict[str, Any]) -> str:
    if "self" in recipient:
        return SELF
    contact, group = recipient.get("contact"), dig(recipient, "group", "snapshot", "title")
    given = (words(dig(contact, "profileGivenName")), words(dig(contact, "profileFamilyName")))
    names = (" ".join(filter(None, given)), words(dig(group, "title")),
             words(dig(contact, "username")), words(dig(contact, "e164")))  # fmt: skip
    return next(filter(None, names), "")


def _item(item: dict[str, Any], where: str, state: _State) -> Record:
    said = dig(item, "standardMessage")
    text = words(dig(said, "text", "body"))
    if said is None:
        taken = "remoteDeletedMessage" in item
        return state.place.skipped(where, "message taken back" if taken else "notice")
    if not text.strip():
        return state.place.skipped(where, "media without words")
    chat, sender = words(item.get("chatId")), words(item.get("authorId"))
    own = isinstance(item.get("outgoing"), dict)
    author = SELF if own else state.names.get(sender) or sender or "unknown"
    stamp = words(item.get("dateSent"))
    room = state.names.get(state.chats.get(chat, "")) or chat
    quoted = words(dig(said, "quote", "targetSentTimestamp"))
    return _message(
        state,
        f"{stamp}:{_key_of(author)}",
        author,
        text,
        seconds(stamp, 1000),
        room,
        f"{quoted}:{_key_of(_quoted(said, state))}" if quoted else "",
    )


def _quoted(said: Any, state: _State) -> str:
    sender = words(dig(said, "quote", "authorId"))
    return state.names.get(sender) or sender


def _key_of(author: str) -> str:
    return author or "unknown"


def _read_document(stream: BinaryIO, state: _State) -> Iterator[Record]:
    """{"conversations": [...], "messages": [...]} in either order of shape, or a bare list."""
    number, room = 0, ""
    for path, value in walk(stream, WHOLE):
        if path in WHOLE:
            number += 1
            yield _from_object(value, f"message {number}", state, room if path == NESTED else "")
        elif path == ROOMS:
            room = ""
        elif path == f"{ROOMS}.id":
            room = words(value)
        elif path in (f"{ROOMS}.name", f"{ROOMS}.profileName") and words(value):
            state.names[room] = words(value)


def _from_object(value: Any, where: str, state: _State, room: str = "") -> Record:
    if not isinstance(value, dict):
        return state.place.unreadable(where, "is no message, or is far too large")
    if words(value.get("type")) not in ("", "incoming", "outgoing", "message"):
        return state.place.skipped(where, "notice")
    if not value.keys() & {"body", "text"}:
        return state.place.skipped(where, "not a message of Signal")
    if value.get("deletedForEveryone") is True:
        return state.place.skipped(where, "message taken back")
    text = words(value.get("body") or value.get("text"))
    if not text.strip():
        return state.place.skipped(where, "media without words")
    stamp = next((value[name] for name in ("sent_at", "date", "timestamp", "dateSent")
                  if value.get(name)), None)  # fmt: skip
    room = words(value.get("conversationId")) or room
    author = _author(value, room, state)
    key = words(value.get("id")) or state.keys.key(words(stamp), author, text)
    name = state.names.get(room) or words(value.get("conversationName")) or room or state.room
    return _message(state, key, author, text, read_stamp(stamp), name)


def _author(value: dict[str, Any], room: str, state: _State) -> str:
    if value.get("type") == "outgoing":
        return SELF
    names = ("sender", "author", "from", "source", "sourceUuid", "sourceServiceId")
    name = next((words(value[key]) for key in names if words(value.get(key))), "")
    if name.lower() in ME:
        return SELF
    return state.names.get(name) or name or state.names.get(room) or "unknown"


def _message(
    state: _State, key: str, author: str, text: str, sent_at: Any, room: str, reply: str = ""
) -> Message:
    return chat_message(
        "signal", state.place, key, author, text, sent_at, conversation=room, reply_to=reply
    )
