"""The junior at work: rewrite, serve and mcp."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from agent import show
from agent.cli.app import Json, app, the_config
from memory.errors import UserError


@app.command()
def rewrite(
    file: Annotated[Path, typer.Argument(help="A text file; - is standard input.")] = Path("-"),
    generation: Annotated[str, typer.Option(help="A generation or a night.")] = "",
    as_json: Json = False,
) -> None:
    """Put a text into the agent's own voice, its facts kept."""
    from agent.serve.desk import rewrite_text

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read as text ({error})") from error
    write = (lambda _: None) if as_json else sys.stdout.write
    found = rewrite_text(the_config(), text, generation, write=write)
    for reason in () if as_json else found["kept_unchanged"]:
        show.note(f"kept as it was: {reason}")
    if as_json:
        show.out(found, as_json, "")


@app.command()
def serve(
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0: any free one.")] = None,
    link: Annotated[bool, typer.Option("--link", help="A new link to a running page.")] = False,
    as_json: Json = False,
) -> None:
    """The endpoint of this machine: programs, tools, a page."""
    from agent.serve import app as door

    config = the_config(serve__port=port)
    if link:
        show.out({"link": door.new_link(config)}, as_json, "{link}")
    else:
        # a link opens the page: it is for a person or a program that asked, not for a journal
        seen = as_json or sys.stdout.isatty()
        words = "{link}" if seen else "listening; `junior serve --link` opens the page"
        door.serve(config, lambda where: show.out({"link": where}, as_json, words))


@app.command()
def mcp() -> None:
    """The tools of memory and junior on standard input and output."""
    from agent.serve.tools import run_stdio

    run_stdio(the_config())
