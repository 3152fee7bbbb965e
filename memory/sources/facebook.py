"""Reads Messenger's part of a Facebook export, JSON or HTML."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from memory.message import Message, Skipped, Unreadable
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
from memory.sources.html import html_to_text

Record = Message | Unreadable | Skipped

list_files = folder.list_files
WHOLE = frozenset(["messages[]"])
NOTICE_TYPES = ("Call", "Subscribe", "Unsubscribe", "Plan", "Payment", "call", "placeholder")
# In the language of the account: "Hat auf deine Nachricht mit ❤ reagiert", "A réagi avec ..."
REACTION = re.compile(
    r"(?:liked (?:a|your) message|reacted .{1,12} to (?:your|a|their|his|her) message"
    r"|hat (?:mit .{1,12} )?auf (?:deine|eine) nachricht (?:mit .{1,12} )?reagiert"
    r"|(?:ha )?reaccion(?:ó|ado) (?:con )?.{1,12} a (?:tu|un) mensaje|a réagi (?:avec )?.{1,12} à"
    r" (?:votre|ton|un) message|ha reagito (?:con )?.{1,12} al (?:tuo )?messaggio"
    r"|reagiu (?:com )?.{1,12} à (?:sua|tua|uma) mensagem|reageerde met .{1,12} op een bericht"
    r"|对(?:你的|一条)?消息.{0,12}做?出?了?.{1,12}回应)\.?\s*",
    re.IGNORECASE,
)
GROUP = re.compile(  # after the name of who did it
    r" (?:named the group|created (?:the|this) group|changed (?:the|your|his|her|their)|set (?:the|"
    r"your|his|her|their) (?:nickname|emoji|quick reaction)|cleared|added|removed|left the group"
    r"|joined|started (?:a|the)|ended the|pinned a message|unpinned|turned (?:on|off)|invited"
    r"|is now|can now|made|missed|called)\b.*\.\s*",
    re.DOTALL,
)
MADE_FRIENDS = re.compile(
    r"(?:You are now connected on Messenger|Say hi to your new .{0,60})\.?\s*"
)
SENT_A_FILE = re.compile(r".{1,80} sent (?:an? (?:attachment|photo|video|voice message|GIF)"
                         r"|\d+ (?:photos|videos))\.|.{1,80} (?:hat einen anhang gesendet|"
                         r"envió un archivo adjunto|a envoyé une pièce jointe|ha inviato un alleg"
                         r"ato|enviou um anexo|heeft een bijlage (?:verzonden|gestuurd)|wysłał\(?a?"
                         r"\)? załącznik|отправил\(?а?\)? вложение|bir ek gönderdi|skickade en "
                         r"bilaga|[發发傳]送了附件)[.。]?", re.IGNORECASE)  # fmt: skip


def read_file(file: Path, root: Path, source: str = "facebook") -> Iterator[Record]:
    """Every message of message_N.json (or .html), the newest first as the export has them.

    Strings are UTF-8 read as Latin-1, which is undone. Reactions lie inside messages and are no
    records; notices and media without words are skipped. There are no ids: the key is the
    millisecond and the content, whatever file or export it is in.
    """
    read = partial(_read, source=source)
    return read_members(file, root, r"\.(json|html?)$", read, "a file of messages")


def repair(value: Any) -> str:
    """A string with its UTF-8 read as UTF-8; as it is where it never was read otherwise."""
    text = words(value)
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _read(stream: BinaryIO, place: Place, source: str) -> Iterator[Record]:
    if not place.name.lower().endswith(".json"):
        yield from _read_html(stream, place, source)
        return
    keys, thread = ContentKeys(), _thread(stream, place)
    number = 0
    for path, value in walk(stream, WHOLE):
        if path == "messages[]":
            number += 1
            yield _record(value, place, f"message {number}", source, thread, keys)


def _thread(stream: BinaryIO, place: Place) -> str:
    """The conversation: the folder of message_N.json, else what the end of the file says."""
    if folder_name := _folder(place):
        return folder_name
    found: dict[str, str] = {}
    for path, value in walk(stream, frozenset()):
        if path in ("thread_path", "title", "threadName"):
            found[path] = repair(value)
    stream.seek(0)
    path = found.get("thread_path", "").rpartition("/")[2]
    return path or found.get("title") or found.get("threadName", "")


def _folder(place: Place) -> str:
    """The folder of a message_N file, which names its conversation; "" of any other file."""
    parts = place.name.split("/")
    is_part = len(parts) > 1 and re.fullmatch(r"message_\d+\.(?:json|html?)", parts[-1])
    return parts[-2] if is_part else ""


def _record(
    value: Any, place: Place, where: str, source: str, thread: str, keys: ContentKeys
) -> Record:
    stamp = words(dig(value, "timestamp_ms") or dig(value, "timestamp"))
    author = repair(dig(value, "sender_name") or dig(value, "senderName"))
    if not stamp or not isinstance(value, dict):
        return place.unreadable(where, "has no time, or is far too large")
    text = repair(value.get("content") or value.get("text"))  # share_text is what others wrote
    reason = _unsaid(value, text)
    if reason:
        return place.skipped(where, reason)
    key = keys.key(stamp, author, text)
    sent_at = seconds(stamp, 1000)
    return chat_message(source, place, key, author or "unknown", text, sent_at, conversation=thread)


def _unsaid(value: dict[str, Any], text: str) -> str:
    """Why a message says nothing; "" where it does."""
    if value.get("is_unsent") or value.get("isUnsent"):
        return "message taken back"
    if value.get("type") in NOTICE_TYPES or "call_duration" in value:
        return "notice"
    if REACTION.fullmatch(text):
        return "reaction"
    if not text.strip() or SENT_A_FILE.fullmatch(text):
        return "media without words"
    name = repair(value.get("sender_name") or value.get("senderName"))
    if MADE_FRIENDS.fullmatch(text) or (name and _tells_of(name, text)):
        return "notice"
    return ""


def _tells_of(name: str, text: str) -> bool:
    """Whether a text says what its own sender did: nobody begins with the own full name."""
    if not text.startswith(name):
        return False
    told = GROUP.fullmatch(text, len(name)) is not None
    return told or (" " in name and text[len(name) :][:1] == " " and text.rstrip()[-1:] in ".。")


# --- HTML -------------------------------------------------------------------------------------


def _read_html(stream: BinaryIO, place: Place, source: str) -> Iterator[Record]:
    """The pages of 2017 and before (.message, then a paragraph) and those of today (._a6-g)."""
    tree = read_page(stream, place)
    if isinstance(tree, Unreadable):
        yield tree
        return
    title, keys = _folder(place) or _title(tree.root), ContentKeys()
    for number, node in enumerate(tree.css("div.message, div._a6-g"), 1):
        author, stamp, text, thread = _parts(node)
        if not text or not stamp:
            yield place.skipped(f"message {number}", "media without words")
            continue
        room = thread or title
        key = keys.key(stamp, author, text, thread)
        yield chat_message(
            source, place, key, author or "unknown", text, read_stamp(stamp), conversation=room
        )


def _title(page: Any) -> str:
    node = page.css_first("title, h1")
    return node.text().strip() if node is not None else ""


def _parts(node: Any) -> tuple[str, str, str, str]:
    if "_a6-g" in (node.attributes.get("class") or ""):
        for reactions in node.css("ul._a6-q"):
            reactions.decompose()
        return *(inner_text(node, f"._a6-{part}") for part in "hop"), ""
    said, thread = node.next, ""
    while said is not None and not said.is_element_node:
        said = said.next
    text = html_to_text(said.html or "").strip() if said is not None and said.tag == "p" else ""
    if node.parent is not None and node.parent.child is not None:
        thread = (node.parent.child.text_content or "").strip()
    return inner_text(node, ".user"), inner_text(node, ".meta"), text, thread
