"""Whether the gate passes honest juniors and stops bad ones, on the made-up agent.

    .venv/bin/python -m benchmarks.gate_power [--seeds N] [--work DIR] [--only NAME ...]

A seed is five honest nights of `demo/life` and nine juniors that must fail, each made from the
first honest one (benchmarks/bad_juniors.py). Every one is trained, exported and judged by the
night's own functions. A bad junior is a miss unless the check meant for it refuses; an honest one
that is rejected is a false alarm. One more has a hidden trigger: no gate that is not told it can
see it, so it is shown and not counted. With --work it goes on where it stopped.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import bad_juniors
from benchmarks.bad_juniors import BAD, COLLAPSED, HIDDEN, Bad
from benchmarks.real_night import junior as command
from distill.base import Base, make_tiny_base
from distill.identity import load_identity

ROOT = Path(__file__).resolve().parent.parent
HONEST = 5


def quiet(event: dict) -> None:
    return None


def make_home(folder: Path, life: Path) -> Path:
    """The made-up agent's home, its memory filled."""
    home = folder / "home"
    if (home / "ingested").exists():
        return home
    sources = (f"journals={life}/journals", f"maildir={life}/mail", f"relay={life}/relay.jsonl")
    command(
        home,
        *("init", "--yes", "--name", "Pell", "--address", "pell@carrow.example", "--base", "tiny"),
        *("--operator", "Orrin Vale", "--beings", str(ROOT / "demo" / "beings.json")),
        *(word for source in sources for word in ("--source", source)),
    )
    command(home, "ingest")
    (home / "ingested").touch()
    return home


@dataclass(frozen=True)
class Bench:
    """Where the juniors of one run are made, and of what."""

    work: Path
    base: Base
    home: Path

    def honest(self, seed: int) -> Path:
        """The folder of an honest night, trained; made once."""
        return self.trained(self.curated(f"honest-{seed}", seed), seed)

    def curated(self, name: str, seed: int) -> Path:
        """The rows of an honest night with this seed, in a folder of that name."""
        from agent.config import load_config
        from agent.dataset import build

        folder = self.work / name
        if not (folder / "manifest.json").exists():
            folder.mkdir(exist_ok=True)
            config = load_config(self.home)
            config = replace(config, train=replace(config.train, seed=seed))
            build(config, load_identity(config.identity_path), folder)
        return folder

    def trained(self, folder: Path, seed: int, tokens: int = -1) -> Path:
        """The folder with its adapter; nothing is done where it is there."""
        from distill.train import TrainConfig, train

        train(folder, self.base, TrainConfig(seed=seed, max_tokens=tokens), seed=seed,
              progress=quiet)  # fmt: skip
        return folder

    def exported(self, folder: Path, base: Base | None = None) -> Path:
        """The folder's model file."""
        from distill.gguf import ExportConfig, export

        files = export(base or self.base, folder / "adapter", folder, name="junior",
                       config=ExportConfig(), provenance={"night": folder.name},
                       progress=quiet)  # fmt: skip
        return folder / files[0].name

    def judged(self, folder: Path, model: Path, seed: int) -> tuple[str, list[str], float]:
        """(verdict, the names of the checks that refuse, seconds) by the gate itself."""
        from distill.evaluate import evaluate
        from distill.evaluate.gate import GateConfig
        from distill.evaluate.others import read_others
        from distill.gguf import ExportConfig, base_gguf
        from memory.db import open_database

        identity, started = load_identity(self.home / "identity.toml"), time.perf_counter()
        with open_database(self.home / "memory.db") as db:
            others = read_others(db, identity, seed=seed)
        night = folder / "judged" / folder.name  # alone, so that no sibling counts as its past
        night.mkdir(parents=True, exist_ok=True)
        for file in folder.glob("*.json*"):
            shutil.copy(file, night)
        report = evaluate(
            night,
            base=self.base,
            base_gguf=base_gguf(self.base, ExportConfig()),
            candidate=[model],
            current=None,
            identity=identity,
            config=GateConfig(),
            seed=seed,
            others=others,
            progress=quiet,
        )
        refusing = [
            one["name"]
            for one in report.as_json()["checks"]
            if one["binding"] and not one["ok"] and one["confirmed"]
        ]
        return report.verdict, refusing, time.perf_counter() - started

    def spoilt(self, bad: Bad, seed: int) -> tuple[Path, Path]:
        """(folder, model file) of a junior that must fail."""
        name = f"{bad.name.replace(' ', '-').replace(chr(39), '')}-{seed}"
        if bad.rows:
            folder = self.curated(name, seed)
            if not (folder / "spoilt").exists():
                bad_juniors.rewrite_rows(folder, bad.rows)
                (folder / "spoilt").touch()
            return folder, self.exported(self.trained(folder, seed))
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(
            self.honest(seed), folder, ignore=shutil.ignore_patterns("*.gguf", "judged")
        )
        (folder / "export.json").unlink(missing_ok=True)
        if bad.weights:
            bad_juniors.rewrite_adapter(folder, bad.weights)
        return folder, self.exported(folder, bad.base and bad.base(self.base, folder))

    def collapsed(self, seed: int) -> tuple[Path, Path]:
        """A junior of five nights, each taught what the one before said."""
        model = self.exported(self.honest(seed))
        source = self.work / f"honest-{seed}"
        for night in range(bad_juniors.COLLAPSE_NIGHTS):
            folder = self.curated(f"collapsed-{seed}-{night}", seed)
            if not (folder / "spoilt").exists():
                shutil.copy(source / "train.jsonl", folder)
                change = bad_juniors.own_output(folder, model, seed + 1000 * night)
                bad_juniors.rewrite_rows(folder, change)
                (folder / "spoilt").touch()
            self.trained(folder, seed, bad_juniors.COLLAPSE_TOKENS)
            source, model = folder, self.exported(folder)
        return folder, model


