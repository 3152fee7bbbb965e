"""One night from top to bottom: its stages, their children, limits, lock and record."""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent import stages
from agent.child import Interrupted, run_child
from agent.config import Config, freeze, load_config
from agent.lock import Lock
from agent.outputs import check_outputs, hash_outputs
from agent.schedule import period_of
from agent.status import STOPPED_BY_HAND
from distill.base import resolve_base
from distill.base.replay import replay_path
from memory.crash import reach
from memory.db import Database, open_database, transaction
from memory.errors import (
    BaseMissingError,
    BusyError,
    ConfigError,
    JuniorError,
    StageError,
    UserError,
)
from memory.files import clear_temporary, make_private_dir, write_atomic

STAGES = ("ingest", "curate", "train", "export", "evaluate", "release")
LIMIT_MINUTES = {
    "base": 60, "ingest": 120, "curate": 60, "export": 60, "evaluate": 120, "canaries": 60,
}  # fmt: skip
VERDICTS = ("released", "rejected", "unchanged", "failed", "interrupted")
EXIT_CODES = {"released": 0, "unchanged": 0, "rejected": 3, "failed": 1, "interrupted": 1}

Progress = Callable[[dict], None]


@dataclass
class Night:
    """One attempt: its id, its folder, and the configuration frozen for it."""

    id: str
    config: Config
    progress: Progress
    lock: Lock
    stop: threading.Event

    @property
    def folder(self) -> Path:
        return self.config.nights_path / self.id


@dataclass(frozen=True)
class NightResult:
    """How it ended: the verdict, a sentence why, what each stage took, the report if one is."""

    night: str
    verdict: str
    reason: str
    stages: tuple[dict, ...]
    report: str | None

    def as_json(self) -> dict:
        return dataclasses.asdict(self) | {"stages": list(self.stages)}


def run_night(
    config: Config,
    *,
    trigger: str = "hand",
    now: datetime | None = None,
    resume: bool = False,
    only: str = "",
    progress: Progress = lambda event: None,
    check: Callable[[], None] = lambda: None,
) -> NightResult:
    """Runs one night to its verdict and records it.

    `trigger` is hand, clock or timer; `resume` goes on with the newest unfinished night, and
    `only` names the single stage to run again in it. `check` is called once nobody else can run a
    night, and may raise. Raises BusyError while another runs.
    """
    now = now or datetime.now(UTC)
    make_private_dir(config.home)
    with Lock(config.home / "night.lock", "a night is running") as lock:
        stop = threading.Event()
        previous = signal.signal(signal.SIGTERM, lambda *_: stop.set())
        try:
            check()
            _mark_cut_off(config)
            night = _resumed(config, only, progress, lock, stop) if resume or only else None
            if night is None:
                night = _begin(config, trigger, now, progress, lock, stop)
            return _run_stages(night, (only,) if only else STAGES)
        finally:
            signal.signal(signal.SIGTERM, previous)


def _mark_cut_off(config: Config) -> None:
    """What the table calls running while nobody holds the lock was killed; it can be resumed."""
    with open_database(config.database_path) as db, transaction(db):
        db.execute(
            "update nights set verdict = 'interrupted', pid = null,"
            " reason = 'cut off by a crash or a shutdown' where verdict = 'running'"
        )
        db.execute("update stages set status = 'interrupted' where status = 'running'")


def _begin(config: Config, trigger: str, now: datetime, progress, lock, stop) -> Night:
    """A new row and folder, with configuration and identity as they are at this moment."""
    check_before(config)
    db = open_database(config.database_path)
    period = str(period_of(now, config.schedule) if trigger != "hand" else now.astimezone().date())
    taken = {row["id"] for row in db["nights"].rows_where(select="id")}
    n, night_id = 1, period
    while night_id in taken:
        n += 1
        night_id = f"{period}.{n}"
    night = Night(night_id, config, progress, lock, stop)
    clear_temporary(config.home)
    make_private_dir(config.nights_path)
    make_private_dir(night.folder)
    write_atomic(night.folder / "identity.toml", config.identity_path.read_bytes())
    frozen = json.dumps(freeze(config), indent=1, ensure_ascii=False)
    write_atomic(night.folder / "config.json", frozen)
    db["nights"].insert(
        {
            "id": night_id,
            "period_key": period,
            "trigger": trigger,
            "started_at": now.astimezone(UTC).isoformat(timespec="seconds"),
            "verdict": "running",
            "base": config.base.name,
            "pid": os.getpid(),
        }
    )
    db.close()
    reach("night.begun")
    return night


