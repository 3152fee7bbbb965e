"""Claims about odd circumstances: each does the sensible thing, and `junior status` says so."""

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from agent.config import load_config
from agent.daemon import Daemon
from agent.nights import DoneError, ask, count_attempt, refuse_second
from agent.schedule import period_of
from agent.stages import fingerprint
from agent.status import in_words, status
from memory.db import migrations, open_database
from memory.errors import DatabaseError
from tests.faults.test_failing_disk import library
from tests.homes import ROOT, here, junior

pytestmark = pytest.mark.slow

__all__ = ["library"]

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
YEAR = timedelta(days=365)


@pytest.fixture
def home(tmp_path):
    made = tmp_path / "home"
    assert here(made, "init", "--yes", "--name", "Pell", "--base", "tiny").returncode == 0
    text = (made / "config.toml").read_text()
    text = text.replace('# timezone = ""', 'timezone = "UTC"')
    text = text.replace("# daily = true", "daily = false")
    with open_database(made / "memory.db") as db:
        db["state"].upsert({"key": "first_seen_at", "value": "2026-11-01T00:00:00+00:00"}, pk="key")
    (made / "config.toml").write_text(text)
    return made


def finish(config, now, verdict="released"):
    """A scheduled night of the period `now` lies in, done."""
    count_attempt(config, now)
    period = str(period_of(now, config.schedule))
    with open_database(config.database_path) as db:
        row = {"id": period, "period_key": period, "trigger": "clock", "verdict": verdict}
        db["nights"].insert(row | {"started_at": now.isoformat()})


def said(config, now):
    return in_words(status(config, now))


def test_a_clock_a_year_ahead_and_back_costs_no_night_and_is_said(home):
    config = load_config(home)
    assert ask(config, NOW)[0]
    finish(config, NOW)
    assert ask(config, NOW + YEAR)[0]
    finish(config, NOW + YEAR)
    assert not ask(config, NOW + timedelta(minutes=1))[0]
    assert "The clock went from 2027-11-21" in said(config, NOW + timedelta(minutes=2))
    assert ask(config, NOW + timedelta(days=1))[0]


def test_a_daemon_sees_its_clock_jump_forward(home):
    config = load_config(home)
    here(home, "pause")
    daemon = Daemon(config, lambda: NOW)
    daemon._tick(NOW)
    daemon._tick(NOW + timedelta(seconds=1))
    assert "The clock went" not in said(config, NOW)
    daemon._tick(NOW + YEAR)
    assert "The clock went from 2026-11-21" in said(config, NOW + YEAR)


def test_a_machine_that_slept_through_its_window_catches_up_and_its_clock_did_not_jump(home):
    """The clock that counts sleep (CLOCK_BOOTTIME) went on by as much as the wall's."""
    config, asleep = load_config(home), timedelta(hours=9)
    here(home, "pause")  # so that this daemon starts nothing itself
    evening = NOW - timedelta(hours=1)
    daemon = Daemon(config, lambda: NOW)
    daemon._tick(evening)
    daemon._seen = (evening, time.clock_gettime(time.CLOCK_BOOTTIME) - asleep.total_seconds())
    daemon._tick(evening + asleep)
    assert "The clock went" not in said(config, evening + asleep)
    here(home, "unpause")
    with open_database(config.database_path) as db:
        for key in ("last_tick_at", "last_able_at"):
            db["state"].upsert({"key": key, "value": evening.isoformat()}, pk="key")
    is_due, why, _ = ask(config, evening + asleep)
    assert is_due and "catching up" in why


def test_a_home_made_under_a_clock_ahead_does_not_wait_a_year(home):
    config = load_config(home)
    with open_database(config.database_path) as db:
        db["state"].upsert({"key": "first_seen_at", "value": (NOW + YEAR).isoformat()}, pk="key")
    assert ask(config, NOW)[0]


def test_who_was_told_that_a_night_is_due_looks_again_once_nobody_else_can_run_one(home):
    config = load_config(home)
    assert ask(config, NOW)[0]
    refuse_second(config, NOW)
    finish(config, NOW)
    with pytest.raises(DoneError, match="tonight's night is done"):
        refuse_second(config, NOW)


