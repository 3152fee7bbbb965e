"""A folder of texts becomes messages, whatever its writers' habits."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memory.message import SELF, Message, Skipped, Unreadable
from memory.sources import read_messages

MERIDIAN = Path(__file__).parents[2] / "shared/corpora/meridian"
FOLDERS = {
    "journals": ("journals", 338),
    "poems": ("poems", 245),
    "essays": ("essays", 37),
    "letters": ("emails", 13),
    "fiction": ("fiction", 123),
    "notes": ("logs", 3),
}
MTIME = datetime(2025, 5, 5, tzinfo=UTC)


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    os.utime(path, (MTIME.timestamp(), MTIME.timestamp()))
    return path


def read_one(path: Path, text: str | bytes, kind: str = "journals") -> Message:
    (record,) = read_messages(kind, write(path, text))
    return record


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\ndate: 2026-03-01\n---\n# April 2, 2026\n\nWords.", "2026-03-01T00:00"),
        ("---\ndate: 2026-03-01 09:30:00 +0100\n---\nWords.", "2026-03-01T08:30"),
        ("# Journal 7 — 2026-03-01 23:57 UTC\n\nWords.", "2026-03-01T23:57"),
        ("# The Count\n\n**Loop 9 | March 1, 2026 | 5:15 PM MST**\n\nWords.", "2026-03-02T00:15"),
        ("# The Count\n*by me — 2026-03-01, first*\n\nWords.", "2026-03-01T00:00"),
        ("# The Count\nJournal 7 — 2026-03-01 — Loop 9\n\nWords.", "2026-03-01T00:00"),
        ("# The Count\n\n**Date:** 1 March 2026\n\nWords.", "2026-03-01T00:00"),
        ("# 公园\n\n2026年3月1日\n\n今天下雨。", "2026-03-01T00:00"),
        ("Words and words.\n\n— Ada\n  March 1, 2026, 8:12 AM UTC\n", "2026-03-01T08:12"),
        ("We met on March 1, 2026, and it rained.\n\nMore.", MTIME.isoformat()[:16]),
        ("# Broadcast of 2089-03-14\n\nWords.", MTIME.isoformat()[:16]),
        ("# 2026-02-31\n\nWords.", MTIME.isoformat()[:16]),
    ],
)
def test_dates_are_read_from_every_kind_of_header(tmp_path, text, expected):
    assert read_one(tmp_path / "a.md", text).sent_at.isoformat().startswith(expected)


@pytest.mark.parametrize("name", ["2026-03-01-rain.md", "rain_20260301.txt", "x-2026_03_01.md"])
def test_the_file_name_has_the_date_where_the_text_has_none(tmp_path, name):
    assert read_one(tmp_path / name, "Words.").sent_at == datetime(2026, 3, 1, tzinfo=UTC)


def test_front_matter_is_read_and_taken_out(tmp_path):
    text = "\ufeff---\ntitle: Rain\nauthor: Ada\ngenerated: true\n---\n\n# Rain\n\nIt fell."
    message = read_one(tmp_path / "a.md", text)
    assert (message.subject, message.author, message.origin) == ("Rain", "Ada", "generated")
    assert message.text == "# Rain\n\nIt fell."


@pytest.mark.parametrize("value", ["translated: yes", "translator: Bo", "origin: translated"])
def test_a_translation_is_no_own_text(tmp_path, value):
    assert read_one(tmp_path / "a.md", f"---\n{value}\n---\nWords.").origin == "translated"


@pytest.mark.parametrize("block", ["title: [open", "date: 2026-02-30", "just words", "- a\n- b"])
def test_front_matter_that_fails_keeps_every_word(tmp_path, block):
    text = f"---\n{block}\n---\nThe body."
    assert read_one(tmp_path / "a.md", text).text == text


def test_broken_front_matter_still_says_it_was_generated(tmp_path):
    text = "---\ntitle: [open\ngenerated: true\n---\nThe body."
    assert read_one(tmp_path / "a.md", text).origin == "generated"


def test_the_text_keeps_its_marks_and_title(tmp_path):
    text = "# Rain\n\n> quoted *words*\n\n- one\n\n-- \nAda"
    message = read_one(tmp_path / "a.md", text)
    assert (message.text, message.subject, message.author) == (text, "Rain", SELF)


def test_dated_entries_are_messages_of_their_own(tmp_path):
    first = "# Log\n\n### [2026-03-01 09:00]\n\nRain.\n"
    assert [m.external_id for m in read_messages("journals", write(tmp_path / "j.md", first))] == [
        "j.md#[2026-03-01 09:00]"
    ]
    both = first + "\n### [2026-03-02 10:00]\n\nSun.\n"
    one, two = read_messages("journals", write(tmp_path / "j.md", both))
    assert one.text == "# Log\n\n### [2026-03-01 09:00]\n\nRain."
    assert two.external_id == "j.md#[2026-03-02 10:00]"
    assert two.sent_at == datetime(2026, 3, 2, 10, tzinfo=UTC)


def test_the_same_heading_twice_is_two_entries(tmp_path):
    text = "## 2026-03-01\nRain.\n\n## 2026-03-01\nSun.\n"
    ids = [m.external_id for m in read_messages("notes", write(tmp_path / "n.md", text))]
    assert ids == ["n.md#2026-03-01", "n.md#2026-03-01#2"]


def test_a_date_in_a_code_block_begins_no_entry(tmp_path):
    text = "# Log\n\n```\n## [2026-03-01 09:00]\n```\n"
    assert read_one(tmp_path / "j.md", text).external_id == "j.md"


def test_a_letters_head_is_read_and_taken_out(tmp_path):
    text = (
        "From: Ada\nTo: Bo, Cy <cy@example.org>\nSubject: Rain\nDate: 2026-03-01T17:33:23-06:00\n"
    )
    message = read_one(tmp_path / "l.txt", text + "\nDear Bo,\n\nit rains.", "letters")
    assert (message.author, message.subject) == ("Ada", "Rain")
    assert message.recipients == ("Bo", "Cy <cy@example.org>")
    assert message.sent_at.isoformat() == "2026-03-01T23:33:23+00:00"
    assert message.text == "Dear Bo,\n\nit rains."


def test_a_letter_without_a_head_is_ones_own(tmp_path):
    message = read_one(tmp_path / "l.txt", "Dear Bo,\n\nit rains.", "letters")
    assert (message.author, message.text) == (SELF, "Dear Bo,\n\nit rains.")


@pytest.mark.parametrize(
    "data",
    ["Grüße — “ja”".encode(), "Grüße — “ja”".encode("utf-16"), "Grüße — “ja”".encode("cp1252")],
)
def test_other_encodings_are_read(tmp_path, data):
    assert read_one(tmp_path / "a.txt", data).text == "Grüße — “ja”"


def test_what_is_no_text_is_skipped_by_name(tmp_path):
    write(tmp_path / "a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    write(tmp_path / "b.md", "  \n")
    write(tmp_path / "c.md", "---\ntitle: Rain\n---\n")
    (tmp_path / "d.md").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "e.md")
    write(tmp_path / ".hidden.md", "x")
    write(tmp_path / "f.md~", "x")
    records = list(read_messages("journals", tmp_path))
    assert all(isinstance(record, Skipped) for record in records)
    assert [(record.path, record.reason) for record in records] == [
        ("a.png", "not a text file"),
        ("b.md", "empty file"),
        ("c.md", "no text after the front matter"),
        ("d.md", "link to nothing"),
        ("e.md", "neither a file nor a folder"),
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(tmp_path):
    write(tmp_path / "a.md", "x").chmod(0)
    write(tmp_path / "b" / "b.md", "x").parent.chmod(0)
    records = list(read_messages("journals", tmp_path))
    assert [type(record) for record in records] == [Unreadable, Unreadable]


def test_linked_folders_do_not_go_round_in_circles(tmp_path):
    write(tmp_path / "a" / "a.md", "x")
    (tmp_path / "a" / "b").symlink_to(tmp_path)
    assert [record.path for record in read_messages("notes", tmp_path)] == ["a/a.md"]


@pytest.mark.skipif(not MERIDIAN.is_dir(), reason="needs the shared corpus")
@pytest.mark.parametrize("kind", FOLDERS)
def test_every_text_of_the_real_corpus_is_a_message(kind):
    folder, expected = FOLDERS[kind]
    records = list(read_messages(kind, MERIDIAN / folder))
    assert len(records) == expected
    assert all(isinstance(record, Message) and record.sent_at for record in records)


def test_a_page_of_apple_journal_is_its_words(tmp_path):
    page = ("<html><body><div class='pageHeader'>Sunday, 3 November 2024</div>"
            "<div class='assetGrid'><div>Sad</div></div><p>It rained.</p></html>")  # fmt: skip
    (tmp_path / "entry.html").write_text(page)
    (message,) = read_messages("journals", tmp_path)
    assert "It rained." in message.text and "Sad" not in message.text
    assert message.sent_at.date().isoformat() == "2024-11-03"


@pytest.mark.parametrize(
    "text",
    [
        "+++\ntitle = 'Rain'\ndate = 2026-03-01\n+++\nIt rained.\n",
        "#+TITLE: Rain\n#+DATE: <2026-03-01 Sun>\n\nIt rained.\n",
    ],
)
def test_heads_of_hugo_and_org_are_read_and_taken_out(tmp_path, text):
    (message,) = read_messages("essays", write(tmp_path / "a.org", text))
    assert (message.subject, message.text) == ("Rain", "It rained.")
    assert message.sent_at == datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("mark", ["* ", "*** ", "# ", "## "])
def test_days_of_org_and_of_first_level_headings_are_entries(tmp_path, mark):
    text = f"{mark}2026-03-01 Sun\nIt rained.\n\n{mark}2026-03-02 Mon\nIt snowed.\n"
    first, second = read_messages("journals", write(tmp_path / "a.org", text))
    assert first.external_id == "a.org#2026-03-01 Sun" and "snowed" in second.text


@pytest.mark.parametrize(
    "day", ["1 de março de 2026", "1er mars 2026", "1 marzo 2026", "1 maart 2026", "1 марта 2026"]
)
def test_a_day_is_read_in_other_languages(tmp_path, day):
    (message,) = read_messages("journals", write(tmp_path / "a.md", f"# {day}\n\nx\n"))
    assert message.sent_at == datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("value", ["[" * 10**6, "{a: " * 10**5, "- " * 10**5, "a: " * 10**5])
@pytest.mark.parametrize("mark", ["---", "+++"])
def test_a_head_nested_without_end_is_no_crash(tmp_path, mark, value):
    text = f"{mark}\na: {value}\n{mark}\nIt rained.\n"
    (message,) = read_messages("journals", write(tmp_path / "a.md", text))
    assert message.text.endswith("It rained.")


@pytest.mark.parametrize("line", ["# 2026-03-01\n", "* 2026-03-01\n", "### [2026-03-01 09:00]\n"])
def test_a_heading_ten_thousand_times_takes_no_time(tmp_path, line):
    file = write(tmp_path / "a.md", line * 10_000)
    start = time.process_time()
    records = list(read_messages("journals", file))
    assert len({one.external_id for one in records}) == 10_000
    assert time.process_time() - start < 1