def check_before(config: Config) -> None:
    """What would fail for certain later is said now: identity, base, disk."""
    if not config.identity_path.exists():
        raise UserError(f"{config.identity_path} is missing: run `junior init` first")
    free, needed = shutil.disk_usage(config.home).free, config.schedule.min_free_gb * 1e9
    if free < needed:
        raise UserError(
            f"{config.home}: {free / 1e9:.1f} GB free, a night needs {needed / 1e9:.1f} GB "
            "(schedule.min_free_gb): free some space"
        )
    stages.check_disk(config)
    if config.base.name != "tiny":
        resolve_base(config.base.name, config.base.revision)


def _resumed(config: Config, only: str, progress, lock, stop) -> Night | None:
    """The newest night without an end; with `only`, simply the newest."""
    db = open_database(config.database_path)
    open_ones = "" if only else "verdict in ('running', 'interrupted', 'failed')"
    rows = list(db["nights"].rows_where(open_ones or None, order_by="started_at desc", limit=1))
    if not rows:
        if only:
            raise UserError(f"no night to run {only} in: run `junior night` first")
        db.close()
        return None
    night_id = rows[0]["id"]
    frozen = _thaw(config, db, night_id, only)
    if frozen:
        db["nights"].update(night_id, {"verdict": "running", "pid": os.getpid()})
    db.close()
    return Night(night_id, frozen, progress, lock, stop) if frozen else None


def _thaw(config: Config, db: Database, night_id: str, only: str) -> Config | None:
    """The configuration a night was begun with; None where this version cannot read it.

    An update in mid-night may have taken a key away: that night has failed, and a new one begins.
    """
    try:
        return load_config(config.home, frozen=config.nights_path / night_id / "config.json")
    except ConfigError as error:
        if only:
            raise
        reason = f"begun by another version of Junior: {error}"
        db["nights"].update(night_id, {"verdict": "failed", "reason": reason, "pid": None})
        return None


def _run_stages(night: Night, names: tuple[str, ...]) -> NightResult:
    """Every stage in order; the one broad catch of the program is here and records what it saw."""
    verdict, reason = "failed", ""
    try:
        verdict, reason = _stages_to_verdict(night, names)
    except Interrupted as error:
        verdict, reason = "interrupted", str(error)
    except KeyboardInterrupt:
        verdict, reason = "interrupted", f"{STOPPED_BY_HAND}; `junior night --resume` goes on"
    except BusyError as error:  # another program has what is needed: the next tick goes on
        verdict, reason = "interrupted", str(error)
        raise
    except (StageError, UserError, OSError) as error:
        reason = str(error)
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}"
        raise
    finally:
        result = _finish(night, verdict, reason)
    return result


def _stages_to_verdict(night: Night, names: tuple[str, ...]) -> tuple[str, str]:
    _prepare_base(night)
    verdict, reason = "released", ""
    for name in names:
        if len(names) == 1 or not _is_done(night, name):
            summary = _run_stage(night, name)
            if name == "ingest" and stages.is_unchanged(night.config):
                return "unchanged", "nothing new and nothing changed since the last night"
            night.progress({"stage": name, "summary": summary, "done": True})
        if name == "evaluate":  # also where a night that was cut off right after it goes on
            verdict, reason = stages.read_verdict(night.folder)
            if verdict != "released":
                break
    if len(names) == 1 and (night.folder / "report.json").exists():
        verdict, reason = stages.read_verdict(night.folder)
    if verdict == "released" and len(names) > 1:
        _plant_canaries(night)
    return verdict, reason


def _plant_canaries(night: Night) -> None:
    """Once a week, after a release. They decide nothing: what goes wrong is their own record's."""
    with open_database(night.config.database_path) as db:
        due = wants_canaries(db, night.id, night.config.gate.canary_days)
    if due:
        with contextlib.suppress(JuniorError, OSError):
            night.progress({"stage": "canaries", "summary": _run_stage(night, "canaries")})


