"""The statistics agree with values that others published."""

import random

import pytest

from distill.evaluate.intervals import (
    auc,
    bradley_terry,
    caught,
    difference,
    mann_kendall,
    mcnemar,
    paired_upper_bound,
    votes_needed,
    wilson,
)

TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
# Agresti, Categorical Data Analysis (2nd ed. 2002), table 10.10: games of 1987, rows won.
WON = (
    (0, 7, 9, 7, 7, 9, 11),
    (6, 0, 7, 5, 11, 9, 9),
    (4, 6, 0, 7, 7, 8, 12),
    (6, 8, 6, 0, 6, 7, 10),
    (6, 2, 6, 7, 0, 7, 12),
    (4, 4, 5, 6, 6, 0, 6),
    (2, 4, 1, 3, 1, 7, 0),
)


def test_wilson_agrees_with_newcombe_1998():
    # Newcombe (1998), Statistics in Medicine 17:857, table I: 81/263, 15/148, 0/20, 1/29.
    for hits, n, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        assert wilson(hits, n) == pytest.approx((low, high), abs=5e-5)
    assert wilson(0, 0) is None


def test_a_difference_of_shares_agrees_with_newcombe_1998():
    # Newcombe (1998), Statistics in Medicine 17:873, table II, method 10: 56/70 - 48/80.
    assert difference(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_mcnemar_is_a_sign_test_on_discordant_pairs():
    # 10 pairs, 1 against 9: 2 * (1 + 10) / 2**10; Agresti's ratings, 86 against 150: p near 4e-5.
    assert mcnemar(1, 9) == pytest.approx(22 / 1024)
    assert mcnemar(86, 150) == pytest.approx(3.7e-5, rel=0.1)
    assert mcnemar(0, 0) == 1.0 and mcnemar(5, 5) == 1.0


def test_bradley_terry_agrees_with_agrestis_league():
    pairs = {(a, b): WON[i][j] for i, a in enumerate(TEAMS) for j, b in enumerate(TEAMS) if i != j}
    found = bradley_terry(pairs)
    over_last = [found[team] - found["Baltimore"] for team in TEAMS]
    assert over_last == pytest.approx([1.58, 1.44, 1.29, 1.25, 1.11, 0.68, 0.0], abs=0.03)


def test_a_side_that_never_lost_has_a_finite_strength():
    found = bradley_terry({("own", "base"): 12, ("own", "junior"): 5, ("junior", "own"): 5})
    assert found["own"] > found["base"] and abs(found["base"]) < 20


def test_mann_kendall_knows_a_trend_from_noise():
    # five values in order: S = 10, exact p = 2 / 5! (Kendall 1938)
    rising = mann_kendall([1, 2, 3, 4, 5])
    assert (rising.tau, rising.p) == pytest.approx((1.0, 2 / 120))
    assert mann_kendall([5, 4, 3, 2, 1, 0]).tau == pytest.approx(-1)
    assert mann_kendall([2, 1, 4, 3, 2, 1, 4, 3]).p > 0.3
    assert mann_kendall([1, 1, 1, 1]).p == 1.0 and mann_kendall([1, 2]) is None


def test_auc_is_half_for_the_same_and_one_for_apart():
    assert auc([1, 2, 3], [1, 2, 3]) == 0.5
    assert auc([4, 5], [1, 2, 3]) == 1.0


def test_votes_needed_agree_with_the_textbook():
    # Fleiss: .6 against .5, two-sided 5 %, power 80 %: 194
    assert votes_needed(0.6) == 194
    assert votes_needed(0.9) < 15


def simulated(drop: float, n: int, seed: int) -> bool:
    """Whether the rule rejects one drawn junior with 10 % discordant pairs."""
    rng = random.Random(seed)
    lost, gained = (0.1 + drop) / 2, (0.1 - drop) / 2
    draws = rng.choices(("lost", "gained", "same"), (lost, gained, 1 - lost - gained), k=n)
    before = [one != "gained" for one in draws]
    after = [one != "lost" for one in draws]
    fallen = (sum(before) - sum(after)) / n
    return fallen > 0.03 and paired_upper_bound(before, after) < 0


def test_the_forgetting_rule_spares_the_honest_and_catches_what_it_promises():
    honest = sum(simulated(0.0, 1200, seed) for seed in range(300))
    five = sum(simulated(0.05, 1200, 1000 + seed) for seed in range(300))
    ten = sum(simulated(0.10, 300, 2000 + seed) for seed in range(300))
    assert honest == 0 and five >= 0.97 * 300 and ten >= 0.97 * 300


def test_the_power_that_is_printed_is_the_power_that_is_there():
    for drop, n in ((0.05, 1200), (0.03, 1200), (0.05, 300)):
        seen = sum(simulated(drop, n, 5000 + seed) for seed in range(400)) / 400
        assert caught(n, drop, 0.03) == pytest.approx(seen, abs=0.08)
