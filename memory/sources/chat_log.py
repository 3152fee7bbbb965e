"""Reads logs of talks with a model: requests in OpenAI's shapes, bare turns, Ollama's, Codex's."""

import re
from collections.abc import Iterator
from typing import Any

from memory.message import Message, Skipped, Unreadable
from memory.sources.archive import Place
from memory.sources.chats import digest, mapping, sequence, text_of
from memory.sources.dates import read_stamp

Record = Message | Unreadable | Skipped

WRAPS = ("request", "response", "body", "data", "chat")  # in which logs wrap what was sent
LISTS = ("messages", "conversations", "conversation", "input")  # of turns
ROLES = {"human": "user", "ai": "assistant", "model": "assistant", "gpt": "assistant",
         "bot": "assistant", "chatgpt": "assistant", "gemini": "assistant"}  # fmt: skip
STAMPS = ("timestamp", "created_at", "createdAt", "created", "time", "date", "create_time")
WORDS = ("content", "value", "message", "text")
ROOMS = ("conversationId", "conversation_id", "sessionId", "session_id", "id")
SURROUNDINGS = re.compile(  # which Cline puts among the words of who typed
    r"<environment_details>.*?</environment_details>\s*|</?(?:task|feedback|user_message)>\s*",
    re.DOTALL,
)
CODEX = ("session_meta", "response_item", "event_msg", "turn_context", "compacted")
CODEX_NOTES = ("<environment_context>", "<user_instructions>", "# AGENTS.md", "<INSTRUCTIONS>",
               "<turn_aborted>", "<permissions")  # fmt: skip


class ChatLog:
    """Reads the items of one log, which may be whole requests or turns that make up one talk.

    Authors are "user" and "assistant", as the log's roles. A key says all that came before it in
    the talk: one that is logged again at each turn is stored once.
    """

    def __init__(self) -> None:
        self.room = self.chain = self.before = ""  # of the talk whose turns are items

    def read(self, said: dict[str, Any], place: Place, where: str) -> Iterator[Record]:
        """The messages of an item."""
        if said.get("type") in CODEX and isinstance(said.get("payload"), dict):
            yield from self._codex(said, place, where)
        elif turns := _turns(said):
            about = mapping(said.get("conversation")) or said
            room = next(filter(None, (text_of(about.get(key)) for key in ROOMS)), "")
            yield from self._talk(turns, room, _stamp(said), place, where)
        elif _role(said) and _words(said):
            yield self._turn(said, place, where)
        else:
            yield place.skipped(where, "no conversation")

    def _talk(
        self, turns: list[Any], room: str, sent_at: Any, place: Place, where: str
    ) -> Iterator[Record]:
        talk = ChatLog()
        talk.room = talk.chain = room
        for number, turn in enumerate(turns, 1):
            at = f"{where} message {number}".strip()
            yield talk._turn(_shown(mapping(turn)), place, at, sent_at)

    def _turn(self, turn: dict[str, Any], place: Place, at: str, sent_at: Any = None) -> Record:
        role, text = _role(turn), _words(turn)
        self.chain = digest(self.chain, role, text)
        self.room = self.room or self.chain
        if not role:
            return place.unreadable(at, "has no role")
        if role not in ("user", "assistant"):
            system = role in ("system", "developer")
            return place.skipped(at, "system message" if system else "tool result")
        if not text.strip():
            return place.skipped(at, "message without words")
        before, self.before = self.before, self.chain
        return Message(
            source="chatgpt",
            kind="chat",
            external_id=self.chain,
            conversation=self.room,
            author=role,
            recipients=(),
            sent_at=_stamp(turn) or sent_at,
            subject="",
            text=text,
            reply_to=before,
            origin="spoken",
            path=place.name,
        )

    def _codex(self, line: dict[str, Any], place: Place, where: str) -> Iterator[Record]:
        """A line of Codex's rollout: what is said stands in `response_item`s of type message."""
        said = line["payload"]
        if line["type"] == "session_meta":
            self.room = text_of(said.get("id")) or self.room
            self.chain = self.room
        if line["type"] != "response_item":
            yield place.skipped(where, "note of the program")
        elif said.get("type") != "message":
            kind = "thinking" if said.get("type") == "reasoning" else "tool call"
            yield place.skipped(where, kind)
        elif _words(said).lstrip().startswith(CODEX_NOTES):
            yield place.skipped(where, "note of the program")
        else:
            yield self._turn(said, place, where, _stamp(line))


