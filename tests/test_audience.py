"""Claims about public builds: no private human, no address, no private topic in any row."""

import json
from dataclasses import replace

import pytest

from distill.curate import CurateConfig
from tests.curating import IDENTITY, PLENTY, Memory, learnt, sentences

PUBLIC = replace(PLENTY, audience="public", identity_share=0.2)


@pytest.fixture
def memory(tmp_path):
    made = Memory(tmp_path)
    for number, text in enumerate(sentences(30)):
        made.say("Tern", text, kind="journal", minute=number * 600)
    made.say(
        "Tern", "Ada came by the harbour, and I gave Ada Quill the rope she wanted.", kind="journal"
    )
    made.say("Tern", "I wrote to keeper@north.example about the lamp, and again the day after.",
             kind="journal")  # fmt: skip
    made.say("Tern", "I sat with the surgery letter for an hour and put it away.", kind="journal")
    made.say("Moss", "@Tern is the lamp lit?", minute=40_000)
    made.say("Tern", "It is lit, and Moss may sleep.", minute=40_001)
    made.say("Ada Quill", "@Tern it is Ada, are you there?", minute=50_000)
    made.say("Tern", "I am here and the kettle is on for you.", minute=50_001)
    return made


def everything(built):
    manifest, train, held_out = built
    return json.dumps([train, held_out, manifest["system_card"]], ensure_ascii=False)


def test_a_private_build_is_as_it_was(memory):
    text = everything(memory.build(PLENTY))
    assert "Ada Quill" in text and "keeper@north.example" in text and "surgery" in text


def test_no_private_human_is_named_anywhere(memory):
    text = everything(memory.build(PUBLIC))
    assert "Ada" not in text and "Quill" not in text and "[person-1]" in text
    assert "Moss" in text


def test_no_address_is_left(memory):
    text = everything(memory.build(PUBLIC))
    assert "@north.example" not in text and "[address-1]" in text


def test_rows_of_a_private_topic_are_left_out_and_counted(memory):
    manifest, train, held_out = memory.build(replace(PUBLIC, private_topics=("Surgery",)))
    assert "surgery" not in json.dumps(train + held_out)
    assert manifest["dropped"]["private topic"] == 1


def test_placeholders_carry_no_loss(memory):
    said = [text for row in memory.build(PUBLIC)[1] for text in learnt(row)]
    assert not any("[person" in text or "[address" in text for text in said)
    assert any("came by the harbour" in text for text in said)


def test_somebody_who_is_public_is_named(memory):
    text = everything(memory.build(replace(PUBLIC, public_names=("Ada Quill",))))
    assert "Ada Quill" in text


def test_the_card_names_no_operator(memory):
    manifest, *_ = memory.build(PUBLIC)
    assert "operator" not in manifest["system_card"] and "Moss" in manifest["system_card"]
    card = replace(IDENTITY, card="You are Tern. Ada Quill keeps you.")
    manifest, *_ = memory.build(PUBLIC, identity=card)
    assert manifest["system_card"] == "You are Tern. [person-1] keeps you."


def test_another_audience_is_an_error():
    with pytest.raises(ValueError, match="audience must be"):
        CurateConfig(audience="friends")
