"""Every public sample, read as what it is: each record is accounted for, twice adds nothing."""

import shutil
import time

import pytest

from memory.db import open_database
from memory.ingest import SourceConfig, ingest_source
from memory.sources import SOURCES
from tests.fixtures import FIXTURES, fixture_folder

SAMPLES = {  # folder: (kind, messages, rejects)
    "chatgpt": ("chatgpt", 10, 0),
    "claude": ("claude_ai", 22, 0),
    "discord": ("discord", 5, 0),
    "email_automated": ("eml", 15, 0),
    "email_mime": ("eml", 116, 2),
    "email_reply": ("letters", 108, 0),
    "emails_sent": ("corpus", 526, 0),
    "facebook": ("facebook", 30, 0),
    "google_takeout": ("google_chat", 13, 1),
    "html_to_text": ("notes", 92, 0),
    "imessage": ("imessage", 22, 0),
    "instagram": ("instagram", 2, 0),
    "jekyll": ("blog", 10, 0),
    "journals": ("journals", 4, 0),
    "mbox": ("mbox", 192, 1),
    "pst": ("pst", 11, 0),
    "raw_corpus": ("corpus", 13, 0),
    "signal": ("signal", 2, 0),
    "slack": ("slack", 4, 0),
    "telegram": ("telegram", 10, 0),
    "transcripts": ("transcript", 71, 2),
    "whatsapp": ("whatsapp", 47, 0),
}


def balanced(counts) -> bool:
    parts = (counts.messages, counts.updated, counts.duplicates, counts.rejects)
    return counts.read == sum(parts) + sum(counts.skipped.values())


def snapshot(db):
    """Every row with its id, and how much the full text holds."""
    size = db.execute("select count(*), sum(length(block)) from messages_fts_data").fetchone()
    return db.execute("select * from messages order by id").fetchall(), size


@pytest.mark.parametrize("name", SAMPLES)
def test_every_record_is_accounted_for_and_twice_adds_nothing(name, tmp_path):
    kind, messages, rejects = SAMPLES[name]
    source = SourceConfig(kind, str(fixture_folder(name)))
    with open_database(tmp_path / "memory.db") as db:
        first = ingest_source(db, source)
        before = snapshot(db)
        again = ingest_source(db, source)
        assert balanced(first) and balanced(again)
        assert (first.messages, first.rejects) == (messages, rejects)
        assert (again.messages, again.read, snapshot(db)) == (0, first.read, before)


def test_every_folder_of_samples_has_its_kind():
    fixture_folder("mbox")
    assert {path.name for path in FIXTURES.iterdir() if path.is_dir()} == SAMPLES.keys()


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(SOURCES.keys() - {"imap", "pst"}))
def test_any_sample_read_as_any_kind_yields_records_in_time(kind, tmp_path):
    for number, file in enumerate(p for p in fixture_folder("").rglob("*") if p.is_file()):
        copy = tmp_path / f"{number}{file.suffix}"
        shutil.copy(file, copy)
        start = time.process_time()
        records = list(SOURCES[kind].read_file(copy, copy))
        assert records and time.process_time() - start < 1, (kind, file)
