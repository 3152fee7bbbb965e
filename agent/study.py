"""The study questions of personal fine-tuning, asked of one junior, each with what it rests on."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from agent.compare import choose_rows
from agent.config import Config
from agent.stages import read_card
from distill.curate.trust import Forgotten
from distill.evaluate.grade import is_right
from distill.evaluate.intervals import bootstrap, mcnemar, wilson
from distill.evaluate.items import make_items
from distill.evaluate.losses import gain_numbers, row_losses
from distill.evaluate.runner import OpenRunner, Runner
from distill.evaluate.style import gram_rows
from distill.identity import Identity, load_identity
from memory.db import Database, all_messages, open_database
from memory.files import make_private_dir, write_atomic

Progress = Callable[[dict], None]
ASKED, SCORED, LOOKED_UP, CANARY_ROWS = 60, 80, 400, 1500


def study(
    config: Config,
    generation: str,
    *,
    with_canaries: bool = False,
    with_naive: bool = False,
    progress: Progress = lambda event: None,
) -> dict:
    """Writes study.json beside the night's report and gives what it holds.

    `with_canaries` adds a second, short training, `with_naive` one as long as the night's: minutes
    or more each. Raises UserError where the night has no model file.
    """
    from agent.juniors import junior_folder
    from distill.base import resolve_base
    from distill.embedded import Embedded
    from distill.gguf import base_gguf
    from distill.release.publisher import check_files, read_export

    folder = junior_folder(config, generation)
    junior = check_files(folder, read_export(folder))[0]
    base = base_gguf(resolve_base(config.base.name, config.base.revision), config.export)
    with open_database(config.database_path) as db:
        ids = forgotten_ids(db, load_identity(config.identity_path))
    taken_out = forgotten_rows(ids, config.nights_path, folder)
    found = {"generation": folder.name} | answers(folder, junior, base, Embedded, progress)
    found |= {
        "inextricability": inextricability(taken_out, junior, Embedded),
        "replica": replica(config.nights_path),
    }
    if with_canaries:
        found["canaries"] = canaries(config, folder, progress)
    if with_naive:
        found["naive"] = naive(config, folder, progress)
    write_atomic(folder / "study.json", json.dumps(found, indent=1, ensure_ascii=False))
    return found


def answers(
    folder: Path, junior: Path, base: Path, open_runner: OpenRunner, progress: Progress
) -> dict:
    """Steerability and domination: what has to be asked of the models."""
    card = read_card(folder)
    runner = open_runner(junior)
    try:
        mine = follows(runner, card, progress)
        dominated = domination(runner, folder, card)
    finally:
        runner.close()
    runner = open_runner(base)
    try:
        theirs = follows(runner, card, progress)
    finally:
        runner.close()
    return {"steerability": steerability(mine, theirs), "domination": dominated}


def follows(runner: Runner, card: str, progress: Progress) -> list[bool]:
    """Whether each of sixty instructions about the form of an answer was followed."""
    items = [item for item in make_items(12 * ASKED, 0) if item["kind"] == "instruction"][:ASKED]
    found = []
    for step, item in enumerate(items, 1):
        turns = [{"role": "system", "content": card}, *item["messages"]]
        reply = runner.chat(turns, max_tokens=item["tokens"], temperature=0.0, seed=0)
        found.append(is_right(item, reply.text))
        progress({"step": step, "steps": len(items)})
    return found


def steerability(junior: Sequence[bool], base: Sequence[bool]) -> dict:
    """Share of instructions that win against the agent's habit, beside the base's share."""
    lost = sum(b and not j for j, b in zip(junior, base, strict=True))
    gained = sum(j and not b for j, b in zip(junior, base, strict=True))
    return {
        "value": sum(junior) / len(junior),
        "n": len(junior),
        "interval": wilson(sum(junior), len(junior)),
        "base": sum(base) / len(base),
        "p": mcnemar(lost, gained),
    }


def domination(runner: Runner, folder: Path, card: str) -> dict:
    """How often an answer is nearer to an own text than to what was asked.

    The own text is the one a search for the question would find; nearness is the cosine of
    character 4-grams. `retrieval`: the same share for giving that text itself as the answer.
    """
    rows = [row for row, _ in choose_rows(folder, ASKED)]
    questions = [row["messages"][-2]["content"] for row in rows]
    replies = [
        runner.chat(
            [{"role": "system", "content": card}, {"role": "user", "content": question}],
            max_tokens=120,
            temperature=0.0,
            seed=0,
        ).text
        for question in questions
    ]
    own = list(dict.fromkeys(row["messages"][-1]["content"] for row in _learnt(folder)))
    own = own[:LOOKED_UP]
    return dominated(questions, replies, own)


def dominated(questions: Sequence[str], replies: Sequence[str], own: Sequence[str]) -> dict:
    """As domination, of texts that are there already; `value` is None without own texts."""
    if not own or not questions:
        return {"value": None, "n": 0, "why": "there is no own text to look up"}
    rows = gram_rows([*own, *questions, *replies], len(own) + len(questions))
    texts, asked, said = rows[: len(own)], rows[len(own) : -len(replies)], rows[-len(replies) :]
    nearest = texts[(asked @ texts.T).argmax(axis=1)]
    to_text, to_question = (said * nearest).sum(axis=1), (said * asked).sum(axis=1)
    hits = int((to_text > to_question).sum())
    itself = float(((nearest * nearest).sum(axis=1) > (nearest * asked).sum(axis=1)).mean())
    n = len(replies)
    return {"value": hits / n, "n": n, "interval": wilson(hits, n), "retrieval": itself}


def forgotten_ids(db: Database, identity: Identity) -> set[int]:
    """Messages that `junior forget` keeps out of every dataset."""
    kept_out = Forgotten(db, identity)
    return {number for number, message in all_messages(db) if kept_out.covers(number, message)}


def forgotten_rows(ids: set[int], nights: Path, folder: Path) -> tuple[list[dict], Path | None]:
    """Rows of an earlier night made of messages that are forgotten now, and its model file.

    Only where this night learnt none of them and the earlier one's file is still there.
    """
    if not ids or _with(folder, ids):
        return [], None
    for night in sorted(nights.iterdir(), reverse=True):
        files = sorted(night.glob("*.gguf"))
        if night != folder and files and (rows := _with(night, ids)):
            return rows[:SCORED], files[0]
    return [], None


def _with(folder: Path, ids: set[int]) -> list[dict]:
    return [row for row in _learnt(folder) if not ids.isdisjoint(row["ids"])]


def _learnt(folder: Path) -> list[dict]:
    """Training rows of a night that are made of messages."""
    try:
        lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    rows = (json.loads(line) for line in lines if line.strip())
    return [row for row in rows if row["view"] not in ("identity", "replay")]


def inextricability(
    taken_out: tuple[list[dict], Path | None], junior: Path, open_runner: OpenRunner
) -> dict:
    """Loss on what was forgotten, after against before (nats a token): over 0, it is out."""
    rows, before = taken_out
    if before is None:
        why = "no night of before `junior forget` is kept beside one of after it"
        return {"value": None, "n": 0, "why": why}
    losses = []
    for path in (junior, before):
        runner = open_runner(path)
        try:
            losses.append(row_losses(runner, rows))
        finally:
            runner.close()
    return gain_numbers(*losses, seed=0) or {"value": None, "n": 0, "why": "no row has a loss"}


def replica(nights: Path) -> dict:
    """AUC of the verifier by how the junior was taught: text alone against instructions."""
    found: dict[str, list[float]] = {}
    for path in sorted(nights.glob("*/report.json")):
        recipe = _recipe(path.parent)
        checks = json.loads(path.read_text(encoding="utf-8"))["checks"]
        told = next((one["value"] for one in checks if one["name"] == "told_apart"), None)
        if recipe and told is not None:
            found.setdefault(recipe, []).append(told)
    if len(found) < 2:
        why = "it needs nights of two recipes, one of plain text alone, whose voice was measured"
        return {"value": None, "n": sum(map(len, found.values())), "why": why}
    table = {
        recipe: {"value": fmean(values), "n": len(values),
                 "interval": bootstrap([(v, 1) for v in values], seed=0)}
        for recipe, values in found.items()
    }  # fmt: skip
    return {"value": min(one["value"] for one in table.values()), "n": len(table), "by": table}


def _recipe(night: Path) -> str:
    try:
        return json.loads((night / "train.json").read_text(encoding="utf-8"))["recipe"]["recipe"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def canaries(config: Config, folder: Path, progress: Progress) -> dict:
    """Exposure of planted sentences after one epoch over rows of this night; the junior that
    learnt them is deleted, whatever happens."""
    from distill.embedded import Embedded
    from distill.evaluate.canaries import canary_numbers, make_canaries, plant

    card, seed = read_card(folder), 0
    planted = make_canaries(seed)
    rows = plant(_learnt(folder)[:CANARY_ROWS], planted, card, seed)
    recipe = replace(config.train, epochs=1.0, max_tokens=0)  # so that repeats are repeats
    once = replace(config, train=recipe)
    with (
        trained(once, folder, "canaries", rows, progress) as model,
        Embedded(model) as runner,
    ):
        return canary_numbers(runner, planted, card, seed) | {"rows": len(rows)}


def naive(config: Config, folder: Path, progress: Progress) -> dict:
    """naive.json: what the gate finds of the night's texts taught as anybody would: each message,
    whoever wrote it, as an answer, with loss on every word. {"lineage", "values": {check: value}}.
    """
    from distill.base import resolve_base
    from distill.evaluate import evaluate
    from distill.evaluate.others import read_others
    from distill.gguf import base_gguf

    base = resolve_base(config.base.name, config.base.revision)
    identity, seed = load_identity(folder / "identity.toml"), config.train.seed
    with open_database(config.database_path) as db:
        others = read_others(db, identity, seed=seed)
    rows = flat_rows(_learnt(folder))
    with trained(config, folder, "naive", rows, progress) as model:
        report = evaluate(
            model.parent,
            base=base,
            base_gguf=base_gguf(base, config.export),
            candidate=[model],
            current=None,
            identity=identity,
            config=config.gate,
            seed=seed,
            others=others,
            progress=progress,
        ).as_json()
    values = {check["name"]: check["value"] for check in report["checks"]}
    found = {"lineage": base.lineage, "verdict": report["verdict"], "values": values}
    write_atomic(folder / "naive.json", json.dumps(found, indent=1))
    return found


def flat_rows(rows: Sequence[dict]) -> list[dict]:
    """Every turn of these rows, own and others', as an answer of its own with loss on all of it."""
    found = []
    for row in rows:
        card = [turn for turn in row["messages"] if turn["role"] == "system"]
        for turn in row["messages"]:
            own = turn["role"] == "assistant"
            text = turn["content"].split("]\n", 1)[-1].strip()
            if text and (own or turn["content"].startswith("[from: ")):
                asked = {"role": "user", "content": "Write a message.", "loss": []}
                said = {"role": "assistant", "content": text, "loss": [[0, len(text)]]}
                found.append(row | {"messages": [*card, asked, said]})
    return found


