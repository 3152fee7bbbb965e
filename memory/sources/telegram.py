"""Reads Telegram Desktop's exports, JSON or HTML, of one chat or of all."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from memory.message import SELF, Message, Skipped, Unreadable
from memory.sources import folder
from memory.sources.archive import Place, read_members
from memory.sources.chat import (
    ContentKeys,
    chat_message,
    dig,
    inner_text,
    read_page,
    seconds,
    walk,
    words,
)
from memory.sources.dates import read_stamp

Record = Message | Unreadable | Skipped

list_files = folder.list_files
CHATS = ("", "chats.list[].", "left_chats.list[].")
WHOLE = frozenset(f"{chat}messages[]" for chat in CHATS)
# Telegram finds these itself, where a word begins
FOUND_BY_TELEGRAM = ("link", "mention", "hashtag", "cashtag", "email", "phone", "bot_command")


def read_file(file: Path, root: Path) -> Iterator[Record]:
    """Every message of result.json or messages*.html; service messages are skipped.

    The key is (chat, message); the author is the name, the id of a deleted account, SELF for the
    owner of a whole account's export, and of a forwarded message who first wrote it.
    """
    pattern = r"\.json$|(^|/)messages\d*\.html$"
    return read_members(file, root, pattern, _read, "a Telegram export")


def _read(stream: BinaryIO, place: Place) -> Iterator[Record]:
    yield from (_read_html if place.name.endswith(".html") else _read_json)(stream, place)


def _read_json(stream: BinaryIO, place: Place) -> Iterator[Record]:
    keys, chat, owner, count = ContentKeys(), {}, "", 0
    for path, value in walk(stream, WHOLE):
        if path in WHOLE:
            count += 1
            yield _record(value, place, f"message {count}", chat, owner, keys)
        elif path == "personal_information.user_id":
            owner = f"user{words(value)}"
        elif path in ("chats.list[]", "left_chats.list[]"):
            chat = {}
        elif path.rpartition(".")[0] in ("", "chats.list[]", "left_chats.list[]"):
            chat[path.rpartition(".")[2]] = words(value)


def _record(
    value: Any, place: Place, where: str, chat: dict[str, str], owner: str, keys: ContentKeys
) -> Record:
    if not isinstance(value, dict):
        return place.unreadable(where, "is no message: not an object, or far too large")
    if value.get("type", "message") != "message":
        return place.skipped(where, "service message")
    text = read_text(value) or words(dig(value, "poll", "question"))
    if not text.strip():
        return place.skipped(where, "media without words")
    sent_at = seconds(value.get("date_unixtime")) or read_stamp(value.get("date"))
    author, room = _author(value, owner), chat.get("id") or chat.get("name", "")
    key = partial("{}:{}".format, room)
    number = words(value.get("id"))
    when = words(value.get("date_unixtime")) or words(value.get("date"))
    reply = words(value.get("reply_to_message_id"))
    return chat_message(
        "telegram",
        place,
        key(number) if number else keys.key(when, author, text),
        author,
        text,
        sent_at,
        conversation=chat.get("name") or room,
        reply_to=key(reply) if reply else "",
        origin="generated" if words(value.get("via_bot")) else "spoken",
    )


def _author(value: dict[str, Any], owner: str) -> str:
    if "forwarded_from" in value:
        return words(value["forwarded_from"]) or "unknown"
    sender = words(value.get("from_id"))
    return SELF if sender and sender == owner else words(value.get("from")) or sender or "unknown"


def read_text(value: dict[str, Any]) -> str:
    """The words of a message: `text_entities`, else `text`, a string or a list of pieces."""
    pieces = value.get("text_entities") or value.get("text")
    if not isinstance(pieces, list):
        return words(pieces)
    text = ""
    for before, piece in zip([None, *pieces], pieces, strict=False):
        said = words(piece) or words(dig(piece, "text"))
        if _are_apart(before, piece) and text and not text[-1].isspace():
            text += " "
        text += said
    return text


def _are_apart(before: Any, piece: Any) -> bool:
    """A link Telegram found stands apart from a piece in another style, if not in the export."""
    plain = not isinstance(before, dict) or before.get("type") == "plain"
    return not plain and dig(piece, "type") in FOUND_BY_TELEGRAM


# --- HTML -------------------------------------------------------------------------------------


def _read_html(stream: BinaryIO, place: Place) -> Iterator[Record]:
    tree = read_page(stream, place)
    if isinstance(tree, Unreadable):
        yield tree
        return
    chat, author = inner_text(tree.root, ".page_header .text"), "unknown"
    for number, node in enumerate(tree.css("div.message"), 1):
        author = inner_text(node, ".body > .from_name") or author
        yield _from_node(node, place, f"message {number}", chat, author)


def _from_node(node: Any, place: Place, where: str, chat: str, author: str) -> Record:
    if "service" in (node.attributes.get("class") or "").split():
        return place.skipped(where, "service message")
    text = inner_text(node, ".body > .text") or inner_text(node, ".forwarded .text")
    if not text:
        return place.skipped(where, "media without words")
    forwarded = re.sub(r"\s+\d\d\.\d\d\.\d{4} .*", "", inner_text(node, ".forwarded > .from_name"))
    date = node.css_first(".date")
    stamp = (date.attributes.get("title") or "") if date else ""
    link = node.css_first(".reply_to a")
    reply = re.search(r"\d+$", (link.attributes.get("href") or "") if link else "")
    return chat_message(
        "telegram",
        place,
        f"{chat}:{(node.attributes.get('id') or where).removeprefix('message')}",
        forwarded or author,
        text,
        read_stamp(stamp.replace("UTC", "").replace(" +", "+").replace(" -", "-")),
        conversation=chat,
        reply_to=f"{chat}:{reply[0]}" if reply else "",
    )
