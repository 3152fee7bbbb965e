"""identity.toml: reading, checking and writing the registry of beings."""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import tomlkit

from distill.identity.beings import KIND_SYNONYMS, KINDS, USES, Alias, Ambiguous, Being, Identity
from distill.identity.candidates import Proposal, propose_beings
from distill.identity.proposals import identity_from_proposal, merged_being
from memory.errors import ConfigError, UsageError
from memory.files import write_atomic

__all__ = [
    "Alias",
    "Ambiguous",
    "Being",
    "Identity",
    "Proposal",
    "add_being",
    "conflicts",
    "identity_from_proposal",
    "identity_text",
    "load_identity",
    "merge_beings",
    "propose_beings",
    "save_identity",
]

HEAD = """Who the agent is, and who the others are. Junior never learns the words of the others.
Edit freely, then run `junior beings show`: all problems are listed at once.

operator   the human who runs the agent, by the name of a being below
card       what the model is told about itself; empty: made from this file
aliases    "Name", or { name = "Name", since = 2026-01-01, until = 2026-03-24, use = "..." }
           use: handle, domain (never a name in a text), sign-off (only at the end of a text),
           fiction (only in fiction), place (not a name in other texts)
not_names  phrases that hold a name of the being and are not it ("Lumen Prize")
kind       human other_ai sub_agent sub_agent_trained_on_self character self_automation
           persona_of_self self_other_instance base_model. Words are learnt from the agent
           and self_other_instance alone."""
AMBIGUOUS = """\
Names that several beings claim. They resolve to nobody until one owner keeps them: remove
the entry and give the alias to one being, or give both days (since, until)."""


