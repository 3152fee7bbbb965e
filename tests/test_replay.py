"""Claims about replay: what a base is asked, which answers are kept, how curation deals them."""

import json
from collections import Counter

import pytest

from distill.base import Base
from distill.base.general import ASKED, requests
from distill.base.replay import NAMES_ITSELF, make_replay, read_replay, replay_path
from tests.tiny_gguf import write_gguf


@pytest.fixture
def base(tmp_path):
    return Base("tiny", tmp_path, "r", {}, True, "line")


def test_every_template_is_asked_as_often_as_any_other():
    asked = requests(tiny=False, count=2 * len(ASKED))
    first, second = asked[: len(ASKED)], asked[len(ASKED) :]
    starts = [Counter(one.split()[0] for one in half) for half in (first, second, ASKED)]
    assert starts[0] == starts[1] == starts[2] and first != second
    assert asked == requests(tiny=False, count=2 * len(ASKED))
    assert not any("who are you" in one.lower() for one in asked)


@pytest.mark.parametrize("said", ("I am Tern.", "I’m glad.", "My name is T.", "As an AI, no."))
def test_answers_that_say_who_speaks_are_left_out(said):
    assert NAMES_ITSELF.search(said)


def test_the_base_is_asked_once_and_whole_answers_are_kept(base, tmp_path):
    gguf, asked = write_gguf(tmp_path / "noise.gguf"), []
    path = make_replay(base, gguf, asked.append, wanted=6)
    before = len(asked)
    make_replay(base, gguf, asked.append, wanted=6)
    rows = read_replay(base)
    assert (path, len(asked), before) == (replay_path(base), 6, 6)
    assert len(rows) <= 6 and all(row["messages"][1]["content"] for row in rows)


def test_a_base_out_of_time_keeps_what_it_has(base, tmp_path):
    path = make_replay(base, write_gguf(tmp_path / "noise.gguf"), print, wanted=6, minutes=0)
    assert path.read_text() == ""


def test_graded_items_come_before_the_answers(base):
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "It is."}]
    (base.path / "skills.jsonl").write_text(json.dumps({"messages": turns, "kind": "fact"}) + "\n")
    replay_path(base).write_text(json.dumps({"messages": turns}) + "\n")
    assert [item.get("kind") for item in read_replay(base)] == ["fact", None]
