"""An mbox is cut where a mail begins, and nowhere else."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memory.db import open_database
from memory.ingest import SourceConfig, ingest_source
from memory.message import Message, Skipped, Unreadable
from memory.sources import guess_kind, read_messages

BIGBANG = Path(__file__).parents[2] / "shared/fixtures/mbox"
ENVELOPE = "From ada at example.org  Sun Mar  1 09:00:00 2026\n"
MAIL = ENVELOPE + "From: ada@example.org\nSubject: Rain {0}\n\nBody {0}.\n\n"


def read(tmp_path, text):
    (tmp_path / "box").write_text(text)
    return list(read_messages("mbox", tmp_path / "box"))


def test_mails_are_read_one_by_one(tmp_path):
    messages = read(tmp_path, MAIL.format(1) + MAIL.format(2))
    assert [message.text for message in messages] == ["Body 1.", "Body 2."]


def test_a_mail_without_a_date_has_that_of_its_envelope(tmp_path):
    (message,) = read(tmp_path, MAIL.format(1))
    assert message.sent_at == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_a_paragraph_may_begin_with_from(tmp_path):
    prose = "\nFrom time to time it rains.\nReally.\n\nFrom here on: sun.\n"
    (message,) = read(tmp_path, MAIL.format(1) + prose)
    assert "From time to time" in message.text
    assert "From here on: sun." in message.text


def test_a_quoted_from_stays_a_quotation(tmp_path):
    (message,) = read(tmp_path, MAIL.format(1) + ">From the start it rained.\n")
    assert ">From the start it rained." in message.text


def test_a_watched_file_waits_until_its_last_mail_is_whole_or_a_minute_old(tmp_path):
    box = tmp_path / "box"
    box.write_text(MAIL.format(1) + MAIL.format(2)[:-3])
    assert [one.text for one in read_messages("mbox", box)] == ["Body 1.", "Body 2"]  # imported
    source = SourceConfig("mbox", str(box))
    with open_database(tmp_path / "memory.db") as db:
        waiting = ingest_source(db, source, wait=True)
        os.utime(box, (0, 0))
        later = ingest_source(db, source, wait=True)
    assert (waiting.messages, waiting.skipped) == (0, {"still being written": 1})
    assert later.messages == 2


def test_an_mbox_is_known_by_its_first_lines_too(tmp_path):
    (tmp_path / "list.txt").write_text(MAIL.format(1))
    (tmp_path / "day.txt").write_text("From the window I saw rain.\nReally.\n")
    assert [guess_kind(tmp_path / name) for name in ("list.txt", "day.txt")] == ["mbox", "journals"]


@pytest.mark.parametrize(("text", "reason"), [("", "empty file"), ("notes", "not an mbox file")])
def test_other_files_are_skipped_by_name(tmp_path, text, reason):
    assert read(tmp_path, text) == [Skipped("box", "", reason)]


def test_broken_bytes_raise_nothing(tmp_path):
    (tmp_path / "box").write_bytes(MAIL.format(1).encode() + b"\xff\0\xfe" * 999 + b"\nFrom \n")
    assert len(list(read_messages("mbox", tmp_path / "box"))) == 1


@pytest.mark.skipif(not BIGBANG.is_dir(), reason="needs the shared fixtures")
@pytest.mark.parametrize(("name", "count"), [("November", 164), ("MIMO", 59), ("EVS", 50)])
def test_real_list_archives_have_all_their_mails(name, count):
    (file,) = [file for file in BIGBANG.rglob("*") if name in file.name]
    records = list(read_messages("mbox", file))
    assert len(records) == count
    assert all(m.sent_at and m.author for m in records if isinstance(m, Message))


def test_a_first_line_without_a_mail_is_a_reject(tmp_path):
    (tmp_path / "a.mbox").write_bytes(b"From the harbour\n\nit rained\n")
    (record,) = read_messages("mbox", tmp_path / "a.mbox")
    assert isinstance(record, Unreadable)
