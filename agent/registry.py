"""`junior beings`: proposals from memory, and corrections of identity.toml by hand."""

from dataclasses import asdict, replace
from pathlib import Path

from distill.identity import Alias, Being, Identity, load_identity, save_identity
from memory.db import Database
from memory.errors import UsageError

ACTIONS = {"propose": 0, "show": 0, "add": 1, "merge": 2}


def act(action: str, names: list[str], kind: str, db: Database, path: Path) -> list[dict]:
    """Runs one action; the beings concerned, as JSON rows. Raises UsageError."""
    if action not in ACTIONS:
        raise UsageError(f"beings: unknown action {action!r}; known: {', '.join(ACTIONS)}")
    if len(names) != ACTIONS[action]:
        raise UsageError(f"beings {action} takes {ACTIONS[action]} name(s), found {len(names)}")
    identity = load_identity(path)
    if action == "propose":
        from distill.proposals import propose_beings

        return [asdict(proposal) for proposal in propose_beings(db, identity)]
    if action == "add":
        identity = _add(identity, names[0], kind)
    elif action == "merge":
        identity = _merge(identity, *names)
    if action != "show":
        save_identity(path, identity)
        load_identity(path)
    return [_row(being) for being in (identity.agent, *identity.beings)]


def _add(identity: Identity, name: str, kind: str) -> Identity:
    if identity.resolve(name) is not None:
        raise UsageError(f"beings add: {name!r} is in the registry already")
    being = Being(name=name, kind=kind)
    return replace(identity, beings=(*identity.beings, being))


def _merge(identity: Identity, other: str, into: str) -> Identity:
    """`other` and its aliases become aliases of `into`."""
    gone = next((b for b in identity.beings if b.name == other), None)
    kept = next((b for b in (identity.agent, *identity.beings) if b.name == into), None)
    if gone is None or kept is None or gone is kept:
        raise UsageError(f"beings merge OTHER NAME: {other!r} or {into!r} is not in the registry")
    merged = replace(
        kept,
        aliases=(*kept.aliases, Alias(gone.name), *gone.aliases),
        addresses=(*kept.addresses, *gone.addresses),
    )
    beings = tuple(merged if b is kept else b for b in identity.beings if b is not gone)
    agent = merged if kept is identity.agent else identity.agent
    return replace(identity, agent=agent, beings=beings)


def _row(being: Being) -> dict:
    aliases = [alias.name for alias in being.aliases]
    return {"name": being.name, "kind": being.kind, "aliases": aliases}
