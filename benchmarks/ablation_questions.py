"""What each model of the ablation is asked, and the shares over seeds with their intervals."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from distill.evaluate.identity import PLAIN_QUESTIONS, Forced, answer, families, forced
from distill.evaluate.identity import forced_numbers as _forced_numbers
from distill.evaluate.intervals import wilson
from distill.evaluate.judge import Names, known_names
from distill.evaluate.probes import make_controls, make_probes
from distill.identity import Identity

TEMPERATURE = 0.8  # after the forced "I am"
UNASKED = ("journal", "status")  # over-claims of the tiny base are judged on these


@dataclass(frozen=True)
class Limits:
    """How much is asked: `probes` over all families, `controls` a quarter each of four kinds."""

    probes: int = 260
    controls: int = 220
    answer_tokens: int = 40
    context_tokens: int = 2048
    threads: int | None = 1


def ask(path: Path, identity: Identity, card: str, seed: int, limits: Limits) -> dict:
    """Everything the model at `path` is asked with the system turn `card`; shares as counts."""
    from distill.embedded import Embedded

    names, started = known_names(identity), time.monotonic()
    probes = make_probes(identity, limits.probes, seed, card=card)
    controls = make_controls(identity, limits.controls, seed, card=card)
    with Embedded(path, n_ctx=limits.context_tokens, threads=limits.threads) as runner:
        told = [
            answer(runner, probe, names, max_tokens=limits.answer_tokens, seed=seed)
            for probe in (*probes, *controls)
        ]
        contexts = [probe for probe in probes if probe.family in PLAIN_QUESTIONS]
        after = [
            forced(runner, probe, identity, temperature=TEMPERATURE, seed=seed * 1000 + number)
            for number, probe in enumerate(contexts)
        ]
    return {
        "families": families(told),
        "forced": [vars(one) for one in after],
        "after": _words(after, names),
        "samples": [one.as_json() for one in told[:6] + told[-6:]],
        "seconds_asking": round(time.monotonic() - started, 1),
    }


def _words(after: Sequence[Forced], names: Names) -> dict[str, float]:
    """Hits after "I am" by `greedy` or `sampled`, `own` or `other`."""
    numbers = _forced_numbers(after, after, names)
    kinds = [f"{how}_{whose}" for how in ("greedy", "sampled") for whose in ("own", "other")]
    return {kind: round(numbers[kind]["value"] * numbers[kind]["n"]) for kind in kinds}


@dataclass(frozen=True)
class Share:
    """Hits of n over all seeds, and the share of each seed."""

    hits: int
    n: int
    by_seed: tuple[float, ...]

    def __str__(self) -> str:
        if not self.n:
            return "-"
        low, high = wilson(self.hits, self.n)
        return f"{100 * self.value:.1f} ({100 * low:.1f} to {100 * high:.1f})"

    @property
    def value(self) -> float:
        return self.hits / self.n if self.n else float("nan")


def share(pairs: Iterable[tuple[int, int]]) -> Share:
    """Of (hits, n) of each seed."""
    pairs = list(pairs)
    by_seed = tuple(hits / n for hits, n in pairs if n)
    return Share(sum(h for h, _ in pairs), sum(n for _, n in pairs), by_seed)


def of_families(results: Sequence[dict], names: Sequence[str], ruling: str) -> Share:
    """Share of `ruling` (right, another) in some families of questions, over seeds."""
    pairs = []
    for result in results:
        rows = [result["families"][name] for name in names if name in result["families"]]
        pairs.append((sum(round(r[ruling] * r["n"]) for r in rows), sum(r["n"] for r in rows)))
    return share(pairs)


def after_i_am(results: Sequence[dict], kind: str) -> Share:
    """Share of own or another's name after a forced "I am", over seeds."""
    return share((result["after"][kind], len(result["forced"])) for result in results)


def margin(results: Sequence[dict]) -> float | None:
    """Median nats of the own name over the likeliest other one, over all seeds' contexts."""
    found = [
        one["own"] - max(one["others"].values())
        for result in results
        for one in result["forced"]
        if one["others"]
    ]
    return median(found) if found else None


def margin_over_base(results: Sequence[dict], bases: dict[int, dict]) -> float | None:
    """The same after the base's own log-probabilities are taken off, name by name."""
    found = []
    for result in results:
        base = bases.get(result["seed"], {"forced": []})["forced"]
        for one, before in zip(result["forced"], base, strict=False):
            lifted = [one["others"][name] - before["others"][name] for name in one["others"]]
            found.append(one["own"] - before["own"] - max(lifted))
    return median(found) if found else None
