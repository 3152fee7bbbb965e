"""What keeps "I" apart from "they": one corpus, seven ways to train on it, three seeds.

    .venv/bin/python -m benchmarks.identity_ablation [CORPUS] [--seeds 3] [--tokens 400000]
        [--jobs 2] [--work DIR] [--base tiny|REPOSITORY] [--report docs/results/identity.md]

CORPUS holds what benchmarks/real_night.py reads; ../shared/corpora/meridian is used when no other
is named. Each seed has a base of its own (data draw and order too), each arm the same number of
tokens. Arms are processes of one thread; what is finished in --work is not done again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.real_night import DEFAULT

ARMS = {
    "base": "the untouched base",
    "flat": "any message as text without turns, loss on every token",
    "naive": "any message wrapped as an assistant turn, loss on every token",
    "tags": "others in headed user turns, own in assistant turns, loss on every token",
    "spans": "the same rows, loss on own unquoted words only",
    "identity": "the same, and 30 % of the rows about identity: what is called curated",
    "replay": "the same, and 28 % of the rows replay of ordinary requests, as in a tiny night",
    "qlora": "the rows of `identity` by the night's QLoRA, first seed only",
    "preference": "the curated junior after the preference stage",
}
# The night's trainer takes no loss on every token of every turn.
ON_REAL_BASES = ("base", "naive", "spans", "identity", "preference")
FROM_IDENTITY = ("qlora", "preference")  # arms of the curated rows


def planned(options: argparse.Namespace) -> list[tuple[int, str]]:
    """(seed, arm) of everything that can be run, the base of a seed before its arms."""
    if options.base != "tiny":
        return [(seed, arm) for seed in range(options.seeds) for arm in ON_REAL_BASES]
    arms = [arm for arm in ARMS if arm not in ("base", "qlora")]
    chosen = [arm for arm in arms if arm in options.arms] if options.arms else arms
    found = [(seed, "base") for seed in range(options.seeds)]
    found += [(seed, arm) for seed in range(options.seeds) for arm in chosen]
    return [*found, (0, "qlora")] if not options.arms or "qlora" in options.arms else found


def result_path(work: Path, seed: int, arm: str) -> Path:
    return work / f"seed-{seed}" / f"{arm}.json"


def one(options: argparse.Namespace, seed: int, arm: str) -> dict:
    """Trains and asks one arm of one seed; its result, also written into the work folder."""
    from benchmarks import ablation_corpus as corpus_
    from benchmarks import ablation_models as models
    from benchmarks.ablation_questions import Limits, ask
    from distill.identity import save_identity

    tiny, folder = options.base == "tiny", options.work / f"seed-{seed}"
    begin = time.monotonic()
    corpus = corpus_.read_corpus(options.work, seed, tiny=tiny)
    base, facts = _base(options, seed, corpus), {"rows": 0, "tokens": 0, "updates": 0}
    model, adapter = base, None
    rows = corpus_.rows_of("identity" if arm in FROM_IDENTITY else arm, corpus, seed)
    if arm == "qlora" or (arm != "base" and not tiny):
        (folder / arm).mkdir(parents=True, exist_ok=True)
        save_identity(folder / arm / "identity.toml", corpus.identity)
        stage = "on" if arm == "preference" else "off"
        facts = models.tune_adapter(base, folder / arm, rows, options.tokens, seed, stage)
        adapter = folder / arm / "adapter"
    elif arm == "preference":
        curated = _curated(folder / "identity", base, corpus, options.tokens, seed)
        facts = models.prefer_own(curated, folder / arm, rows, corpus.identity, seed)
        model = models.open_base(folder / arm)
    elif arm != "base":
        facts = models.tune(base.path, folder / arm, rows, options.tokens, seed)
        model = models.open_base(folder / arm)
    quantisation = "F16" if tiny else "Q4_K_M"
    path = models.to_gguf(model, adapter, folder / f"{arm}.gguf", quantisation=quantisation)
    seconds = round(time.monotonic() - begin, 1)
    limits = Limits(options.probes, options.controls, threads=1 if tiny else None)
    told = ask(path, corpus.identity, corpus.card, seed, limits)
    result = {"arm": arm, "seed": seed, "tiny": tiny, "seconds_training": seconds, **facts, **told}
    result["card"] = corpus.card
    path.unlink()
    temporary = result_path(options.work, seed, arm).with_suffix(".tmp")
    temporary.write_text(json.dumps(result))
    temporary.rename(result_path(options.work, seed, arm))
    return result


def _curated(folder: Path, base, corpus, tokens: int, seed: int) -> Path:
    """The model of the arm `identity`, tuned here where that arm has not been run."""
    from benchmarks import ablation_corpus, ablation_models

    if not (folder / "model.safetensors").exists():
        rows = ablation_corpus.rows_of("identity", corpus, seed)
        ablation_models.tune(base.path, folder, rows, tokens, seed)
    return folder


def _base(options: argparse.Namespace, seed: int, corpus):
    """The real base that is named, or the seed's own, made when it is not there."""
    from benchmarks import ablation_models as models

    if options.base != "tiny":
        from distill.base import resolve_base

        return resolve_base(options.base)
    folder = options.work / f"seed-{seed}" / "base"
    if not (folder / "made.json").exists():
        names = [name for name, _, _ in corpus.names]
        config = models.tiny_config(seed, options.base_steps)
        models.make_base(folder, corpus.identity, names, config)
    return models.open_base(folder)