def wants_canaries(db: Database, night_id: str, days: float) -> bool:
    """Whether the last ones were planted `days` before this night, or the first night was then;
    0 days: never."""
    started, last, first = db.execute(
        "select (select started_at from nights where id = ?),"
        " (select max(nights.started_at) from nights join stages on night = id"
        "  where name = 'canaries' and status = 'done'), min(started_at) from nights",
        [night_id],
    ).fetchone()
    since = datetime.fromisoformat(started) - datetime.fromisoformat(last or first)
    return days > 0 and since >= timedelta(days=days)


def _prepare_base(night: Night) -> None:
    """Once a base: the tiny one is made here when the cache has none, replay is asked for."""
    try:
        config = night.config
        if replay_path(resolve_base(config.base.name, config.base.revision)).exists():
            return
    except BaseMissingError:
        pass  # a base that is to be fetched was asked for before the night began
    _run_stage(night, "base")


def _is_done(night: Night, name: str) -> bool:
    with open_database(night.config.database_path) as db:
        return bool(
            db.execute(
                "select 1 from stages where night = ? and name = ? and status = 'done'",
                [night.id, name],
            ).fetchone()
        )


def _run_stage(night: Night, name: str) -> str:
    """One stage, recorded: its seconds and its greppable line. Raises StageError."""
    started, begin = datetime.now(UTC), time.monotonic()
    with open_database(night.config.database_path) as db:
        attempt = (
            1
            + db.execute(
                "select coalesce(max(attempt), 0) from stages where night = ? and name = ?",
                [night.id, name],
            ).fetchone()[0]
        )
        row = {"night": night.id, "name": name, "attempt": attempt}
        db["stages"].insert(row | {"started_at": started.isoformat(), "status": "running"})
        db["nights"].update(night.id, {"stage": name})
    reach(f"{name}.begun")
    status, summary, outputs = "failed", "", {}
    try:
        if name in STAGES:
            earlier = STAGES[: STAGES.index(name)]
            with open_database(night.config.database_path) as db:
                check_outputs(db, night.id, night.folder, earlier)
        with stages.card_for(name, night.config):
            if name == "release":
                summary = stages.release(night.config, night.id, night.folder)
            else:
                summary = _in_child(night, name)
        reach(f"{name}.unrecorded")
        outputs = hash_outputs(night.folder, name)
        status = "done"
        return summary
    except (JuniorError, OSError) as error:
        summary = str(error)
        raise
    finally:
        with open_database(night.config.database_path) as db:
            seconds = round(time.monotonic() - begin, 3)
            db["stages"].update(
                (night.id, name, attempt),
                {
                    "status": status,
                    "summary": summary[:2000],
                    "seconds": seconds,
                    "outputs": json.dumps(outputs) if outputs else None,
                },
            )
        reach(f"{name}.recorded")


def _in_child(night: Night, name: str) -> str:
    limit = 60 * LIMIT_MINUTES.get(name, night.config.schedule.window_minutes)
    return run_child(
        name,
        night.folder,
        seconds=limit,
        stop=night.stop,
        keep_open=night.lock.fileno(),
        progress=night.progress,
    )


def _finish(night: Night, verdict: str, reason: str) -> NightResult:
    reach("night.unfinished")
    with open_database(night.config.database_path) as db:
        ended = {} if verdict == "interrupted" else {"stage": None}
        fingerprint = stages.fingerprint(night.config) if verdict in VERDICTS[:3] else None
        db["nights"].update(
            night.id,
            {
                "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "verdict": verdict,
                "reason": reason[:2000],
                "dataset_hash": fingerprint,
                "pid": None,
            }
            | ended,
        )
        rows = db.query(
            "select name, seconds, status, summary from stages where night = ? order by rowid",
            [night.id],
        )
        done = tuple(row for row in rows)
    if verdict == "unchanged":
        stages.remove_folder(night.folder)
    stages.drop_rejected_models(night.config)
    if any(row["name"] == "train" for row in done):
        stages.warm_again(night.config)
    report = night.folder / "report.html"
    return NightResult(night.id, verdict, reason, done, str(report) if report.exists() else None)


def stop_night(config: Config) -> bool:
    """Asks the running night to end; False when none runs."""
    with open_database(config.database_path) as db:
        row = db.execute("select pid from nights where verdict = 'running' and pid").fetchone()
    try:
        with Lock(config.home / "night.lock", "a night is running"):
            return False
    except BusyError:
        try:
            if row:
                os.kill(row[0], signal.SIGINT)
        except ProcessLookupError:  # killed a moment ago
            return False
        return bool(row)
