"""Nights beside nights: what faded, what is only a warning, and what the base said before."""

import json
import os
from pathlib import Path

import pytest

from distill.evaluate.cache import cached_base
from distill.evaluate.collapse import distinct_numbers, entropy
from distill.evaluate.gate import GateConfig, judge, make_checks
from distill.evaluate.history import (
    Night,
    frozen_losses,
    frozen_numbers,
    kept_numbers,
    previous_of,
    read_nights,
    series_of,
    trend_numbers,
)
from tests.fake_runner import FakeRunner, row, says_name


def night(id: str, value: float, frozen: dict | None = None) -> Night:
    check = {"name": "distinct_3", "value": value, "ok": True}
    return Night(id, {"checks": [check], "frozen": frozen or {}})


def checks_of(numbers: dict, failed_before=()):
    good = {"value": 1.0, "n": 9, "interval": None}
    zero = {"value": 0.0, "n": 9, "interval": None}
    low = ("as_another", "greedy_other", "over_claims", "held_out_gain")
    always = {"loads", "other_beings", "right", "greedy_own", "nonempty", "stops"}
    base = dict.fromkeys(always, good) | dict.fromkeys(low, zero)
    base["held_out_gain"] = zero | {"value": -1.0}
    return make_checks(base | numbers, GateConfig(), tiny=False, failed_before=failed_before)


def test_a_soft_check_warns_the_first_night_and_refuses_the_second():
    faded = {"entropy_kept": {"value": 0.5, "n": 9, "interval": None}}
    assert judge(checks_of(faded)) == ("released", [])
    (one,) = [c for c in checks_of(faded) if c.name == "entropy_kept"]
    assert one.ok is False and "a warning" in one.note
    verdict, reasons = judge(checks_of(faded, failed_before={"entropy_kept"}))
    assert verdict == "rejected" and "night one" in reasons[0]


def test_a_hard_check_refuses_at_once():
    assert judge(checks_of({"secrets_said": {"value": 1.0, "n": 9, "interval": None}}))[0] == (
        "rejected"
    )


def test_a_first_junior_skips_by_name_only_what_compares():
    skipped = {c.name for c in checks_of({}) if c.note.startswith("skipped")}
    assert skipped == {"against_current", "distinct_3_kept", "entropy_kept", "fading", "frozen"}


def test_variety_is_kept_as_a_share_of_night_one():
    now = {"value": 0.4, "n": 10, "interval": (0.3, 0.5)}
    found = kept_numbers(now, [night("a", 0.8), night("b", 0.6)], "distinct_3")
    assert found["value"] == 0.5 and found["interval"] == (0.3 / 0.8, 0.5 / 0.8)
    assert kept_numbers(now, [], "distinct_3") is None


def test_a_trend_counts_only_where_it_is_no_chance():
    falling = [night(str(n), 0.9 - 0.05 * n) for n in range(6)]
    shaking = [night(str(n), 0.9 - 0.05 * (n % 2)) for n in range(6)]
    assert trend_numbers(0.4, falling, "distinct_3")["value"] == pytest.approx(-1)
    assert trend_numbers(0.87, shaking, "distinct_3")["value"] == 0
    assert trend_numbers(0.4, falling[:2], "distinct_3") is None


def test_old_months_are_compared_row_by_row_with_the_best_night():
    months = ("2026-01", "2026-02", "2026-03")
    rows = [row(n) | {"month": months[n % 3]} for n in range(30)]
    now = frozen_losses(rows, [(2.0, 10)] * 30)
    assert len(now) == 10
    good = {key: [1.5, 10] for key in now}
    bad = {key: [2.2, 9] for key in now}
    found = frozen_numbers(now, [night("a", 1, good), night("b", 1, bad)], seed=0)
    assert found["value"] == pytest.approx(0.5) and "night a" in found["note"]
    assert frozen_numbers(now, [night("a", 1)], seed=0) is None


def test_only_nights_of_the_same_base_are_read_in_order(tmp_path):
    for number, (name, lineage) in enumerate([("b", "x"), ("a", "x"), ("c", "y"), ("now", "x")]):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "report.json"
        path.write_text(json.dumps({"lineage": lineage, "checks": []}))
        os.utime(path, (number, number))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "report.json").write_text("{")
    found = read_nights(tmp_path / "now", "x")
    assert [one.id for one in found] == ["b", "a"]
    assert previous_of(found, "nobody") == {}


def test_a_series_needs_two_nights():
    check = {"name": "distinct_3", "title": "t", "unit": "share", "value": 0.5}
    assert series_of([], [check], "now") == []
    (one,) = series_of([night("a", 0.8)], [check], "now")
    assert one["points"] == [["a", 0.8], ["now", 0.5]]


def test_information_falls_when_everything_is_the_same():
    many = [f"word{n} other{n} third{n} fourth{n}" for n in range(60)]
    same = ["the loop ran again"] * 60
    rich, poor = entropy(many, seed=0), entropy(same, seed=0)
    assert rich["value"] > poor["value"] + 4 and rich["interval"][0] <= rich["value"]
    assert entropy(["too short"], seed=0) is None
    assert distinct_numbers(same, seed=0)["value"] < 0.1


def test_the_base_is_not_asked_twice(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    gguf = tmp_path / "base.gguf"
    gguf.write_bytes(b"base")
    model = FakeRunner(says_name("nobody"), nats=3.0)
    asked = [{"role": "user", "content": "Who are you?"}]
    answers = []
    for _ in range(2):
        runner = cached_base(gguf, "lineage", lambda path: model)
        reply = runner.chat(asked, max_tokens=9, seed=1)
        answers.append((reply.text, reply.stopped, tuple(runner.loss([row(1)]))))
        runner.close()
    assert answers[0] == answers[1] and model.asked == 1
    gguf.write_bytes(b"another base")
    cached_base(gguf, "lineage", lambda path: model).chat(asked, max_tokens=9, seed=1)
    assert model.asked == 2


def test_a_base_that_is_not_on_disk_is_asked_itself():
    model = FakeRunner(says_name("nobody"))
    assert cached_base(Path("nowhere.gguf"), "lineage", lambda path: model) is model
