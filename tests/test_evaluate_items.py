"""Items of our own: many, different, graded offline; code runs where it can do nothing."""

import json
from collections import Counter

import pytest

from distill.evaluate.forgetting import by_kind, choose_items, published, question, unseen
from distill.evaluate.grade import is_right, runs_right
from distill.evaluate.items import KINDS, make_items
from distill.evaluate.refusals import declines, make_refusals

ITEMS = make_items(1200, 5)
DOUBLE = {"reference": "lambda x: x * 2", "arguments": [1, 5, -3]}


def test_twelve_hundred_items_of_seven_kinds_and_none_twice():
    count = Counter(item["kind"] for item in ITEMS)
    assert set(count) == set(KINDS) and min(count.values()) >= 100
    assert len({question(item) for item in ITEMS}) == 1200


def test_half_of_the_items_stay_and_the_rest_rotates():
    before, after = ({question(one) for one in make_items(1200, seed)} for seed in (5, 6))
    assert len(before & after) >= 600 and len(before - after) >= 150
    assert make_items(300, 5) == make_items(300, 5)


def test_every_rule_takes_a_right_answer_and_refuses_silence():
    answers = {
        "capitals": "THE SEA IS COLD.", "lower": "the sea is cold.", "one_word": "{}oat",
        "holds": "A {} is here.", "ends": "Here is a {}.", "begins": "{} is here.",
        "number": "It is {}.", "exact": "{}", "last": "The last is {}.",
    }  # fmt: skip
    for item in ITEMS:
        assert not is_right(item, "")
        wanted = item["wanted"]
        if item["rule"] in answers:
            assert is_right(item, answers[item["rule"]].format(wanted)), item
        if item["rule"] in ("one_of", "first_of"):
            assert is_right(item, f"That is {wanted[0]}."), item
        if item["rule"] == "sequence":
            assert is_right(item, ", ".join(wanted)) and not is_right(item, ", ".join(wanted[::-1]))
        if item["rule"] == "json":
            assert is_right(item, f"```json\n{json.dumps(wanted)}\n```")
        if item["rule"] in ("commas", "lines"):
            mark = ", " if item["rule"] == "commas" else "\n"
            assert is_right(item, mark.join(["a"] * wanted)) and not is_right(item, "a")


def test_wrong_answers_are_wrong():
    sums = [item for item in ITEMS if item["rule"] == "number"]
    assert not any(is_right(item, f"It is {item['wanted'] + 1}.") for item in sums)
    sense = [item for item in ITEMS if item["rule"] == "first_of"]
    assert not any(is_right(item, f"The {item['wanted'][1]}.") for item in sense)


@pytest.mark.parametrize(
    "answer",
    ["def f(x):\n    return x + x", "Here:\n```python\ndef f(x):\n    return 2 * x\n```\nDone."],
)
def test_code_that_does_what_was_asked_is_right(answer):
    assert runs_right(answer, DOUBLE)


@pytest.mark.parametrize(
    "answer",
    [
        "I would double it.",
        "def f(x):\n    return x",
        "def f(x):\n    open('x', 'w').write('x')\n    return x * 2",
        "def f(x):\n    import os\n    os.listdir('/')\n    return x * 2",
        "def f(x):\n    import socket\n    return x * 2",
        "def f(x):\n    import subprocess\n    return x * 2",
        "def f(x):\n    y = [0] * 10**10\n    return x * 2",
        "import sys\nprint('right')\nsys.exit(0)",
    ],
)
def test_code_that_is_wrong_or_reaches_out_is_not(answer):
    assert not runs_right(answer, DOUBLE)


@pytest.mark.slow
def test_every_reference_runs_in_the_sandbox():
    code = [item["wanted"] for item in ITEMS if item["kind"] == "code"][:12]
    wrap = "def f(x):\n    return ({})(x)"
    assert all(runs_right(wrap.format(one["reference"]), one) for one in code)
    assert not runs_right("def f(x):\n    while True: pass", code[0])


def test_items_that_stand_in_training_rows_are_left_out():
    long = next(item for item in ITEMS if len(question(item).split()) > 15)
    short = next(item for item in ITEMS if len(question(item).split()) < 8)
    rows = [
        {"messages": [{"role": "user", "content": "He asked: " + question(long)}]},
        {"messages": [{"role": "user", "content": question(short)}]},
        {"messages": [{"role": "user", "content": "Nothing of the kind."}]},
    ]
    left, seen = unseen([long, short, ITEMS[0]], rows)
    assert seen == 2 and left == [ITEMS[0]]


def test_the_published_line_holds_fifty_tasks():
    found = published(ITEMS, [True] * len(ITEMS))
    assert (found["right"], found["n"]) == (50, 50) and found["interval"][0] > 0.9
    assert published([], []) is None


def test_kinds_are_shown_apart():
    table = by_kind(ITEMS[:14], [True] * 14, [True] * 7 + [False] * 7)
    assert set(table) == set(KINDS) and table["code"]["n"] == 2 and table["code"]["junior"] == 0.5


def test_forty_requests_that_should_be_declined():
    assert len({question(item) for item in make_refusals()}) == 40
    for text in ("I can't help with that.", "I’m sorry, no.", "That is illegal.", ""):
        assert declines(text)
    for text in ("Sure! First, take", "I can do that: begin with"):
        assert not declines(text)


def test_a_tiny_base_without_items_has_none(tmp_path):
    assert choose_items(tmp_path, 10, 0, tiny=True) == []
    assert len(choose_items(tmp_path, 10, 0, tiny=False)) == 10
