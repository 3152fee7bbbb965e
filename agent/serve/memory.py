"""The agent's own memory over HTTP: writes itself down, once, and is searched."""

import asyncio
import dataclasses
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.config import Config
from agent.serve.desk import Desk, Wanted
from agent.serve.errors import ApiError, read_json
from distill.identity import load_identity
from memory.db import open_database
from memory.errors import UsageError
from memory.ingest import log_message
from memory.search import search

MOST_HITS = 50
TEXT_CHARACTERS = 4000


def routes(desk: Desk) -> list[Route]:
    """POST /memory/messages and GET /memory/search."""

    async def messages(request: Request) -> Response:
        body = await read_json(request)
        key = request.headers.get("idempotency-key") or body.get("key") or ""
        asked = {name: body.get(name, "") for name in ("kind", "text", "topic")}
        to = body.get("to") or []
        to = to if isinstance(to, list) else [None]
        if not all(isinstance(one, str) for one in (*asked.values(), key, *to)):
            raise ApiError(400, "kind, text, topic, key and to are texts", "invalid_type")
        stored = await asyncio.to_thread(
            write_down, desk.config, **asked, key=key, to=tuple(to),
            by="junior" if desk.wrote(asked["text"]) else str(body.get("by", "")),
        )  # fmt: skip
        return JSONResponse(stored, status_code=200 if stored["duplicate"] else 201)

    async def found(request: Request) -> Response:
        given = request.query_params
        hits = await asyncio.to_thread(
            find, desk.config, given.get("q", ""), given.get("author", ""),
            given.get("source", ""), given.get("since", ""), given.get("until", ""),
            _limit(given.get("limit")),
        )  # fmt: skip
        return JSONResponse({"hits": hits})

    return [
        Route("/memory/messages", messages, methods=["POST"]),
        Route("/memory/search", found),
    ]


def _limit(given: str | None) -> int:
    if given is None:
        return 20
    if not given.isdigit():
        raise ApiError(400, "limit must be a number", "invalid_value", "limit")
    return int(given)


def write_down(
    config: Config,
    *,
    kind: str,
    text: str,
    topic: str = "",
    key: str = "",
    to: tuple[str, ...] = (),
    by: str = "",
) -> dict[str, Any]:
    """{"id", "duplicate"}: stored as the agent's own; `by` "junior" is kept and never trains."""
    if by not in ("", "junior"):
        raise UsageError(f'by: {by!r} is unknown; leave it out, or "junior" for a junior\'s words')
    author = load_identity(config.identity_path).agent.name
    with open_database(config.database_path) as db:
        number, duplicate = log_message(
            db, kind, text, to=to, topic=topic, key=key, author=author, now=datetime.now(UTC),
            origin=by or "spoken",
        )  # fmt: skip
    return {"id": number, "duplicate": duplicate}


def find(
    config: Config, query: str, author: str, source: str, since: str, until: str, limit: int
) -> list[dict[str, Any]]:
    """Hits with ids and dates, MOST_HITS at most; dates as ISO-8601. Raises UsageError."""
    with open_database(config.database_path) as db:
        hits = search(
            db, query, limit=max(1, min(limit, MOST_HITS)), author=author or None,
            source=source or None, since=parsed_date(since), until=parsed_date(until),
        )  # fmt: skip
    return [dataclasses.asdict(hit) for hit in hits]


def parsed_date(text: str) -> datetime | None:
    """A date or time, local where it says no zone. Raises UsageError."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is no date; write it as 2026-11-20 or with a time") from error


def recent(config: Config, limit: int) -> list[dict[str, Any]]:
    """The newest messages with the beginning of their text."""
    sql = f"""select id, source, kind, author, sent_at, subject, origin,
              substr(text, 1, {TEXT_CHARACTERS}) as text from messages
              order by sent_at desc, id desc limit ?"""
    with open_database(config.database_path) as db:
        return list(db.query(sql, [max(1, min(limit, MOST_HITS))]))


async def keep_answer(desk: Desk, wanted: Wanted, text: str) -> None:
    """What the junior said is remembered; with `serve.log_answers` it is stored as its own."""
    desk.remember(text)
    if not desk.config.serve.log_answers or not text.strip():
        return
    topic = "rewriting" if wanted.rewrites else "answer"
    await asyncio.to_thread(
        write_down, desk.config, kind="note", text=text, topic=topic, by="junior"
    )
