"""What came out: base, generations, rollback, publish, pin and chat."""

from typing import Annotated

import typer

from agent import show
from agent.cli.app import Json, app, the_config

base_app = typer.Typer(help="Base models in the cache.", no_args_is_help=True)
app.add_typer(base_app, name="base")


@base_app.command("fetch")
def base_fetch(
    repository: Annotated[str, typer.Argument()] = "",
    revision: Annotated[str, typer.Option(help="Commit or tag to pin.")] = "",
    as_json: Json = False,
) -> None:
    """Fetch a base model (or make the tiny one); resumes, checks hashes."""
    from distill.base import base_licence, fetch_base

    config = the_config()
    name = repository or config.base.name
    show.note(base_licence(name))
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
def generations(as_json: Json = False) -> None:
    """The kept juniors."""
    from agent.juniors import generation_rows

    show.out({"generations": generation_rows(the_config())}, as_json, show.generations_table)


@app.command()
def rollback(generation: Annotated[str, typer.Argument()] = "", as_json: Json = False) -> None:
    """Switch back to the previous junior, or to GENERATION."""
    from agent.juniors import rollback as do

    found = do(the_config(), generation)
    show.out(found, as_json, "{from} -> {to} in {seconds} s")


@app.command()
def publish(as_json: Json = False) -> None:
    """Bring Ollama up to date with the current junior."""
    from agent.juniors import publish as do

    found = do(the_config())
    words = "{generation} is served as {tag}" if found["generation"] else "nothing is published"
    show.out(found, as_json, words)
    raise typer.Exit(0 if found["generation"] else 3)


@app.command()
def pin(
    generation: str,
    undo: Annotated[bool, typer.Option("--undo", help="Let it go again.")] = False,
    as_json: Json = False,
) -> None:
    """Keep a junior whatever is pruned."""
    from agent.juniors import pin as do

    show.out(do(the_config(), generation, not undo), as_json, "{generation}: pinned {pinned}")


@app.command()
def chat(
    prompt: Annotated[str, typer.Option(help="One question; otherwise a conversation.")] = "",
    generation: Annotated[str, typer.Option(help="A generation or a night.")] = "",
    as_json: Json = False,
) -> None:
    """Talk to the current junior."""
    from agent.juniors import converse, open_junior

    with open_junior(the_config(), generation) as junior:
        if not prompt:
            return converse(junior)
        show.out(junior.ask(prompt), as_json, "{text}")
