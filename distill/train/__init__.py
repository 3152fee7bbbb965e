"""The night's rows -> an adapter on the base: NF4 QLoRA by TRL's SFTTrainer, resumable."""

import hashlib
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from distill.tokens import Record, tokenise, tokenise_raw
from distill.tokens.cache import TokenCache, cache_file
from distill.train.checkpoints import clear_after, newest_whole
from distill.train.launch import SMALLER, note_smaller, times_smaller
from distill.train.ranks import agree, is_first, join, processes, wait_for_all
from distill.train.recipes import NOT_IN_RESULT, TrainConfig, for_base, recipe_hash
from distill.train.window import Window
from memory.errors import StageError, UserError
from memory.files import make_private_dir, sha256_file, write_atomic

__all__ = ["TrainConfig", "TrainSummary", "for_base", "train"]

DONE = "train.json"
RECIPE = "recipe.json"
MOST_STEPS_DOWN = 8  # halves of the longest pack there is, then every layer recomputed
LIBRARIES = ("torch", "transformers", "peft", "trl", "bitsandbytes")


@dataclass(frozen=True)
class TrainSummary:
    """What a finished training was; losses in nats a loss token."""

    steps: int
    tokens: int
    loss_tokens: int
    seconds: float
    tokens_per_second: float
    loss: float | None
    first_held_out_loss: float | None
    held_out_loss: float | None
    resumed_from: int | None
    adapter_sha256: str

    def __str__(self) -> str:
        first, last = self.first_held_out_loss, self.held_out_loss
        losses = "no held-out rows" if last is None else f"held-out loss {first:.3f} -> {last:.3f}"
        resumed = "" if self.resumed_from is None else f", resumed from {self.resumed_from}"
        return (
            f"train: {self.steps:,} updates, {self.tokens:,} tokens, {losses},"
            f" {self.seconds:,.0f} s{resumed}"
        )


def train(
    folder: Path,
    base,
    config: TrainConfig,
    *,
    seed: int = 0,
    progress: Callable[[dict], None] = lambda line: None,
    window_minutes: float = 0.0,
) -> TrainSummary:
    """Trains on `folder`/train.jsonl; writes adapter/, metrics.jsonl and, last, train.json.

    A folder whose train.json agrees with its inputs and its adapter is done already. A killed run
    goes on from its newest whole checkpoint, and on a CPU ends in the same bytes. Within
    `window_minutes` (0: no limit) it ends with a whole adapter: of fewer updates, or warm, from an
    earlier night's. `progress` gets what metrics.jsonl gets, with `steps`, `tokens_per_second` and
    `remaining_seconds`. Raises UserError for rows or a base that cannot be trained on, StageError
    when training fails.
    """
    folder, config = Path(folder), for_base(config, base)
    fingerprint = run_fingerprint(folder, base, config, seed)
    done = finished(folder, fingerprint)
    if done:
        return done
    from distill.train.precision import prepare_environment

    if not is_first():
        progress = lambda line: None  # noqa: E731
    threads = prepare_environment(config.threads)
    progress({"threads": threads.as_json(), "recipe": config.recipe})
    if is_first():
        frozen = {"hash": recipe_hash(config)} | asdict(config)
        write_atomic(folder / RECIPE, json.dumps(frozen))
    clock = Window(folder, window_minutes)
    import torch

    smaller = times_smaller(folder)
    while True:
        try:
            return _train(folder, base, config, seed, fingerprint, progress, clock, smaller)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise StageError(f"train: {where}{error.strerror or error}") from error
        except torch.OutOfMemoryError as error:
            smaller += 1
            if smaller > MOST_STEPS_DOWN:
                raise StageError(
                    f"train: out of GPU memory within train.vram_budget_gb ="
                    f" {config.vram_budget_gb:g}, whatever the pack length and with every layer"
                    " recomputed: take a smaller base"
                ) from error
            note_smaller(folder, smaller)
            if processes() > 1:  # the others wait for this one: all begin again (launch.run)
                raise StageError("train: out of GPU memory in one of several processes") from error
        progress({"out_of_memory": smaller})
        torch.cuda.empty_cache()


