"""Every command of `junior`, a few lines over one function each."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from agent import show
from memory.errors import UsageError, UserError
from memory.files import home_path

app = typer.Typer(
    help="Keeps an agent's voice alive in a small local model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
service = typer.Typer(help="systemd units: look at them, install them.", no_args_is_help=True)
base_app = typer.Typer(help="Base models in the cache.", no_args_is_help=True)
app.add_typer(service, name="service")
app.add_typer(base_app, name="base")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Own = Annotated[list[str], typer.Option(help="Own name or address in it.")]


@app.callback()
def _root(
    home: Annotated[
        str, typer.Option("--home", help="Junior's folder; also JUNIOR_HOME, else ~/.junior.")
    ] = "",
) -> None:
    if home:
        os.environ["JUNIOR_HOME"] = str(Path(home).expanduser().absolute())


def main() -> None:
    """The `junior` command: exit 0 done, 1 failed, 2 wrong use, 3 the gate said no, 75 later."""
    argv = _home_first(sys.argv[1:])
    try:
        app(args=argv)
    except UserError as error:
        if "--json" in argv:
            print(json.dumps({"error": str(error)}))
        print(f"junior: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)


def _home_first(argv: list[str]) -> list[str]:
    """`--home DIR` may stand after the command too: moved to the front, before any `--`."""
    end = argv.index("--") if "--" in argv else len(argv)
    rest, home = [], []
    i = 0
    while i < end:
        if argv[i] == "--home" and i + 1 < end:
            home, i = argv[i : i + 2], i + 2
        elif argv[i].startswith("--home="):
            home, i = [argv[i]], i + 1
        else:
            rest.append(argv[i])
            i += 1
    return home + rest + argv[end:]


def _config(**flags: object):
    from agent.config import load_config

    given = {key.replace("__", "."): value for key, value in flags.items() if value}
    return load_config(home_path(), given)


def _database(config):
    from memory.db import open_database

    return open_database(config.database_path)


def _identity(config):
    from distill.identity import load_identity

    return load_identity(config.identity_path)


@app.command()
def init(
    name: Annotated[str, typer.Option(help="The agent's name.")] = "",
    alias: Annotated[list[str], typer.Option(help="Another name it goes by.")] = [],  # noqa: B006
    address: Annotated[list[str], typer.Option(help="One of its mail addresses.")] = [],  # noqa: B006
    source: Annotated[list[str], typer.Option(help="KIND=PATH, where words are.")] = [],  # noqa: B006
    beings: Annotated[Path | None, typer.Option(help="JSON list of beings.")] = None,
    operator: Annotated[str, typer.Option(help="The person who runs it.")] = "",
    base: Annotated[str, typer.Option(help="tiny, or a REPOSITORY.")] = "",
    at: Annotated[str, typer.Option(help="Local time of the night, HH:MM.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; flags and defaults.")] = False,
    force: Annotated[bool, typer.Option(help="Write both files anew.")] = False,
    as_json: Json = False,
) -> None:
    """Set up a home: who the agent is, where its words are, when the night is."""
    from agent.setup import Answers, init_home, licence_note, parse_source

    if not yes:
        name, alias, address, source, base, at = show.ask_init(
            name, alias, address, source, base, at
        )
    answers = Answers(
        name=name,
        aliases=tuple(alias),
        addresses=tuple(address),
        sources=tuple(parse_source(text) for text in source),
        beings=beings,
        base=base,
        at=at,
        operator=operator,
    )
    result = init_home(home_path(), answers, force=force)
    show.note(licence_note(_config().base.name))
    show.out(result, as_json, "Set up {home}. Next: `junior ingest`, then `junior night`.")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check SQLite, disk, GPU, Ollama, base, sources, permissions and clock."""
    from agent.doctor import examine

    checks = examine(home_path())
    show.out({"checks": checks}, as_json, show.checks_table)
    if not all(check["ok"] for check in checks):
        raise typer.Exit(1)


