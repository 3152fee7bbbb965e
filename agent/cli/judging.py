"""What people judge: the blind comparison, and the study report."""

from typing import Annotated

import typer

from agent import show
from agent.cli.app import Json, app, the_config, the_database, the_identity


@app.command()
def compare(
    generation: Annotated[str, typer.Argument(help="A generation or night.")] = "",
    sides: Annotated[int, typer.Option(help="2: own and junior; 3: and the base.")] = 3,
    web: Annotated[bool, typer.Option("--web", help="In a browser on this machine.")] = False,
    port: Annotated[int, typer.Option(help="Port of the page; 0: any.")] = 0,
    results: Annotated[bool, typer.Option("--results", help="Only what was voted.")] = False,
    as_json: Json = False,
) -> None:
    """Which of these did the agent write? A blind test."""
    from agent.compare import in_words, open_comparison, vote_in_terminal

    config = the_config()
    with the_database(config) as db:
        comparison = open_comparison(config, db, generation, ways=sides)
        name = the_identity(config).agent.name
        if web and not results:
            from agent.compare_page import ComparePage

            page = ComparePage(comparison, name, port)
            show.note(f"{page.url}\nCtrl-C ends it; votes are kept one by one")
            page.serve()
        elif not results and not as_json:
            vote_in_terminal(comparison, name)
        show.out(comparison.results(), as_json, in_words)


@app.command()
def study(
    generation: Annotated[str, typer.Argument(help="A generation or night.")] = "",
    canaries: Annotated[bool, typer.Option("--canaries", help="Train once more, briefly.")] = False,
    naive: Annotated[
        bool, typer.Option("--naive", help="Train once more as anybody would, and judge it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask a junior the questions of studies on fine-tuning."""
    from agent.study import in_words
    from agent.study import study as ask

    with show.progress("study") as tell:
        config = the_config()
        found = ask(config, generation, with_canaries=canaries, with_naive=naive, progress=tell)
    show.out(found, as_json, in_words)
