"""Intervals, paired tests and trends, so that no number stands without its uncertainty."""

import math
import random
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

Interval = tuple[float, float]

_Z_95 = NormalDist().inv_cdf(0.975)
_Z_95_ONE_SIDED = NormalDist().inv_cdf(0.95)


def wilson(hits: int, n: int) -> Interval | None:
    """95 % Wilson score interval of a share `hits / n`; None without a trial (Wilson 1927)."""
    if n == 0:
        return None
    from scipy.stats import binomtest

    found = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def weighted_mean(pairs: Sequence[tuple[float, int]]) -> float:
    """Mean of (value, weight) pairs; nan where all weights are 0."""
    weight = sum(w for _, w in pairs)
    return sum(v * w for v, w in pairs) / weight if weight else math.nan


def bootstrap(pairs: Sequence[tuple[float, int]], *, seed: int, rounds: int = 500) -> Interval:
    """95 % percentile interval of the weighted mean, resampling whole pairs (Efron 1979)."""
    rng, n = random.Random(seed), len(pairs)
    return percentiles([weighted_mean(rng.choices(pairs, k=n)) for _ in range(rounds)])


def percentiles(values: Sequence[float]) -> Interval:
    """The middle 95 of 100 of the values."""
    ordered, n = sorted(values), len(values)
    return ordered[int(0.025 * n)], ordered[min(n - 1, int(0.975 * n))]


def paired_upper_bound(before: Sequence[bool], after: Sequence[bool]) -> float:
    """Upper one-sided 95 % bound of mean(after) - mean(before) on the same items, as a share.

    Normal approximation of the paired difference of proportions (McNemar's discordant pairs);
    0 discordant pairs give 0, no items give nan.
    """
    n = len(before)
    if n == 0:
        return math.nan
    gained = sum(not b and a for b, a in zip(before, after, strict=True))
    lost = sum(b and not a for b, a in zip(before, after, strict=True))
    difference = (gained - lost) / n
    variance = (gained + lost - (gained - lost) ** 2 / n) / n**2
    return difference + _Z_95_ONE_SIDED * math.sqrt(variance)


def paired_interval(before: Sequence[bool], after: Sequence[bool]) -> Interval:
    """95 % interval of mean(after) - mean(before) on the same items, as paired_upper_bound's."""
    gain = sum(after) / len(after) - sum(before) / len(before)
    half = (paired_upper_bound(before, after) - gain) * _Z_95 / _Z_95_ONE_SIDED
    return gain - half, gain + half


def difference(hits: int, n: int, others: int, m: int) -> Interval:
    """95 % interval of hits / n - others / m (Newcombe 1998, method 10)."""
    (low, high), (low_2, high_2) = wilson(hits, n) or (0, 1), wilson(others, m) or (0, 1)
    one, two = hits / n, others / m
    return (
        one - two - math.hypot(one - low, high_2 - two),
        one - two + math.hypot(high - one, two - low_2),
    )


def mcnemar(lost: int, gained: int) -> float:
    """Two-sided exact p that both discordant counts have one chance (McNemar 1947)."""
    from scipy.stats import binomtest

    n = lost + gained
    return float(binomtest(lost, n, 0.5).pvalue) if n else 1.0


def caught(n: int, drop: float, allowed: float, discordant: float = 0.1) -> float:
    """How often the forgetting rule rejects a true `drop`, with `discordant` pairs (shares).

    Power of "the upper one-sided 95 % bound is under 0, and over `allowed` is lost", by the normal
    approximation of the paired difference on `n` items.
    """
    if n == 0:
        return 0.0
    spread = math.sqrt(max(discordant, drop) - drop**2) / math.sqrt(n)
    limit = max(allowed, _Z_95_ONE_SIDED * spread)
    return 1 - NormalDist(drop, spread).cdf(limit)


class Trend(NamedTuple):
    """Kendall's tau of a series against time (-1 to 1) and its two-sided p."""

    tau: float
    p: float


def mann_kendall(values: Sequence[float]) -> Trend | None:
    """Whether a series rises or falls with time (Mann 1945); None for fewer than four values."""
    if len(values) < 4:
        return None
    from scipy.stats import kendalltau

    found = kendalltau(range(len(values)), values)
    tau, p = float(found.statistic), float(found.pvalue)
    return Trend(0.0, 1.0) if math.isnan(tau) else Trend(tau, p)


def bradley_terry(wins: dict[tuple[str, str], int]) -> dict[str, float]:
    """Log strength of each side from {(winner, loser): times}, their mean 0 (Bradley, Terry 1952).

    The maximum of the likelihood with a fiftieth of a win added to every pair that met, so that a
    side that never lost has a number too.
    """
    from scipy.optimize import minimize

    sides = sorted({side for pair in wins for side in pair})
    place = {side: number for number, side in enumerate(sides)}
    met = {frozenset(pair) for pair in wins}
    counts = [
        (place[a], place[b], wins.get((a, b), 0) + 0.02)
        for pair in met
        for a, b in ((sorted(pair)), (sorted(pair, reverse=True)))
    ]

    def surprise(strength) -> float:
        return sum(
            n * math.log1p(math.exp(strength[b] - strength[a])) for a, b, n in counts
        ) + 1e-9 * sum(strength**2)

    found = minimize(surprise, [0.0] * len(sides), method="BFGS").x
    return {side: float(found[place[side]] - found.mean()) for side in sides}


def votes_needed(share: float, chance: float = 0.5, power: float = 0.8) -> int:
    """Votes that tell a true `share` from `chance` (two-sided 5 %) with this `power`."""
    reach = NormalDist().inv_cdf(power) * math.sqrt(share * (1 - share))
    return math.ceil(((_Z_95 * math.sqrt(chance * (1 - chance)) + reach) / (share - chance)) ** 2)


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Chance that a positive scores above a negative (area under the ROC; Mann-Whitney's U)."""
    from scipy.stats import mannwhitneyu

    u = mannwhitneyu(positive, negative).statistic
    return float(u) / (len(positive) * len(negative))