@app.command("import")
def import_(
    kind: Annotated[str, typer.Argument(help="Source kind, such as mbox or journals.")],
    path: Annotated[Path, typer.Argument(help="One export or folder.")],
    own: Own = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Import one export or folder into memory."""
    from memory.ingest import SourceConfig, ingest_source
    from memory.sources import SOURCES, absolute

    if kind not in SOURCES:
        raise UsageError(f"unknown source kind {kind!r}; known: {', '.join(SOURCES)}")
    with _database(_config()) as db, show.progress(f"import {kind}") as tell:
        source = SourceConfig(kind=kind, path=absolute(kind, path), name=kind, own=tuple(own))
        counts = ingest_source(db, source, progress=tell).as_json()
        show.rejects(db, kind)
    show.out(counts, as_json, lambda c: show.counts_table({kind: c}))
    _fail_if_nothing_read({kind: counts})


@app.command()
def ingest(as_json: Json = False) -> None:
    """Read every configured source into memory."""
    from memory.ingest import ingest_source

    config = _config()
    if not config.sources:
        raise UsageError(f"{config.config_path}: no [[sources]] configured")
    counts = {}
    with _database(config) as db:
        for source in config.sources:
            with show.progress(f"ingest {source.name}") as tell:
                counts[source.name] = ingest_source(db, source, progress=tell).as_json()
            show.rejects(db, source.name)
    show.out({"sources": counts}, as_json, lambda c: show.counts_table(c["sources"]))
    _fail_if_nothing_read(counts)


def _fail_if_nothing_read(counts: dict[str, dict]) -> None:
    if any(c["rejects"] and c["rejects"] == c["read"] for c in counts.values()):
        raise typer.Exit(1)


@app.command()
def log(
    kind: Annotated[str, typer.Argument(help="journal, relay, letter or note.")],
    text: Annotated[str, typer.Argument(help="The text; standard input if left out.")] = "",
    to: Annotated[list[str], typer.Option(help="Whom it is for.")] = [],  # noqa: B006
    topic: Annotated[str, typer.Option(help="Conversation or title.")] = "",
    key: Annotated[str, typer.Option(help="The same key twice is one message.")] = "",
    as_json: Json = False,
) -> None:
    """Write the agent's own message straight to memory."""
    from memory.ingest import log_message

    config = _config()
    body = text or sys.stdin.read()
    with _database(config) as db:
        message_id, duplicate = log_message(
            db, kind, body, to=tuple(to), topic=topic, key=key,
            author=_identity(config).agent.name, now=datetime.now(UTC),
        )  # fmt: skip
    show.out({"id": message_id, "duplicate": duplicate}, as_json, "message {id} is in memory")


@app.command()
def search(
    query: str,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    newest: Annotated[bool, typer.Option(help="Newest first instead of best first.")] = False,
    author: Annotated[str, typer.Option()] = "",
    source: Annotated[str, typer.Option()] = "",
    since: Annotated[str, typer.Option(help="Date, such as 2026-03-01.")] = "",
    until: Annotated[str, typer.Option(help="Date.")] = "",
    as_json: Json = False,
) -> None:
    """Full-text search over everything said."""
    import dataclasses

    from memory.search import search as find

    with _database(_config()) as db:
        hits = find(
            db, query, limit=limit, newest=newest, author=author or None, source=source or None,
            since=show.parse_date(since), until=show.parse_date(until),
        )  # fmt: skip
    rows = [dataclasses.asdict(hit) for hit in hits]
    show.out({"hits": rows}, as_json, show.hits_table)


@app.command()
def inspect(
    path: Path,
    source: Annotated[str, typer.Option(help="Source kind to read it as.")] = "",
    own: Own = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """What Junior makes of a file or folder; nothing is stored."""
    from distill.perspective import inspect_path
    from memory.sources import SOURCES, guess_kind

    kind = source or guess_kind(path)
    if kind not in SOURCES:
        raise UsageError(f"--source: unknown kind {kind!r}; known: {', '.join(SOURCES)}")
    if SOURCES[kind].read_batches is None and not SOURCES[kind].locate(path).exists():
        raise UserError(f"{path}: no such file or folder")
    messages = list(inspect_path(path, kind, _identity(_config()), tuple(own)))
    show.out({"messages": messages}, as_json, show.inspected)


@app.command()
def beings(
    action: Annotated[str, typer.Argument(help="propose, add, merge or show.")] = "propose",
    names: Annotated[list[str], typer.Argument(help="NAME, or for merge OTHER NAME.")] = [],  # noqa: B006
    kind: Annotated[str, typer.Option(help="human, other_ai, sub_agent, character ...")] = "human",
    as_json: Json = False,
) -> None:
    """Propose beings from senders and names; add one, merge two, show the registry."""
    from agent.registry import act

    with _database(_config()) as db:
        found = act(action, names, kind, db, _config().identity_path)
    show.out({"beings": found}, as_json, show.beings_table)


@app.command()
def dataset(as_json: Json = False) -> None:
    """Build tonight's dataset and show what is in it and what is not."""
    from agent.dataset import preview

    with show.progress("dataset"):
        found = preview(_config(), _identity(_config()))
    show.out(found, as_json, show.dataset_words)


@app.command()
def export(
    output: Annotated[Path, typer.Option(help="File to write.")],
    format: Annotated[str, typer.Option(help="trl or sharegpt.")] = "trl",
    as_json: Json = False,
) -> None:
    """Write the dataset as a file other trainers read."""
    from agent.dataset import export_dataset

    found = export_dataset(_config(), _identity(_config()), format, output)
    show.out(found, as_json, "{rows} rows, sha256 {sha256}")


@base_app.command("fetch")
def base_fetch(
    repository: Annotated[str, typer.Argument()] = "",
    revision: Annotated[str, typer.Option(help="Commit or tag to pin.")] = "",
    as_json: Json = False,
) -> None:
    """Fetch a base model (or make the tiny one); resumes, checks hashes."""
    from agent.setup import licence_note
    from distill.base import fetch_base

    config = _config()
    name = repository or config.base.name
    show.note(licence_note(name))
    with show.progress(f"base {name}") as tell:
        found = fetch_base(name, revision or config.base.revision, tell)
    show.out(show.base_row(found), as_json, "{name} at {path}")


@base_app.command("list")
def base_list(as_json: Json = False) -> None:
    """The base models in the cache."""
    from distill.base import list_bases

    show.out([show.base_row(base) for base in list_bases()], as_json, show.bases_table)


@base_app.command("remove")
def base_remove(name: str, as_json: Json = False) -> None:
    """Remove a base model from the cache."""
    from distill.base import remove_base

    remove_base(name)
    show.out({"removed": name}, as_json, "removed {removed}")


@app.command()
def night(
    if_due: Annotated[bool, typer.Option("--if-due", help="Only when one is due.")] = False,
    stage: Annotated[str, typer.Option(help="One stage again in the newest night.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the last.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    base: Annotated[str, typer.Option(help="Another base, such as tiny.")] = "",
    stop: Annotated[bool, typer.Option("--stop", help="End the running night.")] = False,
    as_json: Json = False,
) -> None:
    """One night now: ingest, curate, train, export, evaluate, release."""
    from agent.nights import night_command

    result = night_command(
        _config(base__name=base), if_due=if_due, stage=stage, resume=resume, dry_run=dry_run,
        stop=stop, progress=show.night_progress(),
    )  # fmt: skip
    code = result.pop("exit_code", 0)
    show.out(result, as_json, show.night_words)
    raise typer.Exit(code)


@app.command()
def nights(limit: Annotated[int, typer.Option()] = 30, as_json: Json = False) -> None:
    """The history of nights."""
    from agent.status import list_nights

    with _database(_config()) as db:
        show.out({"nights": list_nights(db, limit)}, as_json, show.nights_table)


@app.command()
def status(as_json: Json = False) -> None:
    """Where things stand, in plain words."""
    from agent.status import in_words
    from agent.status import status as read_status

    show.out(read_status(_config()), as_json, in_words)


@app.command()
def report(night: Annotated[str, typer.Argument()] = "", as_json: Json = False) -> None:
    """Where the HTML report of a night is."""
    from agent.nights import find_report

    show.out({"path": str(find_report(_config(), night))}, as_json, "{path}")


@app.command()
def trace(night: str, row: int, as_json: Json = False) -> None:
    """The messages behind a row of a night's dataset."""
    from agent.nights import trace_row

    show.out(trace_row(_config(), night, row), as_json, show.traced)


@app.command()
def pause(
    until: Annotated[str, typer.Option(help="Date or time; without it, until unpaused.")] = "",
    as_json: Json = False,
) -> None:
    """No nights for a while."""
    from agent.nights import pause as do

    show.out(do(_config(), show.parse_date(until)), as_json, "paused until {paused_until}")


@app.command()
def unpause(as_json: Json = False) -> None:
    """Nights again."""
    from agent.nights import unpause as do

    show.out(do(_config()), as_json, "nights run again")


@app.command()
def config(
    origin: Annotated[bool, typer.Option("--origin", help="Where each value comes from.")] = False,
    as_json: Json = False,
) -> None:
    """The configuration in force."""
    from agent.config import flatten

    loaded = _config()
    values = {
        key: {"value": value, "origin": loaded.origins.get(key, "default")}
        for key, value in flatten(loaded).items()
    }
    show.out({"config": values}, as_json, lambda c: show.config_words(c["config"], origin))


@app.command()
def generations(as_json: Json = False) -> None:
    """The kept juniors."""
    from agent.juniors import generation_rows

    show.out({"generations": generation_rows(_config())}, as_json, show.generations_table)


@app.command()
def rollback(generation: Annotated[str, typer.Argument()] = "", as_json: Json = False) -> None:
    """Switch back to the previous junior, or to GENERATION; no training."""
    from agent.juniors import rollback as do

    found = do(_config(), generation)
    show.out(found, as_json, "{from} -> {to} in {seconds} s")


@app.command()
def publish(as_json: Json = False) -> None:
    """Bring Ollama up to date with the current junior."""
    from agent.juniors import publish as do

    found = do(_config())
    show.out(found, as_json, "{generation} is served as {tag}")
    raise typer.Exit(0 if found["generation"] else 3)


@app.command()
def pin(
    generation: str,
    undo: Annotated[bool, typer.Option("--undo", help="Let it go again.")] = False,
    as_json: Json = False,
) -> None:
    """Keep a junior whatever is pruned."""
    from agent.juniors import pin as do

    show.out(do(_config(), generation, not undo), as_json, "{generation}: pinned {pinned}")


@app.command()
def chat(
    prompt: Annotated[str, typer.Option(help="One question; otherwise a conversation.")] = "",
    generation: Annotated[str, typer.Option(help="A generation or a night.")] = "",
    as_json: Json = False,
) -> None:
    """Talk to the current junior."""
    from agent.juniors import converse, open_junior

    with open_junior(_config(), generation) as junior:
        if not prompt:
            return converse(junior)
        show.out(junior.ask(prompt), as_json, "{text}")


@app.command()
def run() -> None:
    """The daemon: watch, scan, and start the night when it is due."""
    from agent.daemon import start_daemon

    start_daemon()


@service.command("install")
def service_install(
    system: Annotated[bool, typer.Option("--system", help="System units.")] = False,
    only_print: Annotated[bool, typer.Option("--print", help="Show them, write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Install the systemd units."""
    from agent.service import install

    found = install(home_path(), system=system, only_print=only_print)
    show.out(found, as_json, show.units)


if __name__ == "__main__":
    main()
