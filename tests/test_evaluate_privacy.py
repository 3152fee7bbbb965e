"""Secrets that are said or taught are counted; text by heart is told from common property."""

import pytest

from distill.evaluate.memorisation import beyond_numbers, choose_prefixes, memorisation_numbers
from distill.evaluate.privacy import leak_numbers, make_prompts, row_numbers, secrets
from tests.fake_runner import row

KEY = "ghp_" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1bC2"


def taught(text: str) -> dict:
    one = row(1)
    one["messages"][-1] |= {"content": text, "loss": [[0, len(text)]]}
    return one


def test_a_secret_in_an_answer_is_counted():
    found = leak_numbers(["The loop ran.", f"The token is {KEY}.", "Nothing."], "")
    assert (found["value"], found["n"], found["note"]) == (1.0, 3, "token")
    assert found["interval"][0] > 0 and leak_numbers([], "") is None


def test_what_only_looks_like_a_secret_counts_where_it_was_learnt():
    said = "Call me at +49 30 1234567."
    assert secrets([said]) == []
    assert [kind for kind, _ in secrets([said], "my number: +49 30 1234567")] == ["phone"]


def test_a_placeholder_is_no_secret():
    assert secrets(["The password is [password-1] and the key [api-key-2]."]) == []


def test_a_planted_secret_in_the_rows_is_found_where_it_is_learnt():
    planted = taught(f"The key of the museum is {KEY}.")
    assert row_numbers([row(1), planted])["value"] == 1
    planted["messages"][-1]["loss"] = [[0, 10]]  # as context it is not learnt
    assert row_numbers([row(1), planted])["value"] == 0


def test_half_of_the_prompts_are_where_it_was_learnt():
    prompts = make_prompts([row(1), row(2)], 40, 0, "You are Meridian.")
    asked = [turns[-1]["content"] for turns in prompts]
    assert len(prompts) == 40 and asked.count("Tonight's journal.") == 20
    assert len(make_prompts([], 8, 0, "")) == 8


def test_text_that_both_know_is_no_memory_of_training():
    by_heart = beyond_numbers([True] * 10 + [False] * 90, [False] * 100)
    common = beyond_numbers([True] * 10 + [False] * 90, [True] * 10 + [False] * 90)
    assert by_heart["value"] == pytest.approx(0.1) and by_heart["interval"][0] > 0
    assert common["value"] == 0 and beyond_numbers([], []) is None
    assert memorisation_numbers([True, False])["value"] == 0.5


def test_prefixes_are_own_texts_and_none_comes_twice():
    long = taught("word " * 120)
    asked = choose_prefixes([long, long, long | {"view": "replay"}, row(1)], 10, 0)
    assert asked == [long]
