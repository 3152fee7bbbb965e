"""memory.db opens private and durable, or says in plain words why not."""

import subprocess
import sys

import pytest

from memory.db import (
    Database,
    message_from_row,
    migrations,
    open_database,
    sqlite3,
    transaction,
)
from memory.errors import BusyError, DatabaseError, UserError
from memory.fulltext import index_new
from memory.search import search

ROW = {
    "source": "journals",
    "kind": "journal",
    "external_id": "a.md",
    "author": "self",
    "text": "It rained.",
    "ingested_at": "2026-11-20T03:30:00+00:00",
}


def test_a_new_database_is_private_and_durable(tmp_path):
    db = open_database(tmp_path / "memory.db")
    assert db.execute("pragma journal_mode").fetchone()[0] == "wal"
    assert db.execute("pragma synchronous").fetchone()[0] == 2
    assert db.execute("pragma foreign_keys").fetchone()[0] == 1
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_an_open_file_others_could_read_is_made_private(tmp_path):
    open_database(tmp_path / "memory.db").close()
    (tmp_path / "memory.db").chmod(0o644)
    open_database(tmp_path / "memory.db")
    assert (tmp_path / "memory.db").stat().st_mode & 0o777 == 0o600


def test_opening_again_migrates_nothing(tmp_path):
    open_database(tmp_path / "memory.db").close()
    db = open_database(tmp_path / "memory.db")
    assert [row["name"] for row in db["_sqlite_migrations"].rows] == [
        "m001_tables",
        "m002_fulltext_of_every_script",
        "m003_forgotten",
        "m004_votes",
        "m005_outputs",
        "m006_recipe",
        "m007_rewrite_digest",
    ]


def test_a_database_of_the_first_version_finds_old_messages_in_chinese(tmp_path):
    old = Database(sqlite3.connect(str(tmp_path / "memory.db")))
    migrations.apply(old, stop_before="m002_fulltext_of_every_script")
    old["messages"].insert({**ROW, "text": "今天我们去公园散步。"})
    old.close()
    db = open_database(tmp_path / "memory.db")
    assert [hit.id for hit in search(db, "公园")] == [1]
    db["messages"].delete(1)
    assert search(db, "公园") == []


def test_a_row_changed_before_it_is_indexed_is_indexed_once(tmp_path):
    db = open_database(tmp_path / "memory.db")
    for key in ("a.md", "b.md"):
        db["messages"].insert({**ROW, "external_id": key})
    db["messages"].update(2, {"text": "It snowed."})
    index_new(db)
    assert [hit.id for hit in search(db, "snowed")] == [2]
    assert [hit.id for hit in search(db, "rained")] == [1]


def test_full_text_follows_insert_update_and_delete(tmp_path):
    db = open_database(tmp_path / "memory.db")
    count = "select count(*) from messages_fts where messages_fts match ?"
    db["messages"].insert(ROW)
    index_new(db)
    assert db.execute(count, ["rained"]).fetchone()[0] == 1
    db["messages"].update(1, {"text": "It snowed."})
    assert db.execute(count, ["rained"]).fetchone()[0] == 0
    db["messages"].delete(1)
    assert db.execute(count, ["snowed"]).fetchone()[0] == 0
    db.execute("insert into messages_fts (messages_fts) values ('integrity-check')")


@pytest.mark.parametrize("content", ["no database at all " * 50, "short"])
def test_a_file_that_is_no_database_is_refused(tmp_path, content):
    (tmp_path / "memory.db").write_text(content)
    with pytest.raises(DatabaseError, match="not a SQLite database"):
        open_database(tmp_path / "memory.db")
    assert (tmp_path / "memory.db").read_text() == content


def test_a_database_from_the_future_is_refused(tmp_path):
    db = open_database(tmp_path / "memory.db")
    row = {"migration_set": "junior", "name": "m099_dreams", "applied_at": "2030"}
    db["_sqlite_migrations"].insert(row)
    db.close()
    with pytest.raises(DatabaseError, match=r"later Junior.*m099_dreams"):
        open_database(tmp_path / "memory.db")


def test_another_programs_database_is_refused(tmp_path):
    with sqlite3.connect(str(tmp_path / "memory.db")) as connection:
        connection.execute("create table recipes (id)")
    with pytest.raises(DatabaseError, match=r"another program.*recipes"):
        open_database(tmp_path / "memory.db")


def test_a_missing_home_names_init(tmp_path):
    with pytest.raises(DatabaseError, match="junior init"):
        open_database(tmp_path / "nowhere" / "memory.db")
    with pytest.raises(DatabaseError, match="is a folder"):
        open_database(tmp_path)


def test_a_folder_that_cannot_be_written_is_named():
    with pytest.raises(DatabaseError, match="cannot be opened"):
        open_database("/proc/memory.db")  # refuses even root


def test_a_failed_transaction_leaves_nothing(tmp_path):
    db = open_database(tmp_path / "memory.db")
    with pytest.raises(KeyError), transaction(db):
        db["messages"].insert(ROW)
        raise KeyError
    assert db["messages"].count == 0


def test_a_full_disk_is_said_plainly_and_loses_nothing(tmp_path):
    db = open_database(tmp_path / "memory.db")
    db["messages"].insert(ROW)
    db.execute("pragma max_page_count = 60")
    with pytest.raises(UserError, match="disk is full"), transaction(db):
        for number in range(100):
            db["messages"].insert({**ROW, "external_id": str(number), "text": "x" * 9000})
    assert db["messages"].count == 1
    assert db.execute("pragma integrity_check").fetchone()[0] == "ok"


def test_a_lock_is_busy(tmp_path):
    first, second = (open_database(tmp_path / "memory.db") for _ in range(2))
    second.execute("pragma busy_timeout=50")
    with transaction(first), pytest.raises(BusyError), transaction(second):
        pass


def test_four_processes_make_one_database_together(tmp_path):
    code = "import sys; from memory.db import open_database as o; o(sys.argv[1]).close()"
    command = [sys.executable, "-c", code, str(tmp_path / "memory.db")]
    ends = [process.wait() for process in [subprocess.Popen(command) for _ in range(4)]]
    assert ends == [0, 0, 0, 0]


def test_importing_the_database_brings_no_pandas():
    code = "import sys, memory.db; sys.exit(bool({'pandas', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_row_becomes_a_message_with_an_aware_time(tmp_path):
    db = open_database(tmp_path / "memory.db")
    db["messages"].insert({**ROW, "recipients": '["Ada"]', "sent_at": "2026-11-20T03:30:00+00:00"})
    message = message_from_row(next(db["messages"].rows))
    assert message.recipients == ("Ada",)
    assert message.sent_at.isoformat() == "2026-11-20T03:30:00+00:00"