def _train(
    folder, base, config, seed, fingerprint, progress, clock: Window, smaller: int
) -> TrainSummary:
    """One try; `smaller` counts how often memory has run out before."""
    from transformers import set_seed

    from distill.train import adapter, attention, head, precision, sharding
    from distill.train.importance import Importance
    from distill.train.parity import write_parity
    from distill.train.paths import paths
    from distill.train.trainer import Watch, build_trainer, measure_held_out, use_plan

    machine = precision.detect_precision(config.levers)
    join(machine.on_gpu)
    precision.repeat_heads_on(machine.capability)
    precision.cap_memory(config.vram_budget_gb)
    triton = precision.project_loss_positions_only() if "head" in config.levers else None
    if "head" in config.levers and not machine.on_gpu:
        head.use_own()
    if "heap" in config.levers and not machine.on_gpu:
        precision.keep_heap()
    taken = paths(machine.capability, triton)
    tokenizer = adapter.load_tokenizer(base)
    work = prepare(folder, base, config, seed, tokenizer, machine, clock, smaller)
    config, start = work.config, work.start
    progress({"memory": str(work.fit), "paths": taken, "warm_from": start and start.night})

    set_seed(seed)
    how = attention.choose(machine, config)
    shards, cached = work.fit.shards, "cache" in config.levers
    model = adapter.load_quantised(base, machine, how, cached=cached, shards=shards)
    model = adapter.add_adapter(model, config, start and start.adapter)
    if shards > 1:
        sharding.shard(model, machine.device)
    checkpoints = make_private_dir(folder / "checkpoints")
    checkpoint, facts = agree(newest_whole(checkpoints, fingerprint) or (None, {}))
    if is_first():
        clear_after(checkpoints, checkpoint)
    watch = Watch(folder, config, work.plan, fingerprint, facts, progress)
    trainer = build_trainer(model, tokenizer, work.packs, config, work.plan, machine, seed, watch)
    watch.measure = lambda: measure_held_out(trainer, work.held_out)
    _make_ready(trainer.model, config, work.fit, machine)
    plan = clock.limit(work.plan, config, trainer)
    use_plan(trainer, watch, plan, clock.deadline)
    before = adapter.adapter_weights(trainer.model)
    importance = Importance(trainer, config.importance_updates)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    preferred = _prefer(folder, trainer.model, tokenizer, config, machine, seed, progress)

    adapter_sha256, moved = _write_moved(folder, trainer, base, before)
    summary = _summary(trainer, watch, facts.get("step"), adapter_sha256)
    write_parity(folder, trainer, tokenizer, read_rows(folder / "held_out.jsonl"), config)
    wait_for_all()
    if not is_first():
        return summary
    importance.write(folder / "adapter")
    record = asdict(summary) | {
        "plan": asdict(plan),
        "tokens_per_cpu_second": round(watch.tokens_per_cpu_second, 1),
        "moved": moved,
        "skipped": watch.skipped,
        "preference": preferred,
    }
    record |= _circumstances(work, base, machine, seed)
    record |= {"paths": taken, "fingerprint": fingerprint}
    write_atomic(folder / DONE, json.dumps(record, indent=1))
    shutil.rmtree(checkpoints)
    for path in (clock.path, folder / SMALLER):
        path.unlink(missing_ok=True)
    return summary


def _make_ready(model, config: TrainConfig, fit, machine) -> None:
    """What TRL has cast or left as it is: float32 adapters, recomputed layers, lean ones."""
    from distill.train import adapter, lean

    adapter.to_float32(model)
    adapter.check_float32(model)
    adapter.recompute_layers(model, fit.recomputed)
    if "lean" in config.levers:
        lean.make_lean(model, machine.dtype)


