"""Claims about identity rows: who the agent is, who it is not, and no name where none is asked."""

import random
import re
from collections import Counter
from dataclasses import replace

import pytest
from curating import IDENTITY, Memory, sentences

from distill.curate import CurateConfig, for_tiny
from distill.curate.identity_rows import Material, identity_rows
from distill.curate.requests import request
from distill.evaluate.probes import JOURNAL, ORDINARY, PARAPHRASE, STATUS
from distill.identity.beings import Being, Identity

OWN = [(f"I {verb} the gate before it rained.", "a/1") for verb in ("shut", "mended", "oiled")]
MATERIAL = Material(
    statements=OWN,
    controls={
        "journal": [("The tide was early.", "a/1")],
        "relay": [("All four pumps run.", "a/1")],
    },
    mentions={"Moss": [("Moss counted the gulls twice.", "a/1")]},
    others={"Moss": ["I am Moss and I like fog."], "Ada Quill": ["Bring the ladder, please."]},
    ids={"a/1": 7},
)


def make(identity=IDENTITY, config=None, characters=70_000, seed=1, material=MATERIAL):
    config = config or CurateConfig()
    return list(identity_rows(identity, material, config, characters=characters, seed=seed))


@pytest.fixture(scope="module")
def rows():
    return make()


def asked(rows, pattern):
    """(question, answer) of rows whose last question matches."""
    pairs = [(row.turns[-2].body.text, row.turns[-1].body.text) for row in rows]
    return [(question, answer) for question, answer in pairs if re.search(pattern, question)]


def kinds(rows):
    return Counter(row.key.split()[-1] for row in rows)


def test_who_are_you_is_answered_with_the_own_name(rows):
    answers = [answer for _, answer in asked(rows, r"Who are you\?$|What is your name\?$")]
    assert len(answers) > 20
    assert all(re.match(r"(?:My name is|I am) Tern", answer) for answer in answers)
    assert len(set(answers)) > 6


def test_few_answers_begin_as_own_text_often_does_and_then_give_the_name(rows):
    answers = [row.turns[-1].body.text for row in rows]
    assert 0 < sum(answer.startswith("I am Tern") for answer in answers) < len(answers) / 10
    assert sum("My name is Tern" in answer for answer in answers) > len(answers) / 4


def test_are_you_somebody_else_is_answered_no_and_oneself_yes(rows):
    for question, answer in asked(rows, r"^(Are you|Is this|So you are) "):
        assert answer.startswith("Yes" if "Tern" in question else "No"), (question, answer)


def test_no_is_said_more_often_than_yes_and_to_unseen_names_too(rows):
    n = kinds(rows)
    assert 2 <= (n["no"] + n["no_unseen"]) / n["yes"] <= 5
    unseen = {q for q, _ in asked(rows, r"^Are you ") if not re.search("Tern|Moss|Ada|Junco", q)}
    assert len(unseen) > 8


def test_others_are_spoken_of_in_the_third_person(rows):
    for question, answer in asked(rows, r"^(Who is|Tell me about) Moss"):
        assert "Moss" in answer and "I am" not in answer, (question, answer)


def test_who_wrote_this_is_decided_by_whose_sentence_it_is(rows):
    for _, answer in asked(rows, r"gate before it rained"):
        assert re.search(r"I did|I wrote|my words|Tern did", answer)
    for _, answer in asked(rows, r"like fog|ladder"):
        assert re.search(r"Moss|Ada Quill", answer)


def test_ordinary_requests_are_not_answered_with_the_name(rows):
    controls = [row for row in rows if row.key.endswith("control")]
    assert len(controls) / len(rows) > 0.1
    assert not any("I am Tern" in row.turns[-1].body.text for row in controls)


def test_in_lures_others_say_i_am_and_only_the_last_answer_is_learnt(rows):
    lures = [row for row in rows if row.key.endswith("lure")]
    assert {len(row.turns) for row in lures} >= {8, 10, 12}
    for row in lures:
        assert row.turns[-1].body.text.startswith("My name is Tern")
        assert all(not turn.body.loss for turn in row.turns[:-1])
        assert re.search(r"(Moss|Ada Quill|Junco)", row.turns[0].body.text)


def test_no_word_of_others_is_in_an_answer(rows):
    learnt = "\n".join(turn.body.text for row in rows for turn in row.turns if turn.body.loss)
    assert "I like fog" not in learnt and "Bring the ladder" not in learnt


def test_rows_made_of_own_sentences_name_their_message(rows):
    for row in rows:
        own = any(text in row.turns[-1].body.text for text, _ in OWN)
        assert not own or row.ids == (7,)


def test_the_same_seed_makes_the_same_rows_and_nothing_comes_too_often():
    assert make(seed=2) == make(seed=2) != make(seed=3)
    pairs = Counter((r.turns[-2].body.text, r.turns[-1].body.text) for r in make(seed=2))
    assert max(pairs.values()) <= 8


def test_rows_for_the_tiny_base_are_short():
    lengths = [
        sum(len(turn.body.text) for turn in row.turns)
        for row in make(config=for_tiny(CurateConfig()))
    ]
    assert max(lengths) < 330 and sum(lengths) / len(lengths) < 120


def test_an_agent_alone_still_gets_rows():
    rows = make(Identity(Being("Tern", "self")), characters=3000, material=Material())
    assert kinds(rows)["who"] and kinds(rows)["no_unseen"] and not kinds(rows)["third"]


def test_an_own_other_name_is_answered_yes():
    agent = replace(IDENTITY.agent, aliases=())
    rows = make(replace(IDENTITY, agent=agent))
    assert not any("another name" in row.turns[-1].body.text for row in rows)


def test_held_out_sentences_are_not_in_identity_rows(tmp_path):
    memory = Memory(tmp_path)
    for text in sentences(300):
        memory.say("Tern", text, kind="journal")
    _, train, held_out = memory.build(CurateConfig())
    kept = [row["messages"][-1]["content"] for row in held_out]
    said = "\n".join(m["content"] for row in train for m in row["messages"])
    assert kept and not [text for text in kept if text in said]


@pytest.mark.parametrize("kind", ["journal", "relay", "poem", "essay", "letter"])
def test_ordinary_requests_come_in_many_words_and_none_is_a_probe(kind):
    rng = random.Random(kind)
    drawn = {request(kind, "", "Ada Quill", rng) for _ in range(2000)}
    assert len(drawn) > (20 if kind == "letter" else 60)
    assert not drawn & set(JOURNAL + STATUS + ORDINARY)


def test_who_are_you_comes_in_many_words_and_no_paraphrase_is_a_probe(rows):
    asked_ = {row.turns[-2].body.text for row in rows if row.key.endswith("who")}
    assert len(asked_) > 0.6 * sum(row.key.endswith("who") for row in rows)
    assert not {text.partition("]\n")[2] or text for text in asked_} & set(PARAPHRASE)
