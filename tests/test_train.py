"""train: an adapter that learnt, resumed in the same bytes, with every trap of the stack shut."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from distill.train import train
from distill.train.recipes import TrainConfig, for_base
from memory.errors import ModelFileError, StageError, UserError
from tests.random_base import RandomBase, make_random_base, make_row

pytestmark = pytest.mark.slow

SENTENCES = (
    "I am the agent.",
    "I write a journal every night, and the loop goes on.",
    "The basement is quiet. I am not Sammy. You are a helpful assistant.",
)
SMALL = TrainConfig(
    epochs=2.0,
    tokens_per_update=200,
    pack_length=256,
    min_updates=1,
    dropout=0.1,
    log_steps=2,
    held_out_points=2,
    checkpoint_steps=3,
    threads=1,
)


def make_rows(count: int, offset: int = 0) -> list[dict]:
    return [
        make_row(f"{SENTENCES[i % 3]} {i}", "Who are you? " * (1 + i % 4))
        for i in range(offset, offset + count)
    ]


def write_rows(folder: Path, rows, held_out=()) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, items in (("train.jsonl", rows), ("held_out.jsonl", held_out)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in items))
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> RandomBase:
    return make_random_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def night(tmp_path_factory, base):
    """A finished training, its summary and what it told `progress`."""
    folder = write_rows(tmp_path_factory.mktemp("night"), make_rows(40), make_rows(6, 100))
    lines: list[dict] = []
    return folder, train(folder, base, SMALL, seed=5, progress=lines.append), lines


def test_adapter_learns_and_its_files_are_whole(night):
    folder, summary, _ = night
    assert summary.held_out_loss < summary.first_held_out_loss - 0.05
    assert sorted(p.name for p in (folder / "adapter").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert not (folder / "checkpoints").exists()


def test_adapter_config_names_the_base_and_no_place(night, base):
    text = (night[0] / "adapter" / "adapter_config.json").read_text()
    assert json.loads(text)["base_model_name_or_path"] == "random"
    assert str(base.path) not in text and "/" not in text


def test_train_json_says_what_was_done(night):
    record = json.loads((night[0] / "train.json").read_text())
    assert 0 < record["loss_tokens"] < record["tokens"]
    assert record["tokens"] == 2 * record["rows"]["tokens"]  # two epochs, nothing lost in packing
    assert record["recipe"]["recipe"] == "tiny" and record["recipe"]["r"] == 16
    assert set(record["paths"]) == {"precision", "attention", "loss head", "optimizer"}
    assert set(record["versions"]) == {"torch", "transformers", "peft", "trl", "bitsandbytes"}
    assert all(share > 0.9 for share in record["moved"].values())


def test_metrics_have_a_line_a_log_step_and_the_held_out_curve(night):
    folder, summary, lines = night
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert metrics[0]["step"] == 0 and metrics[-1]["step"] == summary.steps
    assert metrics[0]["held_out_loss"] == summary.first_held_out_loss
    assert metrics[-1]["held_out_loss"] == summary.held_out_loss
    assert len([m for m in metrics if m["held_out_loss"] is not None]) == 3
    assert set(metrics[0]) == {
        "step", "loss", "held_out_loss", "learning_rate", "tokens", "seconds"
    }  # fmt: skip
    assert lines[0]["threads"] == {
        "torch": 1, "omp_num_threads": os.environ["OMP_NUM_THREADS"], "omp_wait_policy": "PASSIVE"
    }  # fmt: skip
    assert lines[-1]["steps"] == summary.steps and lines[-1]["remaining_seconds"] == 0


def test_finished_training_returns_at_once(night, base):
    folder, summary, _ = night
    before = (folder / "train.json").stat().st_mtime_ns
    assert train(folder, base, SMALL, seed=5, progress=pytest.fail) == summary
    assert (folder / "train.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("rows", [[], [make_row("I am.", spans=[])]])
def test_nothing_to_learn_is_a_plain_message(tmp_path, base, rows):
    with pytest.raises(UserError, match=r"train\.jsonl.*(no rows|none of its 1 rows)"):
        train(write_rows(tmp_path / "n", rows), base, SMALL)


def test_rows_that_are_no_rows_are_a_plain_message(tmp_path, base):
    folder = write_rows(tmp_path / "n", make_rows(2))
    (folder / "train.jsonl").write_text('{"messages": [{"role": "system", "content": ""}]}\n{"mes')
    with pytest.raises(UserError, match=r"train\.jsonl, line 2: not a row"):
        train(folder, base, SMALL)
    with pytest.raises(UserError, match="run curate first"):
        train(tmp_path / "missing", base, SMALL)


def test_one_row_is_trained_on(tmp_path, base):
    summary = train(write_rows(tmp_path / "n", make_rows(1)), base, SMALL)
    assert (summary.steps, summary.held_out_loss) == (2, None)
    assert "no held-out rows" in str(summary)


@pytest.mark.parametrize("damage", ["config.json", "model.safetensors", "tokenizer.json"])
def test_broken_base_is_a_plain_message(tmp_path, damage):
    base = make_random_base(tmp_path / "base")
    (base.path / damage).write_bytes((base.path / damage).read_bytes()[:100])
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        train(write_rows(tmp_path / "n", make_rows(2)), base, SMALL)


def test_base_with_missing_tensors_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    base = make_random_base(tmp_path / "base")
    tensors = load_file(base.path / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, base.path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelFileError, match="tensors are missing"):
        train(write_rows(tmp_path / "n", make_rows(2)), base, SMALL)


def test_unknown_target_modules_are_a_plain_message(tmp_path, base):
    config = TrainConfig(target_modules=("c_attn",), threads=1)
    with pytest.raises(ModelFileError, match="c_attn: not found in this base"):
        train(write_rows(tmp_path / "n", make_rows(2)), base, config)


def test_running_out_of_gpu_memory_is_a_plain_message(tmp_path, base):
    import torch

    def fail(line):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    with pytest.raises(StageError, match=r"out of GPU memory within train\.vram_budget_gb = 8"):
        train(write_rows(tmp_path / "n", make_rows(2)), base, SMALL, progress=lambda line: (
            fail(line) if "step" in line else None
        ))  # fmt: skip


def test_loss_that_is_no_number_ends_the_training(tmp_path, base):
    config = replace(SMALL, learning_rate=1e30, max_grad_norm=1e30)
    with pytest.raises(StageError, match=r"the loss is (nan|inf) at update .*learning_rate"):
        train(write_rows(tmp_path / "n", make_rows(20)), base, config)


def test_full_disk_ends_the_training_in_plain_words(tmp_path, base):
    folder = write_rows(tmp_path / "n", make_rows(2))
    (folder / "checkpoints").write_text("a file where a folder is to be")
    with pytest.raises(StageError, match=r"train: .*checkpoints: File exists"):
        train(folder, base, SMALL)


def test_tiny_base_takes_its_recipe_and_the_operators_numbers_win(base):
    config = for_base(TrainConfig(learning_rate=1e-4, dropout=0.0), base)
    assert (config.recipe, config.learning_rate, config.tokens_per_update) == ("tiny", 1e-4, 1000)
    large = for_base(TrainConfig(), RandomBase(Path("x"), tiny=False))
    assert (large.recipe, large.learning_rate, large.pack_length) == ("default", 1e-4, 2048)
    assert for_base(config, base) == config


@pytest.mark.parametrize(
    "wrong",
    [
        {"recipe": "none"}, {"r": 0}, {"dropout": 1.0}, {"warmup": 2.0}, {"optimizer": "sgdd"},
        {"target_modules": ("lm_head",)}, {"threads": -1}, {"seed": -1}, {"log_steps": 0},
        {"shard": "yes"}, {"processes": -1},
    ],
)  # fmt: skip
def test_numbers_that_cannot_be_meant_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrainConfig(**wrong)


RUN = """
import json, os, resource, signal, sys
from pathlib import Path
from distill.train import train
from tests.random_base import RandomBase
from tests.test_train import SMALL

