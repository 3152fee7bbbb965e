"""A registry out of a list of beings as an operator writes it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from distill.identity.beings import (
    KIND_SYNONYMS,
    KINDS,
    Alias,
    Ambiguous,
    Being,
    Identity,
)

OPERATOR_ALIASES = {"my operator", "my human", "the operator", "my maker", "my user", "operator"}


def identity_from_proposal(
    name: str, aliases: Sequence[str], addresses: Sequence[str], proposal: list[dict[str, Any]]
) -> Identity:
    """A registry from a list of beings as an operator writes it; nothing is refused.

    Each entry may have `name, kind, is_self, aliases, addresses, description, ambiguous_with`.
    Bracketed parts of an alias are notes. Entries of kind self, or `is_self` ones that share an
    alias with the agent, are merged into it; a name of two beings that neither dates nor a
    mutual "former name" decide is listed as ambiguous.
    """
    entries = [_entry(row) for row in proposal if str(row.get("name", "")).strip()]
    agent = Being(name.strip(), "self", tuple(_alias(one) for one in aliases), _lower(addresses))
    if not agent.name:
        first = next((one for one, _ in entries if one.kind == "self"), None)
        agent = replace(agent, name=first.name if first else "")
    others: list[Being] = []
    for being, is_self in entries:
        shared = is_self and being.kind not in KINDS[6:] and _shared(agent, being)
        if being.kind == "self" or _same(being.name, agent.name) or shared:
            agent = _merge(agent, being)
        else:
            others.append(being)
    agent = _without_repeats(agent)
    beings, ambiguous = _settle(agent, _merge_renamed(others))
    contested = {(one.name.casefold(), agent.name) for one in ambiguous}
    agent = _plain(agent, contested)
    return Identity(agent, beings, _operator(beings), "", ambiguous)


def _entry(row: dict[str, Any]) -> tuple[Being, bool]:
    kind = str(row.get("kind", "human"))
    kind = KIND_SYNONYMS.get(kind, kind)
    aliases = [str(one) for one in row.get("aliases", []) or []]
    note = str(row.get("ambiguous_with", "") or row.get("note", "") or "")
    names = [alias for one in aliases if "@" not in one[1:] for alias in _expand(_alias(one))]
    name = _alias(str(row["name"]))
    addresses = [one for one in aliases if "@" in one[1:]] + list(row.get("addresses", []) or [])
    first, *parts = re.split(r"\s+/\s+", name.name)
    being = Being(
        first,
        kind if kind in KINDS else "human",
        tuple([*(Alias(part) for part in parts), *names]),
        _lower(addresses),
        _facts(row),
        note,
        _not_names([first, *(alias.name for alias in names if not alias.use)], note),
    )
    return _without_repeats(being), bool(row.get("is_self", kind == "self"))


def _facts(row: dict[str, Any]) -> tuple[str, ...]:
    if row.get("facts"):
        return tuple(str(one) for one in row["facts"])
    text = str(row.get("description", "") or "").strip()
    return tuple(part for part in re.split(r"(?<=[.;])\s+", text) if part)


NOTES = (
    (r"\b(?:former|later|earlier|old|new|previous|maiden)\b", "former"),
    (r"\bsign-?off\b|\bsignature\b", "sign-off"),
    (r"\bonly (?:as|in)\b.*(?:fiction|narrator|story|novel)", "fiction"),
    (r"\bhandle\b|\buser ?name\b|\blogin\b|\baccount\b", "handle"),
    (r"\bdomain\b|\bweb ?site\b|\burl\b", "domain"),
    (r"\b(?:only )?in\b", "place"),
)
_DAY = r"(\d{4}-\d{2}-\d{2})"


def _alias(text: str) -> Alias:
    """An alias as people note it: "Goose (former name, until 2026-03-24)"."""
    match = re.fullmatch(r"(.*?)\s*\(([^()]*)\)\s*", text.strip())
    if not match or not match[1]:
        return Alias(text.strip())
    note = match[2].casefold()
    use = next((use for pattern, use in NOTES if re.search(pattern, note)), "")
    since = re.search(rf"(?:since|from|after) {_DAY}", note)
    until = re.search(rf"(?:until|till|to|before) {_DAY}", note)
    days = (
        (date.fromisoformat(since[1]) if since else None),
        (date.fromisoformat(until[1]) if until else None),
    )
    return Alias(re.sub(r"\s+#\w+$", "", match[1]), *days, use)


def _expand(alias: Alias) -> Iterable[Alias]:
    """One alias for each of "Name v1/v2/v3"."""
    *stem, last = alias.name.split(" ")
    parts = last.split("/")
    if not stem or len(parts) == 1 or not all(parts):
        return [alias]
    return [replace(alias, name=" ".join([*stem, part])) for part in parts]


def _not_names(names: Sequence[str], note: str) -> tuple[str, ...]:
    """Phrases of the note that hold a name beside other capitalised words or joined parts."""
    found: dict[str, None] = {}
    for name in names:
        joined = rf"[\w.-]*{re.escape(name)}[\w.-]*"
        pattern = rf"(?:[A-Z]\w+ )?{joined}(?: [A-Z]\w+)*"
        for match in re.finditer(pattern, note):
            phrase = match[0].rstrip(".-")
            if phrase != name and len(phrase) > len(name) and not phrase.startswith("Before "):
                found[phrase] = None
    return tuple(found)


def _same(one: str, other: str) -> bool:
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())


def _lower(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(one).strip().casefold() for one in addresses))


def _shared(one: Being, other: Being) -> bool:
    names = {alias.name.casefold() for alias in one.names()}
    return any(alias.name.casefold() in names for alias in other.names())


def _merge(agent: Being, being: Being) -> Being:
    return replace(
        agent,
        aliases=(*agent.aliases, *being.names()),
        addresses=tuple(dict.fromkeys((*agent.addresses, *being.addresses))),
        facts=(*agent.facts, *being.facts),
        note=" ".join(filter(None, (agent.note, being.note))),
        not_names=tuple(dict.fromkeys((*agent.not_names, *being.not_names))),
    )


def _without_repeats(being: Being) -> Being:
    """Each spelling once; a spelling that is another of the being's names in lower case stays."""
    kept: dict[str, Alias] = {being.name: Alias(being.name)}
    for alias in being.aliases:
        kept.setdefault(alias.name, alias)
    return replace(being, aliases=tuple(list(kept.values())[1:]))


