"""The typer app, and what every command shares: flags, home, configuration, database."""

import os
from pathlib import Path
from typing import Annotated

import typer

from memory.files import home_path

app = typer.Typer(
    help="Keeps an agent's voice alive in a small local model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Own = Annotated[list[str], typer.Option(help="Own name or address in it.")]


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"junior {version('junior')}")
        raise typer.Exit


@app.callback()
def _root(
    home: Annotated[
        str, typer.Option("--home", help="Junior's folder; also JUNIOR_HOME, else ~/.junior.")
    ] = "",
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Which it is.")
    ] = False,
) -> None:
    if home:
        os.environ["JUNIOR_HOME"] = str(Path(home).expanduser().absolute())


def the_config(**flags: object):
    from agent.config import load_config

    given = {
        key.replace("__", "."): value for key, value in flags.items() if value not in ("", None)
    }
    return load_config(home_path(), given)


def the_database(config):
    from memory.db import open_database

    return open_database(config.database_path)


def the_identity(config):
    from distill.identity import load_identity

    return load_identity(config.identity_path)
