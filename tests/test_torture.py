"""Claims about kills: a handful of what `python -m benchmarks.torture` does at length."""

import os
import signal
import subprocess
import sys

import pytest

from benchmarks.torture import SETTINGS, torture
from memory.crash import POINTS, reach
from memory.files import write_atomic
from tests.homes import ROOT
from tests.test_permissions import open_to_others

HANDFUL = (
    "config.json.half", "night.begun", "ingest.uncommitted", "manifest.json.half",
    "curate.unrecorded", "sealed.json.whole", "export.json.half", "evaluate.recorded",
    "release.unregistered", "release.registered", "night.unfinished",
)  # fmt: skip


def test_every_point_is_named_once_and_means_its_file():
    assert len(set(POINTS)) == len(POINTS) and set(HANDFUL) <= set(POINTS)
    assert [point for point in HANDFUL if point in POINTS] == sorted(HANDFUL, key=POINTS.index)


@pytest.mark.parametrize(("point", "there"), [("a.json.half", False), ("a.json.whole", True)])
def test_a_point_ends_the_process_and_nothing_else_does(tmp_path, point, there):
    code = "import sys; from pathlib import Path; from memory.files import write_atomic\n"
    code += "write_atomic(Path(sys.argv[1]), 'x')"
    command = [sys.executable, "-c", code, str(tmp_path / "a.json")]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"JUNIOR_CRASH_AT": point})
    assert done.returncode == -signal.SIGKILL and (tmp_path / "a.json").exists() == there
    reach("night.begun")
    assert write_atomic(tmp_path / "b.json", "x").exists()


@pytest.mark.slow
def test_killed_thirty_times_nothing_is_lost_or_open_to_others(tmp_path, monkeypatch):
    for key, value in (SETTINGS | {"XDG_CACHE_HOME": str(tmp_path / "cache")}).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("OLLAMA_HOST", "")
    found = torture(tmp_path, kills=30, seed=7, points=HANDFUL)
    assert (found["violations"], found["kills"], found["at_points"]) == (0, 30, len(HANDFUL))
    assert found["nights"]["released"] and open_to_others(tmp_path / "home") == []
