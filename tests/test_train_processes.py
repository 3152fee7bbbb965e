"""Two processes train as one does: the same losses, one adapter, files written once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.random_base import make_random_base
from tests.test_train import make_rows, write_rows

RUN = """
import sys
from pathlib import Path
from distill.train import train
from distill.train.recipes import TrainConfig
from tests.random_base import RandomBase

CONFIG = TrainConfig(
    epochs=8.0, max_tokens=0, tokens_per_update=820, min_updates=1, pack_length=256, dropout=0.0,
    levers=("records", "lean"), log_steps=1, held_out_points=1, checkpoint_minutes=0.0, threads=1,
)
print(train(Path(sys.argv[1]), RandomBase(Path(sys.argv[2])), CONFIG, seed=5))
"""


def losses(folder: Path, base, processes: int) -> list[float]:
    """The loss of each update of a training by this many gloo processes, float32, no dropout."""
    root = Path(__file__).parents[1]
    script = folder.parent / "run.py"
    script.write_text(RUN)
    # what `accelerate launch --multi_gpu` starts, on a machine without GPUs
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes),
              "--master-port", "29713"]  # fmt: skip
    command = [sys.executable, *(launch if processes > 1 else []), str(script)]
    run = subprocess.run(
        [*command, str(folder), str(base.path)],
        cwd=root,
        env=os.environ
        | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [line["loss"] for line in map(json.loads, lines) if line["step"]]


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one(tmp_path):
    base = make_random_base(tmp_path / "base")
    alone, together = (
        losses(write_rows(tmp_path / str(n) / "n", make_rows(44), make_rows(4, 100)), base, n)
        for n in (1, 2)
    )
    assert len(alone) == len(together) >= 20
    assert all(abs(a - b) <= 1e-5 for a, b in zip(alone[:20], together[:20], strict=True))
    record = json.loads((tmp_path / "2" / "n" / "train.json").read_text())
    assert record["adapter_sha256"] and record["plan"]["accumulation"] == 2
