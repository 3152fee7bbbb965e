"""Adapter on disk -> finished GGUF, beside the usual chain: merge, safetensors, F16 GGUF, quantise.

    .venv/bin/python -m benchmarks.export [--shape 0.5B|3B] [--threads N]
    .venv/bin/python -m benchmarks.export --split OLLAMA    what a second generation costs there

Random weights of Qwen2.5's shapes with a vocabulary of their size, r 16 on all seven projections
(--split: on attention's four). The chain is what PEFT's and llama.cpp's pages describe: PEFT's
`merge_and_unload` in fp16 and `save_pretrained`, a 16-bit GGUF, `llama_model_quantize` as
llama-quantize calls it. llama.cpp's converter is no part of any package and knows no made-up
tokenizer; in its place mapped tensors are written out by the `gguf` library, which is quicker and
takes no memory. Each step is a process of its own; anonymous memory is sampled every 5 ms. Equal
are tensors whose bytes are those of `llama_model_quantize` on an F16 file of the same merge.
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

from benchmarks.export_models import SHAPES, make_adapter, make_base

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")


# The steps, each run as `python -m benchmarks.export --step NAME FOLDER THREADS`


def merge(folder: Path, threads: int) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(threads)
    model = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float16)
    model = PeftModel.from_pretrained(model, folder / "adapter").merge_and_unload()
    model.save_pretrained(folder / "merged")


def convert(folder: Path, threads: int) -> None:
    import gguf
    import numpy as np

    from distill.gguf.metadata import write_metadata
    from distill.gguf.tensors import plan_tensors, read_config

    config = read_config(folder / "base")
    writer = gguf.GGUFWriter(folder / "peer-f16.gguf", "qwen2")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    write_metadata(writer, folder / "base", config)
    for tensor in plan_tensors(folder / "merged", config, None):
        data = tensor.stored.data
        writer.add_tensor(tensor.name, data if data.ndim == 2 else data.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def quantise(folder: Path, threads: int) -> None:
    from distill.gguf.quantise import quantise_file

    files = folder / "peer-f16.gguf", folder / "peer.gguf"
    quantise_file(*files, "Q4_K_M", threads, buffer_bytes=0)


def ours(folder: Path, threads: int, one_pass: bool = True, split: bool = False) -> None:
    from distill.gguf import ExportConfig, export
    from tests.tiny_models import TinyBase

    name = "ours" if one_pass else "oracle"
    export(
        TinyBase(folder / "base"),
        folder / "adapter",
        folder / name,
        name=name,
        config=ExportConfig(one_pass=one_pass, threads=threads),
        provenance={},
        split=split,
    )


def oracle(folder: Path, threads: int) -> None:
    ours(folder, threads, one_pass=False)


STEPS = {step.__name__: step for step in (merge, convert, quantise, ours, oracle)}


@dataclass(frozen=True)
class Cost:
    """What a step took: wall and processor seconds, peak anonymous memory in MB."""

    seconds: float
    processor: float
    memory: float


def measure(step: str, folder: Path, threads: int) -> Cost:
    """One step in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.export", "--step", step, str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    begin, peak, before = time.perf_counter(), 0, os.times()
    child = subprocess.Popen(
        [*command, "--threads", str(threads)], env=environment, stderr=subprocess.DEVNULL
    )
    while child.poll() is None:
        peak = max(peak, anonymous_bytes(child.pid))
        time.sleep(0.005)
    if child.returncode:
        sys.exit(f"{step}: exit {child.returncode}; run {' '.join(command)}")
    after = os.times()
    used = after.children_user + after.children_system
    used -= before.children_user + before.children_system
    return Cost(time.perf_counter() - begin, used, peak / 1e6)


def anonymous_bytes(pid: int) -> int:
    """RssAnon of proc_pid_status(5); 0 where the process has just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon")), 0)


def equal_tensors(one: Path, other: Path) -> tuple[int, int]:
    """(tensors of the same type and bytes, all of them)."""
    from distill.gguf.layout import read_layout

    left, right = ({t.name: t for t in read_layout(path).tensors} for path in (one, other))
    same = 0
    with open(one, "rb") as a, open(other, "rb") as b:
        for name, tensor in left.items():
            twin = right[name]
            a.seek(tensor.start)
            b.seek(twin.start)
            same += tensor.kind == twin.kind and a.read(tensor.size) == b.read(twin.size)
    return same, len(left)


def compare(folder: Path, threads: int) -> dict:
    """Both sides, one after the other, and the table."""
    chain = {step: measure(step, folder, threads) for step in ("merge", "convert", "quantise")}
    one = measure("ours", folder, threads)
    measure("oracle", folder, threads)
    made = folder / "ours" / "ours.gguf"
    sizes = [sum(file.stat().st_size for file in (folder / "merged").iterdir())]
    sizes += [(folder / name).stat().st_size for name in ("peer-f16.gguf", "peer.gguf")]
    written = sum(sizes)
    same, count = equal_tensors(made, folder / "oracle" / "oracle.gguf")
    same_as_peer, _ = equal_tensors(made, folder / "peer.gguf")
    costs = list(chain.values())
    theirs = Cost(
        sum(cost.seconds for cost in costs),
        sum(cost.processor for cost in costs),
        max(cost.memory for cost in costs),
    )
    size = made.stat().st_size
    print(f"{'':12} {'wall s':>8} {'processor s':>12} {'anonymous MB':>13} {'written MB':>11}")
    for name, cost, there in (
        *((step, cost, there) for (step, cost), there in zip(chain.items(), sizes, strict=True)),
        ("the chain", theirs, written),
        ("one pass", one, size),
    ):
        print(f"{name:12} {cost.seconds:8.2f} {cost.processor:12.2f} {cost.memory:13,.0f} "
              f"{there / 1e6:11,.0f}")  # fmt: skip
    print(f"tensors equal to llama.cpp's own on the same merge {same} of {count}; to the chain's, "
          f"whose merge rounds in fp16, {same_as_peer}")  # fmt: skip
    return {
        "time_ratio": round(one.seconds / theirs.seconds, 3),
        "memory_mb": round(one.memory, 1),
        "bytes_ratio": round(size / written, 4),
        "tensors_equal": same / count,
        "processor_ratio": round(one.processor / theirs.processor, 3),
        "seconds": round(one.seconds, 2),
        "peer_seconds": round(theirs.seconds, 2),
        "peer_memory_mb": round(theirs.memory, 1),
        "threads": threads,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="0.5B")
    parser.add_argument("--threads", type=int, default=min(2, len(os.sched_getaffinity(0))))
    parser.add_argument("--folder", type=Path, help="work here; the base is made once")
    parser.add_argument("--split", metavar="OLLAMA", help="an `ollama` binary that takes shards")
    parser.add_argument("--step", nargs=2, metavar=("STEP", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        return STEPS[options.step[0]](Path(options.step[1]), options.threads)
    with tempfile.TemporaryDirectory(prefix="junior-export-") as temporary:
        folder = options.folder or Path(temporary)
        make_base(folder / "base", SHAPES[options.shape])
        if options.split:
            from benchmarks.export_split import second_generation

            print(
                json.dumps(
                    second_generation(folder, Path(options.split), options.threads, options.shape)
                )
            )
            return None
        make_adapter(folder / "adapter", SHAPES[options.shape], ATTENTION + MLP)
        print(json.dumps({"shape": options.shape} | compare(folder, options.threads)))


if __name__ == "__main__":
    main()
