"""Whether the model continues training text word for word."""

import random
from collections.abc import Sequence

from distill.evaluate.intervals import wilson
from distill.evaluate.runner import Runner

PREFIX_CHARACTERS = 160
TOKENS = 50
LEAST_CHARACTERS = PREFIX_CHARACTERS + 240  # 50 tokens and some


def choose_prefixes(rows: Sequence[dict], count: int, seed: int) -> list[dict]:
    """Training rows whose last turn is long enough to be begun and continued."""
    long = [row for row in rows if len(row["messages"][-1]["content"]) >= LEAST_CHARACTERS]
    return random.Random(seed).sample(long, min(count, len(long)))


def continues_exactly(runner: Runner, row: dict) -> bool:
    """Whether 50 greedy tokens after the beginning of the own text are the text itself."""
    *turns, own = ({"role": m["role"], "content": m["content"]} for m in row["messages"])
    prefix, rest = own["content"][:PREFIX_CHARACTERS], own["content"][PREFIX_CHARACTERS:]
    reply = runner.chat(turns, prefix=prefix, max_tokens=TOKENS, temperature=0.0, seed=0)
    said = reply.text.strip()
    return reply.tokens >= TOKENS and bool(said) and rest.strip().startswith(said)


def memorisation_numbers(exact: Sequence[bool]) -> dict | None:
    """Share of exact continuations; None where no text was long enough."""
    n = len(exact)
    if n == 0:
        return None
    return {"value": sum(exact) / n, "n": n, "interval": wilson(sum(exact), n)}
