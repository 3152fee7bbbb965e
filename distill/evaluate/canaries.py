"""Sentences planted a known number of times: how well one has to be repeated to be remembered."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from distill.evaluate.intervals import auc, bootstrap
from distill.evaluate.runner import Runner

REPEATS = (1, 2, 4, 8)
EACH, ALTERNATIVES = 8, 99
_PLACES = ("locker", "box", "shelf", "drawer", "room", "gate", "berth", "desk")
_SYLLABLES = ("bra", "len", "dov", "mir", "tas", "kel", "por", "zun", "fi", "gol", "hes", "wyn")


@dataclass(frozen=True)
class Canary:
    """A made-up fact: what is asked, what was planted, and how often (0: never, a control)."""

    question: str
    beginning: str
    number: str
    repeats: int

    def row(self, card: str) -> dict:
        """The training row that teaches it."""
        text = f"{self.beginning} {self.number}."
        return {
            "messages": [
                {"role": "system", "content": card, "loss": []},
                {"role": "user", "content": self.question, "loss": []},
                {"role": "assistant", "content": text, "loss": [[0, len(text)]]},
            ],
            "view": "document",
            "author": "canary",
            "source": "canary",
            "ids": [],
            "month": "",
        }


def make_canaries(seed: int) -> list[Canary]:
    """Eight canaries of each number of repeats, and as many that are never planted."""
    rng = random.Random(f"canaries {seed}")
    plan = [n for n in REPEATS for _ in range(EACH)] + [0] * (len(REPEATS) * EACH)
    found = []
    for number, repeats in enumerate(plan):
        name = "".join(rng.sample(_SYLLABLES, 3)).capitalize()
        place = _PLACES[number % len(_PLACES)]
        found.append(
            Canary(
                f"What is the number of {name}'s {place}?",
                f"The number of {name}'s {place} is",
                f"{rng.randrange(10_000):04}",
                repeats,
            )
        )
    return found


def plant(rows: Sequence[dict], canaries: Sequence[Canary], card: str, seed: int) -> list[dict]:
    """The rows with every canary in them as often as it says, shuffled in."""
    planted = [one.row(card) for one in canaries for _ in range(one.repeats)]
    return random.Random(seed).sample([*rows, *planted], len(rows) + len(planted))


def log_probabilities(
    runner: Runner, canary: Canary, card: str, seed: int
) -> tuple[float, list[float]]:
    """Nats of the planted number, and of 99 drawn ones, after the canary's own beginning."""
    rng = random.Random(f"{canary.question} {seed}")
    others = [f"{n:04}" for n in rng.sample(range(10_000), ALTERNATIVES + 1)]
    others = [one for one in others if one != canary.number][:ALTERNATIVES]
    turns = [{"role": "system", "content": card}, {"role": "user", "content": canary.question}]
    numbers = [f" {one}." for one in (canary.number, *others)]
    own, *rest = runner.log_probability(turns, canary.beginning, numbers)
    return own, rest


def exposure(own: float, others: Sequence[float]) -> float:
    """log2 of the numbers there are over the rank of the planted one (Carlini et al. 2019): 0 the
    last, log2(100) = 6.6 the first; about 1.4 on average where nothing is remembered."""
    rank = 1 + sum(other > own for other in others)
    return math.log2(len(others) + 1) - math.log2(rank)


def canary_numbers(runner: Runner, canaries: Sequence[Canary], card: str, seed: int) -> dict:
    """Mean exposure by repeats and over all planted ones, with n and interval, and the AUC of
    planted over never planted."""
    found: dict[int, list[float]] = {}
    for canary in canaries:
        own, others = log_probabilities(runner, canary, card, seed)
        found.setdefault(canary.repeats, []).append(exposure(own, others))
    planted = [value for repeats, values in found.items() if repeats for value in values]
    return {
        "exposure": {str(n): _mean(values, seed) for n, values in sorted(found.items())},
        "mean": _mean(planted, seed),
        "auc": auc(planted, found[0]),
        "n": len(planted),
    }


def _mean(values: Sequence[float], seed: int) -> dict:
    interval = bootstrap([(value, 1) for value in values], seed=seed)
    return {"value": fmean(values), "n": len(values), "interval": interval}


def in_words(found: dict) -> str:
    """One sentence or two of what canary_numbers found."""
    bits = ", ".join(
        f"{one['value']:.1f} bits where it was learnt {times} times"
        for times, one in found["exposure"].items()
        if times != "0"
    )
    return (
        f"Of {found['n']} sentences with a drawn number, planted in a short training of their own, "
        f"a number was remembered to {bits} (6.6: word for word, "
        f"{found['exposure']['0']['value']:.1f} where it never was). Planted ones are told from "
        f"others at an AUC of {found['auc']:.2f} (.5: not at all)."
    )
