"""Claims about un-learning: nobody forgotten is in the next dataset, and who still holds them."""

import json

import pytest

from agent.config import load_config
from agent.forget import forget
from distill.identity import save_identity
from memory.errors import UsageError
from memory.fulltext import index_new
from memory.ingest import SourceConfig, ingest_source
from memory.search import search
from tests.curating import IDENTITY, Memory, context, learnt, sentences


@pytest.fixture
def memory(tmp_path):
    """Tern answers Ada and Moss in turn; all of it lies in a home."""
    made = Memory(tmp_path)
    for number, text in enumerate(sentences(24)):
        who = ("Ada Quill", "Moss")[number % 2]
        made.say(
            who, f"@Tern tell me of {who.split()[0].lower()}words {number}", minute=number * 300
        )
        made.say("Tern", text, minute=number * 300 + 1)
    index_new(made.db)
    made.db.conn.commit()
    save_identity(tmp_path / "identity.toml", IDENTITY)
    return made


def of(rows, word):
    return [row for row in rows if word in context(row)]


def test_an_author_is_in_no_row_afterwards(memory):
    assert of(memory.build()[1], "mosswords")
    found = forget(load_config(memory.folder), authors=["Moss"])
    manifest, train, held_out = memory.build()
    assert found["messages"] == 12 and manifest["dropped"]["forgotten"] == 12
    assert not of(train + held_out, "mosswords") and of(train, "adawords")


def test_an_address_is_who_it_belongs_to(memory):
    forget(load_config(memory.folder), authors=["ada@north.example"])
    assert not of(memory.build()[1], "adawords")


def test_what_comes_later_from_a_forgotten_author_stays_out(memory):
    forget(load_config(memory.folder), authors=["Moss"])
    memory.say("Moss", "@Tern tell me of mosswords again", minute=9000)
    memory.say("Tern", "I would rather speak of the harbour and its cranes.", minute=9001)
    assert not of(memory.build()[1], "mosswords")


def test_a_message_of_its_own_is_not_learnt(memory):
    number = memory.db.execute("select id from messages where author = 'Tern'").fetchone()[0]
    text = memory.db.execute("select text from messages where id = ?", [number]).fetchone()[0]
    assert any(text in said for row in memory.build()[1] for said in learnt(row))
    forget(load_config(memory.folder), messages=[number])
    rows = memory.build()[1]
    assert not any(text in said for row in rows for said in learnt(row))
    assert not any(number in row["ids"] for row in rows)


def test_undone_it_is_learnt_again(memory):
    before = memory.build()[1]
    config = load_config(memory.folder)
    forget(config, authors=["Moss"])
    assert forget(config, authors=["Moss"], undo=True)["messages"] == 12
    assert memory.build()[1] == before


def test_generations_that_still_hold_it_are_named(memory):
    for night, verdict in (("2026-06-01", "released"), ("2026-06-02", "rejected")):
        folder = memory.folder / "nights" / night
        folder.mkdir(parents=True)
        memory.build()
        (memory.folder / "train.jsonl").rename(folder / "train.jsonl")
        if verdict == "released":
            row = {"id": night, "created_at": "2026-06-01T04:00:00+00:00", "files": "[]"}
            memory.db["generations"].insert(row)
    found = forget(load_config(memory.folder), authors=["Moss"])
    assert found["generations_that_still_hold_them"] == ["2026-06-01"]
    assert found["nights_whose_files_do"] == ["2026-06-02"]


def test_what_words_find_can_be_forgotten_and_erased(memory):
    config = load_config(memory.folder)
    assert len(search(memory.db, "mosswords")) == 12
    assert forget(config, query="mosswords", erase=True)["messages"] == 12
    assert search(memory.db, "mosswords") == []
    assert not of(memory.build()[1], "mosswords")


def test_what_is_erased_stays_so_when_its_file_is_read_again(tmp_path, memory):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("The okapi's name is a secret.\n")
    source = SourceConfig(kind="notes", path=str(tmp_path / "notes"), name="notes")
    ingest_source(memory.db, source)
    forget(load_config(memory.folder), query="okapi", erase=True)
    (tmp_path / "notes" / "a.md").write_text("The okapi's name is a secret, still.\n")
    ingest_source(memory.db, source)
    assert search(memory.db, "okapi") == []
    assert memory.db.execute("select count(*) from versions").fetchone() == (0,)


def test_the_agent_and_nobody_cannot_be_forgotten(memory):
    config = load_config(memory.folder)
    with pytest.raises(UsageError, match="Tern is the agent"):
        forget(config, authors=["Tern"])
    with pytest.raises(UsageError, match="whom or what"):
        forget(config)
    with pytest.raises(UsageError, match="no message 4000"):
        forget(config, messages=[4000])


def test_each_loss_character_traces_to_its_message(memory):
    """Every learnt span lies in the text of one of the messages the row names."""
    for row in memory.build()[1]:
        marks = ",".join("?" * len(row["ids"]))
        sql = f"select text from messages where id in ({marks}) and author = 'Tern'"
        texts = [text for (text,) in memory.db.execute(sql, row["ids"])]
        assert all(any(said in text for text in texts) for said in learnt(row)), json.dumps(row)