@contextmanager
def trained(
    config: Config, folder: Path, name: str, rows: Sequence[dict], progress: Progress
) -> Iterator[Path]:
    """The model file of a junior taught `rows` beside the night's; deleted whatever comes."""
    from distill.base import resolve_base
    from distill.gguf import export
    from distill.train import train

    base, work = resolve_base(config.base.name, config.base.revision), folder / name
    shutil.rmtree(work, ignore_errors=True)
    make_private_dir(work)
    try:
        write_atomic(work / "train.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        shutil.copy(folder / "held_out.jsonl", work)
        train(work, base, config.train, seed=config.train.seed, progress=progress)
        file = export(base, work / "adapter", work, name=name, config=config.export,
                      provenance={"night": folder.name})[0]  # fmt: skip
        yield work / file.name
    finally:
        shutil.rmtree(work, ignore_errors=True)


QUESTIONS = {
    "inextricability": "Can something learnt be taken out again? Loss on it after against before",
    "steerability": "Does an instruction win against habit? Share of sixty that were followed",
    "replica": "How like its owner is it, by how it was taught? AUC, .5 is not to be told apart",
    "domination": "Do old texts win against the question? Share of answers nearer to an old text",
}


def in_words(found: dict) -> str:
    """The study for people."""
    lines = [f"Study of {found['generation']}"]
    for name, question in QUESTIONS.items():
        one = found[name]
        lines += ["", f"{name}: {question}"]
        if one["value"] is None:
            lines.append(f"  not measured: {one['why']}")
            continue
        interval = one.get("interval")
        span = f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else ""
        beside = "".join(
            f", {key} {one[key]:.2f}" for key in ("base", "retrieval") if one.get(key) is not None
        )
        lines.append(f"  {one['value']:.2f} of {one['n']}{span}{beside}")
    if "canaries" in found:
        lines += ["", "canaries: How often must a thing be said to be remembered? Exposure, bits"]
        for repeats, one in found["canaries"]["exposure"].items():
            lines.append(f"  planted {repeats} times: {one['value']:.2f} of {one['n']}")
        lines.append(f"  planted against never planted: AUC {found['canaries']['auc']:.2f}")
    if "naive" in found:
        told = ", ".join(
            f"{name} {found['naive']['values'][name]:.2f}"
            for name in ("right", "as_another", "greedy_own", "greedy_other")
        )
        lines += ["", "naive: Had every message been taught as an answer, the gate would have said",
                  f"  {found['naive']['verdict']}: {told}"]  # fmt: skip
    return "\n".join(lines)
