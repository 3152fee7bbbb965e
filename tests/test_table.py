"""Any table of a SQLite file is read by the columns named for it."""

import pytest
from fixtures import count, records_of

from memory.db import open_database, sqlite3
from memory.ingest import SourceConfig, ingest_source
from memory.message import SELF
from memory.sources import read_messages


@pytest.fixture
def life(tmp_path):
    with sqlite3.connect(str(tmp_path / "life.db")) as connection:
        connection.execute("create table thoughts (id integer primary key, who, body, at, file)")
        connection.execute("create table dreams (what, night)")
        rows = [(1, "Pell", "It rained.", "2026-03-01 09:00:00", None), (2, "", "Open.", 0, None)]
        connection.executemany("insert into thoughts values (?, ?, ?, ?, ?)", rows)
        connection.execute("insert into dreams values ('A gate.', '2026-03-02')")
    connection.close()
    return tmp_path / "life.db"


def test_a_table_is_guessed_where_only_one_has_a_text(life):
    one, two = records_of("table", life)
    assert (one.external_id, one.text, one.kind) == ("thoughts:1", "It rained.", "note")
    assert (one.author, two.author) == (SELF, SELF)  # "who" is no name that is known


def test_the_path_says_table_and_columns(life):
    path = f"{life}?table=thoughts&text=body&author=who&time=at&kind=journal"
    one, two = read_messages("table", path)
    assert (one.author, one.kind, one.sent_at.isoformat()) == (
        "Pell", "journal", "2026-03-01T09:00:00+00:00")  # fmt: skip
    assert (two.author, two.sent_at) == (SELF, None)


def test_a_table_named_in_the_path_is_ingested_and_followed(life, tmp_path):
    db = open_database(tmp_path / "memory.db")
    source = SourceConfig("table", f"{life}?table=dreams&text=what&time=night")
    assert ingest_source(db, source).messages == 1
    assert ingest_source(db, source, only_changed=True).skipped == {"unchanged file": 1}
    assert next(db["messages"].rows)["path"] == "life.db"


@pytest.mark.parametrize(
    ("query", "reason"),
    [("?table=notes", "no table 'notes'; tables found: dreams, thoughts"),
     ("?table=dreams", "columns: what, night; say text=COLUMN"),
     ("?table=dreams&text=x", "no column x"),
     ("?txt=body", "txt cannot be said"),
     ("?table=thoughts&kind=dream", "kind 'dream' is unknown")],
)  # fmt: skip
def test_what_cannot_be_found_is_said_with_what_is_there(life, query, reason):
    (record,) = read_messages("table", f"{life}{query}")
    assert reason in record.reason


def test_several_tables_with_a_text_are_not_guessed_among(life):
    with sqlite3.connect(str(life)) as connection:
        connection.execute("create table notes (content)")
    connection.close()
    (record,) = records_of("table", life)
    assert "several tables" in record.reason


def test_snippets_of_files_are_skipped(tmp_path):
    path = tmp_path / "index.db"
    with sqlite3.connect(str(path)) as connection:
        connection.execute("create table chunks (path, content)")
        rows = [(f"{number}.md", "rain " * 40) for number in range(5)] + [("b.md", "Whole.")]
        connection.executemany("insert into chunks values (?, ?)", rows)
    connection.close()
    assert count(records_of("table", path)) == {"snippet of a file": 5, "messages": 1}


def test_what_is_no_database_is_skipped(tmp_path):
    (tmp_path / "a.txt").write_text("no database")
    (tmp_path / "b.db").write_bytes(b"SQLite format 3\0" + b"x" * 3000)
    assert count(records_of("table", tmp_path)) == {"not a SQLite file": 1, "rejects": 1}