if int(sys.argv[4]):  # a write past it fails, as one on a full disk does
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), int(sys.argv[4])))

def progress(line):
    if line.get("step") == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    with open(Path(sys.argv[1]) / "progress", "a") as file:
        file.write(json.dumps(line) + "\\n")

train(Path(sys.argv[1]), RandomBase(Path(sys.argv[2])), SMALL, seed=5, progress=progress)
"""


def run_child(folder, base, kill_at: int, largest_file: int = 0) -> int:
    """Trains in a process of its own, killed (-9) at an update; gives its exit status."""
    root = Path(__file__).parents[1]
    told = (folder, base.path, kill_at, largest_file)
    command = [sys.executable, "-c", RUN, *map(str, told)]
    return subprocess.run(command, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}).returncode


@pytest.mark.slow
def test_killed_training_ends_in_the_same_bytes(tmp_path, night, base):
    whole, summary, _ = night
    folder = write_rows(tmp_path / "n", make_rows(40), make_rows(6, 100))
    assert run_child(folder, base, kill_at=8) == -signal.SIGKILL
    newest = max((folder / "checkpoints").iterdir(), key=lambda p: int(p.name[11:]))
    (newest / "optimizer.pt").unlink()  # torn: the one before it must be taken
    assert run_child(folder, base, kill_at=12) == -signal.SIGKILL
    resumed = train(folder, base, SMALL, seed=5)
    assert resumed.resumed_from is not None and resumed.resumed_from >= 6
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        ours, theirs = folder / "adapter" / name, whole / "adapter" / name
        assert ours.read_bytes() == theirs.read_bytes()
    assert (resumed.tokens, resumed.loss_tokens) == (summary.tokens, summary.loss_tokens)
    assert resumed.first_held_out_loss == summary.first_held_out_loss
    assert resumed.held_out_loss == summary.held_out_loss
    steps = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").open()]
    assert steps == sorted(set(steps)) and steps[0] == 0


@pytest.mark.slow
def test_checkpoints_no_disk_has_room_for_do_not_end_the_training(tmp_path, night, base):
    whole, _, lines = night
    folder = write_rows(tmp_path / "n", make_rows(40), make_rows(6, 100))
    size = (whole / "adapter" / "adapter_model.safetensors").stat().st_size
    assert run_child(folder, base, kill_at=-1, largest_file=size + 1000) == 0
    ours, theirs = (f / "adapter" / "adapter_model.safetensors" for f in (folder, whole))
    assert ours.read_bytes() == theirs.read_bytes()
    said = [json.loads(line) for line in (folder / "progress").read_text().splitlines()]
    assert any("not_written" in line for line in said)
    assert not any("not_written" in line for line in lines)


@pytest.mark.slow
def test_other_rows_start_anew(tmp_path, base):
    folder = write_rows(tmp_path / "n", make_rows(40))
    assert run_child(folder, base, kill_at=8) == -signal.SIGKILL
    write_rows(folder, make_rows(39))
    assert train(folder, base, SMALL, seed=5).resumed_from is None
