"""What is learnt from it: inspect, beings, dataset, export and trace."""

from pathlib import Path
from typing import Annotated

import typer

from agent import show
from agent.cli.app import Json, Own, app, the_config, the_database, the_identity
from memory.errors import UsageError, UserError


@app.command()
def inspect(
    path: Path,
    source: Annotated[str, typer.Option(help="Source kind to read it as.")] = "",
    own: Own = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """What Junior makes of a file or folder; nothing is stored."""
    from distill.perspective import inspect_path
    from distill.perspective.recogniser import SKIPPED, open_recogniser
    from memory.sources import SOURCES, guess_kind

    kind = source or guess_kind(path)
    if kind not in SOURCES:
        raise UsageError(f"--source: unknown kind {kind!r}; known: {', '.join(SOURCES)}")
    if SOURCES[kind].read_batches is None and not SOURCES[kind].locate(path).exists():
        raise UserError(f"{path}: no such file or folder")
    config = the_config()
    recogniser = open_recogniser(config.curate.named_entities)
    read = inspect_path(
        path, kind, the_identity(config), tuple(own), recogniser, tell=show.not_read
    )
    messages = list(read)
    if recogniser is None:
        show.note(SKIPPED)
    show.out({"messages": messages}, as_json, show.inspected)


@app.command()
def beings(
    action: Annotated[str, typer.Argument(help="propose, add, merge or show.")] = "propose",
    names: Annotated[list[str], typer.Argument(help="NAME, or for merge OTHER NAME.")] = [],  # noqa: B006
    kind: Annotated[str, typer.Option(help="human, other_ai, sub_agent, character ...")] = "human",
    as_json: Json = False,
) -> None:
    """Propose beings out of memory; add one, merge two, show all."""
    from agent.registry import act

    with the_database(the_config()) as db:
        found = act(action, names, kind, db, the_config().identity_path)
    show.out({"beings": found}, as_json, show.beings_table)


@app.command()
def dataset(as_json: Json = False) -> None:
    """Tonight's dataset: what is in it, what is not and why."""
    from agent.dataset import preview

    with show.progress("dataset"):
        found = preview(the_config(), the_identity(the_config()))
    show.out(found, as_json, show.dataset_words)


@app.command()
def export(
    output: Annotated[Path, typer.Option(help="File to write.")],
    format: Annotated[str, typer.Option(help="trl or sharegpt.")] = "trl",
    as_json: Json = False,
) -> None:
    """Write the dataset as a file other trainers read."""
    from agent.dataset import export_dataset

    if output.is_dir() or not output.absolute().parent.is_dir():
        raise UsageError(f"--output {output}: must be a file in a folder that is there")
    found = export_dataset(the_config(), the_identity(the_config()), format, output)
    show.out(found, as_json, "{rows} rows, sha256 {sha256}")


@app.command()
def trace(night: str, row: int, as_json: Json = False) -> None:
    """The messages behind a row of a night's dataset."""
    from agent.nights import trace_row

    show.out(trace_row(the_config(), night, row), as_json, show.traced)
