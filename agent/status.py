"""Where things stand: the current junior, the last and the next night, in data and in words."""

import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.conditions import hindrance
from agent.config import Config
from agent.lock import holder
from agent.schedule import FINISHED, History, backup_due, due, next_start, period_of
from memory.db import Database, open_database
from memory.ingest import find_troubles

CLOCK_SLACK = timedelta(minutes=5)
STOPPED_BY_HAND = "stopped by hand"
FOREVER = "9999-12-31T00:00:00+00:00"  # paused until somebody unpauses


def read_history(db: Database, config: Config, now: datetime) -> History:
    """What the table knows of the period `now` lies in."""
    period = str(period_of(now, config.schedule))
    nights = db.query(
        'select verdict, reason from nights where period_key = ? and "trigger" != ?',
        [period, "hand"],
    )
    attempts = db.execute("select attempts from periods where period_key = ?", [period]).fetchone()
    state = read_state(db)
    return History(
        verdicts=tuple(_verdict(night) for night in nights),
        attempts=attempts[0] if attempts else 0,
        first_seen_at=moment(state.get("first_seen_at")),
        last_tick_at=moment(state.get("last_tick_at")),
        paused_until=moment(state.get("paused_until")),
        able_at=moment(state.get("last_able_at")),
        hindrance=hindrance(config.schedule),
    )


def _verdict(night: dict) -> str:
    by_hand = night["verdict"] == "interrupted" and STOPPED_BY_HAND in (night["reason"] or "")
    return "stopped" if by_hand else night["verdict"]


def read_state(db: Database) -> dict[str, str]:
    """The `state` table."""
    return {row["key"]: row["value"] for row in db["state"].rows}


def moment(text: str | None) -> datetime | None:
    """A stored time; None for None."""
    return datetime.fromisoformat(text) if text else None


def set_state(db: Database, key: str, value: str | None) -> None:
    """One value of the `state` table; None removes it."""
    if value is None:
        db.execute("delete from state where key = ?", [key])
        db.conn.commit()
    else:
        db["state"].upsert({"key": key, "value": value}, pk="key")


def is_backup_due(config: Config, now: datetime) -> bool:
    """Whether the daily backup should be made now."""
    with open_database(config.database_path) as db:
        state = read_state(db)
    moments = (moment(state.get(key)) for key in ("last_backup_at", "last_backup_try_at"))
    return backup_due(now, config.backup, *moments)


def note_clock(db: Database, before: datetime, after: datetime) -> None:
    """The clock jumped: kept for two days, so that `junior status` can say so."""
    told = {"from": before.isoformat(timespec="seconds"), "to": after.isoformat(timespec="seconds")}
    set_state(db, "clock_note", json.dumps(told))


def list_nights(db: Database, limit: int = 30) -> list[dict]:
    """The newest nights first, each with its stages."""
    nights = list(db["nights"].rows_where(order_by="started_at desc, rowid desc", limit=limit))
    for night in nights:
        night["stages"] = list(
            db.query(
                "select name, attempt, seconds, status, summary from stages where night = ?"
                " order by rowid",
                [night["id"]],
            )
        )
    return nights


def status(config: Config, now: datetime | None = None) -> dict:
    """`current, next_due, last_night, disk_bytes` and what else a glance should tell."""
    now = now or datetime.now(UTC)
    with open_database(config.database_path) as db:
        history = read_history(db, config, now)
        is_due, why = due(now, config.schedule, history)
        nights = list_nights(db, 1)
        state = read_state(db)
        messages, rejects = db["messages"].count, db["rejects"].count
        troubles = find_troubles(db)
    paused = history.paused_until if history.paused_until and history.paused_until > now else None
    coming = now if is_due else max(next_start(now, config.schedule), paused or now)
    return {
        "current": state.get("current_generation"),
        "next_due": coming.isoformat(timespec="seconds"),
        "due_now": is_due,
        "why": why,
        "paused_until": paused.isoformat() if paused else None,
        "daemon": holder(config.home / "daemon.lock"),
        "last_night": nights[0] if nights else None,
        "messages": messages,
        "rejects": rejects,
        "troubles": troubles,
        "last_backup": state.get("last_backup_at"),
        "problems": list(_problems(config, state, now)),
        "disk_bytes": disk_bytes(config.home),
        "home": str(config.home),
    }


def _problems(config: Config, state: dict[str, str], now: datetime) -> Iterator[str]:
    """What keeps the next night or the backups from going well, each with what to do."""
    if note := state.get("clock_note"):
        jump = json.loads(note)
        if abs(now - datetime.fromisoformat(jump["to"])) < timedelta(days=2):
            yield f"The clock went from {jump['from']} to {jump['to']} at once: is it right?"
    free, needed = shutil.disk_usage(config.home).free, config.schedule.min_free_gb * 1e9
    if free < needed:
        yield (
            f"{free / 1e9:.1f} GB free at {config.home}, a night needs {needed / 1e9:.1f} GB "
            "(schedule.min_free_gb): free some space."
        )
    if state.get("backup_problem"):
        yield f"The last backup failed: {state['backup_problem']}."
    last = moment(state.get("last_backup_at"))
    if config.backup.daily and last and now - last > timedelta(days=3):
        yield f"The last backup is of {last:%Y-%m-%d}: is `junior run` running?"
    up = moment(state.get("last_tick_at"))
    if up and now - up > timedelta(days=2):
        yield f"Nothing has looked for a due night since {up:%Y-%m-%d}: is `junior run` running?"


def disk_bytes(folder: Path) -> int:
    """Bytes the files under a folder take, links not followed."""
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except FileNotFoundError:
                continue
    return total


def in_words(found: dict) -> str:
    """The status as a person would say it."""
    lines = [f"{found['messages']:,} messages in memory, {found['disk_bytes'] / 1e6:,.0f} MB used."]
    if found["rejects"]:
        lines.append(f"{found['rejects']} records could not be read (`junior doctor` lists them).")
    for one in found["troubles"]:
        place = ", ".join(filter(None, (one["source"], one["path"])))
        lines.append(f"Not readable since {one['since']}: {place}: {one['reason']}.")
    current = found["current"]
    lines.append(f"The current junior is {current}." if current else "There is no junior yet.")
    last = found["last_night"]
    if last:
        ended = f"{last['verdict']}: {last['reason']}" if last["reason"] else last["verdict"]
        lines.append(f"The last night was {last['id']}, {ended.rstrip('.')}.")
        if last["verdict"] not in (*FINISHED, "running") and "--resume" not in ended:
            lines.append("`junior night --resume` goes on with it.")
    if found["paused_until"] == FOREVER:
        return "\n".join([*lines, *found["problems"], "Paused until `junior unpause`."])
    if found["paused_until"]:
        lines.append(f"Paused until {found['paused_until']}; `junior unpause` ends that.")
    if found["last_backup"]:
        lines.append(f"The last backup is of {found['last_backup']}.")
    if found["daemon"]:
        lines.append(f"The daemon is running (process {found['daemon']}).")
    lines += found["problems"]
    lines.append(
        f"Next night: {'now' if found['due_now'] else found['next_due']} ({found['why']})."
    )
    return "\n".join(lines)
