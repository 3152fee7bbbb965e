"""What people ask of nights: one now, one if due, a report, the messages behind a row, a pause."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from agent.config import Config
from agent.night import EXIT_CODES, STAGES, NightResult, check_before, run_night, stop_night
from agent.schedule import FINISHED, due, period_of
from agent.status import (
    CLOCK_SLACK,
    FOREVER,
    list_nights,
    note_clock,
    read_history,
    set_state,
    status,
)
from agent.tell import tell_night, write_textfile
from memory.db import open_database
from memory.errors import BusyError, UsageError, UserError


def night_command(
    config: Config,
    *,
    if_due: bool,
    stage: str,
    resume: bool,
    dry_run: bool,
    stop: bool,
    progress: Callable[[dict], None],
    now: datetime | None = None,
) -> dict:
    """`junior night` in its variants; the JSON of cli.md with `exit_code` added."""
    now = now or datetime.now(UTC)
    if stage and stage not in STAGES:
        raise UsageError(f"--stage: unknown stage {stage!r}; known: {', '.join(STAGES)}")
    if stop:
        return {"night": None, "verdict": None, "stopped": stop_night(config), "stages": []}
    is_due, why, cut_off = ask(config, now)
    if dry_run and not if_due:
        check_before(config)
        names = stage or ", ".join(STAGES)
        why = f"dry run: {names} would run on {config.base.name}; by itself: {why}"
    if dry_run or (if_due and not is_due):
        return {"night": None, "verdict": None, "reason": why, "stages": [], "report": None}
    trigger = "timer" if if_due else "hand"
    if if_due:
        resume = cut_off
        count_attempt(config, now)
    told = {"resume": resume, "only": stage, "progress": progress}
    if if_due:
        told["check"] = lambda: refuse_second(config, now)
    try:
        result = run_night(config, trigger=trigger, now=now, **told)
    except DoneError as error:
        count_attempt(config, now, -1)
        return {
            "night": None, "verdict": None, "reason": str(error), "stages": [], "report": None
        }  # fmt: skip
    except BusyError:  # the card or the lock is another's: to wait is no attempt
        if if_due:
            count_attempt(config, now, -1)
        raise
    if trigger != "hand":
        _tell(config, result, now)
    return result.as_json() | {"exit_code": EXIT_CODES[result.verdict]}


class DoneError(BusyError):
    """Daemon and timer asked at once, and the other's night is finished already."""


def refuse_second(config: Config, now: datetime) -> None:
    """Raises DoneError where the period `now` lies in has its finished night."""
    with open_database(config.database_path) as db:
        verdicts = read_history(db, config, now).verdicts
    if set(verdicts) & set(FINISHED):
        raise DoneError("tonight's night is done")


def _tell(config: Config, result: NightResult, now: datetime) -> None:
    """What cannot be told does not fail the night; it is said on standard error."""
    try:
        write_textfile(config, status(config, now), now)
        tell_night(config, result.night, result.verdict, result.reason)
    except UserError as error:
        print(f"junior: {error}", file=sys.stderr)


def ask(config: Config, now: datetime) -> tuple[bool, str, bool]:
    """Is a night due, why, and is it one to go on with? Asking counts as having been up now."""
    with open_database(config.database_path) as db:
        history = read_history(db, config, now)
        if history.last_tick_at and history.last_tick_at - now > CLOCK_SLACK:
            note_clock(db, history.last_tick_at, now)
        set_state(db, "last_tick_at", now.isoformat(timespec="seconds"))
        if not history.hindrance:
            set_state(db, "last_able_at", now.isoformat(timespec="seconds"))
    unfinished = {"running", "interrupted", "failed"} & set(history.verdicts)
    return (*due(now, config.schedule, history), bool(unfinished))


def count_attempt(config: Config, now: datetime, more: int = 1) -> None:
    """One more start of the current period, written before it, so that crashes count too."""
    period = str(period_of(now, config.schedule))
    with open_database(config.database_path) as db:
        db.execute(
            "insert into periods (period_key, attempts, last_attempt_at) values (?, 1, ?)"
            " on conflict (period_key) do update set attempts = attempts + ?,"
            " last_attempt_at = excluded.last_attempt_at",
            [period, now.isoformat(timespec="seconds"), more],
        )
        db.conn.commit()


def find_night(config: Config, night: str) -> Path:
    """The folder of a night; the newest that has one without a name. Raises UserError."""
    with open_database(config.database_path) as db:
        names = [night] if night else [row["id"] for row in list_nights(db)]
    for name in names:
        if name and "/" not in name and (config.nights_path / name).is_dir():
            return config.nights_path / name
    raise UserError(f"no night {night!r} in {config.nights_path}" if night else "no night yet")


def find_report(config: Config, night: str) -> Path:
    """The HTML report of a night, or of the newest that has one. Raises UserError."""
    if night:
        folder = find_night(config, night)
        if not (folder / "report.html").exists():
            raise UserError(f"night {night} ended before its report; see the logs in {folder}")
        return folder / "report.html"
    reports = sorted(config.nights_path.glob("*/report.html"), key=lambda p: p.stat().st_mtime)
    if not reports:
        raise UserError("no report yet: run `junior night` first")
    return reports[-1]


def report_text(page: Path) -> str:
    """The report beside its page as plain text. Raises UserError for a night that wrote none."""
    try:
        return page.with_suffix(".txt").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{page.parent}: this night wrote no report.txt; open {page}") from None


def trace_row(config: Config, night: str, row: int) -> dict:
    """The messages row number `row` (from 0) of a night's train.jsonl was made of."""
    path = find_night(config, night) / "train.jsonl"
    if not path.exists():
        raise UserError(f"night {night} has no dataset")
    with path.open(encoding="utf-8") as lines:
        found = next((line for number, line in enumerate(lines) if number == row), None)
    if found is None or row < 0:
        raise UserError(f"{path} has no row {row}")
    example = json.loads(found)
    marks = ",".join("?" * len(example["ids"]))
    with open_database(config.database_path) as db:
        query = (
            "select id, source, external_id, author, sent_at, subject, text"
            f" from messages where id in ({marks})"
        )
        messages = list(db.query(query, example["ids"]))
    return {"night": night, "row": row, "view": example.get("view"), "messages": messages}


def pause(config: Config, until: datetime | None) -> dict:
    """No nights until then; without a time, until `unpause`."""
    moment = until.isoformat() if until else FOREVER
    with open_database(config.database_path) as db:
        set_state(db, "paused_until", moment)
    return {"paused_until": moment}


def unpause(config: Config) -> dict:
    """Nights run again."""
    with open_database(config.database_path) as db:
        set_state(db, "paused_until", None)
    return {"paused_until": None}
