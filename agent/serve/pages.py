"""The pages for people: where things stand, dataset, sources, search, chat, the blind test."""

import asyncio
import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from agent import juniors
from agent.compare import Comparison, Trial
from agent.compare import in_words as in_result
from agent.config import Config
from agent.nights import find_report
from agent.serve import errors, live, memory
from agent.serve.charts import nights_over_time
from agent.serve.desk import Desk
from agent.status import in_words, list_nights, status
from distill.evaluate.report import mark, own_pages
from distill.identity import load_identity
from memory.db import open_database
from memory.errors import UserError

VIEWS = {
    "/": "Now", "/dataset": "Dataset", "/sources": "Sources", "/search": "Search", "/chat": "Chat",
    "/compare": "Compare",
}  # fmt: skip
MOST_REJECTS = 100


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = str(resources.files("agent.serve").joinpath("templates"))
    environment = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals |= {"views": VIEWS, "mark": mark}
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["day"] = lambda text: (text or "").replace("T", " ")[:16]
    return environment


def render(template: str, path: str, status_code: int = 200, **values: Any) -> HTMLResponse:
    """A page; whatever stands in `values` is escaped."""
    text = _environment().get_template(f"{template}.html.j2").render(here=path, **values)
    return HTMLResponse(text, status_code=status_code, headers={"Cache-Control": "no-store"})


def routes(desk: Desk) -> list[Route]:
    """Every page, and what its buttons do."""
    config = desk.config

    def page(path: str, name: str, read: Any) -> Route:
        async def show(request: Request) -> Response:
            values = await asyncio.to_thread(read, config, request.query_params)
            return render(name, path, **values)

        return Route(path, show)

    async def report(request: Request) -> Response:
        path = await asyncio.to_thread(find_report, config, request.path_params["night"])
        return HTMLResponse(await asyncio.to_thread(path.read_text, encoding="utf-8"))

    async def act(request: Request) -> Response:
        name, what = request.path_params["generation"], request.path_params["what"]
        if what not in ACTIONS:
            raise errors.ApiError(404, f"{what!r}: nothing is done by that name", "not_found")
        await asyncio.to_thread(ACTIONS[what], config, name)
        return RedirectResponse("/#generations", status_code=303)

    async def vote(request: Request) -> Response:
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        given = {name: values[0] for name, values in form.items()}
        await asyncio.to_thread(keep_vote, config, given.get("trial", ""), given.get("place", ""))
        return RedirectResponse("/compare", status_code=303)

    async def nothing(request: Request) -> Response:
        return Response(status_code=204)

    async def events(request: Request) -> Response:
        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(live.events(config), 200, headers, "text/event-stream")

    return [
        page("/", "now", read_now),
        page("/dataset", "dataset", read_dataset),
        page("/sources", "sources", read_sources),
        page("/search", "search", read_search),
        page("/chat", "chat", read_chat),
        page("/compare", "compare", read_compare),
        Route("/compare", vote, methods=["POST"]),
        Route("/live", events),
        Route("/favicon.ico", nothing),
        Route("/nights/{night}", report),
        Route("/generations/{generation}/{what}", act, methods=["POST"]),
    ]


ACTIONS = {
    "rollback": juniors.rollback,
    "pin": lambda config, name: juniors.pin(config, name, True),
    "unpin": lambda config, name: juniors.pin(config, name, False),
}


def read_now(config: Config, _: Any) -> dict[str, Any]:
    """Where things stand, the drawings, the nights and the generations."""
    found = status(config)
    with open_database(config.database_path) as db:
        nights = list_nights(db, 30)
    return {
        "sentence": in_words(found),
        "series": nights_over_time(config),
        "nights": [night | {"report": _has_report(config, night["id"])} for night in nights],
        "generations": juniors.generation_rows(config),
        "running": live.now_running(config),
    }


def _has_report(config: Config, night: str) -> bool:
    return (config.nights_path / night / "report.html").exists()


