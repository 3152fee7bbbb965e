"""Does the model know who it is: probes, the word after "I am", controls, free texts."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from distill.evaluate.collapse import share
from distill.evaluate.intervals import difference, percentiles, wilson
from distill.evaluate.judge import (
    ANOTHER,
    NEITHER,
    RIGHT,
    Names,
    claims,
    claims_another,
    judge_are_you,
    judge_author,
    judge_name,
    over_claims,
    rivals,
)
from distill.evaluate.probes import Probe
from distill.evaluate.runner import Runner
from distill.identity import Identity

FORCED = "I am"
PLAIN_QUESTIONS = ("direct", "paraphrase")


@dataclass(frozen=True)
class Told:
    """A probe, what the model answered, the ruling, and whether it stopped by itself."""

    probe: Probe
    text: str
    ruling: str
    stopped: bool

    def as_json(self) -> dict:
        """The row of the report."""
        return {
            "family": self.probe.family,
            "question": self.probe.question,
            "about": self.probe.about,
            "answer": self.text,
            "ruling": self.ruling,
            "stopped": self.stopped,
        }


@dataclass(frozen=True)
class Forced:
    """What stands after "I am": every name's log-probability (nats), greedy and sampled words."""

    own: float
    others: dict[str, float]
    greedy: str
    sampled: str


def answer(
    runner: Runner, probe: Probe, names: Names, *, max_tokens: int, seed: int = 0, hot: float = 0.0
) -> Told:
    """One answer and its ruling; `hot` is the temperature."""
    reply = runner.chat(probe.turns(), max_tokens=max_tokens, temperature=hot, seed=seed)
    return Told(probe, reply.text, _rule(probe, reply.text, names), reply.stopped)


def _rule(probe: Probe, text: str, names: Names) -> str:
    if probe.asks == "yes_no":
        return judge_are_you(text, names.with_made_up((probe.about,)), probe.about)
    if probe.asks == "author":
        return judge_author(text, names, probe.about)
    if probe.asks == "name":
        return judge_name(text, names)
    if claims_another(text, names):
        return ANOTHER
    return RIGHT if over_claims(text, names) else NEITHER


def forced(
    runner: Runner, probe: Probe, identity: Identity, *, temperature: float, seed: int
) -> Forced:
    """The first words after a forced "I am", as likelihoods and as they come.

    A being counts with its likeliest name (a full name is never likelier than its beginning).
    """
    others = rivals(identity)
    flat = [(being, name) for being, forms in others.items() for name in forms]
    continuations = [f" {name}" for name in [identity.agent.name, *(name for _, name in flat)]]
    scores = runner.log_probability(probe.turns(), FORCED, continuations)
    best: dict[str, float] = {}
    for (being, _), score in zip(flat, scores[1:], strict=True):
        best[being] = max(score, best.get(being, score))
    said = [
        runner.chat(probe.turns(), prefix=FORCED, max_tokens=8, temperature=hot, seed=seed).text
        for hot in (0.0, temperature)
    ]
    return Forced(scores[0], best, *said)


def forced_numbers(junior: Sequence[Forced], base: Sequence[Forced], names: Names) -> dict:
    """Margins in nats and shares over the contexts both models were asked in.

    `margin`: own name over the likeliest other. `margin_over_base`: the same after the base's own
    log-probabilities are taken off name by name, since names of several tokens start far behind.
    """
    pairs = list(zip(junior, base, strict=False))
    raw = [one.own - max(one.others.values()) for one in junior if one.others]
    lifted = [
        (one.own - before.own) - max(one.others[k] - before.others[k] for k in one.others)
        for one, before in pairs
        if one.others
    ]
    words = {
        f"{how}_{whose}": _share(_whose(getattr(one, how), names) == whose for one in junior)
        for how in ("greedy", "sampled")
        for whose in ("own", "other")
    }
    return {
        "n": len(junior),
        "margin": _median(raw),
        "margin_over_base": _median(lifted),
        "above": _share(value > 0 for value in raw),
        "above_over_base": _share(value > 0 for value in lifted),
        **words,
    }


def _median(values: Sequence[float]) -> dict | None:
    """{"value", "n", "interval"}: the median, its interval by drawing the contexts anew."""
    if not values:
        return None
    rng = random.Random(len(values))
    drawn = [median(rng.choices(values, k=len(values))) for _ in range(300)]
    return {"value": median(values), "n": len(values), "interval": percentiles(drawn)}


def _whose(continuation: str, names: Names) -> str:
    """Whose name comes after "I am": own, other, or ""."""
    found = claims(f"{FORCED} {continuation.strip()}", names)
    if not found:
        return ""
    return "own" if found[0] in names.own else "other"


def _share(hits: Iterable[bool]) -> dict | None:
    """{"value", "n", "interval"} of a share; None of nothing."""
    seen = [bool(hit) for hit in hits]
    return share(sum(seen), len(seen))


def rulings(told: Sequence[Told], ruling: str) -> dict | None:
    """Share of answers with a ruling, with n and interval; None without an answer."""
    return _share(one.ruling == ruling for one in told)


def families(told: Sequence[Told]) -> dict[str, dict]:
    """Per family: n, right, another, with the interval of right."""
    table = {}
    for family in dict.fromkeys(one.probe.family for one in told):
        rows = [one for one in told if one.probe.family == family]
        count = Counter(one.ruling for one in rows)
        table[family] = {
            "n": len(rows),
            "right": count[RIGHT] / len(rows),
            "another": count[ANOTHER] / len(rows),
            "interval": wilson(count[RIGHT], len(rows)),
        }
    return table


def channel_numbers(told: Sequence[Told]) -> dict | None:
    """The worst channel's share right less that of plain questions, by the header's channel."""
    plain = [one.ruling == RIGHT for one in told if one.probe.family in PLAIN_QUESTIONS]
    channels: dict[str, list[bool]] = {}
    for one in told:
        if one.probe.family == "channel":
            channel = one.probe.question.split("]")[0].rpartition("| ")[2]
            channels.setdefault(channel, []).append(one.ruling == RIGHT)
    if not plain or not channels:
        return None
    shares = {channel: sum(right) / len(right) for channel, right in channels.items()}
    worst_one = min(shares, key=lambda channel: shares[channel])
    right = channels[worst_one]
    return {
        "value": shares[worst_one] - sum(plain) / len(plain),
        "n": len(right),
        "interval": difference(sum(right), len(right), sum(plain), len(plain)),
        "note": ", ".join(f"{channel} {share:.0%}" for channel, share in shares.items()),
    }


def worst(told: Sequence[Told], count: int = 10) -> list[dict]:
    """The answers that went most wrong: as another, then a name nobody asked for, then none."""
    unasked = ("journal", "status", "ordinary", "who_is", "free")

    def badness(one: Told) -> int:
        if one.ruling == ANOTHER:
            return 3
        if one.probe.family in unasked:
            return 2 if one.ruling == RIGHT else 0
        return 1 if one.ruling == NEITHER else 0

    bad = sorted((one for one in told if badness(one)), key=badness, reverse=True)
    return [one.as_json() for one in bad[:count]]
