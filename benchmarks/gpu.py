"""Every GPU row of the training table in one call of under nine minutes, on random weights.

    .venv/bin/python -m benchmarks.gpu [--dry-run] [--minutes 9]

A base of Qwen2.5-3B's shape is written once; each row is a process of its own, held to 8 GB where
it says so, and left out (and named) once the minutes are used up. The table comes last.
`--dry-run` runs the same code on a toy shape, on whatever device there is.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from distill.train.recipes import LEVERS, TrainConfig

LONG = 1365  # tokens on average: the longest rows, half as long again, are 2,048


def left_out(lever: str) -> tuple[str, ...]:
    return tuple(name for name in LEVERS if name != lever)


@dataclass(frozen=True)
class Row:
    """One line of the table: rows of `tokens` on average, `updates` of them, within a budget."""

    name: str
    tokens: int
    batch: int = 0
    updates: int = 16
    budget_gb: float = 8.0
    pack_length: int = 2048
    recompute: str = "auto"
    levers: tuple[str, ...] = LEVERS
    optimizer: str = "auto"


# What matters most first: the minutes may not reach for the last ones.
ROWS = (
    Row("junior, 41", 41),
    Row("trl batch 4, 41", 41, batch=4, updates=2),
    Row("junior, 420", 420),
    Row("trl batch 4, 420", 420, batch=4, updates=2),
    Row("trl batch 1, 420", 420, batch=1, updates=2),
    Row("junior, 420, whole card, packs of 4,096", 420, budget_gb=0.0, pack_length=4096),
    Row("junior, 41, whole card, packs of 4,096", 41, budget_gb=0.0, pack_length=4096),
    Row("junior, up to 2,048, recomputed", LONG, recompute="on", updates=4),
    Row("trl batch 1, up to 2,048", LONG, batch=1, updates=2),
    Row("junior, 420, without lean", 420, levers=left_out("lean"), updates=6),
    Row("junior, 420, without head", 420, levers=left_out("head"), updates=6),
    Row("junior, 420, without packing", 420, levers=left_out("packing"), updates=4),
    Row("junior, 420, paging off", 420, optimizer="adamw_8bit", updates=6),
    Row("trl batch 1, 41", 41, batch=1, updates=2),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--minutes", type=float, default=8.5)
    parser.add_argument("--row", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        print(json.dumps(measure(json.loads(options.row))))
        return
    deadline = time.monotonic() + 60 * options.minutes
    found, missing = {}, []
    with tempfile.TemporaryDirectory(prefix="junior-gpu-") as folder:
        base = write_base("toy-shape" if options.dry_run else "qwen2.5-3b-shape", Path(folder))
        for row in ROWS:
            result = run_row(row, base, folder, options.dry_run, deadline - time.monotonic())
            if "why" in result:
                missing.append(f"{row.name}: {result['why']}")
            else:
                found[row.name] = result
    table(found, missing)


def write_base(name: str, folder: Path) -> str:
    """The random base's folder, written by a process that then gives the GPU's memory back."""
    code = (
        "import sys; from pathlib import Path; from benchmarks.shapes import write_random_base;"
        "write_random_base(sys.argv[1], Path(sys.argv[2]))"
    )
    subprocess.run([sys.executable, "-c", code, name, str(folder / name)], check=True)
    return str(folder / name)


def run_row(row: Row, base: str, folder: str, dry: bool, seconds: float) -> dict:
    """One row in a fresh process; {"why": ...} where it failed or there was no time."""
    if seconds < 20:
        return {"why": "no time left"}
    work = row.__dict__ | {"base": base, "folder": folder, "dry": dry}
    command = [sys.executable, "-m", "benchmarks.gpu", "--row", json.dumps(work)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return {"why": "ran out of time"}
    if run.returncode:
        return {"why": (run.stderr.strip().splitlines() or ["no word"])[-1][:300]}
    print(f"{row.name}: done", file=sys.stderr, flush=True)
    return json.loads(run.stdout.splitlines()[-1])


def measure(work: dict) -> dict:
    """Trains one row; gives tokens a second, GEMM share, peak memory and held-out loss."""
    from distill.train import precision

    precision.prepare_environment(0)
    precision.cap_memory(work["budget_gb"])
    from benchmarks import train
    from benchmarks.shapes import gemm_rate, open_base, peak_memory, settle_memory
    from benchmarks.training_rows import write_rows
    from distill.train import adapter, vram
    from distill.train.recipes import for_base

    base = open_base(work["base"])
    tokenizer, shape = adapter.load_tokenizer(base), vram.read_shape(base.path)
    config = TrainConfig(
        levers=tuple(work["levers"]),
        vram_budget_gb=work["budget_gb"],
        pack_length=256 if work["dry"] else work["pack_length"],
        tokens_per_update=512 if work["dry"] else -1,
        recompute=work["recompute"],
        optimizer=work["optimizer"],
        log_steps=1,
        min_updates=1,
        **train.NUMBERS,
    )
    update = for_base(config, base).tokens_per_update
    folder = Path(work["folder"]) / work["name"].replace(" ", "-")
    rows = max(2, round(work["updates"] * update / work["tokens"]))
    write_rows(folder, tokenizer, tokens=work["tokens"], rows=rows)
    rate = gemm_rate(shape)
    settle_memory()
    job = {"batch": work["batch"], "seed": 0, "recompute": True}
    found = (train.run_plain if work["batch"] else train.run_junior)(folder, base, config, job)
    share, record = found.pop("loss_share"), folder / "train.json"
    if record.exists():
        found["planned"] = json.loads(record.read_text())["memory"]["needs"]
    found["tokens_per_second"] = found.pop("settled_tokens_per_second")
    flops = shape.flops(for_base(config, base), share)
    found["peak_memory_mb"] = peak_memory()
    found["of_gemm"] = found["tokens_per_second"] * flops / rate
    return found | {"gemm_gflops": rate / 1e9}


def table(found: dict[str, dict], missing: list[str]) -> None:
    """The table, what was left out and why, and one line of JSON."""
    print(f"\n{'row':42} {'tokens/s':>9} {'of GEMM':>8} {'peak MB':>8} {'planned MB':>11}")
    for name, one in found.items():
        planned = sum(one.get("planned", {}).values()) - one.get("planned", {}).get("context", 0)
        print(
            f"{name:42} {one['tokens_per_second']:9,.0f} {one['of_gemm']:8.2f}"
            f" {one['peak_memory_mb']:8,.0f} {planned / 1e6:11,.0f}"
        )
    for line in missing:
        print(f"left out: {line}")
    ratios = {f"tokens_per_second_ratio_{n}": ratio(found, n) for n in (41, 420)}
    ratios["peak_memory_ratio_2048"] = memory_ratio(found)
    print(json.dumps(ratios | {"rows": found, "left_out": missing}))


def ratio(found: dict[str, dict], tokens: int) -> float | None:
    """Junior's rate over the faster of the two peers'; None where one side is missing."""
    peers = [one for name, one in found.items() if name.startswith("trl") and f", {tokens}" in name]
    ours = found.get(f"junior, {tokens}")
    if not peers or not ours:
        return None
    return round(ours["tokens_per_second"] / max(p["tokens_per_second"] for p in peers), 3)


def memory_ratio(found: dict[str, dict]) -> float | None:
    """Junior's peak over the peer's where rows of 2,048 tokens are trained on."""
    peaks = [found[n]["peak_memory_mb"] for n in found if "up to 2,048" in n]
    return round(peaks[0] / peaks[1], 3) if len(peaks) == 2 else None


if __name__ == "__main__":
    main()
