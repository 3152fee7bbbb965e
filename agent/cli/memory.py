"""What was said: import, ingest, log and search."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from agent import show
from agent.cli.app import Json, Own, app, the_config, the_database, the_identity
from memory.errors import UsageError


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
    with the_database(the_config()) as db, show.progress(f"import {kind}") as tell:
        source = SourceConfig(kind=kind, path=absolute(kind, path), name=kind, own=tuple(own))
        counts = ingest_source(db, source, progress=tell).as_json()
        show.rejects(db, kind)
    show.out(counts, as_json, lambda c: show.counts_table({kind: c}))
    _fail_if_nothing_read({kind: counts})


@app.command()
def ingest(as_json: Json = False) -> None:
    """Read every configured source into memory."""
    from memory.ingest import ingest_source

    config, counts = the_config(), {}
    with the_database(config) as db:
        if not config.sources:
            raise UsageError(f"{config.config_path}: no [[sources]] configured")
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

    config = the_config()
    body = text or sys.stdin.read()
    with the_database(config) as db:
        message_id, duplicate = log_message(
            db, kind, body, to=tuple(to), topic=topic, key=key,
            author=the_identity(config).agent.name, now=datetime.now(UTC),
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

    with the_database(the_config()) as db:
        hits = find(
            db, query, limit=limit, newest=newest, author=author or None, source=source or None,
            since=show.parse_date(since), until=show.parse_date(until),
        )  # fmt: skip
    rows = [dataclasses.asdict(hit) for hit in hits]
    show.out({"hits": rows}, as_json, show.hits_table)
