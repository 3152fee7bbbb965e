"""Trainings of many nights: recipes by name, windows, warm starts, memory that runs out."""

import json
import time
from dataclasses import replace

import pytest

from distill.train import for_base, train
from distill.train.recipes import RECIPES, TrainConfig, recipe_hash
from distill.train.trainer import MAX_SKIPPED, Watch
from distill.train.window import Window
from memory.errors import StageError
from tests.random_base import RandomBase, make_random_base
from tests.test_train import SMALL, make_rows, write_rows

pytestmark = pytest.mark.slow

BRIEF = replace(SMALL, epochs=1.0, held_out_points=1, dropout=-1.0)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> RandomBase:
    return make_random_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def record_of(folder) -> dict:
    return json.loads((folder / "train.json").read_text())


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_works_by_name_and_is_frozen_into_the_night(tmp_path, base, name):
    folder = write_rows(tmp_path / "nights" / "n", make_rows(6))
    config = TrainConfig(recipe=name, epochs=1.0, min_updates=1, threads=1, learning_rate=1e-3)
    train(folder, base, config, seed=1)
    frozen = json.loads((folder / "recipe.json").read_text())
    assert frozen["hash"] == record_of(folder)["recipe_hash"]
    assert frozen["learning_rate"] == 1e-3  # the operator's number wins
    settings = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    assert settings["use_dora"] == (name == "dora")
    assert settings["r"] == {"long": 32, "quick": 8}.get(name, 16)


def test_recipes_have_the_numbers_they_are_known_for():
    large = RandomBase("x", tiny=False)
    dora, long, two, quick = (
        for_base(TrainConfig(recipe=name), large) for name in ("dora", "long", "two-stage", "quick")
    )
    assert dora.target_modules == ("q_proj", "k_proj", "v_proj", "o_proj") and dora.epochs == 3
    assert (long.r, long.pack_length, long.epochs) == (32, 4096, 2)
    assert (two.raw_epochs, two.epochs) == (1, 1) and quick.max_tokens == 100_000
    assert len({recipe_hash(one) for one in (dora, long, two, quick)}) == 4
    assert recipe_hash(replace(dora, checkpoint_minutes=1.0)) == recipe_hash(dora)


def test_two_stage_reads_the_own_text_before_the_rows(tmp_path, base):
    folder = write_rows(tmp_path / "n", make_rows(8))
    whole = train(folder, base, replace(BRIEF, recipe="two-stage"), seed=1)
    rows = train(write_rows(tmp_path / "m", make_rows(8)), base, BRIEF, seed=1)
    raw = whole.tokens - rows.tokens
    assert 0 < raw < rows.tokens and whole.loss_tokens - rows.loss_tokens > 0.9 * raw - 8


@pytest.mark.slow
def test_memory_that_runs_out_goes_on_from_the_checkpoint_with_smaller_packs(tmp_path, base):
    import torch

    folder, steps, seen = write_rows(tmp_path / "n", make_rows(40)), [], []

    def progress(line):
        seen.append(line)
        steps.append(line.get("step", 0))
        if steps.count(6) == 1 and line.get("step") == 6:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    config = replace(BRIEF, pack_length=512, tokens_per_update=1024)
    config = replace(config, epochs=4.0)
    summary = train(folder, base, config, seed=1, progress=progress)
    assert summary.resumed_from == 3 and {"out_of_memory": 1} in seen
    assert record_of(folder)["memory"]["pack_length"] == 256
    assert (folder / "adapter" / "adapter_model.safetensors").exists()


@pytest.mark.slow
def test_window_too_short_for_all_updates_ends_with_a_whole_adapter_in_time(tmp_path, base):
    folder = write_rows(tmp_path / "n", make_rows(60), make_rows(2, 100))
    config, begin = replace(BRIEF, epochs=400.0, checkpoint_steps=0), time.monotonic()
    summary = train(folder, base, config, seed=1, window_minutes=0.15)
    assert time.monotonic() - begin < 12  # 9 s, and what loading took before the clock
    assert 1 <= summary.steps < 400 * 60 // 4 and summary.held_out_loss is not None
    assert (folder / "adapter" / "adapter_model.safetensors").exists()


def test_resumed_window_has_the_steps_of_the_first_start(tmp_path):
    from distill.train.packing import Plan

    (tmp_path / "plan.json").write_text('{"steps": 7}')
    plan = Window(tmp_path, 1.0).limit(
        Plan(256, 40, 2, 20, 1, 4000), for_base(SMALL, RandomBase("x")), None
    )
    assert (plan.steps, plan.tokens) == (7, 1400)


def slow_down(folder) -> None:
    """Makes the night look as if it had run at one token a second: no window is long enough."""
    facts = record_of(folder) | {"tokens_per_second": 0.001}
    (folder / "train.json").write_text(json.dumps(facts))


