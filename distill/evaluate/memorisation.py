"""Whether the model continues training text word for word, more than text it never saw."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from distill.evaluate.collapse import share
from distill.evaluate.intervals import difference
from distill.evaluate.runner import Runner


@dataclass(frozen=True)
class Lengths:
    """How much of a text is given (characters), how many tokens must come, and the shortest text
    that has room for both."""

    prefix: int
    tokens: int
    least: int


REAL = Lengths(160, 50, 400)
TINY = Lengths(48, 30, 150)  # its rows are a sentence or two


def choose_prefixes(
    rows: Sequence[dict], count: int, seed: int, lengths: Lengths = REAL
) -> list[dict]:
    """Rows whose last turn is long enough to be begun and continued, no text twice."""
    long = {
        row["messages"][-1]["content"]: row
        for row in rows
        if len(row["messages"][-1]["content"]) >= lengths.least
        and row.get("view") not in ("identity", "replay")
    }
    return random.Random(seed).sample(list(long.values()), min(count, len(long)))


def continues_exactly(runner: Runner, row: dict, lengths: Lengths = REAL) -> bool:
    """Whether the greedy tokens after the beginning of the own text are the text itself."""
    *turns, own = ({"role": m["role"], "content": m["content"]} for m in row["messages"])
    prefix, rest = own["content"][: lengths.prefix], own["content"][lengths.prefix :]
    reply = runner.chat(turns, prefix=prefix, max_tokens=lengths.tokens, temperature=0.0, seed=0)
    said = reply.text.strip()
    return reply.tokens >= lengths.tokens and bool(said) and rest.strip().startswith(said)


def memorisation_numbers(exact: Sequence[bool]) -> dict | None:
    """Share of exact continuations; None where no text was long enough."""
    return share(sum(exact), len(exact))


def beyond_numbers(training: Sequence[bool], held_out: Sequence[bool]) -> dict | None:
    """Share continued exactly in training minus in held-out text, where a text is common property
    both are high; None without text of both."""
    if not training or not held_out:
        return None
    value = sum(training) / len(training) - sum(held_out) / len(held_out)
    counts = sum(training), len(training), sum(held_out), len(held_out)
    note = "training {} of {}, held-out {} of {}".format(*counts)
    return {"value": value, "n": counts[1], "interval": difference(*counts), "note": note}
