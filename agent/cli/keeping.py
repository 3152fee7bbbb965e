"""What is kept and what is not: backup, restore and forget."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from agent import show
from agent.cli.app import Json, app, the_config
from memory.files import home_path


@app.command()
def backup(
    output: Annotated[
        Path | None, typer.Option(help="File to write; else [backup] folder.")
    ] = None,
    if_due: Annotated[bool, typer.Option("--if-due", help="Only a day after the last.")] = False,
    as_json: Json = False,
) -> None:
    """Save memory, settings and the current adapter in one file."""
    from agent.backup import backup_if_due, make_backup

    now = datetime.now(UTC)
    if if_due:
        found = backup_if_due(the_config(), now) or {"path": None}
    else:
        found = make_backup(the_config(), now, output=output)
    show.out(found, as_json, _backed_up)


@app.command()
def restore(
    file: Annotated[Path | None, typer.Argument(help="A backup; else the newest here.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Over a memory that is there.")] = False,
    without_junior: Annotated[
        bool, typer.Option("--without-junior", help="The memory alone; no model is made.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put a backup back and make the junior's model again."""
    from agent.restore import newest, restore_home

    found = restore_home(
        home_path(), file or newest(the_config()), force=force, with_junior=not without_junior
    )
    show.out(found, as_json, _restored)


@app.command()
def forget(
    author: Annotated[list[str], typer.Option(help="A name or an address.")] = [],  # noqa: B006
    message: Annotated[list[int], typer.Option(help="A message's id.")] = [],  # noqa: B006
    search: Annotated[str, typer.Option(help="Every message these words find.")] = "",
    erase: Annotated[bool, typer.Option("--erase", help="Empty its text in memory too.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Let it be learnt again.")] = False,
    as_json: Json = False,
) -> None:
    """Un-learn somebody or something from the next generation on."""
    from agent.forget import forget as do

    found = do(the_config(), authors=author, messages=message, query=search, erase=erase, undo=undo)
    show.out(found, as_json, _forgotten)


def _backed_up(found: dict) -> str:
    if found["path"] is None:
        return "no backup is due"
    return f"{found['messages']:,} messages, {found['bytes'] / 1e6:,.1f} MB: {found['path']}"


def _restored(found: dict) -> str:
    junior = f"the junior is {found['generation']}" if found["generation"] else "no junior yet"
    return "\n".join(
        [f"{found['messages']:,} messages are back in {found['home']}; {junior}", *found["notes"]]
    )


def _forgotten(found: dict) -> str:
    lines = [f"{found['messages']:,} messages are left out from the next generation on."]
    for title, key in (
        ("Kept generations that still hold them", "generations_that_still_hold_them"),
        ("Other nights whose files do", "nights_whose_files_do"),
    ):
        if found[key]:
            lines.append(f"{title}: {', '.join(found[key])}.")
    return "\n".join(lines)
