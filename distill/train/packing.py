"""Records -> packs of one length without mixing them, and the updates these make."""

import math
import random
from dataclasses import dataclass

from distill.tokens import Record
from distill.train.recipes import TrainConfig

WINDOW = 20_000  # records best-fit chooses among; TRL's own default is 1,000


@dataclass(frozen=True)
class Plan:
    """How packs become updates: `steps` of `accumulation` packs of at most `pack_length` tokens."""

    pack_length: int
    packs: int
    accumulation: int
    steps: int
    warmup_steps: int


def pack_length(records: list[Record], config: TrainConfig) -> int:
    """Tokens a pack: the configured ones, fewer where an update is smaller than a pack.

    Never shorter than the longest record: best-fit packing truncates in silence.
    """
    return max(
        max(len(r.input_ids) for r in records), min(config.pack_length, _update(records, config))
    )


def pack(records: list[Record], length: int, seed: int):
    """A dataset of packs: `input_ids`, `labels`, `seq_lengths`, in an order drawn from `seed`.

    TRL's `bfd` packing; the lengths become position ids that start anew at each record, and those
    keep attention inside it. Records longer than `length` are an error here, since `bfd` cuts them.
    """
    from datasets import Dataset, disable_progress_bars
    from trl import pack_dataset

    assert all(len(r.input_ids) <= length for r in records), "cut records before they are packed"
    disable_progress_bars()
    records = list(records)
    random.Random(seed).shuffle(records)
    columns = {
        "input_ids": [r.input_ids for r in records],
        "labels": [r.labels for r in records],
    }
    return pack_dataset(Dataset.from_dict(columns), length, "bfd", {"batch_size": WINDOW})


def plan(records: list[Record], packs: int, length: int, config: TrainConfig) -> Plan:
    """The updates that `packs` packs of these records make under a resolved configuration."""
    tokens = sum(len(r.input_ids) for r in records)
    accumulation = max(1, round(_update(records, config) / (tokens / packs)))
    steps = config.epochs * math.ceil(packs / accumulation)
    if config.max_tokens:
        steps = min(steps, config.max_tokens * packs / (tokens * accumulation))
    steps = max(1, round(steps))
    warmup = math.ceil(config.warmup * steps) if steps > 1 else 0
    return Plan(length, packs, accumulation, steps, warmup)


def _update(records: list[Record], config: TrainConfig) -> int:
    """Tokens an update: fewer than configured where an epoch had too few updates otherwise."""
    tokens = sum(len(r.input_ids) for r in records)
    return max(1, min(config.tokens_per_update, tokens // max(1, config.min_updates)))
