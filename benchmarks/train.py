"""Training: Junior's own path against plain TRL, tokens a second, memory and held-out loss.

    .venv/bin/python -m benchmarks.train [--rows 41|420] [--base tiny|qwen2.5-3b-shape]
                                         [--against trl] [--levers] [--updates N] [--seeds N]

Both sides in one run, each in a process of its own: the same rows, tokens an update, schedule,
seeds and number of updates. The peer is the faster of TRL's SFTTrainer as its documentation shows
it, at batches of 1 and of 4. `--levers` also runs Junior with each lever left out; "all s" is the
whole stage there, loading and writing included. On one thread.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from distill.train.recipes import LEVERS, TrainConfig, for_base

NUMBERS = {"epochs": 1.0, "max_tokens": 0, "held_out_points": 1, "checkpoint_minutes": 0.0}
WIDTHS = (9, 9, 8, 8, 9, 8, 7)
TARGETS = {"tokens_per_second_ratio": 3.0, "held_out_loss_ratio": 1.005}


@dataclass(frozen=True)
class Side:
    """One way to train: `batch` 0 is Junior's, with `levers`; else plain TRL's batch."""

    name: str
    batch: int = 0
    levers: tuple[str, ...] = LEVERS
    recompute: bool = True


JUNIOR = Side("junior")
PEERS = (Side("trl, batch 1", 1), Side("trl, batch 4", 4))
TUNED = Side("trl, batch 4, no recompute", 4, recompute=False)


def main() -> None:
    options = parse(sys.argv[1:])
    if options.side:
        print(json.dumps(run_side(options)))
        return
    with tempfile.TemporaryDirectory(prefix="junior-train-") as folder:
        base = base_folder(options.base, Path(folder))
        sides = [JUNIOR, *PEERS, *([TUNED] if options.levers else [])]
        if options.levers:
            sides += [without(lever) for lever in LEVERS]
        seeds = range(options.seeds)
        results = {side: [child(side, s, base, options, folder) for s in seeds] for side in sides}
    report(results, options)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=41, help="tokens a row, on average")
    parser.add_argument("--base", default="tiny", help="tiny, or the shape of a 3B: see shapes.py")
    parser.add_argument("--against", default="trl", choices=["trl"])
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--levers", action="store_true", help="a line for each lever left out")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def without(lever: str) -> Side:
    return Side(f"junior without {lever}", levers=tuple(x for x in LEVERS if x != lever))


def base_folder(name: str, folder: Path) -> str:
    """The tiny base from the cache, or a folder of random weights of a real one's shape."""
    if name == "tiny":
        return name
    from benchmarks.shapes import write_random_base

    return str(write_random_base(name, folder / "base"))


def child(side: Side, seed: int, base: str, options, folder: str) -> dict:
    """One side in a fresh process: imports, caches and peaks of one do not help another."""
    work = {"name": side.name, "batch": side.batch, "levers": side.levers}
    work |= {"recompute": side.recompute, "seed": seed, "base": base, "folder": folder}
    command = [sys.executable, "-m", "benchmarks.train", "--side", json.dumps(work)]
    command += ["--rows", str(options.rows), "--updates", str(options.updates)]
    threads = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    run = subprocess.run(command, capture_output=True, text=True, env=os.environ | threads)
    if run.returncode:
        raise SystemExit(f"{side.name}: {run.stderr[-2000:]}")
    found = json.loads(run.stdout.splitlines()[-1])
    rates = (
        f"{found['tokens_per_second']:,.0f} tokens/s, {found['tokens_per_cpu_second']:,.0f} a CPU s"
    )
    print(f"{side.name}, seed {seed}: {rates}", file=sys.stderr)
    return found


def run_side(options) -> dict:
    """Trains one side; gives tokens, seconds, tokens_per_second, held_out_loss, peak and rates."""
    from distill.train import precision

    precision.prepare_environment(1)
    from benchmarks.shapes import gemm_rate, open_base, peak_memory, settle_memory
    from benchmarks.training_rows import write_rows
    from distill.train import adapter, vram

    work = json.loads(options.side)
    base = open_base(work["base"])
    tokenizer, shape = adapter.load_tokenizer(base), vram.read_shape(base.path)
    config = TrainConfig(threads=1, levers=tuple(work["levers"]), **NUMBERS)
    update = for_base(config, base).tokens_per_update
    folder = Path(work["folder"]) / f"{work['name']}-{work['seed']}".replace(" ", "-")
    rows = round(options.updates * update / options.rows)
    write_rows(folder, tokenizer, tokens=options.rows, rows=rows, seed=work["seed"])
    rate = gemm_rate(shape)
    settle_memory()
    run, begin = run_plain if work["batch"] else run_junior, time.perf_counter()
    found = run(folder, base, config, work)
    found["all_seconds"] = time.perf_counter() - begin
    flops = shape.flops(for_base(config, base), found.pop("loss_share"))
    found["peak_memory_mb"] = peak_memory()
    found["model_flops_utilisation"] = found["tokens_per_second"] * flops / rate
    return found | {"gemm_gflops": rate / 1e9}


