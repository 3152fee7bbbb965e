"""A canary is seen where it is remembered, by how often it was planted."""

import json
from collections import Counter

import pytest

from agent.night import wants_canaries
from distill.evaluate.canaries import canary_numbers, exposure, in_words, make_canaries, plant
from memory.db import open_database
from tests.fake_runner import GOOD, FakeRunner, row, run, says_name, write_night

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
    assert found["auc"] > 0.7 and found["n"] == found["mean"]["n"] == 32
    assert "6.6 bits where it was learnt 8 times" in in_words(found)


def test_the_next_nights_report_shows_them(tmp_path):
    before, now = write_night(tmp_path / "2026-11-13"), write_night(tmp_path / "2026-11-20")
    found = canary_numbers(Remembers(says_name("x")), CANARIES, "card", 0)
    (before / "canaries.json").write_text(json.dumps(found))
    assert run(now, GOOD).body["canaries"]["night"] == "2026-11-13"
    for name in ("report.html", "report.txt"):
        assert "where it was learnt 8 times" in " ".join((now / name).read_text().split())


def test_they_are_planted_a_week_after_the_first_night_and_weekly_then(tmp_path):
    with open_database(tmp_path / "memory.db") as db:
        for day in ("10", "16", "17", "18", "24"):
            started = f"2026-11-{day}T02:30:00+00:00"
            db["nights"].insert({"id": f"2026-11-{day}", "started_at": started})
        assert not wants_canaries(db, "2026-11-10", 7) and not wants_canaries(db, "2026-11-16", 7)
        assert wants_canaries(db, "2026-11-17", 7) and not wants_canaries(db, "2026-11-17", 0)
        stage = {"night": "2026-11-17", "name": "canaries", "attempt": 1}
        db["stages"].insert(stage | {"status": "done", "started_at": "2026-11-17T03:00:00+00:00"})
        assert not wants_canaries(db, "2026-11-18", 7) and wants_canaries(db, "2026-11-24", 7)


def test_exposure_is_the_log_of_the_rank():
    assert exposure(0.0, [-1.0] * 99) == pytest.approx(6.644, abs=1e-3)
    assert exposure(-2.0, [-1.0] * 99) == 0.0