@pytest.fixture
def cold(tmp_path, base):
    """A cold night of 40 rows, so slow that the next one has no time for as many."""
    night = write_rows(tmp_path / "2026-11-01", make_rows(40))
    train(night, base, BRIEF, seed=1)
    slow_down(night)
    return night


@pytest.mark.slow
def test_short_window_starts_warm_at_half_the_rate_with_half_replay(tmp_path, base, cold):
    night = write_rows(tmp_path / "2026-11-02", make_rows(44))
    train(night, base, BRIEF, seed=1, window_minutes=5)
    record = record_of(night)
    assert record["warm_from"] == "2026-11-01"
    assert record["recipe"]["learning_rate"] == 0.5 * record_of(cold)["recipe"]["learning_rate"]
    trained, everything = record["tokens"], record["rows"]["tokens"]
    assert (
        2 * 4 / 44 * 0.7 < trained / everything < 2 * 4 / 44 * 1.6
    )  # four new rows, four replayed


@pytest.mark.slow
def test_warm_start_begins_with_the_cold_adapter(tmp_path, base, cold):
    night = write_rows(tmp_path / "2026-11-02", make_rows(44), make_rows(6, 100))
    warm = train(night, base, BRIEF, seed=1, window_minutes=5)
    fresh = train(
        write_rows(tmp_path / "other" / "n", make_rows(44), make_rows(6, 100)), base, BRIEF
    )
    assert warm.first_held_out_loss < fresh.first_held_out_loss - 0.05


@pytest.mark.slow
def test_nights_are_cold_without_a_window_and_after_seven_warm_ones(tmp_path, base, cold):
    night = write_rows(tmp_path / "2026-11-02", make_rows(44))
    train(night, base, BRIEF, seed=1)
    assert record_of(night)["warm_from"] is None
    (night / "train.json").unlink()
    facts = record_of(cold) | {"warm_from": cold.name}
    for number in range(7):
        other = tmp_path / f"2026-10-{number + 1:02}"
        (other / "adapter").mkdir(parents=True)
        name = "adapter/adapter_model.safetensors"
        (other / name).write_bytes((cold / name).read_bytes())
        (other / "train.json").write_text(json.dumps(facts))
    train(night, base, BRIEF, seed=1, window_minutes=0.2)
    assert record_of(night)["warm_from"] is None


@pytest.mark.slow
def test_forgotten_rows_are_unlearnt_from_the_base(tmp_path, base, cold):
    night = write_rows(tmp_path / "2026-11-02", make_rows(44)[1:])
    train(night, base, BRIEF, seed=1, window_minutes=0.2)
    assert record_of(night)["warm_from"] is None


@pytest.mark.slow
def test_rejected_night_is_nothing_to_begin_from(tmp_path, base, cold):
    (cold / "report.json").write_text('{"verdict": "rejected"}')
    night = write_rows(tmp_path / "2026-11-02", make_rows(44))
    train(night, base, BRIEF, seed=1, window_minutes=0.2)
    assert record_of(night)["warm_from"] is None


def make_watch(folder) -> Watch:
    from distill.train.packing import Plan

    return Watch(folder, SMALL, Plan(256, 8, 2, 400, 1), "", {}, lambda line: None)


def test_trap_5_overflowed_updates_are_counted_and_too_many_stop_the_training(tmp_path):
    import torch
    from accelerate import Accelerator
    from accelerate.optimizer import AcceleratedOptimizer

    Accelerator(cpu=True)
    weight = torch.nn.Parameter(torch.ones(3))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)  # as a GPU's begins
    optimizer = AcceleratedOptimizer(torch.optim.SGD([weight], lr=1e-9), scaler=scaler)
    watch, skipped = make_watch(tmp_path), []
    for _ in range(12):  # float16 holds 65,504: the scale is halved until 300 times it fits
        scaler.scale((weight * 300).sum()).backward()
        weight.grad = weight.grad.half().float()
        optimizer.step()
        optimizer.zero_grad()
        skipped.append(optimizer.step_was_skipped)
        watch.count_skipped(skipped[-1])
    assert skipped == [True] * 9 + [False] * 3 and watch.skipped == 9
    with pytest.raises(StageError, match=r"25 updates in a row overflowed float16"):
        for _ in range(MAX_SKIPPED):
            watch.count_skipped(True)


def test_trap_5_a_loss_of_a_skipped_update_is_no_end(tmp_path):
    watch = make_watch(tmp_path)
    watch.count_skipped(True)
    watch.log(1, {"loss": float("nan"), "learning_rate": 1e-4})
    with pytest.raises(StageError, match="the loss is nan at update 2"):
        watch.log(2, {"loss": float("nan"), "learning_rate": 1e-4})