def _merge_renamed(beings: list[Being]) -> list[Being]:
    """Joins two entries that each call the other its former or later name."""
    kept: list[Being] = []
    for being in beings:
        twin = next((one for one in kept if _calls(one, being) and _calls(being, one)), None)
        if twin and twin.kind == being.kind:
            kept[kept.index(twin)] = _without_repeats(_merge(twin, being))
        else:
            kept.append(being)
    return kept


def merged_being(into: Being, being: Being) -> Being:
    """One being with the names, addresses and facts of both."""
    return _without_repeats(_merge(into, being))


def _calls(one: Being, other: Being) -> bool:
    return any(alias.use == "former" and _same(alias.name, other.name) for alias in one.aliases)


def _settle(agent: Being, beings: list[Being]) -> tuple[tuple[Being, ...], tuple[Ambiguous, ...]]:
    """Takes contested undated names from everybody but a present owner, and lists them."""
    owners: dict[str, list[tuple[Alias, Being]]] = {}
    for being in (agent, *beings):
        for key in {alias.name.casefold() for alias in being.names()}:
            alias = next(one for one in being.names() if one.name.casefold() == key)
            owners.setdefault(key, []).append((alias, being))
    contested: dict[str, Ambiguous] = {}
    taken: set[tuple[str, str]] = set()
    for key, claims in owners.items():
        undated = [(alias, being) for alias, being in claims if not alias.dated]
        if len(undated) < 2:
            continue
        present = [being for _, being in undated if _same(being.name, key)]
        former = any(alias.use == "former" for alias, _ in undated)
        taken |= {(key, being.name) for _, being in undated if being not in present}
        if len(present) != 1 or (former and present[0] is not agent):
            contested[key] = Ambiguous(undated[0][0].name, tuple(b.name for _, b in undated))
    settled = tuple(_plain(being, taken) for being in beings)
    return settled, tuple(contested.values())


def _plain(being: Being, taken: set[tuple[str, str]] = frozenset()) -> Being:
    """The being without the names taken from it; a former name is a name like others."""
    aliases = tuple(
        replace(alias, use="" if alias.use == "former" else alias.use)
        for alias in being.aliases
        if (alias.name.casefold(), being.name) not in taken
    )
    return replace(being, aliases=aliases)


def _operator(beings: Iterable[Being]) -> str:
    humans = [being for being in beings if being.kind == "human"]
    for being in humans:
        if any(alias.name.casefold() in OPERATOR_ALIASES for alias in being.aliases):
            return being.name
    return next((b.name for b in humans if "operator" in " ".join(b.facts).casefold()), "")