def _write_moved(folder: Path, trainer, base, before) -> tuple[str, dict[str, float]]:
    """Writes the adapter; its sha256 ("" but in the first process) and what share of it moved.

    Raises StageError where training has left a part of it as it was.
    """
    from distill.train import adapter

    adapter.check_float32(trainer.model)
    weights, sha256 = adapter.adapter_weights(trainer.model), ""
    if is_first():
        sha256 = adapter.write_adapter(folder / "adapter", trainer.model, base, weights)
    moved, updates = adapter.share_moved(before, weights), trainer.state.global_step
    if updates >= 10 and not all(moved.values()):
        raise StageError(f"train: after {updates} updates the adapter has not moved: {moved}")
    return sha256, moved


def _summary(trainer, watch, resumed_from: int | None, adapter_sha256: str) -> TrainSummary:
    return TrainSummary(
        steps=trainer.state.global_step,
        tokens=watch.tokens,
        loss_tokens=watch.loss_tokens,
        seconds=round(watch.seconds, 3),
        tokens_per_second=round(watch.tokens_per_second, 1),
        loss=watch.loss,
        first_held_out_loss=watch.first_held_out_loss,
        held_out_loss=watch.held_out_loss,
        resumed_from=resumed_from,
        adapter_sha256=adapter_sha256,
    )


def _circumstances(work: "Work", base, machine, seed: int) -> dict[str, object]:
    """What train.json says of rows, recipe, base and machine."""
    return {
        "rows": work.counts,
        "memory": asdict(work.fit),
        "warm_from": work.start and work.start.night,
        "device": machine.device,
        "dtype": machine.dtype,
        "base": base.name,
        "lineage": base.lineage,
        "recipe": asdict(work.config),
        "recipe_hash": recipe_hash(work.config),
        "seed": seed,
        "versions": {name: version(name) for name in LIBRARIES},
    }


@dataclass(frozen=True)
class Work:
    """What a training is made of: packs in their order, what they become, and what is measured.

    `config` is a warm night's where `start` is one; `counts` are those of all of today's rows.
    """

    config: TrainConfig
    packs: object
    held_out: object
    plan: object
    fit: object
    start: object
    counts: dict[str, int]


def prepare(folder, base, config, seed, tokenizer, machine, clock: Window, smaller: int) -> Work:
    """Rows -> packs and their plan, for the memory and the time there are."""
    from distill.train import packing, vram, warm

    shape = vram.read_shape(base.path)
    tokens = token_cache(folder, tokenizer, config)
    counts = Counter()
    limit = min(config.pack_length, shape.positions)
    rows = read_rows(folder / "train.jsonl")
    records = read_records(rows, folder, tokenizer, config, limit, counts, tokens)
    cold = packing.total_tokens(records, config)
    start = agree(warm.choose(folder, base, config, clock, cold, rows))
    if start:
        rows, config = warm.rows_and_config(start, rows, config, seed)
        records = read_records(rows, folder, tokenizer, config, limit, Counter(), tokens)
    fit = vram.fit_for(shape, config, machine, packing.longest(records), smaller, processes())
    length = packing.pack_length(records, config, fit.pack_length, processes())
    raw = raw_packs(rows, tokenizer, config, length, seed)
    rows_packed = packing.pack(records, length, seed, apart="packing" not in config.levers)
    packs = packing.in_order(raw, rows_packed, config, seed)
    held_out = held_out_packs(folder / "held_out.jsonl", tokenizer, config, seed, limit, tokens)
    if tokens:
        tokens.close(drop_unused=True)
    plan = packing.plan(packs, records, length, config, processes())
    return Work(config, packs, held_out, plan, fit, start, dict(counts))


def _prefer(folder, model, tokenizer, config, machine, seed, progress) -> dict | None:
    """The preference stage, where it is on; a kill in it goes back to the newest checkpoint."""
    if config.preference == "off":
        return None
    from distill.identity import load_identity
    from distill.train.preference import prefer

    rows, identity = read_rows(folder / "train.jsonl"), load_identity(folder / "identity.toml")
    return prefer(model, tokenizer, rows, identity, config, machine, seed, progress).as_json()