@pytest.mark.slow
def test_twelve_who_ask_at_once_run_one_night(home):
    """An unchanged night takes a second: some ask before it, some while it runs, some after."""
    config = load_config(home)
    here(home, "log", "journal", "It rained.")
    at = (datetime.now().astimezone() - timedelta(minutes=1)).astimezone(UTC)
    text = (home / "config.toml").read_text().replace('# at = "03:30"', f'at = "{at:%H:%M}"')
    (home / "config.toml").write_text(text.replace("# min_free_gb = 5.0", "min_free_gb = 0.1"))
    with open_database(config.database_path) as db:
        row = {"id": "2026-11-01", "verdict": "rejected", "started_at": "2026-11-01T03:30:00+00:00"}
        db["nights"].insert(row | {"dataset_hash": fingerprint(load_config(home))})
    quick = "from tests.bases import quick_tiny_base; quick_tiny_base()"
    environment = os.environ | {"XDG_CACHE_HOME": str(home.parent / "cache")}
    subprocess.run([sys.executable, "-c", quick], cwd=ROOT, env=environment, check=True)
    command = [sys.executable, "-m", "agent.cli", "--home", str(home), "night", "--if-due"]
    askers = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        for _ in range(12)
    ]
    assert {asker.wait() for asker in askers} <= {0, 75}
    with open_database(config.database_path) as db:
        verdicts = [row["verdict"] for row in db["nights"].rows if row["id"] != "2026-11-01"]
    assert verdicts == ["unchanged"]


def test_a_machine_off_for_a_week_has_one_night_when_it_is_back(home):
    config = load_config(home)
    ask(config, NOW)
    finish(config, NOW)
    back = NOW + timedelta(days=7, hours=9)
    assert "Nothing has looked for a due night since 2026-11-21" in said(config, back)
    is_due, why, _ = ask(config, back)
    assert is_due and "catching up" in why
    finish(config, back)
    assert not ask(config, back + timedelta(minutes=1))[0]
    assert "is `junior run` running?" not in said(config, back + timedelta(minutes=1))


def test_a_disk_too_full_for_a_night_is_said(home):
    full = junior(home, "status", JUNIOR_SCHEDULE_MIN_FREE_GB="1e9")
    assert full.returncode == 0 and "free some space" in full.stdout


def test_a_database_from_the_future_is_named_everywhere_and_left_alone(home):
    with open_database(home / "memory.db") as db:
        row = {"migration_set": "junior", "name": "m999_telepathy", "applied_at": "2031"}
        db["_sqlite_migrations"].insert(row)
    before = (home / "memory.db").read_bytes()
    for command in ("status", "run", "ingest", "night", "backup"):
        found = junior(home, command)
        assert found.returncode in (1, 2) and "Traceback" not in found.stderr, found.stderr
        assert "later Junior" in found.stderr or command == "ingest"
    assert (home / "memory.db").read_bytes() == before
    assert len(migrations.applied(_opened(home))) > 1


def _opened(home):
    from memory.db import Database, sqlite3

    return Database(sqlite3.connect(str(home / "memory.db")))


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("cc"), reason="needs cc and LD_PRELOAD")
@pytest.mark.parametrize(
    ("error", "words"),
    [("EROFS", "Read-only file system"), ("ENOSPC", "the disk")],
    ids=["read-only home", "full disk"],
)
def test_a_home_that_takes_nothing_is_said_in_a_sentence(home, library, error, words):
    for command in (["status"], ["log", "journal", "It rained."], ["pause"]):
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.failing_command", error, str(home), *command],
            cwd=ROOT,
            env=os.environ | {"LD_PRELOAD": str(library), "FAIL_UNDER": str(home)},
            capture_output=True,
            text=True,
        )
        reading = command == ["status"] and done.returncode == 0  # nothing had to be written
        assert reading or (done.returncode == 1 and words in done.stderr), done
        assert "Traceback" not in done.stderr
    assert json.loads(junior(home, "status", "--json").stdout)["messages"] == 0


FILL = """
mount -t tmpfs -o size=1m tmpfs "$0" || exit 77
home=$0 python=$1
junior() { "$python" -m agent.cli --home "$home/home" $1; }
junior "init --yes --name Pell --base tiny" > /dev/null 2>&1
dd if=/dev/zero of="$home/fill" bs=1k 2> /dev/null
for command in status run "log journal Rain"; do junior "$command"; done
"""


@pytest.mark.slow
def test_on_a_disk_without_a_byte_left_every_command_says_so(tmp_path):
    """Not even what reading needs beside memory.db has room."""
    if not shutil.which("unshare"):
        pytest.skip("needs unshare(1)")
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", FILL, str(tmp_path)]
    done = subprocess.run([*command, sys.executable], cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("may not mount here")
    said = done.stderr.splitlines()
    assert len(said) == 3 and all("full" in line or "No space" in line for line in said), said


def test_a_damaged_memory_is_said_and_a_daemon_does_not_start_on_it(home):
    here(home, "log", "journal", "It rained.")
    path = home / "memory.db"
    for beside in ("-wal", "-shm"):
        (home / f"memory.db{beside}").unlink(missing_ok=True)
    path.write_bytes(b"Dear all, " * 400)
    for command in ("status", "run"):
        done = junior(home, command)
        assert done.returncode == 1 and "is not a SQLite database" in done.stderr
    with pytest.raises(DatabaseError, match="restore a backup"):
        open_database(path)
