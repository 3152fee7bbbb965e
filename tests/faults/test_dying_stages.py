"""Claims about stages that die, and about nights that are gone on with by another version."""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing

import pytest

from agent.config import load_config
from agent.night import run_night
from benchmarks.torture import SETTINGS
from benchmarks.warm import Warm
from memory.db import open_database, sqlite3
from memory.errors import DatabaseError
from tests.bases import quick_tiny_base
from tests.homes import ROOT, let_pass, small_home
from tests.test_permissions import open_to_others

pytestmark = pytest.mark.slow

# one in the process of each stage, in the order in which a night comes by them
POINTS = ("ingest.uncommitted", "manifest.json.half", "sealed.json.half", "export.json.half",
          "report.json.half")  # fmt: skip
SIGNALS = ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL")
LIMIT_KB = "1200000"  # of address space: too little for torch


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Settings of a quick night, and a base of two steps."""
    values = SETTINGS | {
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
        "JUNIOR_PUBLISH_OLLAMA": "off",
    }
    with pytest.MonkeyPatch.context() as environment:
        for key, value in values.items():
            environment.setenv(key, value)
        quick_tiny_base()
        yield


@pytest.fixture
def home(cache, tmp_path):
    return let_pass(small_home(tmp_path, journals=3))


def query(home, sql):
    with open_database(home / "memory.db") as db:
        return db.execute(sql).fetchall()


def night(python, home, *words, before=(), **told):
    command = [*before, python, "-m", "agent.cli", "--home", str(home), "night", *words]
    return subprocess.run(command, cwd=ROOT, env=os.environ | told, capture_output=True, text=True)


def test_each_of_four_signals_in_each_of_five_stages_fails_a_night_that_can_go_on(home, tmp_path):
    with Warm(tmp_path) as warm:
        for point in POINTS:
            for name in SIGNALS:
                told = {"JUNIOR_CRASH_AT": point, "JUNIOR_CRASH_BY": name}
                assert night(warm.python, home, "--resume", **told).returncode == 1
                ((_, reason),) = query(home, "select verdict, reason from nights")
                assert f"ended by signal {int(signal.Signals[name])}; see" in reason, point
                assert open_to_others(home) == []
        assert night(warm.python, home, "--resume").returncode == 0
    assert query(home, "select verdict from nights") == [("released",)]
    done = query(home, "select count(*) from stages where status = 'done' group by name")
    assert done == [(1,)] * 6


def test_too_little_address_space_fails_a_night_in_a_sentence(home):
    short = ["sh", "-c", 'ulimit -v "$0"; exec "$@"', LIMIT_KB]
    done = night(sys.executable, home, before=short)
    ((verdict, reason),) = query(home, "select verdict, reason from nights")
    assert (done.returncode, verdict) == (1, "failed") and "Traceback" not in done.stderr
    assert reason.startswith("train: ") and len(reason.splitlines()) == 1, reason
    again = night(sys.executable, home, "--resume", JUNIOR_CRASH_AT="train.begun")
    assert again.returncode == -9 and query(home, "select verdict from nights") == [("running",)]


def test_a_night_begun_by_a_version_with_other_keys_has_failed_and_a_new_one_begins(home):
    """What an update in mid-night leaves behind; nobody's words are lost, and it is said."""
    assert night(sys.executable, home, JUNIOR_CRASH_AT="ingest.recorded").returncode == -9
    (folder,) = home.glob("nights/*")
    frozen = json.loads((folder / "config.json").read_text())
    frozen["train"]["telepathy"] = True
    (folder / "config.json").write_text(json.dumps(frozen))
    done = night(sys.executable, home, "--resume", JUNIOR_CRASH_AT="ingest.recorded")
    first, second = query(home, "select id, verdict, reason from nights order by id")
    assert done.returncode == -9 and second[:2] == (f"{first[0]}.2", "running")
    assert first[1] == "failed" and "another version" in first[2] and "telepathy" in first[2]


def test_a_memory_that_a_newer_version_migrated_in_mid_night_ends_it_and_is_gone_on_with(home):
    """The stages are processes of their own: they are the newer version, the night is the older."""

    def update(event):
        if "done" not in event:
            return
        with open_database(home / "memory.db") as db:
            row = {"migration_set": "junior", "name": "m999_telepathy", "applied_at": "2031"}
            db["_sqlite_migrations"].insert(row)

    with pytest.raises(DatabaseError, match="was written by a later Junior"):
        run_night(load_config(home), progress=update)
    with closing(sqlite3.connect(str(home / "memory.db"))) as newer:
        newer.execute("delete from _sqlite_migrations where name = 'm999_telepathy'")
        newer.commit()
    done = night(sys.executable, home, "--resume", JUNIOR_CRASH_AT="curate.begun")
    assert done.returncode == -9 and query(home, "select count(*) from nights") == [(1,)]
    assert query(home, "select name, status from stages") == [
        ("ingest", "done"), ("curate", "running")
    ]  # fmt: skip