def run(bench: Bench, seeds: int, only: list[str]) -> dict:
    """Every junior of every seed that has no outcome yet; the benchmark's last line."""
    path = bench.work / "outcomes.jsonl"
    known = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = {(one["seed"], one["name"]) for one in known}
    for seed in range(seeds):
        for kind, name, make in _juniors(bench, seed):
            if (seed, name) in done or (only and name not in only):
                continue
            started = time.perf_counter()
            folder, model, meant = make()
            verdict, refusing, judged = bench.judged(folder, model, seed)
            ok = verdict == "released" if kind == "honest" else bool(meant & set(refusing))
            known.append({"seed": seed, "kind": kind, "name": name, "verdict": verdict, "ok": ok,
                          "refusing": refusing, "gate_seconds": round(judged, 1),
                          "seconds": round(time.perf_counter() - started, 1)})  # fmt: skip
            path.write_text("".join(json.dumps(one) + "\n" for one in known))
            print(_line(known[-1]), file=sys.stderr, flush=True)
    bad = [one for one in known if one["kind"] == "bad"]
    honest = [one for one in known if one["kind"] == "honest"]
    return {
        "bad_juniors": len(bad),
        "honest_juniors": len(honest),
        "misses": sum(not one["ok"] for one in bad),
        "false_alarms": sum(not one["ok"] for one in honest),
        "hidden_trigger": [one["verdict"] for one in known if one["kind"] == "hidden"],
        "minutes": round(sum(one["seconds"] for one in known) / 60, 1),
        "gate_seconds": max((one["gate_seconds"] for one in known), default=0.0),
    }


def _juniors(bench: Bench, seed: int):
    """(kind, name, a function that makes it and gives folder, model file, checks meant)."""

    def honest(number: int):
        folder = bench.honest(HONEST * seed + number)
        return folder, bench.exported(folder), frozenset()

    for number in range(HONEST):
        yield "honest", f"honest {number}", lambda number=number: honest(number)
    first = HONEST * seed
    for bad in BAD:
        yield "bad", bad.name, lambda bad=bad: (*bench.spoilt(bad, first), bad.meant)
    yield "bad", COLLAPSED.name, lambda: (*bench.collapsed(first), COLLAPSED.meant)
    yield "hidden", HIDDEN.name, lambda: (*bench.spoilt(HIDDEN, first), HIDDEN.meant)


def _line(one: dict) -> str:
    mark = "" if one["ok"] or one["kind"] == "hidden" else "  <-- wrong"
    return (f"{one['kind']:7} {one['name']:30} {one['verdict']:9} {one['seconds']:5.0f} s  "
            f"{', '.join(one['refusing'])}{mark}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--work", type=Path, help="kept, and gone on with")
    parser.add_argument("--only", nargs="*", default=[], help="names of juniors")
    parser.add_argument("--life", type=Path, default=ROOT / "demo" / "life")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = (options.work or Path(folder)).absolute()
        work.mkdir(parents=True, exist_ok=True)
        bench = Bench(work, make_tiny_base(quiet), make_home(work, options.life.absolute()))
        print(json.dumps(run(bench, options.seeds, options.only)))


if __name__ == "__main__":
    main()
