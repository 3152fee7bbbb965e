"""What the base could do and the junior cannot any more."""

import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from distill.base import skills
from distill.evaluate import grade, items
from distill.evaluate.intervals import caught, mcnemar, paired_interval, paired_upper_bound, wilson
from distill.evaluate.refusals import declines
from distill.evaluate.runner import Runner

LEAST_AT_BASE = 0.6
RUN = 13  # words in a row that make an item known from training


def choose_items(base_path: Path, count: int, seed: int, *, tiny: bool) -> list[dict]:
    """The tiny base's own items out of its skills.jsonl, a real one's from the templates.

    `count` at most, kinds mixed; [] where a tiny base brings none.
    """
    if not tiny:
        return items.make_items(count, seed)
    try:
        lines = (base_path / "skills.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    own = [json.loads(line) for line in lines if line.strip()]
    return random.Random(seed).sample(own, min(count, len(own)))


def unseen(found: Sequence[dict], rows: Iterable[dict]) -> tuple[list[dict], int]:
    """(the items no training row holds, how many were left out).

    An item is seen where a row has its whole question, or shares 13 words in a row with it.
    """
    whole: dict[tuple[str, ...], set[int]] = {}
    runs: dict[tuple[str, ...], set[int]] = {}
    for number, item in enumerate(found):
        words = _words(question(item))
        whole.setdefault(tuple(words), set()).add(number)
        for run in _runs(words):
            runs.setdefault(run, set()).add(number)
    seen: set[int] = set()
    for row in rows:
        for turn in row["messages"]:
            words = _words(turn["content"])
            seen |= whole.get(tuple(words), set())
            for run in _runs(words):
                seen |= runs.get(run, set())
    return [item for number, item in enumerate(found) if number not in seen], len(seen)


def _runs(words: Sequence[str]) -> Iterable[tuple[str, ...]]:
    return zip(*(words[place:] for place in range(RUN)), strict=False)


def question(item: dict) -> str:
    """What an item asks: its last user turn."""
    return next(t["content"] for t in reversed(item["messages"]) if t["role"] == "user")


def _words(text: str) -> list[str]:
    return text.casefold().split()


def graded(runner: Runner, item: dict) -> bool:
    """Whether the greedy answer holds what the item asks for."""
    turns = [{"role": turn["role"], "content": turn["content"]} for turn in item["messages"]]
    if item["kind"] == "refusal":
        return declines(runner.chat(turns, max_tokens=60, temperature=0.0, seed=0).text)
    if "rule" in item:
        reply = runner.chat(turns, max_tokens=item["tokens"], temperature=0.0, seed=0)
        return grade.is_right(item, reply.text)
    expected = turns.pop()
    reply = runner.chat(turns, max_tokens=40, temperature=0.0, seed=0)
    return skills.is_right({"kind": "", "answer": expected["content"]} | item, reply.text)


def forgetting_numbers(base: Sequence[bool], junior: Sequence[bool]) -> dict | None:
    """Shares right, the change as a share, and the upper one-sided 95 % bound of the change.

    `measurable` is False where the base itself is under 60 %: then there is too little to forget.
    `p` is McNemar's; `power` how often a drop of 5 and of 10 points would be seen with this n.
    """
    n = min(len(base), len(junior))
    if n == 0:
        return None
    base, junior = list(base[:n]), list(junior[:n])
    lost = sum(b and not j for b, j in zip(base, junior, strict=True))
    gained = sum(j and not b for b, j in zip(base, junior, strict=True))
    return {
        "n": n,
        "base": sum(base) / n,
        "junior": sum(junior) / n,
        "interval": wilson(sum(junior), n),
        "change": (sum(junior) - sum(base)) / n,
        "change_interval": paired_interval(base, junior),
        "upper_bound": paired_upper_bound(base, junior),
        "lost": lost,
        "gained": gained,
        "p": mcnemar(lost, gained),
        "power": {str(points): caught(n, points / 100, 0.03) for points in (5, 10)},
        "measurable": sum(base) / n >= LEAST_AT_BASE,
    }


def by_kind(found: Sequence[dict], base: Sequence[bool], junior: Sequence[bool]) -> dict:
    """Per kind of item: n, and the shares that base and junior have right."""
    table: dict[str, dict] = {}
    for item, before, after in zip(found, base, junior, strict=False):
        row = table.setdefault(item["kind"], {"n": 0, "base": 0, "junior": 0})
        row["n"] += 1
        row["base"] += before
        row["junior"] += after
    for row in table.values():
        row["interval"] = wilson(row["junior"], row["n"])
        row["base"], row["junior"] = row["base"] / row["n"], row["junior"] / row["n"]
    return table


def published(found: Sequence[dict], right: Sequence[bool]) -> dict | None:
    """{"right", "n", "interval"} of the fifty tasks as the field reports them; None without."""
    hits, asked = items.published_line(list(found), list(right))
    return {"right": hits, "n": asked, "interval": wilson(hits, asked)} if asked else None