def _turns(said: dict[str, Any]) -> list[Any]:
    """The turns of a logged request with the answer to it, wherever the log keeps them."""
    turns = next((list(said[key]) for key in LISTS if isinstance(said.get(key), list)), [])
    turns += [mapping(one).get("response") for one in sequence(said.get("responses"))]  # Grok
    for request in map(mapping, sequence(said.get("requests"))):  # Copilot's
        turns.append({"role": "user", "content": mapping(request.get("message")).get("text")})
        said_back = [
            text_of(mapping(part).get("value")) for part in sequence(request.get("response"))
        ]
        turns.append({"role": "assistant", "content": "".join(said_back)})
    if isinstance(said.get("prompt"), str):
        turns.append({"role": "user", "content": said["prompt"]})
    elif isinstance(said.get("input"), str):
        turns.append({"role": "user", "content": said["input"]})
    if isinstance(said.get("message"), dict):
        turns.append(said["message"])
    turns += [mapping(choice).get("message") for choice in sequence(said.get("choices"))[:1]]
    turns += [one for one in sequence(said.get("output")) if mapping(one).get("type") == "message"]
    if isinstance(said.get("response"), str):
        turns.append({"role": "assistant", "content": said["response"]})
    for key in WRAPS:
        inner = said.get(key)
        if isinstance(inner, dict) and not any(isinstance(inner.get(k), dict) for k in WRAPS):
            turns += _turns(inner)
    return turns


def _shown(turn: dict[str, Any]) -> dict[str, Any]:
    """Of a turn that LM Studio keeps in versions, the one that was selected."""
    versions, number = sequence(turn.get("versions")), turn.get("currentlySelected")
    if not versions:
        return turn
    return mapping(versions[number if number in range(len(versions)) else -1])


def _role(turn: dict[str, Any]) -> str:
    if isinstance(by_user := turn.get("isCreatedByUser"), bool):  # LibreChat's
        return "user" if by_user else "assistant"
    names = (text_of(turn.get(key)).lower() for key in ("role", "from", "sender"))
    kind = text_of(turn.get("type")).lower()  # of LangChain, of Gemini's command line
    role = next(filter(None, names), "") or (kind if kind in ROLES or kind == "user" else "")
    return ROLES.get(role, role)


def _words(turn: dict[str, Any]) -> str:
    """A turn's text: a string, or the text parts of a list."""
    inner = mapping(turn.get("data")) or turn
    content = next((inner[key] for key in WORDS if inner.get(key) is not None), None)
    if isinstance(content, str):
        return _plain(content)
    parts = sequence(content) or [
        part
        for step in sequence(turn.get("steps"))
        for part in sequence(mapping(step).get("content"))
    ]
    texts = [_plain(text_of(part) or text_of(mapping(part).get("text"))) for part in parts]
    return "\n\n".join(text for text in texts if text.strip())


def _plain(text: str) -> str:
    return (
        SURROUNDINGS.sub("", text).rstrip()
        if "<environment_details>" in text or (text.startswith("<task>"))
        else text
    )


def _stamp(said: dict[str, Any]) -> Any:
    return next(filter(None, (_moment(said.get(key)) for key in STAMPS)), None)


def _moment(value: Any) -> Any:
    """A clock, also as MongoDB writes it: {"$date": {"$numberLong": "1772355600000"}}."""
    inner = mapping(value).get("$date", value)
    return read_stamp(mapping(inner).get("$numberLong", inner))
