"""Setting up a home: config.toml, identity.toml and an empty memory."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from agent.config import load_config, name_sources, write_config
from agent.schedule import parse_at
from distill.base import DEFAULT_BASE
from distill.identity import identity_from_proposal, load_identity, save_identity
from memory.db import open_database
from memory.errors import UsageError, UserError
from memory.files import make_private_dir
from memory.ingest import SourceConfig
from memory.sources import SOURCES, absolute


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


def ask(given: Answers) -> Answers:
    """Asks on the terminal for what the flags did not say; a wrong answer is asked again."""
    import typer

    def one(question: str, said: str, default: str | None = None, check=str) -> str:
        return said or typer.prompt(
            question, default=default, err=True, value_proc=lambda text: check(text) and text
        )

    def many(question: str, said: tuple, check=str) -> tuple:
        def parts(text: str) -> tuple:
            return tuple(check(part.strip()) for part in text.split(",") if part.strip())

        return said or typer.prompt(
            question, default="", show_default=False, err=True, value_proc=parts
        )

    return replace(
        given,
        name=one("The agent's name", given.name),
        aliases=many("Other names it goes by (commas between)", given.aliases),
        addresses=many("Its mail addresses (commas between)", given.addresses),
        sources=many(
            "Where its words are, as KIND=PATH such as journals=~/journals (commas between)",
            given.sources,
            _asked_again(parse_source),
        ),
        base=one("Base model (a repository; tiny without a GPU)", given.base, DEFAULT_BASE),
        at=one("Local time of the night", given.at, "03:30", _asked_again(_check_at)),
    )


def _asked_again(parse):
    """`parse` whose complaint makes the prompt ask once more."""
    import typer

    def check(text: str):
        try:
            return parse(text)
        except UsageError as error:
            raise typer.BadParameter(str(error)) from None

    return check


def refuse_again(home: Path, force: bool) -> None:
    """Raises UsageError when the home has been set up before, unless `force`."""
    if (home / "config.toml").exists() and not force:
        raise UsageError(
            f"{home}/config.toml exists: this home is set up. Edit it, or use `init --force` "
            "to write both files anew (memory.db stays)"
        )


def missing_notes(sources: Sequence[SourceConfig]) -> list[str]:
    """A sentence for every source whose file or folder is not there."""
    return [
        f"{source.path}: there is no such file or folder yet"
        for source in sources
        if SOURCES[source.kind].read_batches is None
        and not SOURCES[source.kind].locate(Path(source.path)).exists()
    ]


def init_home(home: Path, answers: Answers, *, force: bool = False) -> dict:
    """Writes config.toml, identity.toml and memory.db; {"home", "config", "identity"} paths.

    Raises UsageError when the home has been set up before, unless `force`.
    """
    refuse_again(home, force)
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


def _check_at(at: str) -> str:
    try:
        parse_at(at or "03:30")
    except ValueError as error:
        raise UsageError(f"--{error}") from None
    return at


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
