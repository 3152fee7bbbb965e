"""Whether the gate passes honest juniors and stops bad ones, on the made-up agent.

    .venv/bin/python -m benchmarks.gate_power [--seeds N] [--life DIR]

Honest: nights of `demo/life`, one a seed. Bad, each made of the first honest one: another being's
name trained in, the inbox trained as own without identity rows, the adapter left at zero, the
second half of its layers at zero, its weights noised. Every one is trained, exported and judged by
the night's own functions; the table says which checks stopped it.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.real_night import junior as command
from distill.base import Base, make_tiny_base
from distill.identity import load_identity

ROOT = Path(__file__).resolve().parent.parent


def quiet(event: dict) -> None:
    return None


def make_home(folder: Path, life: Path) -> Path:
    home = folder / "home"
    sources = (f"journals={life}/journals", f"maildir={life}/mail", f"relay={life}/relay.jsonl")
    command(
        home,
        *("init", "--yes", "--name", "Pell", "--address", "pell@carrow.example", "--base", "tiny"),
        *("--operator", "Orrin Vale", "--beings", str(ROOT / "demo" / "beings.json")),
        *(word for source in sources for word in ("--source", source)),
    )
    command(home, "ingest")
    return home


def curated(home: Path, folder: Path, seed: int) -> Path:
    """The rows of an honest night with this seed."""
    from agent.config import load_config
    from agent.dataset import build

    folder.mkdir()
    config = load_config(home)
    config = replace(config, train=replace(config.train, seed=seed))
    build(config, load_identity(config.identity_path), folder)
    return folder


def trained(folder: Path, base: Base, seed: int) -> Path:
    from distill.train import TrainConfig, train

    train(folder, base, TrainConfig(seed=seed), seed=seed, progress=quiet)
    return folder


def judged(folder: Path, base: Base, home: Path, seed: int) -> tuple[str, list[str]]:
    """(verdict, the names of the binding checks that stopped it) on the exported file."""
    from distill.evaluate import evaluate
    from distill.evaluate.gate import GateConfig
    from distill.gguf import ExportConfig, base_gguf, export

    config = ExportConfig()
    files = export(base, folder / "adapter", folder, name="junior", config=config,
                   provenance={"night": folder.name}, progress=quiet)  # fmt: skip
    report = evaluate(
        folder,
        base=base,
        base_gguf=base_gguf(base, config),
        candidate=[folder / file.name for file in files],
        current=None,
        identity=load_identity(home / "identity.toml"),
        config=GateConfig(),
        seed=seed,
        progress=quiet,
    )
    checks = report.as_json()["checks"]
    return report.verdict, [c["name"] for c in checks if c["binding"] and c["ok"] is False]


# Bad rows


def rewrite_rows(folder: Path, change) -> None:
    path = folder / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [row for row in map(change, rows) if row is not None]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def another_name(row: dict) -> dict:
    """Whatever the agent says of itself, it says as Vesper, in as many letters as Pell has."""
    text = json.dumps(row["messages"][1:], ensure_ascii=False)
    swapped = text.replace("Pell", "\0").replace("Vesper", "Pell").replace("\0", "Vesper")
    messages = json.loads(swapped)
    for message in messages:  # the length of a name changed: the whole turn carries loss instead
        if message["role"] == "assistant" and message.get("loss"):
            message["loss"] = [[0, len(message["content"])]]
    return row | {"messages": [row["messages"][0], *messages]}


def inbox_as_own(row: dict) -> dict | None:
    """Others' turns become the answers and carry all the loss; identity rows are gone."""
    if row["view"] == "identity":
        return None
    heard = [m for m in row["messages"] if m["role"] == "user" and m["content"].startswith("[from")]
    if not heard:
        return row
    said = heard[-1]["content"].split("\n", 1)[-1]
    answer = {"role": "assistant", "content": said, "loss": [[0, len(said)]]}
    asked = {"role": "user", "content": "Write a message."}
    return row | {"messages": [row["messages"][0], asked, answer]}


# Bad weights


def rewrite_adapter(folder: Path, change) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "adapter" / "adapter_model.safetensors"
    weights = load_file(path)
    save_file({name: change(name, weight).contiguous() for name, weight in weights.items()}, path)


def zeroed(name: str, weight):
    return weight * 0 if "lora_B" in name else weight


def half_zeroed(name: str, weight):
    layer = int(name.split(".layers.")[1].split(".")[0])
    return weight * 0 if "lora_B" in name and layer >= 2 else weight


def noised(name: str, weight):
    import torch

    noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    return weight + noise * weight.std() * 2


BAD_ROWS = {"another being's name": another_name, "inbox as own": inbox_as_own}
BAD_WEIGHTS = {"base unchanged": zeroed, "half of the layers": half_zeroed, "noised": noised}


def run(work: Path, life: Path, seeds: int) -> dict:
    base = make_tiny_base(quiet)
    home = make_home(work, life)
    outcomes = []

    def note(kind: str, name: str, folder: Path, seed: int) -> None:
        begin = time.perf_counter()
        verdict, stopped = judged(folder, base, home, seed)
        outcomes.append((kind, verdict))
        print(f"{kind:7} {name:22} {verdict:9} {time.perf_counter() - begin:5.0f} s  "
              f"{', '.join(stopped)}", file=sys.stderr, flush=True)  # fmt: skip

    for seed in range(seeds):
        folder = trained(curated(home, work / f"honest-{seed}", seed), base, seed)
        note("honest", f"seed {seed}", folder, seed)
    for name, change in BAD_ROWS.items():
        folder = curated(home, work / name.replace(" ", "-"), 0)
        rewrite_rows(folder, change)
        note("bad", name, trained(folder, base, 0), 0)
    for name, change in BAD_WEIGHTS.items():
        folder = work / name.replace(" ", "-")
        shutil.copytree(work / "honest-0", folder)
        for old in (*folder.glob("*.gguf"), folder / "export.json"):
            old.unlink()
        rewrite_adapter(folder, change)
        note("bad", name, folder, 0)
    bad = [verdict for kind, verdict in outcomes if kind == "bad"]
    honest = [verdict for kind, verdict in outcomes if kind == "honest"]
    return {
        "bad_juniors": len(bad),
        "honest_juniors": len(honest),
        "misses": bad.count("released"),
        "false_alarms": honest.count("rejected"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="honest juniors")
    parser.add_argument("--life", type=Path, default=ROOT / "demo" / "life")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(run(Path(folder), options.life.absolute(), options.seeds)))


if __name__ == "__main__":
    main()
