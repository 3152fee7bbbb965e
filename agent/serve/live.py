"""A running night as server-sent events, read from SQLite and its folder as it goes on."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from agent.config import Config
from agent.night import STAGES
from memory.db import open_database

EVERY_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
TAIL_BYTES = 4096


def now_running(config: Config) -> dict[str, Any]:
    """The running night: stage, its number of six, what ended, last update; else night is None."""
    with open_database(config.database_path) as db:
        rows = list(
            db.query(
                "select id, stage from nights where verdict = 'running' order by started_at desc"
            )
        )
        if not rows:
            return {"night": None, "stage": "", "number": 0, "of": len(STAGES), "done": []}
        night, stage = rows[0]["id"], rows[0]["stage"] or ""
        done = list(
            db.query(
                "select name, seconds, summary from stages where night = ? and status = 'done'"
                " order by rowid",
                [night],
            )
        )
    number = STAGES.index(stage) + 1 if stage in STAGES else 0
    learnt = _last_update(config.nights_path / night) if stage == "train" else {}
    return {"night": night, "stage": stage, "number": number, "of": len(STAGES), "done": done,
            "update": learnt.get("step"), "loss": learnt.get("loss")}  # fmt: skip


def _last_update(folder: Path) -> dict[str, Any]:
    """The last whole line of metrics.jsonl."""
    try:
        with open(folder / "metrics.jsonl", "rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return {}
    for line in reversed(lines):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return {}


async def events(config: Config, every: float = EVERY_SECONDS) -> AsyncIterator[str]:
    """One event at once, one at each change, and a comment now and then so that nobody hangs up."""
    last, silent = "", 0.0
    while True:
        now = json.dumps(await asyncio.to_thread(now_running, config))
        if now != last:
            yield f"data: {now}\n\n"
            last, silent = now, 0.0
        elif silent >= HEARTBEAT_SECONDS:
            yield ": still here\n\n"
            silent = 0.0
        await asyncio.sleep(every)
        silent += every
