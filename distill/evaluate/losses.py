"""How well the model foresees words it never saw: the agent's own, and other people's."""

import hashlib
import math
import random
from collections.abc import Iterable, Sequence

from distill.evaluate.intervals import Interval, bootstrap, weighted_mean
from distill.evaluate.runner import Runner

RowLoss = tuple[float, int]


def choose_rows(rows: Sequence[dict], count: int, seed: int) -> list[dict]:
    """`count` held-out rows at most, in an order any beginning of which is a fair sample."""
    return random.Random(seed).sample(list(rows), min(count, len(rows)))


def row_losses(runner: Runner, rows: Iterable[dict]) -> list[RowLoss]:
    """(nats per token, tokens) of each row, over its loss spans alone."""
    return [runner.loss([row]) for row in rows]


def text_row(text: str, card: str) -> dict:
    """A text as the answer to a neutral request, all of it scored."""
    return {
        "messages": [
            {"role": "system", "content": card, "loss": []},
            {"role": "user", "content": "Write a message.", "loss": []},
            {"role": "assistant", "content": text, "loss": [[0, len(text)]]},
        ]
    }


def row_key(row: dict) -> str:
    """16 hex digits that stand for the words of a row, the same in every night."""
    words = "\0".join(turn["content"] for turn in row["messages"][1:])
    return hashlib.blake2b(words.encode(errors="surrogatepass"), digest_size=8).hexdigest()


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
    pairs = _paired(junior, other)
    if not pairs:
        return None
    value: float = weighted_mean(pairs)
    interval: Interval | None = bootstrap(pairs, seed=seed) if math.isfinite(value) else None
    return {"value": value, "n": len(pairs), "interval": interval}


def selective_numbers(
    own: tuple[Sequence[RowLoss], Sequence[RowLoss]],
    others: tuple[Sequence[RowLoss], Sequence[RowLoss]],
    *,
    seed: int,
) -> dict | None:
    """What was gained on own held-out text beyond what was gained on others' (nats a token).

    Each pair is (junior's losses, base's). Below 0 the junior has come nearer to its owner than to
    anybody who writes; None without text of either. Both sides are resampled for the interval.
    """
    mine, theirs = _paired(*own), _paired(*others)
    if not mine or not theirs:
        return None
    value = weighted_mean(mine) - weighted_mean(theirs)
    if not math.isfinite(value):
        return {"value": value, "n": len(theirs), "interval": None}
    rng = random.Random(seed)
    drawn = sorted(
        weighted_mean(rng.choices(mine, k=len(mine)))
        - weighted_mean(rng.choices(theirs, k=len(theirs)))
        for _ in range(500)
    )
    return {"value": value, "n": len(theirs), "interval": (drawn[12], drawn[487])}


def drift_numbers(junior: Sequence[RowLoss], base: Sequence[RowLoss], *, seed: int) -> dict | None:
    """KL(base, junior) in nats a token on text the base wrote itself to general requests.

    The mean of log p(base) - log p(junior) over the base's own samples (Monte Carlo); they are cut
    at its TOP_K and TOP_P, so it is the divergence on what the base would say in use.
    """
    return gain_numbers(junior, base, seed=seed)


def _paired(junior: Sequence[RowLoss], other: Sequence[RowLoss]) -> list[RowLoss]:
    """(difference in nats a token, tokens) of the rows both have seen."""
    return [
        (mine[0] - theirs[0], mine[1])
        for mine, theirs in zip(junior, other, strict=False)
        if mine[1] and theirs[1]
    ]
