"""Claims about backups: whole, tried, private, and a home again on another machine."""

import json
import os
import subprocess
import sys
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.backup import backup_if_due, find_damage, make_backup, unpack
from agent.config import load_config
from agent.lock import Lock
from agent.restore import restore, restore_home
from agent.status import is_backup_due
from memory.db import Database, migrations, open_database, sqlite3
from memory.errors import BusyError, DatabaseError, UserError
from memory.fulltext import register
from memory.migrations import MIGRATIONS
from tests.homes import ROOT, document, junior, let_pass, small_home

VERSIONS = [migration.__name__ for migration in MIGRATIONS]
NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
ROW = {
    "source": "journals", "kind": "journal", "author": "self", "text": "It rained on 公园.",
    "ingested_at": "2026-11-20T03:30:00+00:00",
}  # fmt: skip


@pytest.fixture
def config(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "identity.toml").write_text('[agent]\nname = "Wren"\n')
    with open_database(home / "memory.db") as db:
        db["messages"].insert_all({**ROW, "external_id": f"{n}.md"} for n in range(20))
        db.execute(
            "insert into messages_fts (rowid, subject, text) select id, '', text from messages"
        )
        db.conn.commit()
    return load_config(home)


def test_a_backup_is_private_and_holds_what_the_home_is(config):
    found = make_backup(config, NOW)
    with tarfile.open(found["path"]) as tar:
        assert {entry.name for entry in tar} == {"backup.json", "memory.db", "identity.toml"}
        assert {entry.mode for entry in tar} == {0o600}
    assert os.stat(found["path"]).st_mode & 0o777 == 0o600 and found["messages"] == 20
    assert [path.name for path in (config.home / "backups").iterdir()] == [
        "junior-2026-11-21T040000Z.tar"
    ]


def test_a_restored_home_has_every_message_and_its_search(config, tmp_path):
    file = make_backup(config, NOW)["path"]
    restore(tmp_path / "other", file)
    with open_database(tmp_path / "other" / "memory.db") as db:
        assert db["messages"].count == 20 and find_damage(db) == ""
    assert (tmp_path / "other" / "identity.toml").read_text() == '[agent]\nname = "Wren"\n'
    assert (tmp_path / "other" / "memory.db").stat().st_mode & 0o777 == 0o600


