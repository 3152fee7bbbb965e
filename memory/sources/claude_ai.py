"""Reads the data export of Claude.ai.

The person is the human: `human` is SELF and the other side "Claude". Where it is an agent's that
spoke as the assistant, the source is configured with own = ["Claude"] and author = "user".
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from memory.message import SELF, Message, Skipped, Unreadable
from memory.sources import chats
from memory.sources.archive import Place
from memory.sources.chats import digest, mapping, sequence, text_of
from memory.sources.dates import read_stamp

Record = Message | Unreadable | Skipped
list_files = chats.list_files

MODEL = "Claude"
WORDS = ("text", "voice_note")
NOT_WORDS = {"thinking": "thinking", "redacted_thinking": "thinking", "tool_use": "tool call",
             "tool_result": "tool result"}  # fmt: skip


def read_file(file: Path, root: Path) -> Iterator[Record]:
    """Every message of conversations.json, in the zip or out of it.

    Only text blocks are words; messages of nothing but tools and thinking are skipped by reason.
    """
    yield from chats.read_items(file, root, _read, "an export of Claude.ai")


def _read(value: Any, place: Place, where: str) -> Iterator[Record]:
    said = mapping(value)
    if isinstance(said.get("conversations"), list):
        for number, inner in enumerate(said["conversations"], 1):
            yield from _read(inner, place, f"conversation {number}")
        return
    turns = said.get("chat_messages")
    if not isinstance(turns, list):
        is_other = isinstance(value, dict)
        yield (place.skipped if is_other else place.unreadable)(where, "no conversation")
        return
    if not turns:
        yield place.skipped(where, "conversation without messages")
    yield from _conversation(said, turns, place, where)


def _conversation(
    said: dict[str, Any], turns: list[Any], place: Place, where: str
) -> Iterator[Record]:
    room = text_of(said.get("uuid")) or digest(said.get("name"), said.get("created_at"))
    shown, before = _branch(said, turns), ""
    turns = sorted(turns, key=lambda turn: text_of(mapping(turn).get("created_at")))
    for number, turn in enumerate(turns, 1):
        at, turn = f"{where} message {number}".strip(), mapping(turn)
        reason, text = _words(turn)
        if shown and text_of(turn.get("uuid")) not in shown:
            reason = "message of another branch"
        if reason:
            yield place.skipped(at, reason)
            continue
        key = text_of(turn.get("uuid")) or f"{room}/{number}"
        human = turn.get("sender") in ("human", "user")
        yield Message(
            source="claude_ai",
            kind="chat",
            external_id=key,
            conversation=room,
            author=SELF if human else MODEL,
            recipients=(MODEL,) if human else (),
            sent_at=read_stamp(turn.get("created_at")) or read_stamp(said.get("created_at")),
            subject=text_of(said.get("name")),
            text=text,
            reply_to=before,
            origin="spoken",
            path=place.name,
        )
        before = key


def _branch(said: dict[str, Any], turns: list[Any]) -> set[str]:
    """The ids from the leaf last shown to the root; empty where the export names no leaf."""
    parents = {
        key: mapping(turn).get("parent_message_uuid")
        for turn in turns
        if (key := text_of(mapping(turn).get("uuid")))
    }
    current, shown = said.get("current_leaf_message_uuid"), set()
    while isinstance(current, str) and current in parents and current not in shown:
        shown.add(current)
        current = parents[current]
    return shown


def _words(turn: dict[str, Any]) -> tuple[str, str]:
    """(why a message is left out, "") or ("", its text). Blocks are newer than the `text` field."""
    blocks = [mapping(block) for block in sequence(turn.get("content"))]
    texts = [text_of(block.get("text")) for block in blocks if block.get("type") in WORDS]
    text = "\n\n".join(text for text in texts if text.strip())
    kinds = [NOT_WORDS[block["type"]] for block in blocks if str(block.get("type")) in NOT_WORDS]
    if not text and not kinds:
        text = text_of(turn.get("text"))
    if text.strip():
        return "", text
    attached = turn.get("attachments") or turn.get("files")
    return (kinds or ["attachment alone" if attached else "message without words"])[0], ""
