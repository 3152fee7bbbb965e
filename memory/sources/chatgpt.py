"""Reads ChatGPT's data export, and chat logs in OpenAI's format.

In the export the person is the user: `user` is SELF and the other side "ChatGPT". Where it is an
agent's that spoke as the assistant, the source is configured with own = ["ChatGPT"] and
author = "user". A log of {"messages": [...]} says only roles: its authors are "user" and
"assistant", and `own` says which of them is the agent.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from memory.message import SELF, Message, Skipped, Unreadable
from memory.sources import chats
from memory.sources.archive import Place
from memory.sources.chat_log import ChatLog
from memory.sources.chats import digest, mapping, sequence, text_of
from memory.sources.dates import read_stamp

Record = Message | Unreadable | Skipped
list_files = chats.list_files

MODEL = "ChatGPT"
CITATION = re.compile(
    "\ue200[^\ue200\ue201]{0,300}\ue201|[\ue203-\ue206]|【\\d+[:†][^【】\n]{0,80}】"
)
THINKING = ("thoughts", "reasoning_recap")
SETTINGS = ("user_editable_context", "model_editable_context")


def read_file(file: Path, root: Path) -> Iterator[Record]:
    """Every message of conversations.json (whole, in shards, in the zip) or of a chat log.

    Of a conversation that was edited only the branch last shown is read, from `current_node` to
    the root; messages of other branches are skipped by that reason, like tools and thinking.
    """
    log = ChatLog()
    yield from chats.read_items(file, root, partial(_read, log=log), "a chat export")


def _read(value: Any, place: Place, where: str, log: ChatLog) -> Iterator[Record]:
    said = mapping(value)
    if isinstance(said.get("mapping"), dict):
        yield from _conversation(said, place, where)
    elif _lists_conversations(said):
        for number, inner in enumerate(said["conversations"], 1):
            yield from _read(inner, place, f"conversation {number}", log)
    elif isinstance(value, dict):
        yield from log.read(said, place, where)
    else:
        yield place.unreadable(where, "is no conversation")


def _lists_conversations(said: dict[str, Any]) -> bool:
    listed = sequence(said.get("conversations"))
    first = mapping(next(iter(listed), None))
    return isinstance(first.get("mapping"), dict) or isinstance(first.get("responses"), list)


# --- the export -------------------------------------------------------------------------------


def _conversation(said: dict[str, Any], place: Place, where: str) -> Iterator[Record]:
    nodes = said["mapping"]
    title, created = text_of(said.get("title")), said.get("create_time") or said.get("inserted_at")
    room = text_of(said.get("conversation_id")) or text_of(said.get("id")) or digest(title, created)
    branch = _branch(nodes, said.get("current_node"))
    found, before = False, ""
    for name in [*branch, *(name for name in nodes if name not in branch)]:
        message = _as_chatgpt(mapping(mapping(nodes.get(name)).get("message")))
        if not message:
            continue
        found, at = True, f"{where} {name}".strip()
        reason, text = _words(message) if name in branch else ("message of another branch", "")
        if reason:
            yield place.skipped(at, reason)
            continue
        identity = f"{room}/{name}"
        author = _author(mapping(message.get("author")))
        yield Message(
            source="chatgpt",
            kind="chat",
            external_id=identity,
            conversation=room,
            author=author,
            recipients=(MODEL,) if author == SELF else (),
            sent_at=read_stamp(message.get("create_time")) or read_stamp(created),
            subject=title,
            text=text,
            reply_to=before,
            origin="spoken",
            path=place.name,
        )
        before = identity
    if not found:
        yield place.skipped(where, "conversation without messages")


def _as_chatgpt(message: dict[str, Any]) -> dict[str, Any]:
    """A message of DeepSeek's export, which is shaped as ChatGPT's but for its fragments."""
    if "fragments" not in message:
        return message
    parts = [mapping(part) for part in sequence(message["fragments"])]
    kind = "REQUEST" if any(part.get("type") == "REQUEST" for part in parts) else "RESPONSE"
    said = [text_of(part.get("content")) for part in parts if part.get("type") == kind]
    author = {"role": "user"} if kind == "REQUEST" else {"role": "deepseek", "name": "DeepSeek"}
    return {"author": author, "content": {"parts": said}, "create_time": message.get("inserted_at")}


def _branch(nodes: dict[str, Any], current: Any) -> dict[str, None]:
    """The names of the branch that ends at `current`, the first first; else of the newest leaf."""
    if not isinstance(current, str) or current not in nodes:
        current = _newest_leaf(nodes)
    names: dict[str, None] = {}
    while isinstance(current, str) and current in nodes and current not in names:
        names[current] = None
        current = mapping(nodes[current]).get("parent")
    return dict.fromkeys(reversed(names))


def _newest_leaf(nodes: dict[str, Any]) -> str | None:
    parents = {parent for node in nodes.values()
               if isinstance(parent := mapping(node).get("parent"), str)}  # fmt: skip
    leaves = [name for name in nodes if name not in parents]
    return max(leaves, key=lambda name: _time(nodes[name]), default=None)


def _time(node: Any) -> float:
    message = mapping(mapping(node).get("message"))
    moment = read_stamp(message.get("create_time") or message.get("inserted_at"))
    return moment.timestamp() if moment else 0.0


def _words(message: dict[str, Any]) -> tuple[str, str]:
    """(why a message is left out, "") or ("", its text)."""
    content, about = mapping(message.get("content")), mapping(message.get("metadata"))
    role, kind = mapping(message.get("author")).get("role"), content.get("content_type")
    if kind in THINKING:
        return "thinking", ""
    if kind in SETTINGS:
        return "settings", ""
    if kind == "system_error":
        return "note of the program", ""
    if role == "system" or about.get("is_visually_hidden_from_conversation"):
        return "system message", ""
    if role in ("tool", "function"):
        return "tool result", ""
    if message.get("recipient") not in (None, "", "all"):
        return "tool call", ""
    text = _text(content)
    return ("", text) if text.strip() else ("message without words", "")


def _text(content: dict[str, Any]) -> str:
    parts = [_part(part) for part in sequence(content.get("parts"))] or [
        text_of(content.get("text"))
    ]
    return CITATION.sub("", "\n\n".join(part for part in parts if part.strip()))


def _part(part: Any) -> str:
    """A string, or what was said aloud; pictures have no words."""
    return text_of(part) or text_of(mapping(part).get("text"))


def _author(author: dict[str, Any]) -> str:
    role = str(author.get("role")).lower()
    if role in ("user", "human"):
        return SELF
    return MODEL if role in ("assistant", "none") else text_of(author.get("name")) or role