def test_a_flipped_byte_anywhere_is_refused_or_harmless(config, tmp_path):
    file = make_backup(config, NOW)["path"]
    unpack(Path(file), tmp_path / "good")
    whole = Path(file).read_bytes()
    for number, at in enumerate(range(40, len(whole), len(whole) // 25)):
        spoilt = tmp_path / f"{number}.tar"
        spoilt.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            unpack(spoilt, tmp_path / str(number))
        except UserError as error:
            assert str(spoilt) in str(error)
            continue
        for path in (tmp_path / "good").iterdir():
            assert (tmp_path / str(number) / path.name).read_bytes() == path.read_bytes()


def test_a_damaged_memory_makes_no_backup(config):
    with open_database(config.database_path) as db:
        db.execute("delete from messages_fts where rowid = 3")
        db.conn.commit()
    with pytest.raises(DatabaseError, match=r"damaged \(full-text index: 1 missing"):
        make_backup(config, NOW)
    assert list((config.home / "backups").iterdir()) == []


def test_a_home_with_a_memory_is_not_overwritten_unless_forced(config):
    file = make_backup(config, NOW)["path"]
    with pytest.raises(UserError, match="holds a memory already"):
        restore(config.home, file)
    restore(config.home, file, force=True)
    assert (config.home / "memory.db.replaced").exists()


def test_nothing_is_restored_under_a_running_daemon(config):
    file = make_backup(config, NOW)["path"]
    with Lock(config.home / "daemon.lock", "a daemon is running"), pytest.raises(BusyError):
        restore(config.home, file, force=True)


def test_the_newest_seven_are_kept(config):
    for day in range(9):
        make_backup(config, NOW + timedelta(days=day))
    assert len(list((config.home / "backups").glob("junior-*.tar"))) == 7


def test_one_a_day_and_a_failure_is_tried_again_in_an_hour(config):
    assert backup_if_due(config, NOW) and not is_backup_due(config, NOW + timedelta(hours=23))
    with open_database(config.database_path) as db:
        db.execute("delete from messages_fts where rowid = 3")
        db.conn.commit()
    with pytest.raises(UserError):
        backup_if_due(config, NOW + timedelta(hours=25))
    assert not is_backup_due(config, NOW + timedelta(hours=25, minutes=59))
    assert is_backup_due(config, NOW + timedelta(hours=26, minutes=1))


def test_a_running_night_is_not_running_on_the_other_machine(config, tmp_path):
    with open_database(config.database_path) as db:
        db["nights"].insert({"id": "2026-11-21", "verdict": "running", "pid": 1})
    restore(tmp_path / "other", make_backup(config, NOW)["path"])
    with open_database(tmp_path / "other" / "memory.db") as db:
        assert db.execute("select verdict, pid from nights").fetchone() == ("failed", None)


def test_a_file_that_is_no_backup_is_named(tmp_path):
    (tmp_path / "letter.tar").write_text("Dear all,")
    with pytest.raises(UserError, match=r"letter\.tar: is no whole backup"):
        restore(tmp_path / "home", tmp_path / "letter.tar")


@pytest.mark.parametrize("name", ["../evil", "nights/../../evil", "/etc/evil"])
def test_no_name_leads_out_of_the_home(config, tmp_path, name):
    made = tmp_path / "made.tar"
    listed = {"made_at": "", "messages": 0, "current": None, "lineage": None, "files": {name: ""}}
    (tmp_path / "list").write_text(json.dumps(listed))
    with tarfile.open(made, "w") as tar:
        tar.add(tmp_path / "list", "backup.json")
        tar.add(tmp_path / "list", name)
    with pytest.raises(UserError, match="odd name"):
        unpack(made, tmp_path / "out")


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_every_older_memory_is_copied_then_migrated(tmp_path, version):
    path = tmp_path / "memory.db"
    old = Database(sqlite3.connect(str(path)))
    register(old)
    migrations.apply(old, stop_before=version)
    old["messages"].insert({**ROW, "external_id": "a.md"})
    old.close()
    with open_database(path) as db:
        assert db["messages"].count == 1
    copy = tmp_path / "backups" / f"memory-before-{version.split('_')[0]}.db"
    kept = Database(sqlite3.connect(str(copy)))
    assert version not in {one.name for one in migrations.applied(kept)}
    assert copy.stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_on_another_machine_the_junior_is_made_again_byte_for_byte(tmp_path):
    here = {"XDG_CACHE_HOME": str(tmp_path / "here"), "JUNIOR_TRAIN_MAX_TOKENS": "1000",
            "JUNIOR_SCHEDULE_MIN_FREE_GB": "0.5", "JUNIOR_PUBLISH_OLLAMA": "off"}  # fmt: skip
    code = "from tests.bases import quick_tiny_base; quick_tiny_base()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, env=os.environ | here)
    home = let_pass(small_home(tmp_path, journals=4))
    night = document(home, "night", **here)
    assert night["verdict"] == "released", night["reason"]
    file = document(home, "backup", **here)["path"]
    there = here | {"XDG_CACHE_HOME": str(tmp_path / "there")}
    found = document(tmp_path / "new", "restore", file, **there)
    assert found["generation"] == night["night"] and found["same_bytes"], found
    said = document(tmp_path / "new", "chat", "--prompt", "Who?", **there)
    assert said["generation"] == night["night"]
    assert junior(tmp_path / "new", "restore", file, **there).returncode == 1
    memory = restore_home(tmp_path / "bare", Path(file), with_junior=False)
    assert memory["generation"] is None and memory["messages"] > 20