def read_dataset(config: Config, _: Any) -> dict[str, Any]:
    """The newest dataset there is, with pages of what it holds, coloured by who speaks."""
    folder = _newest(config, "manifest.json")
    if folder is None:
        return {"night": "", "manifest": {}, "pages": []}
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return {
        "night": folder.name,
        "manifest": manifest,
        "pages": own_pages(manifest.get("samples", []), load_identity(folder / "identity.toml")),
    }


def _newest(config: Config, name: str) -> Path | None:
    found = sorted(config.nights_path.glob(f"*/{name}"), key=lambda path: path.stat().st_mtime)
    return found[-1].parent if found else None


def read_sources(config: Config, _: Any) -> dict[str, Any]:
    """Every source with its counts, and what could not be read with its reason."""
    with open_database(config.database_path) as db:
        counted = {
            row["source"]: row
            for row in db.query(
                "select source, count(*) as messages, max(sent_at) as newest from messages"
                " group by source"
            )
        }
        rejected = dict(db.execute("select source, count(*) from rejects group by source"))
        sql = "select source, path, place, reason from rejects order by seen_at desc limit ?"
        rejects = list(db.query(sql, [MOST_REJECTS]))
    paths = {source.name: f"{source.kind} · {source.path}" for source in config.sources}
    names = dict.fromkeys([*paths, *counted, *rejected])
    empty = {"messages": 0, "newest": None}
    return {
        "sources": [
            {"name": name, "where": paths.get(name, "imported once"),
             "rejects": rejected.get(name, 0)} | dict(counted.get(name, empty))
            for name in names
        ],
        "rejects": rejects,
    }  # fmt: skip


def read_search(config: Config, query: Any) -> dict[str, Any]:
    """The hits of ?q=, with its author and source; without a query the newest messages."""
    asked = {name: query.get(name, "") for name in ("q", "author", "source", "since", "until")}
    try:
        hits = memory.find(config, *asked.values(), limit=50) if asked["q"] else []
        problem = ""
    except UserError as error:
        hits, problem = [], str(error)
    newest = [] if asked["q"] else memory.recent(config, 20)
    return {"asked": asked, "hits": hits, "newest": newest, "problem": problem}


def read_chat(config: Config, _: Any) -> dict[str, Any]:
    """The generations that can be talked to."""
    return {"generations": juniors.generation_rows(config)}


def read_compare(config: Config, _: Any) -> dict[str, Any]:
    """The next question of the blind test with its texts in their places, and the votes so far."""
    with open_database(config.database_path) as db:
        found = _comparison(config, db)
        trial = next(found.left(), None) if found else None
        return {
            "name": load_identity(config.identity_path).agent.name,
            "made": found is not None,
            "trial": trial,
            "texts": [trial.texts[side] for side in trial.order(found.sides)] if trial else [],
            "result": in_result(found.results()) if found else "",
        }


def keep_vote(config: Config, key: str, place: str) -> None:
    """The text in `place` ("0", "1", ...) was chosen in the trial `key`. Raises UserError."""
    with open_database(config.database_path) as db:
        found = _comparison(config, db)
        trial = next((one for one in found.left() if one.key == key), None) if found else None
        if trial is None:
            return  # a second click, or a page that was reloaded
        order = trial.order(found.sides)
        if not place.isdigit() or int(place) >= len(order):
            raise UserError(f"{place!r} is no place of a text")
        found.vote(trial, order[int(place)])


def _comparison(config: Config, db: Any) -> Comparison | None:
    """The questions made for the newest night that has some; making them is `junior compare`."""
    folder = _newest(config, "compare.json")
    if folder is None:
        return None
    rows = json.loads((folder / "compare.json").read_text(encoding="utf-8"))
    return Comparison(db, folder.name, [Trial(**row) for row in rows])


async def answer_error(request: Request, error: Exception) -> Response:
    """A page for a browser, OpenAI's shape for a program."""
    browser = "text/html" in request.headers.get("accept", "")
    if not browser or request.url.path.startswith(("/v1/", "/mcp", "/memory/")):
        return await errors.answer_error(request, error)
    told = errors.api_error(error)
    return render("problem", request.url.path, told.status, message=told.message)
