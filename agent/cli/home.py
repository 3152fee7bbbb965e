"""The home itself: init, doctor, config and service."""

from pathlib import Path
from typing import Annotated

import typer

from agent import show
from agent.cli.app import Json, app, the_config
from memory.files import home_path

service = typer.Typer(help="systemd units: look at them, install them.", no_args_is_help=True)
app.add_typer(service, name="service")


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
    """Set up a home: who the agent is, where its words are."""
    from agent.setup import Answers, ask, init_home, missing_notes, parse_source, refuse_again
    from distill.base import base_licence

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
    refuse_again(home_path(), force)
    if not yes:
        answers = ask(answers)
    result = init_home(home_path(), answers, force=force)
    for text in (*missing_notes(answers.sources), base_licence(the_config().base.name)):
        show.note(text)
    show.out(result, as_json, "Set up {home}. Next: `junior ingest`, then `junior night`.")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check disk, GPU, Ollama, base, sources, permissions, clock."""
    from agent.doctor import examine

    checks = examine(home_path())
    show.out({"checks": checks}, as_json, show.checks_table)
    if not all(check["ok"] for check in checks):
        raise typer.Exit(1)


@app.command()
def config(
    origin: Annotated[bool, typer.Option("--origin", help="Where each value comes from.")] = False,
    as_json: Json = False,
) -> None:
    """The configuration in force."""
    from agent.config import flatten

    loaded = the_config()
    values = {
        key: {"value": value, "origin": loaded.origins.get(key, "default")}
        for key, value in flatten(loaded).items()
    }
    show.out({"config": values}, as_json, lambda c: show.config_words(c["config"], origin))


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
