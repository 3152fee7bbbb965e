"""Reads a Slack export: a folder or zip of CHANNEL/DAY.json beside users.json."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from html import unescape
from pathlib import Path
from typing import Any, BinaryIO

from memory.message import Message, Skipped, Unreadable
from memory.sources import folder
from memory.sources.archive import Place, is_zip, open_members, read_members
from memory.sources.chat import chat_message, dig, objects, seconds, walk, without_tokens, words

Record = Message | Unreadable | Skipped

list_files = folder.list_files
DAY = r"(^|/)(?:\d{4}-\d\d-\d\d|[CDG][A-Z0-9]{8,})\.json$"  # slackdump's "dump": C0123456789.json
NAMES = ("users", "org_users", "channels", "groups", "dms", "mpims")
LISTS = rf"(^|/)({'|'.join(NAMES)})\.json$"
LISTED = frozenset(["[]", "messages[]"])
SPOKEN = ("", "bot_message", "me_message", "thread_broadcast", "file_comment", "file_share")
MARK = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")  # <@U1>, <#C1|general>, <url|label>


@dataclass(frozen=True)
class Directory:
    """Names by user id, and ids by channel name."""

    users: dict[str, str] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)


def read_file(file: Path, root: Path) -> Iterator[Record]:
    """Every message of a day's file, or of every day in a zip; the key is (channel, ts).

    Authors are display names of users.json; subtypes that nobody says (joins, topics) are
    skipped; a reply in a thread answers its first message. Tokens in addresses are left out.
    """
    directory = _directory(file)

    def read(stream: BinaryIO, place: Place) -> Iterator[Record]:
        channel = place.name.split("/")[-2] if place.member else file.absolute().parent.name
        for number, (_, value) in enumerate(_items(stream), 1):
            yield _record(value, place, f"message {number}", channel, directory)

    return read_members(file, root, DAY, read, "a Slack day of messages")


def _items(stream: BinaryIO) -> Iterator[tuple[str, Any]]:
    for path, value in walk(stream, LISTED):
        if path in LISTED:
            yield path, value
            yield from ((path, reply) for reply in objects(dig(value, "slackdump_thread_replies")))


def _directory(file: Path) -> Directory:
    """What the lists in the zip, or beside the channel's folder, say."""
    if is_zip(file):
        return _read_directory(file, 0)
    for home in (file.absolute().parent.parent, file.absolute().parent):
        try:
            return _read_directory(home, (home / "users.json").stat().st_mtime_ns)
        except OSError:
            continue
    return Directory()


@lru_cache(maxsize=4)
def _read_directory(home: Path, mtime_ns: int) -> Directory:
    """`mtime_ns` only tells a newer list from an older."""
    found = Directory()
    if home.is_dir():
        lists = (home / f"{name}.json" for name in NAMES)
        files = [file for file in lists if file.is_file()]
    else:
        files = [home]
    for file in files:
        try:
            for name, stream in open_members(file, LISTS):
                _take(stream, name.endswith("users.json"), found)
        except OSError:  # what is wrong with a zip is said where its days are read
            continue
    return found


def _take(stream: BinaryIO, users: bool, found: Directory) -> None:
    for _, value in _items(stream):
        key = words(dig(value, "id"))
        if users:
            found.users[key] = _name(dig(value, "profile")) or _name(value) or key
        elif name := words(dig(value, "name")):
            found.channels[name] = key


def _name(profile: Any) -> str:
    names = (words(dig(profile, key)) for key in ("display_name", "real_name", "name"))
    return next(filter(None, names), "")


def _record(value: Any, place: Place, where: str, channel: str, directory: Directory) -> Record:
    if not isinstance(value, dict) or not words(value.get("ts")):
        return place.unreadable(where, "is no message: it has no ts, or is far too large")
    if value.get("type", "message") != "message" or words(value.get("subtype")) not in SPOKEN:
        return place.skipped(where, "notice")
    text = _text(value, directory)
    if not text.strip():
        return place.skipped(where, "files without words")
    room = directory.channels.get(channel, channel)
    stamp, thread = words(value["ts"]), words(value.get("thread_ts"))
    return chat_message(
        "slack",
        place,
        f"{room}:{stamp}",
        _author(value, directory),
        text,
        seconds(stamp),
        conversation=channel,
        reply_to=f"{room}:{thread}" if thread and thread != stamp else "",
    )


def _author(value: dict[str, Any], directory: Directory) -> str:
    user = words(value.get("user"))
    names = (
        directory.users.get(user, ""),
        _name(value.get("user_profile")),
        words(value.get("username")),
        _name(value.get("bot_profile")),
        user or words(value.get("bot_id")),
    )
    return next(filter(None, names), "unknown")


def _block_text(block: dict[str, Any], depth: int = 0) -> str:
    """The words of a block of Block Kit, whose text stands in elements within elements."""
    if isinstance(block.get("text"), str):
        return block["text"]
    if depth > 8:
        return ""
    if mark := _mark(block):
        return mark
    inside = objects(block.get("elements")) + objects([block.get("text")])
    mark = "\n" if block.get("type") in ("rich_text", "rich_text_list") else ""
    return mark.join(_block_text(part, depth + 1) for part in inside)


def _mark(block: dict[str, Any]) -> str:
    """An element without words of its own, as `text` would write it."""
    kind, name = block.get("type"), words(block.get("name"))
    if kind == "emoji":
        return f":{name}:"
    target = words(block.get("user_id") or block.get("channel_id") or block.get("url"))
    before = {"user": "@", "channel": "#", "link": ""}.get(kind)
    if kind == "broadcast":
        return f"<!{words(block.get('range'))}>"
    return f"<{before}{target}>" if before is not None and target else ""


def _text(value: dict[str, Any], directory: Directory) -> str:
    """The words, mentions by name; of a program's message without any those it attached."""
    text = words(value.get("text")) or "\n".join(map(_block_text, objects(value.get("blocks"))))
    if not text.strip() and (value.get("bot_id") or value.get("subtype") == "bot_message"):
        attached = objects(value.get("attachments"))  # of a person's they are others' words, shared
        text = "\n".join(words(part.get("text") or part.get("fallback")) for part in attached)

    def plain(mark: re.Match[str]) -> str:
        kind, target, label = mark[1], mark[2], mark[3]
        if kind == "@":
            return f"@{directory.users.get(target) or label or target}"
        return f"{kind.replace('!', '@')}{label or target}"

    return unescape(MARK.sub(plain, without_tokens(text)))