def run_junior(folder: Path, base, config: TrainConfig, work: dict) -> dict:
    from distill.train import train

    summary = train(folder, base, config, seed=work["seed"])
    record = json.loads((folder / "train.json").read_text())
    return {
        "tokens": summary.tokens,
        "updates": summary.steps,
        "tokens_per_second": summary.tokens_per_second,
        "tokens_per_cpu_second": record["tokens_per_cpu_second"],
        "settled_tokens_per_second": settled_rate(folder) or summary.tokens_per_second,
        "held_out_loss": summary.held_out_loss,
        "loss_share": summary.loss_tokens / summary.tokens,
        "records": record["rows"]["rows"],
        "records_tokenised": record["rows"]["tokenised"],
    }


def settled_rate(folder: Path) -> float | None:
    """Tokens a second between the first and the last line of metrics.jsonl that are updates alone.

    The first update compiles kernels, and the last line's seconds hold a held-out loss.
    """
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    plain = [line for line in lines if line["step"] and line["held_out_loss"] is None]
    if len(plain) < 2:
        return None
    first, last = plain[0], plain[-1]
    return (last["tokens"] - first["tokens"]) / (last["seconds"] - first["seconds"])


def run_plain(folder: Path, base, config: TrainConfig, work: dict) -> dict:
    """TRL on the very records and the very number of updates that Junior would make of them."""
    from collections import Counter

    from benchmarks.plain_trl import train_plainly
    from distill.train import adapter, held_out_packs, packing, read_records, read_rows

    config, tokenizer = for_base(config, base), adapter.load_tokenizer(base)
    rows = read_rows(folder / "train.jsonl")
    records = read_records(rows, folder, tokenizer, config, config.pack_length, Counter())
    length = packing.pack_length(records, config, config.pack_length)
    packs = packing.pack(records, length, work["seed"])
    plan = packing.plan(packs, records, length, config)
    held_out = held_out_packs(
        folder / "held_out.jsonl", tokenizer, config, work["seed"], config.pack_length, None
    )
    mean = sum(len(r.input_ids) for r in records) / len(records)
    found = train_plainly(
        base,
        records,
        held_out,
        config,
        batch=work["batch"],
        steps=plan.steps,
        warmup=plan.warmup_steps,
        rows_an_update=plan.tokens / plan.steps / mean,
        seed=work["seed"],
        output=folder / "trl",
        recompute=work["recompute"],
    )
    share = sum(r.loss_tokens for r in records) / (mean * len(records))
    return found | {"updates": plan.steps, "loss_share": share}


def report(results: dict[Side, list[dict]], options) -> None:
    """The table, then the line of JSON."""
    mean = {
        side: {key: sum(run[key] for run in runs) / len(runs) for key in runs[0]}
        for side, runs in results.items()
    }
    heads = ("tokens/s", "per CPU s", "of GEMM", "peak MB", "held-out", "tokens", "all s")
    print(f"{'side':30} " + " ".join(f"{head:>{w}}" for head, w in zip(heads, WIDTHS, strict=True)))
    for side, found in mean.items():
        print(
            f"{side.name:30} {found['tokens_per_second']:9,.0f}"
            f" {found['tokens_per_cpu_second']:9,.0f}"
            f" {found['model_flops_utilisation']:8.2f} {found['peak_memory_mb']:8,.0f}"
            f" {found['held_out_loss']:9.4f} {found['tokens']:8,.0f} {found['all_seconds']:7.1f}"
        )
    ours, peer = mean[JUNIOR], max((mean[p] for p in PEERS), key=lambda m: m["tokens_per_second"])
    ratios = {
        f"{key}_ratio": round(ours[key] / peer[key], 4)
        for key in ("tokens_per_second", "tokens_per_cpu_second", "held_out_loss")
    }
    line = ratios | {
        "peak_memory_ratio": round(ours["peak_memory_mb"] / peer["peak_memory_mb"], 3),
        "tokens_per_second": round(ours["tokens_per_second"]),
        "model_flops_utilisation": round(ours["model_flops_utilisation"], 3),
        "gemm_gflops": round(ours["gemm_gflops"], 1),
        "records_tokenised_to_new": ours["records_tokenised"] / ours["records"],
        "rows": options.rows,
        "base": options.base,
        "updates": round(ours["updates"]),
        "seeds": options.seeds,
        "targets": TARGETS,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