def run_fingerprint(folder: Path, base, config: TrainConfig, seed: int) -> str:
    """A hash of everything that decides the adapter: rows, base, numbers, seed, libraries.

    Raises UserError where train.jsonl is missing.
    """
    numbers = asdict(config)
    for key in NOT_IN_RESULT:
        del numbers[key]
    try:
        rows = {p: sha256_file(folder / p) for p in ("train.jsonl", "held_out.jsonl")}
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}; run curate first") from error
    facts = {
        "rows": rows,
        "base": [base.name, base.revision, base.lineage],
        "numbers": numbers,
        "seed": seed,
        "versions": [version(name) for name in LIBRARIES],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def finished(folder: Path, fingerprint: str) -> TrainSummary | None:
    """The summary of a training that is done: its inputs are these and its adapter is intact."""
    try:
        record = json.loads((folder / DONE).read_text(encoding="utf-8"))
        intact = sha256_file(folder / "adapter" / "adapter_model.safetensors")
    except (OSError, ValueError):
        return None
    if (record.get("fingerprint"), record.get("adapter_sha256")) != (fingerprint, intact):
        return None
    return TrainSummary(**{key: record[key] for key in TrainSummary.__dataclass_fields__})


def read_rows(path: Path) -> list[dict]:
    """The rows of a JSONL file. Raises UserError that names the file and line."""
    rows = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
                row["messages"][0]["role"], row["messages"][0]["content"]
            except (ValueError, KeyError, IndexError, TypeError) as error:
                raise UserError(f"{path}, line {number}: not a row of turns ({error})") from error
            rows.append(row)
    return rows


def token_cache(folder: Path, tokenizer, config: TrainConfig) -> TokenCache | None:
    """The tokens of this home's earlier nights, where the lever is on and this process is first."""
    if "cache" not in config.levers or not is_first():
        return None
    return TokenCache(cache_file(tokenizer, str(folder.resolve().parent)))


def read_records(
    rows: list[dict],
    folder: Path,
    tokenizer,
    config: TrainConfig,
    limit: int,
    counts: Counter,
    cache: TokenCache | None = None,
) -> list[Record]:
    """The rows of train.jsonl as records of at most `limit` tokens.

    Raises UserError where none has anything to learn from.
    """
    path = folder / "train.jsonl"
    if not rows:
        raise UserError(f"{path} has no rows: there is nothing of the agent's own to learn from")
    records = tokenise(rows, tokenizer, max_length=limit, counts=counts, cache=cache)
    if not records:
        raise UserError(
            f"{path}: none of its {len(rows)} rows has a token to learn from"
            f" ({counts['dropped']} without loss within {limit} tokens,"
            f" {counts['changed']} changed by the base's chat template)"
        )
    return records


def raw_packs(rows: list[dict], tokenizer, config: TrainConfig, length: int, seed: int):
    """The rows' own text without turns as packs, for recipes with a first stage; else None."""
    from distill.train.packing import pack

    if not config.raw_epochs:
        return None
    records = tokenise_raw(rows, tokenizer, max_length=length)
    apart = "packing" not in config.levers
    return pack(records, length, seed, apart=apart) if records else None


def held_out_packs(
    path: Path, tokenizer, config: TrainConfig, seed: int, limit: int, cache: TokenCache | None
):
    """Packs of held-out rows drawn by `seed`, up to `held_out_tokens`; None without any."""
    from distill.train.packing import pack

    rows = read_rows(path)
    random.Random(seed).shuffle(rows)
    records, tokens = [], 0
    for record in tokenise(rows, tokenizer, max_length=limit, cache=cache):
        if records and tokens + len(record.input_ids) > config.held_out_tokens:
            break
        records.append(record)
        tokens += len(record.input_ids)
    return pack(records, limit, seed) if records else None
