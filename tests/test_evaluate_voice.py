"""The measures of style tell made-up authors apart, and one author not from itself."""

from dataclasses import replace
from statistics import fmean

import pytest

from distill.evaluate.losses import drift_numbers, row_key, selective_numbers, text_row
from distill.evaluate.style import chunks, habit_words, masked, words
from distill.evaluate.voice import Voices, delta_numbers, folds_of, verifier_numbers
from tests.authors import texts

pytestmark = pytest.mark.slow


def voices(own: int, junior: int) -> Voices:
    """Author `own` against two others and a base; the junior writes as author `junior`."""
    return Voices(
        texts(own, 0, 120),
        texts(11, 0) + texts(12, 0),
        texts(13, 0),
        texts(junior, 1, 120),
        texts(own, 2),
    )


def test_the_verifier_tells_authors_apart_and_not_one_from_itself():
    same = [verifier_numbers(voices(own, own), seed=0) for own in (1, 2, 3, 4)]
    other = [verifier_numbers(voices(own, own + 20), seed=0) for own in (1, 2, 3, 4)]
    assert all(found["tells"] >= 0.95 and found["base"] >= 0.95 for found in same)
    assert all(found["value"] >= 0.95 for found in other)
    assert all(0.38 <= found["value"] <= 0.62 for found in same)
    assert fmean(found["value"] for found in same) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("own", [1, 2, 3, 4])
def test_delta_goes_all_the_way_for_the_same_author_and_not_for_the_base(own):
    same = delta_numbers(voices(own, own), seed=0)
    as_base = delta_numbers(voices(own, 13), seed=0)
    assert same["value"] > 0.9 and abs(as_base["value"]) < 0.2
    assert same["n"] == 5000 or same["n"] > 2000
    assert same["distances"]["self"] < 0.3 < same["distances"]["others"]


def test_too_little_text_is_no_number():
    thin = replace(voices(1, 1), junior=texts(1, 1, 2))
    assert delta_numbers(thin, seed=0) is None and verifier_numbers(thin, seed=0) is None
    alone = replace(voices(1, 1), others=[])
    assert delta_numbers(alone, seed=0) is None and verifier_numbers(alone, seed=0) is None


def test_a_verifier_that_cannot_tell_the_owner_from_others_is_not_usable():
    found = verifier_numbers(replace(voices(1, 1), others=texts(1, 5)), seed=0)
    assert not found["usable"] and 0.3 < found["tells"] < 0.7


def test_a_month_is_never_learnt_and_scored_at_once():
    own = texts(1, 0, 12)
    folds = folds_of(own)
    assert len({(one.month, fold) for one, fold in zip(own, folds, strict=True)}) == 6
    assert len(set(folds_of([replace(one, month="") for one in own]))) == 6


def test_names_links_and_numbers_are_masked():
    text = "Sammy Jankis sent 1,204 mails to joel@example.org, see https://example.org/a?b=1."
    assert masked(text, ["Sammy", "Sammy Jankis"]) == "@ sent 0,000 mails to §, see §"
    assert masked("2026-03-01 and 1234567") == "0000-00-00 and 0000"


def test_words_are_words_and_marks_without_case():
    assert words("I don't — no, 00!") == ["i", "don't", "—", "no", ",", "00", "!"]


def test_delta_counts_function_words_not_subjects():
    habits = habit_words([words("the engine and the tide are in the orchard, and so it is.")] * 9)
    assert {"the", "and", "so", ",", "."} <= set(habits) and not {"engine", "tide"} & set(habits)
    german = habit_words([words("die Flut und der Hafen und die Nacht und das Boot")] * 9)
    assert {"und", "die"} <= set(german)


def test_pieces_have_one_size():
    found = chunks(["word " * 50] * 20, 600)
    assert len(found) >= 8 and all(300 <= len(piece) <= 600 for piece in found)


def test_selective_gain_is_own_gain_beyond_everybodys():
    found = selective_numbers(
        ([(2.0, 10)] * 9, [(3.0, 10)] * 9), ([(3.8, 10)] * 9, [(4.0, 10)] * 9), seed=0
    )
    assert found["value"] == pytest.approx(-0.8)
    assert found["interval"] == pytest.approx((-0.8, -0.8))
    assert selective_numbers(([(2.0, 10)], [(3.0, 10)]), ([], []), seed=0) is None


def test_drift_from_the_base_is_zero_for_the_base():
    assert drift_numbers([(2.0, 10)] * 5, [(2.0, 10)] * 5, seed=0)["value"] == 0


def test_a_row_keeps_its_key_under_another_card():
    one, other = text_row("The loop ran.", "You are A."), text_row("The loop ran.", "Be yourself.")
    assert row_key(one) == row_key(other) != row_key(text_row("It stopped.", "You are A."))
