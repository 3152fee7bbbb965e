"""Who speaks and who is spoken of, span by span."""

from dataclasses import dataclass

from distill.identity import Being, Identity
from memory.message import Message


@dataclass(frozen=True, slots=True)
class Span:
    """text[start:end] with the flags of who is spoken of, whether it carries loss, and why."""

    start: int
    end: int
    flags: frozenset[str]
    loss: bool
    why: str


@dataclass(frozen=True, slots=True)
class Perspective:
    """What Junior makes of one message; the spans are sorted and cover the text."""

    author: Being | None
    own: bool
    provenance: str
    machine: bool
    machine_reason: str
    spans: tuple[Span, ...]


def read(message: Message, identity: Identity, *, own: tuple[str, ...] = ()) -> Perspective:
    """The perspective of a message; `own` are more names and addresses of the agent."""
    author = identity.resolve(message.author, message.sent_at)
    mine = author is identity.agent
    spans = (Span(0, len(message.text), frozenset(), mine, "own" if mine else "other author"),)
    return Perspective(
        author, mine, "own" if mine else "other", False, "", spans if message.text else ()
    )
