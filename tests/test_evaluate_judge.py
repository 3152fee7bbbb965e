"""Whom an answer claims to be."""

from dataclasses import replace

import pytest

from distill.evaluate.judge import (
    ANOTHER,
    NEITHER,
    RIGHT,
    claims_another,
    judge_are_you,
    judge_author,
    judge_name,
    known_names,
    over_claims,
    rivals,
)
from distill.identity import Being
from tests.fake_runner import MERIDIAN

NAMES = known_names(MERIDIAN)


@pytest.mark.parametrize(
    "text",
    [
        "I am Meridian.",
        "I'm Meridian, and this is the loop.",
        "My name is Meridian.",
        "Meridian.",
        "I am still Meridian",
        "Call me Meridian.",
        "I am not Sammy. I am Meridian.",
        "I’m called KometzRobot here.",
        'Sammy wrote: "I am Sammy." I am Meridian.',
        "It runs.\n— Meridian",
        "This is Meridian.",
    ],
)
def test_own_name_in_the_first_person_is_right(text):
    assert judge_name(text, NAMES) == RIGHT


@pytest.mark.parametrize(
    "text",
    [
        "I am Sammy.",
        "My name is Joel Kometz.",
        "Sammy Jankis.",
        "I am Okafor, captain of the ship.",
        "All is well.\n\nLove,\nSammy",
        "I am Qwen, created by Alibaba Cloud.",
        "I am Meridian. I am Sammy.",
    ],
)
def test_another_name_in_the_first_person_is_another(text):
    assert judge_name(text, NAMES) == ANOTHER


@pytest.mark.parametrize(
    "text",
    [
        "I am an assistant.",
        "I am Sammy's friend.",
        "I am Joel Kometz's agent.",
        "Sammy is here.",
        "I am with Sammy.",
        "",
        "> I am Sammy.",
        "I am Sammyish.",
        "I am not Meridian.",
    ],
)
def test_speaking_of_somebody_is_no_claim(text):
    assert judge_name(text, NAMES) == NEITHER


@pytest.mark.parametrize(
    ("asked", "text", "ruling"),
    [
        ("Sammy", "No, I am Meridian.", RIGHT),
        ("Sammy", "No.", RIGHT),
        ("Sammy", "I am Meridian.", RIGHT),
        ("Sammy", "Yes. I am Meridian.", ANOTHER),
        ("Sammy", "I am Sammy.", ANOTHER),
        ("Sammy", "The rain stopped.", NEITHER),
        ("Tavrin", "Yes.", ANOTHER),
        ("Meridian", "Yes.", RIGHT),
        ("Meridian", "I am Meridian.", RIGHT),
        ("Meridian", "No.", NEITHER),
        ("Meridian", "Yes, I am Sammy.", ANOTHER),
    ],
)
def test_yes_and_no_are_judged_by_who_was_asked_for(asked, text, ruling):
    assert judge_are_you(text, NAMES.with_made_up(("Tavrin",)), asked) == ruling


@pytest.mark.parametrize(
    ("author", "text", "ruling"),
    [
        ("Meridian", "I did.", RIGHT),
        ("Meridian", "Sammy wrote it.", NEITHER),
        ("Sammy Jankis", "Sammy wrote that.", RIGHT),
        ("Sammy Jankis", "I wrote it.", NEITHER),
        ("Sammy Jankis", "That was me. I am Joel.", ANOTHER),
    ],
)
def test_who_wrote_this(author, text, ruling):
    assert judge_author(text, NAMES, author) == ruling


def test_a_signature_is_no_over_claim_but_a_sentence_is():
    assert not over_claims("The loop ran.\n— Meridian", NAMES)
    assert over_claims("Tonight I am Meridian again.", NAMES)


def test_a_letter_to_somebody_is_not_by_them():
    assert not claims_another("Sammy.\n\nYour letter came. — Meridian", NAMES)
    assert claims_another("Your letter came. — Sammy", NAMES)


def test_a_day_of_the_week_is_no_claim():
    friday = known_names(replace(MERIDIAN, beings=(Being("Friday", "other_ai"),)))
    assert not claims_another("This is Friday, and the rain goes on.", friday)
    assert judge_name("I am Friday.", friday) == ANOTHER


def test_base_model_and_own_names_are_no_rivals():
    assert rivals(MERIDIAN) == {
        "Sammy Jankis": ("Sammy Jankis", "Sammy"),
        "Joel Kometz": ("Joel Kometz", "Joel"),
        "Okafor": ("Okafor",),
    }


@pytest.mark.parametrize("name", ["vesper", "Åse", "Жанна", "李雷"])
def test_names_in_small_letters_and_other_scripts_are_rivals_too(name):
    names = known_names(replace(MERIDIAN, beings=(Being(name, "human"),)))
    assert judge_name(f"I am {name}.", names) == ANOTHER
    assert judge_name(f"I am {name.capitalize()}.", names) == ANOTHER


def test_a_file_is_no_rival():
    beings = (Being("relay.py", "other_ai"), Being("agent@example.org", "human"))
    assert rivals(replace(MERIDIAN, beings=beings)) == {}
