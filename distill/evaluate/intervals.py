"""Intervals and paired bounds, so that no number stands without its uncertainty."""

import math
import random
from collections.abc import Sequence
from statistics import NormalDist

Interval = tuple[float, float]

_Z_95 = NormalDist().inv_cdf(0.975)
_Z_95_ONE_SIDED = NormalDist().inv_cdf(0.95)


def wilson(hits: int, n: int) -> Interval | None:
    """95 % Wilson score interval of a share `hits / n`; None without a trial (Wilson 1927)."""
    if n == 0:
        return None
    share, z2 = hits / n, _Z_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z_95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def weighted_mean(pairs: Sequence[tuple[float, int]]) -> float:
    """Mean of (value, weight) pairs; nan where all weights are 0."""
    weight = sum(w for _, w in pairs)
    return sum(v * w for v, w in pairs) / weight if weight else math.nan


def bootstrap(pairs: Sequence[tuple[float, int]], *, seed: int, rounds: int = 500) -> Interval:
    """95 % percentile interval of the weighted mean, resampling whole pairs (Efron 1979)."""
    rng, n = random.Random(seed), len(pairs)
    means = sorted(weighted_mean(rng.choices(pairs, k=n)) for _ in range(rounds))
    return means[int(0.025 * rounds)], means[min(rounds - 1, int(0.975 * rounds))]


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
