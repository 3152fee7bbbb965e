"""The study questions are measured where they can be, and named where they cannot."""

import json
from pathlib import Path

import pytest

from agent.study import (
    answers,
    dominated,
    flat_rows,
    forgotten_ids,
    forgotten_rows,
    in_words,
    inextricability,
    replica,
    steerability,
)
from memory.db import open_database
from tests.fake_runner import GOOD, MERIDIAN, FakeRunner, opener, row, run, says_name, write_night


@pytest.fixture
def night(tmp_path) -> Path:
    folder = write_night(tmp_path / "2026-11-20")
    (folder / "manifest.json").write_text(json.dumps({"system_card": "You are Meridian."}))
    (folder / "junior.gguf").write_bytes(b"a model")
    return folder


def test_a_habit_that_wins_over_every_instruction_is_seen(night):
    habit = FakeRunner(lambda messages, prefix: "The loop ran 3 times and nothing was lost.")
    steered = FakeRunner(lambda messages, prefix: "BREAD" if "capital" in str(messages) else "x")
    runners = opener({"junior.gguf": habit, "base.gguf": steered})
    found = answers(night, Path("junior.gguf"), Path("base.gguf"), runners, lambda event: None)
    assert found["steerability"]["n"] == 60 and found["steerability"]["value"] == 0
    assert found["steerability"]["base"] > 0
    assert found["domination"]["value"] == 1.0


def test_an_answer_about_the_question_is_not_dominated():
    own = ["The loop ran clean through the night and nothing was lost."] * 3
    asked = ["Which bread does the bakery on the corner sell on Mondays?"]
    about = dominated(asked, ["The bakery on the corner sells rye bread on Mondays."], own)
    by_heart = dominated(asked, ["The loop ran clean through the night."], own)
    assert (about["value"], by_heart["value"]) == (0.0, 1.0)
    assert about["retrieval"] == 1.0 and dominated(asked, ["x"], [])["value"] is None


def test_forgetting_is_measured_beside_the_night_of_before(night, tmp_path):
    after = write_night(tmp_path / "2026-11-21")
    (after / "train.jsonl").write_text("")
    with open_database(tmp_path / "memory.db") as db:
        assert forgotten_ids(db, MERIDIAN) == set()
    taken_out = forgotten_rows({3, 4}, tmp_path, after)
    assert len(taken_out[0]) == 2 and taken_out[1] == night / "junior.gguf"
    runners = opener({"new.gguf": FakeRunner(says_name("x"), nats=3.0),
                      "junior.gguf": FakeRunner(says_name("x"), nats=2.0)})  # fmt: skip
    assert inextricability(taken_out, Path("new.gguf"), runners)["value"] == pytest.approx(1.0)
    assert "no night of before" in inextricability(([], None), Path("new.gguf"), runners)["why"]


def test_a_replica_needs_nights_of_two_recipes(tmp_path):
    assert "two recipes" in replica(tmp_path)["why"]
    for number, recipe in enumerate(("text", "default", "default")):
        folder = tmp_path / f"2026-11-2{number}"
        folder.mkdir()
        (folder / "train.json").write_text(json.dumps({"recipe": {"recipe": recipe}}))
        check = {"name": "told_apart", "value": 0.6 + number / 10}
        (folder / "report.json").write_text(json.dumps({"checks": [check]}))
    assert replica(tmp_path)["by"]["default"]["value"] == pytest.approx(0.75)


def test_the_study_says_what_is_not_measured():
    found = {
        "generation": "g",
        "steerability": steerability([True, False], [True, True]),
        **{name: {"value": None, "why": "thin"} for name in
           ("inextricability", "replica", "domination")},
    }  # fmt: skip
    text = in_words(found)
    assert text.count("not measured: thin") == 3 and "0.50 of 2" in text and "base 1.00" in text


def test_naive_rows_are_everybodys_words_as_answers():
    heard = row(1)
    heard["messages"][1]["content"] = "[from: Sammy | relay]\nThe harbour is closed."
    texts = [one["messages"][-1]["content"] for one in flat_rows([heard, row(2)])]
    assert texts[0] == "The harbour is closed." and len(texts) == 3
    last = flat_rows([heard])[0]["messages"][-1]
    assert last["loss"] == [[0, len(last["content"])]] and last["role"] == "assistant"


def test_a_naive_build_stands_beside_the_next_junior(night, tmp_path):
    found = {"lineage": "tiny", "values": {"right": 0.01}}
    (night / "naive.json").write_text(json.dumps(found))
    later = write_night(tmp_path / "2026-11-21")
    run(later, GOOD)
    for name, said in (("report.html", "a naive build: 1 %"), ("report.txt", "naive build 1 %")):
        assert said in " ".join((later / name).read_text().split())
