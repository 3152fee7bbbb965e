"""Beings that the senders of messages and the names in own text suggest."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from distill.identity.beings import Being, Identity, split_author
from distill.perspective.languages import MONTHS, WEEKDAYS
from distill.perspective.persons import NOT_PERSONS, acting_names, is_person, meets
from distill.perspective.replies import own_text
from memory.message import Message


@dataclass(frozen=True, slots=True)
class Proposal:
    """A being that the messages suggest: how often it occurs, and up to three snippets.

    `kind` is one of KINDS; "self" is a sender who has the agent's name under another address.
    """

    name: str
    kind: str
    count: int
    examples: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(slots=True)
class _Seen:
    """What was counted of one candidate; `evident`: how often it was surely somebody."""

    names: Counter[str] = field(default_factory=Counter)
    addresses: dict[str, None] = field(default_factory=dict)
    kind: str = "human"
    count: int = 0
    evident: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str, evident: bool = True) -> None:
        self.count += 1
        self.evident += evident
        example = " ".join(example.split())
        if example and example not in self.examples and len(self.examples) < 3:
            self.examples.append(example)


RARELY_SOMEBODY = 30  # a name is somebody where at least every thirtieth place says so


def propose_beings(db: Any, identity: Identity) -> list[Proposal]:
    """Beings that senders and capitalised names in own text suggest, most frequent first.

    Those the registry knows are left out. One address is one being, and so is one name; a name in
    a text counts where it stands within a sentence, is never in lower case in the same text, and
    is met, greeted or acts somewhere. A being needs two places.
    """
    senders: list[_Seen] = []
    named: dict[str, _Seen] = {}
    known = _known_words(identity)
    for message in messages_of(db):
        sender = identity.resolve(message.author, message.sent_at)
        if sender is None and message.author and not _is_nobody(message.author):
            _see_sender(senders, message, identity)
        elif sender is identity.agent and message.kind != "fiction":
            for name, example, evident in _named(own_text(message.text, message.kind)):
                if not known & set(name.casefold().split()):
                    seen = named.setdefault(name, _Seen())
                    seen.names[name] += 1
                    seen.add(example, evident)
    sure = {name: one for name, one in named.items() if one.evident * RARELY_SOMEBODY >= one.count}
    found = _joined(senders, sure)
    rows = [_proposal(one) for one in found if one.count > 1]
    return sorted(rows, key=lambda one: (-one.count, one.name))


# Lists, offices and programs that send mail and are nobody.
_NO_BEING = re.compile(
    r"\b(?:team|support|newsletters?|notifications?|no[-_]?reply|do[-_]?not[-_]?reply|lists?|announce\w*|"
    r"discuss(?:ion)?|updates?|alerts?|billing|sales|postmaster|mailer-daemon|bounces?|gmbh|inc|"
    r"ltd|llc|corp|foundation|university|jira|bugzilla|jenkins|github|gitlab|owner)\b",
    re.IGNORECASE,
)
_MODELS = re.compile(r"(?:claude|chatgpt|gpt|gemini|copilot|llama|mistral|qwen)\b", re.IGNORECASE)


def _is_nobody(author: str) -> bool:
    name, address = split_author(author)
    return bool(_NO_BEING.search(name) or _NO_BEING.search(address.partition("@")[0]))


def _see_sender(senders: list[_Seen], message: Message, identity: Identity) -> None:
    name, address = split_author(message.author)
    name = " ".join(name.split())
    seen = next(
        (one for one in senders if address in one.addresses or (name and name in one.names)), None
    )
    if seen is None:
        seen = _Seen(kind=_kind(message, name, identity))
        senders.append(seen)
    seen.names[name or address] += 1
    if address:
        seen.addresses[address] = None
    seen.add(message.text[:80])


def _kind(message: Message, name: str, identity: Identity) -> str:
    words = set(name.casefold().split())
    if any(words > set(alias.name.casefold().split()) for alias in identity.agent.names()):
        return "self"
    machine = message.kind == "relay" or _MODELS.match(name)
    return "other_ai" if machine else "human"


def _joined(senders: list[_Seen], named: dict[str, _Seen]) -> list[_Seen]:
    """Senders and names with each short name joined to the only full name that has it."""
    full = [*senders, *(one for name, one in named.items() if " " in name and one.count > 1)]
    rest: list[_Seen] = []
    for one in full:
        twin = next((two for two in rest if set(one.names) & set(two.names)), None)
        rest = rest if twin else [*rest, one]
        if twin:
            _join(twin, one)
    short = [one for name, one in named.items() if " " not in name]
    for one in short:
        word = next(iter(one.names)).casefold()
        owners = [two for two in rest if word in _words(two)]
        if len(owners) == 1:
            _join(owners[0], one)
        else:
            rest.append(one)
    return rest


def _words(seen: _Seen) -> set[str]:
    return {word for name in seen.names for word in name.casefold().split() if " " in name}


def _join(into: _Seen, other: _Seen) -> None:
    into.names.update(other.names)
    into.addresses |= other.addresses
    into.count += other.count
    into.examples = [*into.examples, *other.examples][:3]


def _proposal(seen: _Seen) -> Proposal:
    """The longest name a person goes by is its name; the others are aliases."""
    plain = [name for name in seen.names if "@" not in name] or list(seen.names)
    name = max(plain, key=lambda one: (len(one.split()), seen.names[one]))
    aliases = tuple(one for one in plain if one != name)
    return Proposal(
        name, seen.kind, seen.count, tuple(seen.examples), aliases, tuple(seen.addresses)
    )


def messages_of(db: Any) -> Iterator[Message]:
    """The messages of memory.db in its order."""
    from memory.db import all_messages

    for _, message in all_messages(db):
        yield message


def _known_words(identity: Identity) -> frozenset[str]:
    beings: tuple[Being, ...] = (identity.agent, *identity.beings)
    names = [alias.name for being in beings for alias in being.names()]
    return frozenset(word.casefold() for name in names for word in name.split())


_NAME = re.compile(r"(?<=[a-z,;(—–] )[A-Z][a-zà-ÿ]{2,}(?: [A-Z][a-zà-ÿ]+)?(?![\w/-])")
_NOT_OWN_PROSE = re.compile(r"^(?:#|>|[*_].*[*_]\s*$).*", re.M)  # headings, quoted mail
_CAPITAL = re.compile(r"\b([A-Z]\w*) $")
_OPENERS = ("Dear", "Hi", "Hello", "Hey", "Hallo", "Liebe", "Lieber", "And", "But", "With", "To")


def _named(text: str) -> Iterator[tuple[str, str, bool]]:
    """(name, snippet, whether it is surely somebody here) of each name within a sentence."""
    text = _NOT_OWN_PROSE.sub("", text)
    lower = set(re.findall(r"\b[a-z]{3,}\b", text))
    acting = acting_names(text)
    for match in _NAME.finditer(text):
        first = match[0].split()[0].casefold()
        if first in lower or first in WEEKDAYS | MONTHS | NOT_PERSONS:
            continue
        start, end = match.span()
        before = _CAPITAL.search(text, max(0, start - 16), start)
        if before and before[1] not in _OPENERS:
            continue  # the second word of a name that opens its sentence
        evident = meets(text, start) or is_person(text, match, first, acting)
        yield match[0], text[max(0, start - 40) : end + 40], evident


def names_in(text: str) -> Iterator[tuple[str, str]]:
    """(name, snippet) of capitalised words within sentences that may be somebody's name."""
    for name, example, _ in _named(text):
        yield name, " ".join(example.split())
