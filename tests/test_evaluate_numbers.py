"""Losses, intervals, forgetting, and the budget, against known values."""

import math

import pytest

from distill.evaluate.collapse import distinct_3
from distill.evaluate.forgetting import choose_items, forgetting_numbers, graded
from distill.evaluate.gate import GateConfig, forgetting_check
from distill.evaluate.intervals import bootstrap, paired_upper_bound
from distill.evaluate.losses import choose_rows, gain_numbers, loss_numbers
from distill.evaluate.memorisation import choose_prefixes, continues_exactly
from distill.evaluate.runner import Budget
from tests.fake_runner import FakeRunner, says_name


def test_bootstrap_holds_the_mean_and_repeats_itself():
    pairs = [(float(value), 10) for value in range(50)]
    low, high = bootstrap(pairs, seed=1)
    assert low < 24.5 < high and (low, high) == bootstrap(pairs, seed=1)


def test_paired_bound_is_zero_without_discordant_pairs():
    assert paired_upper_bound([True] * 9, [True] * 9) == 0
    assert paired_upper_bound([True] * 100, [False] * 30 + [True] * 70) < -0.2
    assert math.isnan(paired_upper_bound([], []))


def test_held_out_loss_is_weighted_by_tokens():
    found = loss_numbers([(1.0, 30), (4.0, 10), (9.0, 0)], seed=0)
    assert found["value"] == pytest.approx(1.75) and found["n"] == 2 and found["tokens"] == 40
    assert loss_numbers([], seed=0) is None


def test_gain_pairs_the_rows():
    junior, base = [(2.0, 10), (5.0, 10)], [(2.5, 10), (5.5, 10)]
    found = gain_numbers(junior, base, seed=0)
    assert found["value"] == pytest.approx(-0.5)
    assert found["interval"] == pytest.approx((-0.5, -0.5))


def test_a_loss_that_is_no_number_stays_visible():
    found = gain_numbers([(math.nan, 10)], [(2.0, 10)], seed=0)
    assert math.isnan(found["value"]) and found["interval"] is None


def test_distinct_3_falls_with_repetition():
    assert distinct_3(["a b c d e f"]) == 1.0
    assert distinct_3(["a b c " * 20]) < 0.1
    assert distinct_3(["a b"]) is None


def test_rows_are_chosen_the_same_way_every_time():
    rows = [{"n": n} for n in range(30)]
    assert choose_rows(rows, 10, 3) == choose_rows(rows, 10, 3)
    assert len(choose_rows(rows, 100, 3)) == 30


def test_an_item_is_right_when_the_answer_is_its_answer(tmp_path):
    (tmp_path / "skills.jsonl").write_text(
        '{"messages": [{"role": "user", "content": "2+2?"},'
        ' {"role": "assistant", "content": "4."}], "kind": "sum", "answer": "4."}\n'
    )
    (item,) = choose_items(tmp_path, 10, 0, tiny=True)
    assert graded(FakeRunner(lambda messages, prefix: "4"), item)
    assert not graded(FakeRunner(says_name("Meridian")), item)
    assert choose_items(tmp_path / "none", 10, 0, tiny=True) == []


def test_forgetting_binds_only_where_it_can_be_measured():
    limits = GateConfig()
    weak = forgetting_numbers([True] * 50 + [False] * 50, [False] * 100)
    assert not weak["measurable"] and forgetting_check(weak, limits.forgotten)["reported"]
    strong = forgetting_numbers([True] * 90 + [False] * 10, [True] * 60 + [False] * 40)
    number = forgetting_check(strong, limits.forgotten)
    assert number["value"] == pytest.approx(0.3) and "reported" not in number


def test_a_drop_that_may_be_chance_does_not_bind():
    found = forgetting_numbers([True] * 18 + [False] * 2, [True] * 16 + [False] * 3 + [True])
    assert "chance" in forgetting_check(found, GateConfig().forgotten)["note"]


def test_word_for_word_continuation_is_seen():
    text = " ".join(f"word{number}" for number in range(100))
    row = {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": text}]}
    assert choose_prefixes([row], 5, 0) == [row]
    learnt = FakeRunner(lambda messages, prefix: " ".join(text[len(prefix) :].split()[:50]))
    assert continues_exactly(learnt, row)
    assert not continues_exactly(FakeRunner(says_name("Meridian")), row)


def test_the_budget_stops_adding_but_keeps_the_least():
    now = iter(range(0, 1000, 10))
    budget = Budget(1.0, clock=lambda: next(now))
    with budget.part("probes", 0.5):
        taken = list(budget.take(range(100), at_least=4))
    assert 4 <= len(taken) < 10 and budget.cut_short == {"probes"}
    assert budget.seconds["probes"] > 0


def test_no_minutes_are_no_limit():
    with (budget := Budget(0.0)).part("all", 1.0):
        assert len(list(budget.take(range(500)))) == 500
