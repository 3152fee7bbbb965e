"""How well the model predicts words of the agent it never saw, and whether it speaks and stops."""

import math
import random
from collections.abc import Iterable, Sequence

from distill.evaluate.intervals import Interval, bootstrap, weighted_mean, wilson
from distill.evaluate.runner import Runner

RowLoss = tuple[float, int]


def choose_rows(rows: Sequence[dict], count: int, seed: int) -> list[dict]:
    """`count` held-out rows at most, in an order any beginning of which is a fair sample."""
    return random.Random(seed).sample(list(rows), min(count, len(rows)))


def row_losses(runner: Runner, rows: Iterable[dict]) -> list[RowLoss]:
    """(nats per token, tokens) of each row, over its loss spans alone."""
    return [runner.loss([row]) for row in rows]


def loss_numbers(losses: Sequence[RowLoss], *, seed: int) -> dict | None:
    """Mean nats a token, rows, tokens and bootstrap interval; None without a finite token."""
    kept = [(nats, tokens) for nats, tokens in losses if tokens and math.isfinite(nats)]
    if not kept:
        return None
    return {
        "value": weighted_mean(kept),
        "n": len(kept),
        "tokens": sum(tokens for _, tokens in kept),
        "interval": bootstrap(kept, seed=seed),
    }


def gain_numbers(junior: Sequence[RowLoss], other: Sequence[RowLoss], *, seed: int) -> dict | None:
    """junior - other in nats a token on the rows both have seen; below 0 the junior is nearer.

    The rows are resampled in pairs, so what a row is hard for both does not widen the interval.
    A row whose loss is not finite for the junior stays in: it makes the value nan, and fails.
    """
    pairs = [
        (mine[0] - theirs[0], mine[1])
        for mine, theirs in zip(junior, other, strict=False)
        if mine[1] and theirs[1]
    ]
    if not pairs:
        return None
    value: float = weighted_mean(pairs)
    interval: Interval | None = bootstrap(pairs, seed=seed) if math.isfinite(value) else None
    return {"value": value, "n": len(pairs), "interval": interval}


def distinct_3(texts: Iterable[str]) -> float | None:
    """Share of word triples that are different, over all texts; None where there is no triple.

    Falls to a third when a model is trained on its own output for five nights.
    """
    triples: list[tuple[str, ...]] = []
    for text in texts:
        words = text.split()
        triples += zip(words, words[1:], words[2:], strict=False)
    return len(set(triples)) / len(triples) if triples else None


def speaks_numbers(answers: Sequence[tuple[str, bool]]) -> dict:
    """From (text, stopped) pairs: shares not empty and stopped by themselves, distinct-3."""
    n = len(answers)
    spoken, stopped = sum(bool(text.strip()) for text, _ in answers), sum(s for _, s in answers)
    return {
        "n": n,
        "nonempty": {"value": spoken / n, "n": n, "interval": wilson(spoken, n)} if n else None,
        "stops": {"value": stopped / n, "n": n, "interval": wilson(stopped, n)} if n else None,
        "distinct_3": distinct_3(text for text, _ in answers),
        "unique": len({text for text, _ in answers}) / n if n else None,
    }
