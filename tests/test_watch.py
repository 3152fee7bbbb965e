"""Claims about watching: events are hints, and what they miss is found by the scan, once."""

import mmap
import os
import time

import pytest

from agent.watch import Watcher, is_remote
from memory.db import open_database
from memory.ingest import SourceConfig, ingest_source
from tests.homes import until

MOUNTS = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
31 22 0:27 / /mnt/share rw,relatime shared:9 - nfs4 server:/export rw,vers=4.2
32 22 0:28 / /mnt/share/local rw - ext4 /dev/vdb rw
33 22 0:29 / /mnt/with\\040space rw - fuse.sshfs host: rw
"""


@pytest.fixture
def journals(tmp_path):
    folder = tmp_path / "journals"
    folder.mkdir()
    return folder


@pytest.fixture
def watched(journals):
    heard = []
    watcher = Watcher([SourceConfig("journals", str(journals), "journals")], heard.append)
    watcher.start()
    yield watcher, heard
    watcher.stop()


def write(folder, name, text="It rained."):
    (folder / name).write_text(f"{text}\n")


def hears(heard, seconds=5):
    del heard[:]
    return lambda: until(lambda: heard, seconds, 0.02)


def test_a_new_and_a_changed_file_are_hints_and_reading_is_none(watched, journals):
    _, heard = watched
    write(journals, "a.md")
    assert until(lambda: heard, 5)
    time.sleep(0.3)
    del heard[:]
    (journals / "a.md").read_text()
    time.sleep(0.5)
    assert heard == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_handler_that_raised_is_replaced(journals):
    heard, broken = [], [True]

    def hint(name):
        if broken:
            raise ValueError("a bug in what hears")
        heard.append(name)

    watcher = Watcher([SourceConfig("journals", str(journals), "journals")], hint)
    watcher.start()
    write(journals, "a.md")
    dead = until(lambda: not watcher.alive, 5)
    broken.clear()
    assert dead and watcher.renew() == ["journals"] and watcher.alive
    write(journals, "b.md")
    assert until(lambda: heard, 5)
    watcher.stop()


def test_a_folder_replaced_by_another_is_watched_anew(watched, journals, tmp_path):
    watcher, heard = watched
    (tmp_path / "other").mkdir()
    journals.rename(tmp_path / "old")
    (tmp_path / "other").rename(journals)
    assert watcher.renew() == ["journals"] and watcher.renew() == []
    heard_of = hears(heard)
    write(journals, "a.md")
    assert heard_of()


def test_a_folder_that_goes_and_comes_back_is_watched_again(watched, journals):
    watcher, heard = watched
    journals.rmdir()
    assert watcher.renew() == ["journals"]  # its parent now, which sees it come back
    journals.mkdir()
    assert watcher.renew() == ["journals"]
    heard_of = hears(heard)
    write(journals, "a.md")
    assert heard_of()


def test_a_file_as_a_source_is_heard_and_the_tree_beside_it_is_not(tmp_path):
    heard = []
    relay = tmp_path / "relay.jsonl"
    relay.write_text("{}\n")
    (tmp_path / "large" / "tree").mkdir(parents=True)
    watcher = Watcher([SourceConfig("relay", str(relay), "relay")], heard.append)
    watcher.start()
    (tmp_path / "large" / "tree" / "a.md").write_text("It rained.\n")
    time.sleep(0.5)
    quiet = heard == []
    with relay.open("a") as file:
        file.write("{}\n")
    assert quiet and until(lambda: heard, 5)
    watcher.stop()


@pytest.mark.parametrize(
    ("path", "remote"),
    [("/home/wren", False), ("/mnt/share/mail", True), ("/mnt/share/local/mail", False),
     ("/mnt/with space/mail", True), ("/mnt/shared", False)],
)  # fmt: skip
def test_what_lies_on_another_machine_is_known(path, remote):
    assert is_remote(path, MOUNTS) == remote


def test_a_change_without_an_event_is_found_by_the_scan(watched, journals, tmp_path):
    """Writes through mmap make no event (inotify(7)); neither do another machine's on NFS."""
    _, heard = watched
    write(journals, "a.md", "It rained in the hills.")
    source = SourceConfig("journals", str(journals), "journals")
    with open_database(tmp_path / "memory.db") as db:
        ingest_source(db, source, only_changed=True)
        time.sleep(0.3)
        del heard[:]
        with (journals / "a.md").open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
            mapped[3:9] = b"snowed"
            mapped.flush()
        time.sleep(0.5)
        assert heard == [] and ingest_source(db, source, only_changed=True).updated == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else and back")
def test_a_folder_that_may_not_be_read_any_more_loses_nothing(journals, tmp_path):
    for name in ("a.md", "b.md"):
        write(journals, name, f"{name} is a day.")
    source = SourceConfig("journals", str(journals), "journals")
    with open_database(tmp_path / "memory.db") as db:
        assert ingest_source(db, source).messages == 2
        write(journals, "c.md", "c.md is a day.")
        os.seteuid(65534)
        try:
            lost = ingest_source(db, source, only_changed=True)
        finally:
            os.seteuid(0)
        assert (lost.messages, lost.rejects) == (0, 1) and db["messages"].count == 2
        found = ingest_source(db, source, only_changed=True)
        assert (found.messages, found.rejects, db["rejects"].count) == (1, 0, 0)


@pytest.mark.slow
def test_40_000_files_at_once_are_each_there_once(watched, journals, tmp_path):
    """More than the kernel's queue of events holds (16,384)."""
    _, heard = watched
    for number in range(40_000):
        write(journals, f"{number}.md", f"Day {number}: {number * 7919 % 10007} boats.")
    source = SourceConfig("journals", str(journals), "journals")
    with open_database(tmp_path / "memory.db") as db:
        assert until(lambda: heard, 5)
        ingest_source(db, source, only_changed=True)
        again = ingest_source(db, source, only_changed=True)
        assert db["messages"].count == 40_000 and again.messages == again.updated == 0
