"""Several processes train as one does: the same losses, one adapter, files written once."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agent.config import freeze, load_config
from distill.base import APACHE_BASE, DEFAULT_BASE, fetch_base
from distill.train import launch, vram
from distill.train.paths import memory_plan
from distill.train.precision import Precision
from distill.train.recipes import TrainConfig, for_base
from memory.errors import StageError, UserError
from tests.random_base import RandomBase, make_random_base
from tests.test_train import make_rows, write_rows

ROOT = Path(__file__).parents[1]
NUMBERS = {
    "recipe": "tiny", "epochs": 8.0, "max_tokens": 0, "tokens_per_update": 920, "min_updates": 1,
    "pack_length": 256, "dropout": 0.0, "levers": ["packing", "records", "lean"], "log_steps": 1,
    "held_out_points": 1, "checkpoint_minutes": 0.0, "threads": 1, "seed": 5,
}  # fmt: skip
GPU = Precision("cuda", "bfloat16", "", (8, 6))
LARGE = for_base(TrainConfig(), RandomBase("", tiny=False))
FOURTEEN = replace(
    vram.KNOWN[DEFAULT_BASE], layers=48, hidden=5120, mlp=13824, heads=40, kv_heads=8
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home whose base is one of random weights, in a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    home = tmp_path / "home"
    home.mkdir()
    base = fetch_base(str(make_random_base(tmp_path / "model").path))
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in NUMBERS.items()]
    (home / "config.toml").write_text(f'[base]\nname = "{base.name}"\n[train]\n' + "".join(lines))
    (home / "identity.toml").write_text('[agent]\nname = "Pell"\n')
    return home


def run_stage(home, night: str, **train) -> tuple[list[float], dict]:
    """The train stage as a night starts it: the loss of each update, and train.json."""
    folder = write_rows(home / "nights" / night, make_rows(44), make_rows(4, 100))
    config = load_config(home, flags={f"train.{key}": value for key, value in train.items()})
    (folder / "config.json").write_text(json.dumps(freeze(config)))
    run = subprocess.run(
        [sys.executable, "-m", "agent.child", "train", str(home), night],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    losses = [line["loss"] for line in map(json.loads, lines) if line["step"]]
    return losses, json.loads((folder / "train.json").read_text())


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one_and_split_the_base_where_told(home):
    alone, record = run_stage(home, "2026-11-01", processes=1)
    assert len(alone) >= 20
    for shard, parts in (("off", 1), ("on", 2)):
        together, theirs = run_stage(home, f"2026-11-0{parts + 1}", processes=2, shard=shard)
        assert len(together) == len(alone)
        assert all(abs(a - b) <= 1e-5 for a, b in zip(alone[:20], together[:20], strict=True))
        assert theirs["memory"]["shards"] == parts and theirs["plan"]["accumulation"] == 2
        assert (theirs["tokens"], theirs["loss_tokens"]) == (
            record["tokens"],
            record["loss_tokens"],
        )
        assert theirs["recipe_hash"] == record["recipe_hash"]


FAILS = "from memory.errors import StageError\nimport sys\n"
FAILS += "from distill.train.launch import recorded, note_smaller, times_smaller\n"
FAILS += "from pathlib import Path\nfolder = Path(sys.argv[1])\n"
SAYS = FAILS + "def fit():\n    raise StageError('train: the loss is nan at update 3')\n"
RUNS_OUT = FAILS + (
    "def fit():\n"
    "    if times_smaller(folder) < 2:\n"
    "        note_smaller(folder, times_smaller(folder) + 1)\n"
    "        raise StageError('train: out of GPU memory')\n"
    "    (folder / 'done').touch()\n"
)


def together(folder, source: str) -> None:
    """Two processes of a module of this source, started as a training's are."""
    (folder / "fits.py").write_text(source + "recorded(fit)()\n")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{ROOT}:{folder}"
    try:
        launch.run(2, "fits", [str(folder)], folder)
    finally:
        del os.environ["PYTHONPATH"]
        os.environ |= {} if before is None else {"PYTHONPATH": before}


@pytest.mark.slow
def test_the_words_of_the_process_that_failed_are_the_stages_own(tmp_path):
    with pytest.raises(StageError, match=r"^train: the loss is nan at update 3$"):
        together(tmp_path, SAYS)


@pytest.mark.slow
def test_memory_that_runs_out_in_one_process_starts_all_again(tmp_path):
    together(tmp_path, RUNS_OUT)
    assert (tmp_path / "done").exists() and launch.times_smaller(tmp_path) == 2


def test_accelerate_is_told_of_processes_and_of_no_fsdp_of_its_own():
    from accelerate.commands.launch import launch_command_parser

    told = launch_command_parser().parse_args(
        launch.words(3, "agent.child", ["train", "home", "n"])
    )
    assert (told.multi_gpu, told.num_processes, told.use_fsdp) == (True, 3, False)
    assert (told.module, told.training_script) == (True, "agent.child")
    assert told.training_script_args == ["train", "home", "n"] and told.main_process_port == 0


def test_as_many_processes_as_gpus_but_one_for_the_tiny_base(monkeypatch):
    large, tiny = RandomBase("", tiny=False), RandomBase("")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert launch.processes_for(TrainConfig(), large) == 1
    assert launch.processes_for(TrainConfig(processes=4), tiny) == 4
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    assert launch.processes_for(TrainConfig(), tiny) == 1
    assert launch.processes_for(TrainConfig(preference="on"), large) == 1
    with pytest.raises(ValueError, match="processes must be 0 or 1 with preference"):
        TrainConfig(processes=2, preference="on")


def test_a_base_is_split_only_where_no_gpu_holds_it():
    three = vram.fit_for(vram.KNOWN[APACHE_BASE], LARGE, GPU, 300, processes=2)
    assert three.shards == 1
    with pytest.raises(UserError, match="this base needs at least"):
        vram.fit_for(FOURTEEN, LARGE, GPU, 300)
    split = vram.fit_for(FOURTEEN, LARGE, GPU, 300, processes=4)
    assert split.shards == 4 and split.needs.total <= 8e9
    assert "the base split over 4" in str(split)
    with pytest.raises(UserError, match="this base needs at least"):
        vram.fit_for(FOURTEEN, replace(LARGE, shard="off"), GPU, 300, processes=4)


def test_doctor_plans_for_every_gpu_there_is(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said = memory_plan(DEFAULT_BASE, "", TrainConfig(), 8.6e9, 2)
    assert "within 8.0 GB on each of 2 GPUs: packs of 1,024" in said
    with pytest.raises(UserError, match="needs at least"):
        memory_plan(DEFAULT_BASE, "", TrainConfig(), 2.7e9)
    assert "the base split over 4" in memory_plan(DEFAULT_BASE, "", TrainConfig(), 2.7e9, 4)


def test_a_card_smaller_than_the_budget_is_the_budget():
    small = replace(GPU, memory_gb=6.0)
    assert vram.budget_on(small, LARGE) == 6.0
    assert vram.budget_on(small, replace(LARGE, vram_budget_gb=0.0)) == 6.0
    assert vram.fit_for(vram.KNOWN[APACHE_BASE], LARGE, small, 300).needs.total <= 6e9
