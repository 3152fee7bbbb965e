"""Claims about a night's files between its stages: changed ones are never built upon."""

import json

import pytest

from agent.config import load_config
from agent.night import STAGES, run_night
from agent.outputs import OUTPUTS, check_outputs, hash_outputs
from memory.db import open_database
from memory.errors import StageError
from tests.bases import quick_tiny_base
from tests.homes import here

NIGHT = "2026-11-21"
FILES = [(stage, name) for stage, names in OUTPUTS.items() for name in names]


@pytest.fixture
def folder(tmp_path):
    """A night that was cut off after its evaluation; the gate had said no."""
    home = tmp_path / "home"
    assert here(home, "init", "--yes", "--name", "Pell", "--base", "tiny").returncode == 0
    folder = home / "nights" / NIGHT
    (folder / "adapter").mkdir(parents=True)
    (folder / "config.json").write_text(
        json.dumps({"base": {"name": "tiny"}, "publish": {"ollama": "off"}})
    )
    (folder / "identity.toml").write_bytes((home / "identity.toml").read_bytes())
    for stage, name in FILES:
        (folder / name).write_text(json.dumps({"made by": stage, "name": name}))
    report = {"verdict": "rejected", "sentence": "Not released: it does not know its name."}
    (folder / "report.json").write_text(json.dumps(report))
    with open_database(home / "memory.db") as db:
        db["nights"].insert({"id": NIGHT, "verdict": "running", "started_at": "2026-11-21T03:30"})
        for stage in STAGES[:5]:
            outputs = json.dumps(hash_outputs(folder, stage))
            row = {"night": NIGHT, "name": stage, "attempt": 1, "status": "done"}
            db["stages"].insert(row | {"outputs": outputs})
    return folder


def resume(folder):
    return run_night(load_config(folder.parent.parent), resume=True)


def query(folder, sql):
    with open_database(folder.parent.parent / "memory.db") as db:
        return db.execute(sql).fetchall()


@pytest.mark.slow
def test_cut_off_right_after_a_no_it_stays_a_no(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    quick_tiny_base()
    result = resume(folder)
    assert (result.verdict, result.night) == ("rejected", NIGHT)
    assert query(folder, "select count(*) from generations") == [(0,)]
    assert query(folder, "select count(*) from stages where name = 'release'") == [(0,)]


@pytest.mark.parametrize(("stage", "name"), FILES)
def test_a_flipped_byte_ends_the_night_and_its_stage_is_run_again(folder, stage, name):
    whole = bytearray((folder / name).read_bytes())
    whole[len(whole) // 2] ^= 1
    (folder / name).write_bytes(whole)
    with open_database(folder.parent.parent / "memory.db") as db:
        with pytest.raises(StageError, match=f"{name}: is not as {stage} left it"):
            check_outputs(db, NIGHT, folder, STAGES[:5])
        done = [row[0] for row in db.execute("select name from stages where status = 'done'")]
    assert done == list(STAGES[: STAGES.index(stage)])


def test_whole_files_pass(folder):
    with open_database(folder.parent.parent / "memory.db") as db:
        check_outputs(db, NIGHT, folder, STAGES[:5])
        assert len(hash_outputs(folder, "train")) == 3
