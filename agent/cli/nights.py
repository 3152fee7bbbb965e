"""When it happens: night, nights, status, report, pause, unpause and run."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from agent import show
from agent.cli.app import Json, app, the_config, the_database
from memory.errors import UsageError


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
    """One night now, from ingest to release."""
    from agent.nights import night_command

    result = night_command(
        the_config(base__name=base), if_due=if_due, stage=stage, resume=resume, dry_run=dry_run,
        stop=stop, progress=show.night_progress(),
    )  # fmt: skip
    code = result.pop("exit_code", 0)
    show.out(result, as_json, show.night_words)
    raise typer.Exit(code)


@app.command()
def nights(limit: Annotated[int, typer.Option(min=1)] = 30, as_json: Json = False) -> None:
    """The history of nights."""
    from agent.status import list_nights

    with the_database(the_config()) as db:
        show.out({"nights": list_nights(db, limit)}, as_json, show.nights_table)


@app.command()
def status(as_json: Json = False) -> None:
    """Where things stand, in plain words."""
    from agent.status import in_words
    from agent.status import status as read_status

    show.out(read_status(the_config()), as_json, in_words)


@app.command()
def report(
    night: Annotated[str, typer.Argument()] = "",
    text: Annotated[bool, typer.Option("--text", help="The report itself, for a mail.")] = False,
    as_json: Json = False,
) -> None:
    """Where the HTML report of a night is; with --text, what it says."""
    from agent.nights import find_report, report_text

    path = find_report(the_config(), night)
    words = report_text(path) if text else ""
    show.out({"path": str(path), "text": words}, as_json, "{text}" if text else "{path}")


@app.command()
def pause(
    until: Annotated[str, typer.Option(help="Date or time; without it, until unpaused.")] = "",
    as_json: Json = False,
) -> None:
    """No nights for a while."""
    from agent.nights import pause as do

    moment = show.parse_date(until)
    if moment and moment <= datetime.now(UTC):
        raise UsageError(f"--until {until}: that time is past")
    words = "paused until {paused_until}" if until else "paused until `junior unpause`"
    show.out(do(the_config(), moment), as_json, words)


@app.command()
def unpause(as_json: Json = False) -> None:
    """Nights again."""
    from agent.nights import unpause as do

    show.out(do(the_config()), as_json, "nights run again")


@app.command()
def run() -> None:
    """The daemon: watch, scan, and start the night when it is due."""
    from agent.daemon import start_daemon

    start_daemon()
