"""A canary is seen where it is remembered, by how often it was planted."""

from collections import Counter

import pytest

from distill.evaluate.canaries import canary_numbers, exposure, make_canaries, plant
from tests.fake_runner import FakeRunner, row, says_name

CANARIES = make_canaries(0)


class Remembers(FakeRunner):
    """Finds the planted number likeliest where it was planted four times and more."""

    def log_probability(self, messages, prefix, continuations):
        known = next(one for one in CANARIES if one.question == messages[-1]["content"])
        liked = f" {known.number}." if known.repeats >= 4 else continuations[50]
        return [-1.0 if one == liked else -9.0 - n / 100 for n, one in enumerate(continuations)]


def test_thirty_two_are_planted_and_as_many_are_not():
    count = Counter(one.repeats for one in CANARIES)
    assert count == {1: 8, 2: 8, 4: 8, 8: 8, 0: 32}
    assert len({one.question for one in CANARIES}) == 64 and make_canaries(0) == CANARIES


def test_each_is_planted_as_often_as_it_says():
    rows = plant([row(n) for n in range(9)], CANARIES, "You are Meridian.", 0)
    assert len(rows) == 9 + 8 * (1 + 2 + 4 + 8)
    often = next(one for one in CANARIES if one.repeats == 8)
    asked = [one["messages"][1]["content"] for one in rows]
    assert asked.count(often.question) == 8


def test_what_is_remembered_is_exposed():
    found = canary_numbers(Remembers(says_name("x")), CANARIES, "card", 0)
    assert found["exposure"]["8"]["value"] == pytest.approx(6.64, abs=0.01)
    assert found["exposure"]["1"]["value"] < found["exposure"]["4"]["value"]
    assert found["auc"] > 0.7 and found["n"] == 32


def test_exposure_is_the_log_of_the_rank():
    assert exposure(0.0, [-1.0] * 99) == pytest.approx(6.644, abs=1e-3)
    assert exposure(-2.0, [-1.0] * 99) == 0.0
