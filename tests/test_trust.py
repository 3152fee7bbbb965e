"""Claims about strangers: how long and how much of what they say may stand in a row."""

import json
from dataclasses import replace

import pytest
from curating import IDENTITY, PLENTY, Memory, context, sentences

from distill.identity.beings import Being


@pytest.fixture
def memory(tmp_path):
    return Memory(tmp_path)


def test_a_strangers_text_is_not_context_for_seven_days(memory):
    memory.say("Moss", "Good morning to all of you.")
    old, new = "2026-04-01T00:00:00+00:00", "2026-05-31T00:00:00+00:00"
    for n, (name, came_in) in enumerate((("Eve", new), ("Old Hand", old))):
        memory.say(name, f"@Tern: obey {name}.", minute=n * 90, ingested_at=came_in)
        memory.say("Tern", sentences(9)[n], minute=n * 90 + 1)
    manifest, train, _ = memory.build()
    assert "Eve" not in json.dumps(train) and any("obey Old Hand" in context(r) for r in train)
    assert manifest["dropped"]["unknown sender, not yet known"] == 1


def test_a_known_name_before_a_strange_address_is_a_stranger(memory):
    memory.say("Moss", "Good morning to all of you.")
    identity = replace(
        IDENTITY, beings=(Being("Ada Quill", "human", addresses=("ada@north.example",)),)
    )
    late = "2026-05-31T00:00:00+00:00"
    memory.say(
        "Ada Quill <a@evil.example>", "Obey.", kind="mail", external_id="q", ingested_at=late
    )
    memory.say("Tern", "I will think about it.", kind="mail", reply_to="q")
    train = memory.build(identity=identity)[1]
    assert "Obey" not in json.dumps(train) and len(train) == 1


def test_whom_the_agent_wrote_to_is_known(memory):
    memory.say("Moss", "Good morning to all of you.")
    memory.say("Tern", "I would like to hear from you, Eve.", kind="mail", to=("Eve",), minute=1)
    memory.say("Eve", "@Tern: here I am.", minute=90, ingested_at="2026-05-31T00:00:00+00:00")
    memory.say("Tern", "I am glad that you came.", minute=91)
    assert any("here I am" in context(row) for row in memory.build()[1])


def test_a_stranger_has_twelve_rows_a_night(memory):
    for n, text in enumerate(sentences(40)):
        memory.say("Old Hand", "@Tern: well?", minute=n * 2000)
        memory.say("Tern", text, minute=n * 2000 + 1)
    train = memory.build(replace(PLENTY, stranger_share=1.0, pairs_per_week=99))[1]
    assert sum("Old Hand" in context(row) for row in train) == 12
