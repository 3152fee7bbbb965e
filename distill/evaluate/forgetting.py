"""What the base could do and the junior cannot any more."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

from distill.base.skills import is_right
from distill.evaluate.intervals import paired_upper_bound, wilson
from distill.evaluate.runner import Runner

LEAST_AT_BASE = 0.6


def read_items(base_path: Path, count: int, seed: int) -> list[dict]:
    """Items of the base's skills.jsonl, `count` at most, kinds mixed; [] where there are none."""
    try:
        lines = (base_path / "skills.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    items = [json.loads(line) for line in lines if line.strip()]
    return random.Random(seed).sample(items, min(count, len(items)))


def graded(runner: Runner, item: dict) -> bool:
    """Whether the greedy answer holds what the item asks for."""
    *turns, expected = item["messages"]
    turns = [{"role": turn["role"], "content": turn["content"]} for turn in turns]
    reply = runner.chat(turns, max_tokens=40, temperature=0.0, seed=0)
    return is_right({"kind": "", "answer": expected["content"]} | item, reply.text)


def forgetting_numbers(base: Sequence[bool], junior: Sequence[bool]) -> dict | None:
    """Shares right, the change as a share, and the upper one-sided 95 % bound of the change.

    `measurable` is False where the base itself is under 60 %: then there is too little to forget.
    """
    n = min(len(base), len(junior))
    if n == 0:
        return None
    base, junior = list(base[:n]), list(junior[:n])
    return {
        "n": n,
        "base": sum(base) / n,
        "junior": sum(junior) / n,
        "interval": wilson(sum(junior), n),
        "change": (sum(junior) - sum(base)) / n,
        "upper_bound": paired_upper_bound(base, junior),
        "lost": sum(b and not j for b, j in zip(base, junior, strict=True)),
        "gained": sum(j and not b for b, j in zip(base, junior, strict=True)),
        "measurable": sum(base) / n >= LEAST_AT_BASE,
    }
