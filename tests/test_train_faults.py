"""Bad input of a training: a plain message each time, and the current generation as it was."""

import json

import pytest

from agent import stages
from agent.config import load_config
from agent.night import run_night
from distill.base import fetch_base
from distill.train import train
from memory.db import open_database
from memory.errors import BaseMissingError, ConfigError, ModelFileError, UserError
from tests.random_base import make_random_base, make_row
from tests.test_train import SMALL, make_rows, write_rows

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("JUNIOR_SCHEDULE_MIN_FREE_GB", "0.1")


@pytest.fixture
def fetched(tmp_path):
    """A random base, fetched from its folder into the cache."""
    made = make_random_base(tmp_path / "model")
    return fetch_base(str(made.path))


def make_home(tmp_path, base: str, revision: str = ""):
    """A home with this base and a current generation."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text(f'[base]\nname = "{base}"\nrevision = "{revision}"\n')
    (home / "identity.toml").write_text('[agent]\nname = "Pell"\n')
    with open_database(home / "memory.db") as db:
        current = {"id": "2026-11-01", "base": base, "created_at": "2026-11-01T04:00:00+00:00"}
        db["generations"].insert(current)
        db["state"].insert({"key": "current", "value": "2026-11-01"}, replace=True)
    return home


def state(home) -> list:
    with open_database(home / "memory.db") as db:
        return [list(db["generations"].rows), list(db["state"].rows)]


@pytest.mark.parametrize(
    ("base", "revision", "message"),
    [
        ("owner/unknown", "", r"the base owner/unknown is not here. Run `junior base fetch"),
        ("Qwen/Qwen2.5-3B-Instruct", "0123456", r"at revision 0123456 is not here. Run `junior"),
    ],
)
def test_unknown_base_or_revision_is_said_before_a_night_begins(tmp_path, base, revision, message):
    home = make_home(tmp_path, base, revision)
    before = state(home)
    with pytest.raises(BaseMissingError, match=message):
        run_night(load_config(home))
    assert state(home) == before and not list(home.glob("nights/*"))


def test_corrupted_shard_is_said_before_a_night_begins(tmp_path, fetched):
    home = make_home(tmp_path, fetched.name)
    weights = fetched.path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7] + b"damaged")
    before = state(home)
    with pytest.raises(ModelFileError, match=r"model\.safetensors: damaged.*junior base fetch"):
        run_night(load_config(home))
    assert state(home) == before and not list(home.glob("nights/*"))


def test_unknown_recipe_is_an_error_of_the_configuration(tmp_path):
    home = make_home(tmp_path, "tiny")
    (home / "config.toml").write_text('[train]\nrecipe = "best"\nlevers = ["turbo"]\n')
    with pytest.raises(
        ConfigError, match=r"recipe 'best' is not known \(known: default, tiny, dora"
    ):
        load_config(home)


@pytest.mark.parametrize(
    ("rows", "message"),
    [([], "has no rows"), ([make_row("I am.", spans=[])], "none of its 1 rows has a token")],
)
def test_stage_without_anything_to_learn_says_so(tmp_path, fetched, rows, message):
    home = make_home(tmp_path, fetched.name)
    night, before = write_rows(home / "nights" / "2026-11-02", rows), state(home)
    with pytest.raises(UserError, match=message):
        stages.train(load_config(home), night, lambda event: None)
    assert state(home) == before and not (night / "adapter").exists()


def test_row_longer_than_the_pack_is_cut_and_counted(tmp_path):
    base = make_random_base(tmp_path / "base")
    long = make_row("I write a journal every night. " * 200, "Who?")
    folder = write_rows(tmp_path / "n", [*make_rows(3), long])
    train(folder, base, SMALL, seed=1)
    record = json.loads((folder / "train.json").read_text())
    assert record["rows"]["cut"] == 1 and record["plan"]["pack_length"] <= 256


def test_row_longer_than_the_base_can_read_is_cut_there(tmp_path):
    from dataclasses import replace

    base = make_random_base(tmp_path / "base")
    config = json.loads((base.path / "config.json").read_text())
    config["max_position_embeddings"] = 64
    (base.path / "config.json").write_text(json.dumps(config))
    folder = write_rows(tmp_path / "n", [make_row("I write a journal. " * 20, "Who?")] * 3)
    train(folder, base, replace(SMALL, recipe="long", pack_length=-1), seed=1)
    assert json.loads((folder / "train.json").read_text())["rows"]["cut"] == 3


def test_nothing_but_long_questions_is_a_plain_message(tmp_path):
    base = make_random_base(tmp_path / "base")
    folder = write_rows(tmp_path / "n", [make_row("I am.", "Who are you? " * 400)])
    with pytest.raises(UserError, match=r"none of its 1 rows .*1 without loss within 256 tokens"):
        train(folder, base, SMALL)
