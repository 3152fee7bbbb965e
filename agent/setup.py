"""Setting up a home: config.toml, identity.toml and an empty memory."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from agent.config import load_config, name_sources, write_config
from agent.schedule import parse_at
from distill.identity import identity_from_proposal, load_identity, save_identity
from memory.db import open_database
from memory.errors import UsageError, UserError
from memory.files import make_private_dir
from memory.ingest import SourceConfig
from memory.sources import SOURCES, absolute

LICENCES = {
    "Qwen/Qwen2.5-3B-Instruct": "its licence allows non-commercial research only; "
    "Qwen/Qwen3-4B-Instruct-2507 is Apache-2.0",
}


@dataclass(frozen=True)
class Answers:
    """What `junior init` needs to know; every field has a flag."""

    name: str
    aliases: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    sources: tuple[SourceConfig, ...] = ()
    beings: Path | None = None
    base: str = ""
    at: str = ""
    operator: str = ""


def init_home(home: Path, answers: Answers, *, force: bool = False) -> dict:
    """Writes config.toml, identity.toml and memory.db; {"home", "config", "identity"} paths.

    Raises UsageError when the home has been set up before, unless `force`.
    """
    if (home / "config.toml").exists() and not force:
        raise UsageError(
            f"{home}/config.toml exists: this home is set up. Edit it, or use `init --force` "
            "to write both files anew (memory.db stays)"
        )
    if not answers.name.strip():
        raise UsageError("the agent needs a name: `junior init --name NAME`")
    _check_at(answers.at)
    identity = identity_from_proposal(
        answers.name, answers.aliases, answers.addresses, read_beings(answers.beings)
    )
    if answers.operator:
        identity = replace(identity, operator=answers.operator)
    make_private_dir(home)
    save_identity(home / "identity.toml", identity)
    load_identity(home / "identity.toml")
    values = {
        "base": {"name": answers.base} if answers.base else {},
        "schedule": {"at": answers.at} if answers.at else {},
    }
    config = write_config(home, values, name_sources(list(answers.sources)))
    load_config(home)
    with open_database(home / "memory.db") as db:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        db["state"].insert({"key": "first_seen_at", "value": now}, pk="key", ignore=True)
    return {"home": str(home), "config": str(config), "identity": str(home / "identity.toml")}


def _check_at(at: str) -> None:
    try:
        parse_at(at or "03:30")
    except ValueError as error:
        raise UsageError(f"--{error}") from None


def read_beings(path: Path | None) -> list[dict]:
    """The list of --beings FILE. Raises UserError when it is no JSON list of objects."""
    if path is None:
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable JSON list of beings: {error}") from error
    if not isinstance(found, list) or not all(isinstance(b, dict) and b.get("name") for b in found):
        raise UserError(f'{path}: must be a JSON list of objects with a "name"')
    return found


def parse_source(text: str) -> SourceConfig:
    """KIND=PATH as a source, its path made absolute. Raises UsageError."""
    kind, equals, path = text.partition("=")
    if not equals or not path:
        raise UsageError(f"--source takes KIND=PATH, found {text!r}")
    if kind not in SOURCES:
        raise UsageError(f"--source: unknown kind {kind!r}; known: {', '.join(SOURCES)}")
    return SourceConfig(kind=kind, path=absolute(kind, path))


def licence_note(base: str) -> str:
    """What the operator should know about a base's licence; "" when nothing."""
    note = LICENCES.get(base, "")
    return f"{base}: {note}" if note else ""
