"""A source that goes, changes, is locked or replaced is said once; nothing is lost or doubled."""

import json
import os
from contextlib import closing

import pytest

from agent.config import load_config
from agent.status import in_words, status
from memory.db import open_database, sqlite3
from memory.ingest import SourceConfig, find_troubles, ingest_source


@pytest.fixture
def db(tmp_path):
    return open_database(tmp_path / "memory.db")


@pytest.fixture
def relay(tmp_path):
    """A relay database of three rows, as its owner keeps it. All of it is made up."""
    file = tmp_path / "relay.db"
    run(file, "create table agent_messages (id integer primary key, timestamp, agent, message)")
    fill(file, 3)
    return file


def run(file, sql, rows=()):
    with closing(sqlite3.connect(str(file))) as connection:
        connection.executemany(sql, rows) if rows else connection.execute(sql)
        connection.commit()


def fill(file, count, first=1):
    rows = [
        (n, f"2026-03-01T09:{n:02}:00Z", "Pell", f"rain {n}") for n in range(first, first + count)
    ]
    run(file, "insert into agent_messages values (?, ?, ?, ?)", rows)


def scan(db, file):
    return ingest_source(db, SourceConfig("relay", str(file)), only_changed=True)


def texts(db):
    return [text for (text,) in db.execute("select text from messages order by id")]


def check(db, file, reason):
    """The trouble is said, once however often it is met; what was read is still there."""
    before = texts(db)
    for _ in range(3):
        counts = scan(db, file)
        assert (counts.rejects, counts.messages, counts.updated) == (1, 0, 0)
        (trouble,) = find_troubles(db)
        assert reason in trouble["reason"] and trouble["source"] == "relay"
    assert texts(db) == before


def check_well(db, file, expected):
    """It is read again by itself, and what it holds is there once."""
    scan(db, file)
    assert find_troubles(db) == [] and texts(db) == [f"rain {n}" for n in range(1, expected + 1)]


def test_a_source_that_goes_and_comes_back(db, relay, tmp_path):
    scan(db, relay)
    os.rename(relay, tmp_path / "away.db")
    check(db, relay, "there is no file or folder")
    fill(tmp_path / "away.db", 2, first=4)
    os.rename(tmp_path / "away.db", relay)
    check_well(db, relay, 5)


def test_a_source_of_another_schema(db, relay):
    scan(db, relay)
    run(relay, "alter table agent_messages rename column message to m1")
    check(db, relay, "no table with columns for author and text")
    run(relay, "alter table agent_messages rename column m1 to body")
    fill(relay, 1, first=4)
    check_well(db, relay, 4)


def test_a_source_that_is_locked_by_its_owner(db, relay):
    scan(db, relay)
    with closing(sqlite3.connect(str(relay), isolation_level=None)) as owner:
        owner.execute("begin exclusive")
        owner.execute("insert into agent_messages values (4, '2026-03-01', 'Pell', 'rain 4')")
        os.utime(relay)
        check(db, relay, "locked, will be tried again")
        owner.execute("commit")
    check_well(db, relay, 4)


def test_a_source_that_is_replaced_by_a_rename(db, relay, tmp_path):
    scan(db, relay)
    other = tmp_path / "other.db"
    other.write_bytes(relay.read_bytes())
    fill(other, 1, first=4)
    stamp = relay.stat()
    os.replace(other, relay)
    os.utime(relay, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    check_well(db, relay, 4)


def test_a_source_that_is_half_written(db, tmp_path):
    file = tmp_path / "relay.jsonl"
    lines = [json.dumps({"id": n, "agent": "Pell", "message": f"rain {n}"}) for n in (1, 2)]
    file.write_text("\n".join(lines)[:-9])
    assert scan(db, file).rejects == 1 and texts(db) == ["rain 1"]
    file.write_text("\n".join(lines))
    check_well(db, file, 2)


def test_a_disk_that_is_not_mounted_loses_nothing(db, tmp_path):
    folder = tmp_path / "journals"
    folder.mkdir()
    (folder / "1.md").write_text("rain 1")
    source = SourceConfig("journals", str(folder))
    ingest_source(db, source, only_changed=True)
    os.rename(folder / "1.md", tmp_path / "1.md")
    assert ingest_source(db, source, only_changed=True).read == 0 and texts(db) == ["rain 1"]
    os.rename(tmp_path / "1.md", folder / "1.md")
    again = ingest_source(db, source, only_changed=True)
    assert (again.duplicates, again.messages) == (1, 0)


def test_a_cursor_moves_with_its_rows_or_not_at_all(db, relay):
    scan(db, relay)
    before = db.execute("select * from cursors").fetchall()
    fill(relay, 3, first=4)
    db.execute("create trigger full before insert on messages begin select raise(abort, 'x'); end")
    with pytest.raises(sqlite3.IntegrityError):
        scan(db, relay)
    assert db.execute("select * from cursors").fetchall() == before
    db.execute("drop trigger full")
    check_well(db, relay, 6)


def test_status_says_what_cannot_be_read_once(tmp_path):
    (tmp_path / "config.toml").write_text("")
    with open_database(tmp_path / "memory.db") as db:
        for _ in range(3):
            scan(db, tmp_path / "gone.db")
    found = status(load_config(tmp_path))
    assert [one["source"] for one in found["troubles"]] == ["relay"]
    assert in_words(found).count("there is no file or folder") == 1
