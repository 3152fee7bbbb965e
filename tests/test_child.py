"""Claims about a stage as a process of its own, and as a unit of systemd's."""

import os
import subprocess
import sys
import threading
import time

import pytest

from agent.child import Interrupted, run_child
from memory.db import open_database
from memory.errors import StageError
from tests.homes import ROOT, here

SYSTEMCTL = """#!{python}
import json, os, pathlib, subprocess, sys, time
words, stage = sys.argv[1:], sys.argv[-1].split("@")[-1].removesuffix(".service")
folder = pathlib.Path({night!r})
(folder / "calls").open("a").write(" ".join(words) + chr(10))
if "stop" in words or stage == "evaluate":
    (folder / "stop").touch()
elif stage == "train":
    (folder / "train.out").write_text('{{"step": 1, "steps": 2}}' + chr(10))
    until = time.time() + 20
    while {wait} and time.time() < until and not (folder / "stop").exists():
        time.sleep(0.05)
    (folder / "train.out").open("a").write('{{"summary": "train: done"}}' + chr(10))
else:
    sys.exit(subprocess.call([sys.executable, "-m", "agent.child", stage, {home!r}]))
"""


@pytest.fixture
def night(tmp_path):
    home = tmp_path / "home"
    assert here(home, "init", "--yes", "--name", "Pell", "--base", "tiny").returncode == 0
    folder = home / "nights" / "2026-11-21"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"base": {"name": "tiny"}}')
    with open_database(home / "memory.db") as db:
        db["nights"].insert({"id": "2026-11-21", "verdict": "running"})
    return folder


def systemctl(folder, tmp_path, wait=False):
    """A systemctl of our own in front of the path."""
    home = str(folder.parent.parent)
    text = SYSTEMCTL.format(python=sys.executable, night=str(folder), home=home, wait=wait)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "systemctl").write_text(text)
    (tmp_path / "bin" / "systemctl").chmod(0o700)
    return {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def run(folder, name, events, stop=None, **environment):
    before = dict(os.environ)
    os.environ.update(environment)
    read, write = os.pipe()
    try:
        return run_child(
            name, folder, seconds=30, stop=stop or threading.Event(), keep_open=write,
            progress=events.append,
        )  # fmt: skip
    finally:
        os.environ.clear()
        os.environ.update(before)
        os.close(read)
        os.close(write)


def test_a_stages_last_word_is_why_it_failed(night):
    with pytest.raises(StageError, match=r"export: .*manifest\.json"):
        run(night, "export", [], XDG_CACHE_HOME=os.environ.get("XDG_CACHE_HOME", ""))


@pytest.mark.parametrize("scope", ["system", "user"])
def test_training_is_a_unit_where_systemd_runs_the_stages(night, tmp_path, scope):
    events = []
    units = systemctl(night, tmp_path) | {"JUNIOR_STAGE_UNITS": scope}
    assert run(night, "train", events, **units) == "train: done"
    assert events == [{"stage": "train", "step": 1, "steps": 2}]
    calls = (night / "calls").read_text().split("\n")[0]
    flag = "--user " if scope == "user" else ""
    assert calls == f"{flag}start junior-stage@train.service"


def test_a_unit_finds_the_running_night_and_says_why_it_failed(night, tmp_path):
    units = systemctl(night, tmp_path) | {"JUNIOR_STAGE_UNITS": "system"}
    with pytest.raises(StageError, match=r"export: .*manifest\.json|export: .*base tiny"):
        run(night, "export", [], **units)
    assert (night / "export.log").stat().st_mode & 0o777 == 0o600


def test_ingest_is_never_a_unit(night, tmp_path):
    units = systemctl(night, tmp_path) | {"JUNIOR_STAGE_UNITS": "system"}
    assert run(night, "ingest", [], **units).startswith("ingest: 0 new")
    assert not (night / "calls").exists()


def test_a_stopped_night_stops_the_unit(night, tmp_path):
    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    units = systemctl(night, tmp_path, wait=True) | {"JUNIOR_STAGE_UNITS": "system"}
    began = time.monotonic()
    with pytest.raises(Interrupted):
        run(night, "train", [], stop, **units)
    assert time.monotonic() - began < 10
    assert "stop junior-stage@train.service" in (night / "calls").read_text()


def test_without_a_running_night_the_unit_says_so(tmp_path):
    here(tmp_path / "home", "init", "--yes", "--name", "Pell", "--base", "tiny")
    command = [sys.executable, "-m", "agent.child", "train", str(tmp_path / "home")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and "no night is running" in done.stderr
