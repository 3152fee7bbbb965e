"""Reads Google Chat, Hangouts and Keep out of a Takeout."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, BinaryIO
from unicodedata import digit

from memory.message import SELF, Message, Skipped, Unreadable
from memory.sources import folder
from memory.sources.archive import Place, read_members
from memory.sources.chat import (
    ContentKeys,
    chat_message,
    dig,
    objects,
    seconds,
    walk,
    words,
)
from memory.sources.dates import read_stamp
from memory.sources.months import find_month

Record = Message | Unreadable | Skipped

list_files = folder.list_files
CHAT = "messages[]"
HANGOUTS = ("conversations[].", "conversation_state[].conversation_state.")  # now, until 2017
EVENTS = tuple(start + name for start in HANGOUTS for name in ("events[]", "event[]"))
PEOPLE = tuple(
    f"{start}{nested}participant_data[]"
    for start in HANGOUTS
    for nested in ("conversation.", "conversation.conversation.")
)
KEEP = "listContent[]"
WHOLE = frozenset([CHAT, *EVENTS, *PEOPLE, KEEP])
KEEP_KEYS = ("title", "textContent", "createdTimestampUsec", "isTrashed")
STRANGE = 5_000  # values seen of a file that is none of these: Takeout has JSON of gigabytes

EAST_ASIAN = re.compile(
    r"(\d{4})(?:[年년]|\sоны)\s?(\d\d?)(?:[月월]|-р сарын)\s?(\d\d?)(?:[日일]|,|$)"
)
TIME = re.compile(
    r"(?<!\d)(\d\d?)(?:[:.](\d\d)(?:[:.](\d\d))?(?!\d)|\s?(?:[時时시]|นาฬิกา|ໂມງ"
    r"|H\b)(?:\s?(\d\d?)\s?(?:[分分]|นาที|ນາທີ|MIN\b)?)?(?:\s?(\d\d?)\s?[秒초S])?)"
)
AFTERNOON = re.compile(
    r"(?<![^\W\d])p\.?\s?m\b|下午|午後|오후|晚上|\sم(?:\s|$)|μ\.μ|\bptg\b|\bpasdites|ಅಪರಾಹ್ನ|பிற்பகல்"
    r"|ප\.ව|ល្ងាច|ਬਾ\.ਦੁ|ከሰዓት|अपराह्न|หลังเที่ยง",
    re.IGNORECASE,
)
MORNING = re.compile(
    r"(?<![^\W\d])a\.?\s?m\b|上午|午前|오전|凌晨|\sص(?:\s|$)|π\.μ|\bpg\b|\bparadites|ಪೂರ್ವಾಹ್ನ"
    r"|முற்பகல்"
    r"|පෙ\.ව|ព្រឹក|ਪੂ\.ਦੁ|ጥዋት|पूर्वाह्न|ก่อนเที่ยง",
    re.IGNORECASE,
)
YEAR = re.compile(r"(?<!\d)(?:19|20|25)\d\d(?!\d)")
ZONE = re.compile(r"(?:UTC|GMT)([+\u2212-]\d\d?)(?::?(\d\d))?")


def read_file(file: Path, root: Path) -> Iterator[Record]:
    """Every message of Chat and Hangouts and every note of Keep in a Takeout, packed or not.

    Keys are Google's ids; a note's is the moment it was made. Deleted messages, calls and notes
    in the bin are skipped. Notes have the author SELF.
    """
    return read_members(file, root, r"\.json$", _read, "Chat, Hangouts or Keep")


@dataclass
class _File:
    """What a file has said so far."""

    place: Place
    keys: ContentKeys = field(default_factory=ContentKeys)
    names: dict[str, str] = field(default_factory=dict)  # of people, by id
    room: str = ""
    note: dict[str, Any] = field(default_factory=dict)
    items: list[str] = field(default_factory=list)  # of a note's list
    count: int = 0


def _read(stream: BinaryIO, place: Place) -> Iterator[Record]:
    state, strange = _File(place, room=place.name.rpartition("/")[0].rpartition("/")[2]), 0
    for path, value in walk(stream, WHOLE):
        if path == CHAT or path in EVENTS:
            state.count += 1
            where = f"message {state.count}"
            yield (_chat if path == CHAT else _event)(value, where, state)
        elif not _note_down(path, value, state):
            strange += 1
            if strange > STRANGE and not (state.count or state.names or state.note):
                return
    if state.note.keys() & {"textContent", "createdTimestampUsec"} or state.items:
        yield _keep(state)


def _note_down(path: str, value: Any, state: _File) -> bool:
    """Whether a value is one of those that tell about messages to come, or of a note."""
    if path in PEOPLE:
        state.names[_person(dig(value, "id"))] = words(dig(value, "fallback_name"))
    elif path in KEEP_KEYS:
        state.note[path] = value
    elif path == KEEP:
        mark = "x" if dig(value, "isChecked") is True else " "
        state.items.append(f"- [{mark}] {words(dig(value, 'text'))}")
    elif path.startswith(HANGOUTS) and path.endswith(("conversation.name", "conversation_id.id")):
        state.room = words(value)
    else:
        return False
    return True


def _person(value: Any) -> str:
    return words(dig(value, "gaia_id")) or words(dig(value, "chat_id"))


def _chat(value: Any, where: str, state: _File) -> Record:
    if not isinstance(value, dict):
        return state.place.unreadable(where, "is no message, or is far too large")
    creator = value.get("creator")
    if creator is None or value.get("message_state") == "DELETED":
        return state.place.skipped(where, "deleted message")
    text = words(value.get("text"))
    if not text.strip():
        return state.place.skipped(where, "media without words")
    name, address = words(dig(creator, "name")), words(dig(creator, "email"))
    author = f"{name} <{address}>" if name and address else name or address or "unknown"
    stamp, key = words(value.get("created_date")), words(value.get("message_id"))
    topic = key.rpartition("/")[0]
    starter = f"{topic}/{topic.rpartition('/')[2]}"
    return chat_message(
        "google_chat",
        state.place,
        key or state.keys.key(stamp, author, text),
        author,
        text,
        read_date(stamp),
        conversation=state.room,
        reply_to=starter if topic and starter != key else "",
    )


def _event(value: Any, where: str, state: _File) -> Record:
    content = dig(value, "chat_message", "message_content")
    if not isinstance(value, dict) or content is None:
        return state.place.skipped(where, "notice")
    segments = objects(dig(content, "segment"))
    text = "".join(
        "\n" if part.get("type") == "LINE_BREAK" else words(part.get("text")) for part in segments
    )
    if not text.strip():
        return state.place.skipped(where, "media without words")
    sender = _person(value.get("sender_id"))
    own = _person(dig(value, "self_event_state", "user_id"))
    author = state.names.get(sender) or (SELF if sender and sender == own else sender) or "unknown"
    stamp = words(value.get("timestamp"))
    return chat_message(
        "google_chat",
        state.place,
        words(value.get("event_id")) or state.keys.key(stamp, author, text),
        author,
        text,
        seconds(stamp, 1e6),
        conversation=words(dig(value, "conversation_id", "id")) or state.room,
    )


def _keep(state: _File) -> Record:
    note = state.note
    if note.get("isTrashed") is True:
        return state.place.skipped("", "note in the bin")
    title, body = words(note.get("title")), words(note.get("textContent"))
    text = "\n".join(part for part in (body, *state.items) if part)
    if not text.strip():
        return state.place.skipped("", "media without words")
    stamp = words(note.get("createdTimestampUsec"))
    key = f"keep:{stamp or state.keys.key('', title, text)}"
    made = chat_message("google_chat", state.place, key, SELF, text, seconds(stamp, 1e6))
    return replace(made, kind="note", subject=title)


def read_date(text: str) -> datetime | None:
    """The moment of a sentence like "Friday, January 17, 2020 at 8:49:00 PM UTC".

    In whatever language of memory.sources.months or of East Asia the account speaks; else None.
    """
    plain = text.replace("\u202f", " ").replace("\xa0", " ").lower()
    plain = re.sub(r"[^\W_a-z]", lambda sign: str(digit(sign[0], sign[0])), plain)
    day = _day(plain)
    if day is None:
        return read_stamp(text) if re.match(r"\d{4}-\d\d-\d\d", text) else None
    clock = ZONE.sub("", EAST_ASIAN.sub(" ", plain).upper())
    time = TIME.search(clock)
    hour, *rest = (int(part or 0) for part in time.groups()) if time else (0, 0, 0, 0, 0)
    minute, second = rest[0] or rest[2], rest[1] or rest[3]
    if AFTERNOON.search(plain) and hour < 12:
        hour += 12
    elif MORNING.search(plain) and hour == 12:
        hour = 0
    try:
        moment = datetime(*day, hour, minute, second, tzinfo=_zone(text))
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _day(plain: str) -> tuple[int, int, int] | None:
    asian = EAST_ASIAN.search(plain)
    if asian:
        return int(asian[1]), int(asian[2]), int(asian[3])
    month, year = find_month(plain), YEAR.search(plain)
    day = re.search(r"(?<![\d:.])\d\d?(?![\d:])", plain)
    if not (month and year and day):
        return None
    return int(year[0]) - (543 if year[0] > "2500" else 0), month, int(day[0])


def _zone(text: str) -> timezone:
    zone = ZONE.search(text)
    if not zone:
        return UTC
    hours = int(zone[1].replace("\u2212", "-"))
    minutes = int(zone[2] or 0) * (-1 if hours < 0 else 1)
    return timezone(timedelta(hours=hours, minutes=minutes))
