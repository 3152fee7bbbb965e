"""Reads the transcripts of Claude Code.

They lie in ~/.claude/projects, a line of JSON for each step. The assistant is SELF; who typed (or
the program that drove it) is "user".
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from memory.message import SELF, Message, Skipped, Unreadable
from memory.sources import chats, folder
from memory.sources.archive import Place
from memory.sources.chats import digest, mapping, sequence, text_of
from memory.sources.dates import read_stamp

Record = Message | Unreadable | Skipped

REMINDER = re.compile(  # what the program puts among the words of who typed
    r"<(?P<tag>system-reminder|task-notification|new-diagnostics|user-prompt-submit-hook"
    r"|ide_\w{1,30})>.*?(?:</(?P=tag)>\s*|\Z)",
    re.S,
)
BY_PROGRAM = re.compile(
    r"\s*(?:<(?:command-(?:name|message|args)|local-command-\w+|bash-(?:input|stdout|stderr)"
    r"|user-memory-input)>|<teammate-message |Caveat: The messages below|\[Request interrupted)"
)
BLOCKS = {"thinking": "thinking", "redacted_thinking": "thinking", "tool_use": "tool call",
          "server_tool_use": "tool call", "tool_result": "tool result"}  # fmt: skip


def list_files(root: Path) -> Iterator[Path]:
    """The .jsonl files under `root`, or `root` itself where it is a file."""
    for path in folder.list_files(root):
        if path == root or path.suffix == ".jsonl":
            yield path


def read_file(file: Path, root: Path) -> Iterator[Record]:
    """What was said in one session, line by line.

    Thinking, tools, summaries, the work of sub-agents (sidechains) and the program's own notes
    are skipped, each by its reason. A session that was resumed or forked repeats lines in another
    file, under its own session: the line's id is the key (memory.store's rule "copy").
    """

    def read(value: Any, place: Place, where: str) -> Iterator[Record]:
        yield _read(value, place, where)

    yield from chats.read_items(file, root, read, "a transcript")


def _read(value: Any, place: Place, where: str) -> Record:
    line = mapping(value)
    if not line:
        return place.unreadable(where, "is no JSON object")
    key = text_of(line.get("uuid"))
    parent = text_of(line.get("parentUuid")) or text_of(line.get("logicalParentUuid"))
    room = text_of(line.get("sessionId")) or place.name
    said = mapping(line.get("message"))
    text = _text(said.get("content"))
    if reason := _reason(line, said, text):
        return place.skipped(where, reason)
    return Message(
        source="claude_code",
        kind="chat",
        external_id=key or digest(line.get("timestamp"), line.get("type"), text),
        conversation=room,
        author=SELF if line["type"] == "assistant" else "user",
        recipients=("user",) if line["type"] == "assistant" else (),
        sent_at=read_stamp(line.get("timestamp")),
        subject="",
        text=text,
        reply_to=parent,
        origin="spoken",
        path=place.name,
    )


def _reason(line: dict[str, Any], said: dict[str, Any], text: str) -> str:
    """Why a line is left out; "" where somebody says something."""
    kind = line.get("type")
    if kind == "summary" or line.get("isCompactSummary"):
        return "summary"
    if line.get("isSidechain"):
        return "sidechain"
    if kind not in ("user", "assistant") or line.get("isMeta"):
        return "note of the program"
    if line.get("isApiErrorMessage") or said.get("model") == "<synthetic>":
        return "note of the program"
    if not text.strip():
        kinds = [str(mapping(block).get("type")) for block in sequence(said.get("content"))]
        return next((BLOCKS[one] for one in kinds if one in BLOCKS), "message without words")
    if kind == "user" and BY_PROGRAM.match(text):
        return "note of the program"
    return ""


def _text(content: Any) -> str:
    """The words of a message without the reminders the program puts into them."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else sequence(content)
    texts = [
        text_of(mapping(block).get("text"))
        for block in blocks
        if mapping(block).get("type") == "text"
    ]
    texts = [REMINDER.sub("", text) for text in texts]
    return "\n\n".join(text for text in texts if text.strip())
