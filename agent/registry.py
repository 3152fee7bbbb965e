"""`junior beings`: proposals from memory, and corrections of identity.toml by hand."""

from dataclasses import asdict
from pathlib import Path

from distill.identity import (
    Being,
    add_being,
    load_identity,
    merge_beings,
    propose_beings,
    save_identity,
)
from distill.identity.beings import KINDS
from memory.db import Database
from memory.errors import UsageError

ACTIONS = {"propose": 0, "show": 0, "add": 1, "merge": 2}


def act(action: str, names: list[str], kind: str, db: Database, path: Path) -> list[dict]:
    """Runs one action; the beings concerned, as JSON rows. Raises UsageError."""
    if action not in ACTIONS:
        raise UsageError(f"beings: unknown action {action!r}; known: {', '.join(ACTIONS)}")
    if len(names) != ACTIONS[action]:
        raise UsageError(f"beings {action} takes {ACTIONS[action]} name(s), found {len(names)}")
    if action == "add" and kind not in KINDS[1:]:
        raise UsageError(f"--kind: unknown kind {kind!r}; known: {', '.join(KINDS[1:])}")
    identity = load_identity(path)
    if action == "propose":
        return [asdict(proposal) for proposal in propose_beings(db, identity)]
    if action == "add":
        identity = add_being(identity, Being(name=names[0], kind=kind))
    elif action == "merge":
        identity = merge_beings(identity, kept=names[1], other=names[0])
    if action != "show":
        save_identity(path, identity)
    return [_row(being) for being in (identity.agent, *identity.beings)]


def _row(being: Being) -> dict:
    aliases = [alias.name for alias in being.aliases]
    return {"name": being.name, "kind": being.kind, "aliases": aliases}
