"""Claims about the daemon, each on the real program with real files."""

import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta

import pytest

from distill.ollama import Ollama
from distill.release import publish
from memory.db import open_database
from tests.fake_ollama import FakeOllama
from tests.homes import ROOT, junior, small_home, until
from tests.release_house import CARD, CONFIG, Base
from tests.tiny_gguf import make_night

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path):
    return small_home(tmp_path, journals=3)


def start(home, **environment):
    daemon = subprocess.Popen(
        [sys.executable, "-m", "agent.cli", "--home", str(home), "run"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"JUNIOR_PUBLISH_OLLAMA": "off"} | environment,
    )
    assert until(lambda: count(home, "select count(*) from messages where source = 'relay'"), 15)
    return daemon


def count(home, query):
    with open_database(home / "memory.db") as db:
        return db.execute(query).fetchone()[0]


def stop(daemon):
    daemon.send_signal(signal.SIGTERM)
    _, said = daemon.communicate(timeout=10)
    return said


def test_a_mail_and_a_journal_line_are_picked_up_before_any_scan(home, tmp_path):
    daemon = start(home)
    time.sleep(1)
    mail = "From: Orrin <orrin@carrow.example>\nMessage-ID: <new@x>\nSubject: tea\n\nzebra tea?\n"
    (tmp_path / "mail" / "tmp" / "1").write_text(mail)
    os.rename(tmp_path / "mail" / "tmp" / "1", tmp_path / "mail" / "new" / "1")
    journal = sorted((tmp_path / "journals").glob("*.md"))[0]
    with journal.open("a") as lines:
        lines.write("\nA line about quaggas.\n")
    query = "select count(*) from messages where text like '%{}%'"
    seen = until(
        lambda: count(home, query.format("zebra")) and count(home, query.format("quaggas")), 60
    )
    stop(daemon)
    assert seen


def test_a_second_daemon_is_refused_and_sigterm_ends_the_first(home):
    daemon = start(home)
    second = junior(home, "run")
    assert second.returncode == 75 and "a daemon is running" in second.stderr
    assert f"The daemon is running (process {daemon.pid})." in junior(home, "status").stdout
    began = time.monotonic()
    stop(daemon)
    assert daemon.returncode == 0 and time.monotonic() - began < 10
    assert "The daemon is running" not in junior(home, "status").stdout


def test_logs_hold_no_bodies(home):
    daemon = start(home)
    said = stop(daemon)
    assert "Still, it holds" not in said and "ingest" in said


def test_a_due_night_starts_by_itself(home, tmp_path):
    """The window opened a moment ago, and this home was there before it."""
    at = datetime.now() - timedelta(minutes=1)
    config = (home / "config.toml").read_text()
    (home / "config.toml").write_text(
        config.replace('# at = "03:30"', f'at = "{at:%H:%M}"').replace(
            "# min_free_gb = 5.0", "min_free_gb = 1e6"
        )
    )
    with open_database(home / "memory.db") as db:
        yesterday = (datetime.now().astimezone() - timedelta(days=1)).isoformat()
        db["state"].upsert({"key": "first_seen_at", "value": yesterday}, pk="key")
    daemon = start(home)
    attempted = until(lambda: count(home, "select coalesce(sum(attempts), 0) from periods"), 15)
    said = stop(daemon)
    assert attempted and "starting the night" in said


def test_a_backup_is_made_and_a_wrong_latest_is_mended(home, tmp_path):
    """The first tick does both, by children of the daemon."""
    with FakeOllama() as server:
        make_night(home, "2026-11-20", seed=20)
        with open_database(home / "memory.db") as db:
            told = {"base": Base(), "card": CARD, "config": CONFIG, "server": Ollama(server.url)}
            publish(db, home, "2026-11-20", **told)
        del server.models["junior:latest"]
        host = {"OLLAMA_HOST": server.url.removeprefix("http://"), "JUNIOR_PUBLISH_OLLAMA": "auto"}
        daemon = start(home, **host)
        saved = until(lambda: list((home / "backups").glob("junior-*.tar")), 20)
        stop(daemon)
        daemon = start(home, **host)  # the next tick would come in a minute
        mended = until(lambda: "junior:latest" in server.models, 20)
        stop(daemon)
        assert saved and mended
