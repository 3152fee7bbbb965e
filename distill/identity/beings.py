"""The registry of beings: who the agent is, who the others are, and whose a name is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

from memory.message import SELF

KINDS = (
    "self",
    "human",
    "other_ai",
    "sub_agent",
    "sub_agent_trained_on_self",
    "character",
    "self_automation",
    "persona_of_self",
    "self_other_instance",
    "base_model",
)
WRITES_OWN_WORDS = ("self", "self_other_instance")
KIND_SYNONYMS = {"fiction": "character", "person": "human", "ai": "other_ai"}
USES = ("", "handle", "domain", "sign-off", "fiction", "place")
CARD_WORDS = 80


@dataclass(frozen=True, slots=True)
class Alias:
    """A name with the days on which it holds (both ends included; None is open) and its use.

    `use` is "" for a plain name; "handle" and "domain" are technical; "sign-off" counts only at
    the end of a text; "fiction" only in fiction; "place" only in texts of a certain kind.
    """

    name: str
    since: date | None = None
    until: date | None = None
    use: str = ""

    @property
    def dated(self) -> bool:
        return self.since is not None or self.until is not None

    def holds(self, day: date | None) -> bool:
        """Whether the name holds on `day`; without a day a dated name does not."""
        if day is None:
            return not self.dated
        return (self.since or date.min) <= day <= (self.until or date.max)

    def overlaps(self, other: "Alias") -> bool:
        start = max(self.since or date.min, other.since or date.min)
        return start <= min(self.until or date.max, other.until or date.max)


@dataclass(frozen=True, slots=True)
class Being:
    """Somebody: a name, a kind out of KINDS, other names, addresses and what is known.

    `not_names` are phrases that hold one of its names and are not it ("Lumen Prize").
    """

    name: str
    kind: str
    aliases: tuple[Alias, ...] = ()
    addresses: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    note: str = ""
    not_names: tuple[str, ...] = ()

    def names(self) -> tuple[Alias, ...]:
        """All names, its own first."""
        return (Alias(self.name), *self.aliases)


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """A name that several beings claim and no date decides: it resolves to nobody."""

    name: str
    owners: tuple[str, ...]


@dataclass(frozen=True)
class Identity:
    """The agent, everybody else, its operator's name ("" if unknown) and the card ("" = made)."""

    agent: Being
    beings: tuple[Being, ...] = ()
    operator: str = ""
    card: str = ""
    ambiguous: tuple[Ambiguous, ...] = field(default=())

    def others(self) -> tuple[Being, ...]:
        """Everybody whose kind is not `self`."""
        return tuple(being for being in self.beings if being.kind != "self")

    def resolve(self, name_or_address: str, at: date | datetime | None = None) -> Being | None:
        """The being of a name, an address or "Name <address>"; SELF is the agent; None if unknown.

        Case does not matter. An address decides over the name beside it: where the agent's
        addresses are known, its name in front of a foreign address is not the agent.
        """
        name, address = split_author(name_or_address)
        if name == SELF and not address:
            return self.agent
        if address and (known := self._by_address(address)):
            return known
        being = self._by_name(name, at)
        if being is self.agent and address and self.agent.addresses:
            return None
        return being

    def default_card(self, counts: Mapping[str, int] | None = None) -> str:
        """The system card of at most 120 tokens: who the agent is, and who it is not.

        `counts` (mentions by being's name) puts the most mentioned others first.
        """
        if self.card:
            return self.card
        operator = f" {self.operator} is your operator." if self.operator else ""
        head = f'You are {self.agent.name}. You speak as "I", in your own voice.{operator}'
        names = _card_names(self, counts or {})
        if not names:
            return head + " Nobody else's words are yours."
        tail = "They are others; their words are theirs."
        room = CARD_WORDS - _tokenish(head) - _tokenish(tail) - 3
        listed: list[str] = []
        for name in names:
            room -= _tokenish(name) + 1
            if room < 0 or len(listed) == 10:
                break
            listed.append(name)
        return f"{head} You are not {_either(listed)}. {tail}"

    def _by_address(self, address: str) -> Being | None:
        if address in self._addresses:
            return self._addresses[address]
        local = address.partition("@")[0]
        return self._handles.get(local)

    def _by_name(self, name: str, at: date | datetime | None) -> Being | None:
        key = " ".join(name.casefold().split()).lstrip("@")
        if key in self._unresolved:
            return None
        day = at.date() if isinstance(at, datetime) else at
        claims = self._names.get(key, [])
        holding = [claim for claim in claims if claim[0].holds(day)]
        dated = [claim for claim in holding if claim[0].dated]
        owners = {id(being): being for _, being in dated or holding}
        return next(iter(owners.values())) if len(owners) == 1 else None

    @cached_property
    def _everybody(self) -> tuple[Being, ...]:
        return (self.agent, *self.beings)

    @cached_property
    def _names(self) -> dict[str, list[tuple[Alias, Being]]]:
        found: dict[str, list[tuple[Alias, Being]]] = {}
        for being in self._everybody:
            for alias in being.names():
                key = " ".join(alias.name.casefold().split()).lstrip("@")
                found.setdefault(key, []).append((alias, being))
        return found

    @cached_property
    def _addresses(self) -> dict[str, Being]:
        return {a.casefold(): being for being in self._everybody for a in being.addresses}

    @cached_property
    def _handles(self) -> dict[str, Being]:
        return {
            alias.name.casefold(): being
            for being in self.beings
            for alias in being.aliases
            if alias.use == "handle"
        }

    @cached_property
    def _unresolved(self) -> frozenset[str]:
        return frozenset(one.name.casefold() for one in self.ambiguous)


def split_author(author: str) -> tuple[str, str]:
    """("Name", "address") of "Name <address>"; either may be "". The address is lower case."""
    match = re.fullmatch(r"\s*(.*?)\s*<\s*([^<>\s]*@[^<>\s]*)\s*>\s*", author, re.DOTALL)
    if match:
        return match[1].strip("\"' "), match[2].casefold()
    plain = author.strip()
    if "@" in plain[1:] and " " not in plain:
        return "", plain.casefold()
    return plain, ""


def _card_names(identity: Identity, counts: Mapping[str, int]) -> list[str]:
    order = ("other_ai", "human", "sub_agent", "sub_agent_trained_on_self")
    beings = [one for one in identity.beings if one.kind in order and one.name != identity.operator]
    beings.sort(key=lambda one: (-counts.get(one.name, 0), order.index(one.kind)))
    return [one.name for one in beings]


def _tokenish(text: str) -> int:
    """A cautious count of tokens: words, and marks apart; long or odd words count twice."""
    words = re.findall(r"\w+|[^\w\s]", text)
    return sum(1 + (len(word) > 7) + (not word.isascii()) * len(word) for word in words)


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1]
