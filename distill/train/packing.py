"""Records -> packs of one length without mixing them, and the updates these make."""

import bisect
import math
import random
from dataclasses import dataclass, replace

from distill.tokens import Record
from distill.train.recipes import TrainConfig

OPEN = 128  # packs that are being filled at once


@dataclass(frozen=True)
class Plan:
    """How packs become updates: `steps` of `accumulation` packs of at most `pack_length` tokens.

    `tokens` is how many all steps see together, about.
    """

    pack_length: int
    packs: int
    accumulation: int
    steps: int
    warmup_steps: int
    tokens: int = 0


def pack_length(records: list[Record], config: TrainConfig, most: int, processes: int = 1) -> int:
    """Tokens a pack: at most `most`, fewer where an update is less than a pack for each process.

    Never shorter than the longest record: best-fit packing truncates in silence.
    """
    return max(longest(records), min(most, _update(records, config) // processes))


def longest(records: list[Record]) -> int:
    return max(len(record.input_ids) for record in records)


def pack(records: list[Record], length: int, seed: int, *, apart: bool = False):
    """A dataset of packs: `input_ids`, `labels`, `seq_lengths`, in an order drawn from `seed`.

    With `apart` each record is a pack of its own. The lengths become position ids that start anew
    at each record, and those keep attention inside it. Records longer than `length` are an error
    here: they are cut before.
    """
    from datasets import Dataset

    assert all(len(r.input_ids) <= length for r in records), "cut records before they are packed"
    records = list(records)
    random.Random(seed).shuffle(records)
    packs = [[r] for r in records] if apart else best_fit(records, length)
    return Dataset.from_dict(
        {
            "input_ids": [[i for r in one for i in r.input_ids] for one in packs],
            "labels": [[i for r in one for i in r.labels] for one in packs],
            "seq_lengths": [[len(r.input_ids) for r in one] for one in packs],
        }
    )


def best_fit(records: list[Record], length: int) -> list[list[Record]]:
    """Packs of at most `length` tokens: each record goes where it leaves least room, as it comes.

    Best-fit decreasing, which TRL has, sorts them first: short records then share packs with short
    ones alone, and since those about identity are short, whole updates taught nothing but a name.
    """
    packs, room = [], []  # `room` is sorted: (tokens left, number of the pack) of the open ones
    for record in records:
        at = bisect.bisect_left(room, (len(record.input_ids),))
        if at < len(room):
            left, number = room.pop(at)
        else:
            left, number = length, len(packs)
            packs.append([])
        packs[number].append(record)
        bisect.insort(room, (left - len(record.input_ids), number))
        del room[: max(0, len(room) - OPEN)]  # the fullest
    return packs


def in_order(raw, rows, config: TrainConfig, seed: int):
    """The packs of a whole training, one after the other: raw text first, then rows.

    Each epoch has an order of its own, drawn from `seed`; `raw` may be None. What is left of the
    last epoch is decided by the plan's steps.
    """
    from datasets import concatenate_datasets

    parts, draw = [], random.Random(seed)
    for packs, epochs in ((raw, config.raw_epochs), (rows, config.epochs)):
        for number in range(math.ceil(epochs) if packs is not None else 0):
            order = draw.sample(range(len(packs)), len(packs))
            share = min(1.0, epochs - number)
            parts.append(packs.select(order[: math.ceil(share * len(order))]))
    return concatenate_datasets(parts)


def total_tokens(records: list[Record], config: TrainConfig) -> int:
    """Tokens of a whole cold training on these records."""
    tokens = round(sum(len(r.input_ids) for r in records) * (config.epochs + config.raw_epochs))
    return min(tokens, config.max_tokens) if config.max_tokens else tokens


def plan(
    packs, records: list[Record], length: int, config: TrainConfig, processes: int = 1
) -> Plan:
    """The updates that `packs` (of a whole training) make; `processes` share each of them."""
    tokens = sum(sum(lengths) for lengths in packs["seq_lengths"])
    accumulation = max(1, round(_update(records, config) / (tokens / len(packs)) / processes))
    update = tokens / len(packs) * accumulation * processes
    wanted = min(tokens, config.max_tokens) if config.max_tokens else tokens
    steps = max(
        1, math.ceil(round(wanted / update, 6)) if wanted == tokens else round(wanted / update)
    )
    return with_steps(
        Plan(length, len(packs), accumulation, steps, 0, round(update * steps)), steps, config
    )


def with_steps(plan: Plan, steps: int, config: TrainConfig) -> Plan:
    """The same plan with another number of steps, and the warm-up that belongs to it."""
    warmup = math.ceil(config.warmup * steps) if steps > 1 else 0
    return replace(
        plan, steps=steps, warmup_steps=warmup, tokens=round(plan.tokens * steps / plan.steps)
    )


def _update(records: list[Record], config: TrainConfig) -> int:
    """Tokens an update: fewer than configured where an epoch had too few updates otherwise."""
    tokens = sum(len(r.input_ids) for r in records)
    return max(1, min(config.tokens_per_update, tokens // max(1, config.min_updates)))
