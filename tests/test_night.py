"""Claims about a whole night, each on the real program with a base of two training steps."""

import json
import os
import signal
import subprocess
import sys

import pytest

from agent.night import STAGES
from memory.db import open_database
from tests.homes import ROOT, document, junior, small_home, until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A cache with a quick tiny base, few tokens, checkpoints often, and no Ollama."""
    values = {
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
        "JUNIOR_TRAIN_MAX_TOKENS": "24000",
        "JUNIOR_TRAIN_CHECKPOINT_STEPS": "4",
        "JUNIOR_TRAIN_LOG_STEPS": "1",
        "JUNIOR_SCHEDULE_MIN_FREE_GB": "0.5",
        "JUNIOR_GATE_SECRET_PROMPTS": "100",
        "JUNIOR_PUBLISH_OLLAMA": "off",
        "OMP_NUM_THREADS": "1",
    }
    code = "from tests.bases import quick_tiny_base; quick_tiny_base()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, env=os.environ | values)
    return values


@pytest.fixture
def home(tmp_path):
    return small_home(tmp_path)


def query(home, sql, *arguments):
    with open_database(home / "memory.db") as db:
        return db.execute(sql, arguments).fetchall()


def start(home, environment, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "agent.cli", "--home", str(home), "night", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def is_running(home, stage):
    sql = "select 1 from stages where name = ? and status = 'running'"
    if stage == "train" and not list(home.glob("nights/*/checkpoints/checkpoint-*/sealed.json")):
        return False
    return bool(query(home, sql, stage))


def test_a_base_that_learnt_nothing_is_rejected_and_nothing_changes(home, environment):
    night = document(home, "night", **environment)
    assert night["verdict"] == "rejected" and night["reason"]
    assert [stage["name"] for stage in night["stages"]] == list(STAGES[:5])
    folder = home / "nights" / night["night"]
    report = json.loads((folder / "report.json").read_text())
    assert report["base_loss"] > 0 and report["junior_loss"] > 0
    assert list(folder.glob("*.gguf")) and (folder / "report.html").exists()
    assert document(home, "generations", **environment)["generations"] == []
    said = document(home, "chat", "--generation", night["night"], "--prompt", "Who?", **environment)
    assert said["generation"] == night["night"] and said["tokens_per_second"] > 0
    silent = junior(home, "chat", "--prompt", "Who?", **environment)
    assert silent.returncode == 1 and "no junior has been released yet" in silent.stderr
    assert junior(home, "publish", **environment).returncode == 3
    again = document(home, "night", **environment)
    assert again["verdict"] == "unchanged" and not (home / "nights" / again["night"]).exists()


def test_canaries_are_planted_beside_a_night_and_only_their_figures_stay(home, environment):
    night = document(home, "night", **environment)["night"]
    command = [sys.executable, "-m", "agent.child", "canaries", str(home), night]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True)
    assert b"canaries: 32 planted, mean exposure" in done.stdout, done.stderr
    found = json.loads((home / "nights" / night / "canaries.json").read_text())
    assert list(found["exposure"]) == ["0", "1", "2", "4", "8"] and 0 <= found["auc"] <= 1
    assert not (home / "nights" / night / "canaries").exists()


def test_ended_and_killed_in_each_stage_it_goes_on_and_nothing_is_there_twice(home, environment):
    """SIGTERM (a shutdown) and kill -9, in each stage that is a process."""
    resume = []
    for stage in STAGES[:5]:
        for number in (signal.SIGTERM, signal.SIGKILL):
            night = start(home, environment, *resume)
            assert until(lambda stage=stage: is_running(home, stage), 300, 0.02), stage
            night.send_signal(number)
            assert night.wait(10) == (1 if number == signal.SIGTERM else -number), stage
            resume = ["--resume"]
            if number == signal.SIGTERM:
                (ended,) = query(home, "select verdict, reason from nights")
                assert ended[0] == "interrupted" and f"shut down in {stage}" in ended[1]
    assert until(lambda: junior(home, "night", "--stop").returncode == 0, 5)
    result = document(home, "night", "--resume", **environment)
    assert result["verdict"] in ("released", "rejected")
    assert query(home, "select count(*) from nights") == [(1,)]
    done = query(home, "select name, count(*) from stages where status = 'done' group by name")
    assert all(times == 1 for _, times in done) and len(done) >= 5
    summary = json.loads(next(home.glob("nights/*/train.json")).read_text())
    assert summary["resumed_from"] and summary["resumed_from"] > 0
    keys = "select 1 from messages group by source, external_id having count(*) > 1"
    twice = f"select count(*) from ({keys})"
    assert query(home, twice) == [(0,)]


def test_sigterm_interrupts_cleanly_and_a_second_night_is_refused(home, environment):
    night = start(home, environment)
    assert until(lambda: is_running(home, "train"), 120, 0.05)
    second = junior(home, "night", **environment)
    assert second.returncode == 75 and "a night is running" in second.stderr
    night.send_signal(signal.SIGTERM)
    assert night.wait(10) == 1
    (verdict, reason) = query(home, "select verdict, reason from nights")[0]
    assert verdict == "interrupted" and "--resume" in reason


def test_without_room_or_base_no_night_begins(home, environment):
    full = junior(home, "night", **environment | {"JUNIOR_SCHEDULE_MIN_FREE_GB": "1e9"})
    assert full.returncode == 1 and "free some space" in full.stderr
    missing = junior(home, "night", "--base", "nobody/nothing", **environment)
    assert missing.returncode == 1 and "junior base fetch" in missing.stderr
    assert query(home, "select count(*) from nights") == [(0,)]


def test_an_agent_without_own_words_is_told_so(home, environment, tmp_path):
    relay = f"relay={tmp_path / 'relay.jsonl'}"
    mute = ("init", "--yes", "--force", "--name", "Nobody", "--base", "tiny", "--source", relay)
    assert junior(home, *mute).returncode == 0
    result = document(home, "night", **environment)
    assert result["verdict"] == "failed" and "Nobody" in result["reason"]
