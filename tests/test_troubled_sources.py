"""A source that goes, changes, is locked or replaced is said once; nothing is lost or doubled."""

import json
import os
import time
from contextlib import closing
from datetime import UTC, datetime

import pytest

from agent.config import load_config
from agent.daemon import Daemon
from agent.status import in_words, status
from memory.db import open_database, sqlite3
from memory.ingest import SourceConfig, find_troubles, ingest_source

pytestmark = pytest.mark.slow


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


# --- the daemon's own scan, over sources of several kinds ----------------------------------------


def texts_of(kind, number):
    """What a source of `kind` holds after `number` things were said. All of it is made up."""
    said = [f"rain {n}" for n in range(1, number + 1)]
    if kind == "mbox":
        head = (
            "From x Sun Mar  1 09:00:00 2026\nFrom: pell@example.org\nMessage-ID: <{}@x>\n\n{}\n\n"
        )
        return "".join(head.format(n, text) for n, text in enumerate(said))
    if kind == "journals":
        return "".join(f"## 2026-03-{n:02}\n\n{text}\n\n" for n, text in enumerate(said, 1))
    if kind == "claude_code":
        rows = ({"type": "assistant", "uuid": f"u{n}", "message": {"content": text}}
                for n, text in enumerate(said))  # fmt: skip
    else:
        rows = ({"id": n, "agent": "Pell", "message": text} for n, text in enumerate(said))
    return "".join(json.dumps(row) + "\n" for row in rows)


KINDS = {"mbox": "a.mbox", "journals": "a.md", "claude_code": "a.jsonl", "relay": "a.jsonl"}


class Life:
    """A home with one source, its daemon (not started: scans are asked for), and the clock."""

    def __init__(self, tmp_path, kind, file):
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        line = f'[[sources]]\nkind = "{kind}"\nname = "s"\npath = "{file}"\n'
        (home / "config.toml").write_text(line)
        self.config = load_config(home)
        self.daemon = Daemon(self.config, lambda: datetime.now(UTC))

    def scan(self):
        self.daemon.scan()
        with open_database(self.config.database_path) as db:
            said = [text.splitlines()[-1] for text in texts(db)]
        return said, [one["reason"] for one in status(self.config)["troubles"]]


def put(file, text):
    """As careful programs write: beside it, then renamed over it."""
    other = file.with_suffix(".new")
    other.write_text(text)
    os.utime(other, (time.time() - 100, time.time() - 100))
    os.replace(other, file)


@pytest.mark.parametrize("kind", KINDS)
def test_the_daemon_reads_on_whatever_becomes_of_a_file(tmp_path, kind, caplog):
    file = tmp_path / "life" / KINDS[kind]
    file.parent.mkdir()
    life, expected = Life(tmp_path, kind, file), [f"rain {n}" for n in range(1, 5)]
    for _ in range(3):  # not there yet
        said, troubles = life.scan()
        assert said == [] and len(troubles) == 1 and "there is no file or folder" in troubles[0]
    assert caplog.text.count("not readable") == 1
    for number in (1, 2, 2, 3):  # made, replaced by a rename, and looked at again
        put(file, texts_of(kind, number))
        assert life.scan() == (expected[:number], [])
    os.rename(file.parent, tmp_path / "away")  # the whole folder goes, and comes back with more
    assert life.scan()[0] == expected[:3] and len(life.scan()[1]) == 1
    put(tmp_path / "away" / file.name, texts_of(kind, 4))
    os.rename(tmp_path / "away", file.parent)
    assert life.scan() == (expected, [])
    file.write_bytes(b"\0" * 100)  # a disk that was full, or a power cut
    assert life.scan()[0] == expected
    put(file, texts_of(kind, 4))
    assert life.scan() == (expected, []) and caplog.text.count("Traceback") == 0


def test_the_daemon_waits_for_a_relay_that_is_locked_or_changed(tmp_path, relay, caplog):
    life = Life(tmp_path, "relay", relay)
    assert life.scan() == ([f"rain {n}" for n in (1, 2, 3)], [])
    with closing(sqlite3.connect(str(relay), isolation_level=None)) as owner:
        owner.execute("begin exclusive")
        owner.execute("insert into agent_messages values (4, '2026-03-01', 'Pell', 'rain 4')")
        os.utime(relay)
        assert life.scan()[1] == life.scan()[1] == ["locked, will be tried again"]
        owner.execute("commit")
    assert life.scan() == ([f"rain {n}" for n in (1, 2, 3, 4)], [])
    run(relay, "alter table agent_messages rename column message to m1")
    assert "no table with columns" in life.scan()[1][0]
    run(relay, "alter table agent_messages rename column m1 to message")
    run(relay, "alter table agent_messages add column mood")
    run(relay, "insert into agent_messages values (5, '2026-03-01', 'Pell', 'rain 5', 'glad')")
    assert life.scan() == ([f"rain {n}" for n in (1, 2, 3, 4, 5)], [])
    assert caplog.text.count("not readable") == 2  # one for each trouble


def test_a_mail_that_is_still_being_saved_is_one_message(tmp_path):
    folder = tmp_path / "mails"
    folder.mkdir()
    life, file = Life(tmp_path, "eml", folder), folder / "1.eml"
    whole = "From: pell@example.org\nMessage-ID: <1@x>\n\nrain\nrain 1"
    file.write_text(whole[:-3])
    assert life.scan() == ([], [])
    file.write_text(whole)
    os.utime(file, (time.time() - 100, time.time() - 100))
    assert life.scan() == (["rain 1"], [])