def load_identity(path: Path) -> Identity:
    """Reads identity.toml; raises ConfigError with every problem found."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(path, ["the file is missing: `junior init` writes it"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(path, [f"this is not TOML: {error}"]) from None
    problems: list[str] = []
    identity = _identity_from(data, problems)
    problems += conflicts(identity)
    if problems:
        raise ConfigError(path, problems)
    return identity


def _identity_from(data: dict[str, Any], problems: list[str]) -> Identity:
    _unknown_keys(data, ("operator", "card", "agent", "beings", "ambiguous"), "the file", problems)
    agent = data.get("agent", {})
    if not isinstance(agent, dict):
        problems.append("[agent] must be a table")
        agent = {}
    beings = _tables(data, "beings", problems)
    ambiguous = [
        Ambiguous(_text(one, "name", where, problems), _texts(one, "owners", where, problems))
        for one, where in _tables(data, "ambiguous", problems)
    ]
    return Identity(
        _being(agent | {"kind": "self"}, "[agent]", problems),
        tuple(_being(one, where, problems) for one, where in beings),
        _text(data, "operator", "the file", problems),
        _text(data, "card", "the file", problems),
        tuple(ambiguous),
    )


def _tables(data: dict[str, Any], key: str, problems: list[str]) -> Iterator[tuple[dict, str]]:
    rows = data.get(key, [])
    if not isinstance(rows, list):
        problems.append(f"`{key}` must be a list of tables: [[{key}]]")
        return
    for number, row in enumerate(rows, 1):
        where = f"[[{key}]] number {number}"
        if isinstance(row, dict):
            yield row, where + (f" ({row['name']})" if row.get("name") else "")
        else:
            problems.append(f"{where} must be a table")


def _being(row: dict[str, Any], where: str, problems: list[str]) -> Being:
    known = ("name", "kind", "aliases", "addresses", "facts", "note", "not_names")
    _unknown_keys(row, known, where, problems)
    name, kind = _text(row, "name", where, problems).strip(), _text(row, "kind", where, problems)
    kind = KIND_SYNONYMS.get(kind, kind)
    if not name:
        problems.append(f'{where} has no name: write name = "..."')
    if kind not in KINDS:
        problems.append(f"{where}: kind {kind!r} is unknown; one of {', '.join(KINDS)}")
    return Being(
        name,
        kind,
        tuple(_aliases(row, where, problems)),
        tuple(one.casefold() for one in _texts(row, "addresses", where, problems)),
        _texts(row, "facts", where, problems),
        _text(row, "note", where, problems),
        _texts(row, "not_names", where, problems),
    )


def _aliases(row: dict[str, Any], where: str, problems: list[str]) -> Iterator[Alias]:
    rows = row.get("aliases", [])
    if not isinstance(rows, list):
        problems.append(f"{where}: aliases must be a list")
        return
    for one in rows:
        if isinstance(one, str) and one.strip():
            yield Alias(one.strip())
        elif isinstance(one, dict) and isinstance(one.get("name"), str) and one["name"].strip():
            yield _dated_alias(one, where, problems)
        else:
            problems.append(f"{where}: alias {one!r} must be text or {{ name = ..., until = ... }}")


def _dated_alias(row: dict[str, Any], where: str, problems: list[str]) -> Alias:
    where = f"{where}, alias {row['name']}"
    _unknown_keys(row, ("name", "since", "until", "use"), where, problems)
    use = _text(row, "use", where, problems)
    if use not in USES:
        problems.append(f"{where}: use {use!r} is unknown; one of {', '.join(USES[1:])}")
    since, until = (_day(row, key, where, problems) for key in ("since", "until"))
    if since and until and since > until:
        problems.append(f"{where}: since {since} is after until {until}")
    return Alias(row["name"].strip(), since, until, use)


def _day(row: dict[str, Any], key: str, where: str, problems: list[str]) -> date | None:
    value = row.get(key)
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        problems.append(f"{where}: {key} {value!r} is no date; write 2026-03-24")
        return None


def _text(row: dict[str, Any], key: str, where: str, problems: list[str]) -> str:
    value = row.get(key, "")
    if isinstance(value, str):
        return value
    problems.append(f"{where}: {key} must be text, found {value!r}")
    return ""


def _texts(row: dict[str, Any], key: str, where: str, problems: list[str]) -> tuple[str, ...]:
    value = row.get(key, [])
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    problems.append(f"{where}: {key} must be a list of texts, found {value!r}")
    return ()


def _unknown_keys(
    row: dict[str, Any], known: Iterable[str], where: str, problems: list[str]
) -> None:
    for key in row.keys() - set(known):
        problems.append(f"{where}: unknown key {key!r}; known are {', '.join(known)}")


def conflicts(identity: Identity) -> list[str]:
    """One sentence for each name or address with two owners; [] when all is clear.

    A dated name beside an undated one is no conflict: inside its days the dated owner has it.
    """
    problems, everybody = [], (identity.agent, *identity.beings)
    listed = {one.name.casefold() for one in identity.ambiguous}
    claims: dict[str, list[tuple[Alias, Being]]] = {}
    for being in everybody:
        for alias in being.names():
            claims.setdefault(alias.name.casefold(), []).append((alias, being))
    for name, owners in claims.items():
        if name and name not in listed and (pair := _rivals(owners)):
            problems.append(
                f"{owners[0][0].name!r} belongs to both {pair[0].name} and {pair[1].name}: "
                "take it from one, or give both days (since, until)"
            )
    addresses: dict[str, Being] = {}
    for being in everybody:
        for address in being.addresses:
            first = addresses.setdefault(address, being)
            if first is not being:
                problems.append(f"address {address} belongs to both {first.name} and {being.name}")
    return problems


def _rivals(owners: list[tuple[Alias, Being]]) -> tuple[Being, Being] | None:
    for index, (alias, being) in enumerate(owners):
        for other, another in owners[index + 1 :]:
            same_footing = alias.dated == other.dated and alias.overlaps(other)
            if being is not another and same_footing:
                return being, another
    return None


def save_identity(path: Path, identity: Identity) -> None:
    """Writes identity.toml whole, with comments that explain its keys."""
    write_atomic(path, identity_text(identity))


def identity_text(identity: Identity) -> str:
    """The text of identity.toml for a registry."""
    document = tomlkit.document()
    for line in HEAD.splitlines():
        document.add(tomlkit.comment(line))
    document.add("operator", identity.operator)
    document.add("card", identity.card)
    document.add("agent", _table(identity.agent, kind=False))
    if identity.beings:
        document.add("beings", _array(_table(being) for being in identity.beings))
    if identity.ambiguous:
        rows = [_row({"name": one.name, "owners": list(one.owners)}) for one in identity.ambiguous]
        for line in reversed(AMBIGUOUS.splitlines()):
            rows[0].value.body.insert(0, (None, tomlkit.comment(line)))
        document.add("ambiguous", _array(rows))
    return tomlkit.dumps(document)


def add_being(identity: Identity, being: Being) -> Identity:
    """The registry with one being more; UsageError where a name or address has an owner."""
    grown = replace(identity, beings=(*identity.beings, being))
    if problems := conflicts(grown):
        raise UsageError("; ".join(problems))
    return grown


def merge_beings(identity: Identity, kept: str, other: str) -> Identity:
    """The registry with `other` merged into `kept`, both given by name; UsageError if unknown."""
    into, gone = identity.resolve(kept), identity.resolve(other)
    if into is None or gone is None or into is gone or gone is identity.agent:
        raise UsageError(f"cannot merge {other!r} into {kept!r}: name two beings of identity.toml")
    merged = merged_being(into, gone)
    if into is identity.agent:
        identity = replace(identity, agent=merged)
    beings = [merged if one is into else one for one in identity.beings if one is not gone]
    return replace(identity, beings=tuple(beings))


def _array(tables: Iterable[Any]) -> Any:
    array = tomlkit.aot()
    for table in tables:
        array.append(table)
    return array


def _row(values: dict[str, Any]) -> Any:
    table = tomlkit.table()
    table.update(values)
    return table


def _table(being: Being, *, kind: bool = True) -> Any:
    table = _row({"name": being.name} | ({"kind": being.kind} if kind else {}))
    table.add("aliases", _alias_items(being.aliases))
    table.add("addresses", list(being.addresses))
    for key in ("facts", "not_names"):
        if values := getattr(being, key):
            table.add(key, list(values))
    if being.note:
        table.add("note", being.note)
    return table


def _alias_items(aliases: Iterable[Alias]) -> Any:
    items = tomlkit.array()
    for alias in aliases:
        extra = {key: getattr(alias, key) for key in ("since", "until", "use")}
        extra = {key: value for key, value in extra.items() if value}
        if not extra:
            items.append(alias.name)
            continue
        inline = tomlkit.inline_table()
        inline.update({"name": alias.name} | extra)
        items.append(inline)
    return items