def run_all(options: argparse.Namespace, arguments: Sequence[str]) -> list[dict]:
    """Every planned arm as a process, `--jobs` at a time: bases first, preference last."""
    plan = planned(options)
    cores = len(os.sched_getaffinity(0))
    jobs = options.jobs or (cores if options.base == "tiny" else 1)
    for last in (("base",), [arm for arm in ARMS if arm not in ("base", "preference")], ARMS):
        group = [place for place in plan if place[1] in last]
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(lambda place: _process(options, arguments, *place), group))
    found = [result_path(options.work, *place) for place in plan]
    return [json.loads(path.read_text()) for path in found if path.exists()]


def _process(options: argparse.Namespace, arguments: Sequence[str], seed: int, arm: str) -> None:
    if result_path(options.work, seed, arm).exists():
        return
    command = [sys.executable, "-m", "benchmarks.identity_ablation", *arguments]
    command += ["--work", str(options.work), "--one", f"{seed}:{arm}"]
    tiny = options.base == "tiny"
    threads = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"} if tiny else {}
    done = subprocess.run(command, env=os.environ | threads, stdout=subprocess.DEVNULL)
    print(f"seed {seed} {arm}: {'done' if not done.returncode else 'FAILED'}", file=sys.stderr)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--agent", default="Meridian", help="whose identity it is")
    parser.add_argument("--base", default="tiny", help="tiny, or a base that was fetched (a GPU)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=400_000, help="an arm")
    parser.add_argument("--base-steps", type=int, default=1000, help="of 1,024 tokens")
    parser.add_argument("--probes", type=int, default=260)
    parser.add_argument("--controls", type=int, default=220)
    parser.add_argument("--jobs", type=int, help="processes (default: cores; 1 on a real base)")
    parser.add_argument("--arms", nargs="*", default=(), help="these only")
    parser.add_argument("--work", type=Path, help="keep bases, rows and results here; resumes")
    parser.add_argument("--report", type=Path, help="write the table and plot into this file")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main() -> None:
    options = parse(sys.argv[1:])
    if not (options.corpus / "beings.json").exists():
        print(json.dumps({"skipped": f"no corpus at {options.corpus}"}))
        return
    if options.one:
        seed, arm = options.one.split(":")
        one(options, int(seed), arm)
        return
    from benchmarks.ablation_corpus import prepare
    from benchmarks.ablation_report import line, table, write_report

    with tempfile.TemporaryDirectory() as folder:
        options.work = options.work or Path(folder)
        options.work.mkdir(parents=True, exist_ok=True)
        begin = time.monotonic()
        prepare(options.corpus, options.work, options.agent)
        results = run_all(options, sys.argv[1:])
        minutes = (time.monotonic() - begin) / 60
    print(table(results))
    if options.report:
        write_report(options.report, results, sys.argv[1:])
    print(json.dumps(line(results) | {"minutes": round(minutes, 1)}))


if __name__ == "__main__":
    main()
