"""Ingest stores every record once, and accounts for each."""

import json
import os
from datetime import UTC, datetime

import pytest

from memory.db import all_messages, open_database
from memory.errors import UsageError, UserError
from memory.ingest import SourceConfig, ingest_source, log_message

NOW = datetime(2026, 11, 20, 3, 30, tzinfo=UTC)


@pytest.fixture
def db(tmp_path):
    return open_database(tmp_path / "memory.db")


@pytest.fixture
def journals(tmp_path):
    (tmp_path / "journals").mkdir()
    for number in range(3):
        (tmp_path / "journals" / f"{number}.md").write_text(f"# Day {number}\n\nIt rained.")
    return SourceConfig("journals", str(tmp_path / "journals"))


def rows(db):
    return list(db.execute("select * from messages order by id"))


def assert_adds_up(counts):
    parts = counts.messages + counts.updated + counts.duplicates + counts.rejects
    assert counts.read == parts + sum(counts.skipped.values())


def test_ingest_saves_messages_once(db, journals):
    assert ingest_source(db, journals).messages == 3
    before = rows(db)
    again = ingest_source(db, journals)
    assert (again.read, again.duplicates) == (3, 3)
    assert rows(db) == before


def test_an_edited_text_keeps_its_row_and_its_former_words(db, journals, tmp_path):
    ingest_source(db, journals)
    (tmp_path / "journals/1.md").write_text("# Day 1\n\nIt snowed.")
    assert ingest_source(db, journals).updated == 1
    assert [row["text"] for row in db["versions"].rows] == ["# Day 1\n\nIt rained."]
    assert db["messages"].get(2)["text"] == "# Day 1\n\nIt snowed."


def test_a_text_that_turns_out_generated_is_marked(db, journals, tmp_path):
    ingest_source(db, journals)
    text = "---\ngenerated: true\n---\n# Day 1\n\nIt rained."
    (tmp_path / "journals/1.md").write_text(text)
    assert ingest_source(db, journals).updated == 1
    assert db["messages"].get(2)["origin"] == "generated"
    assert db["versions"].count == 0


def test_a_touched_file_keeps_its_date(db, journals, tmp_path):
    ingest_source(db, journals)
    before = rows(db)
    os.utime(tmp_path / "journals/1.md", (2e9, 2e9))
    assert ingest_source(db, journals, only_changed=True).duplicates == 1
    assert rows(db) == before


def test_unchanged_files_are_passed_over(db, journals, tmp_path):
    ingest_source(db, journals)
    (tmp_path / "journals/1.md").write_text("# Day 1\n\nIt snowed a lot.")
    counts = ingest_source(db, journals, only_changed=True)
    assert (counts.updated, counts.skipped) == (1, {"unchanged file": 2})
    assert_adds_up(counts)


def test_a_line_appended_to_a_dated_journal_is_one_update(db, tmp_path):
    file = tmp_path / "j.md"
    file.write_text("### [2026-03-01 09:00]\n\nRain.\n\n### [2026-03-02 09:00]\n\nSun.\n")
    source = SourceConfig("journals", str(file))
    assert ingest_source(db, source).messages == 2
    file.write_text(file.read_text() + "\nAnd wind.\n")
    counts = ingest_source(db, source)
    assert (counts.updated, counts.duplicates) == (1, 1)


def test_a_missing_path_is_a_reject_until_it_is_there(db, journals, tmp_path):
    os.rename(tmp_path / "journals", tmp_path / "away")
    counts = ingest_source(db, journals)
    assert (counts.read, counts.rejects) == (1, 1)
    assert "there is no file or folder" in next(db["rejects"].rows)["reason"]
    os.rename(tmp_path / "away", tmp_path / "journals")
    ingest_source(db, journals)
    assert db["rejects"].count == 0


def test_a_reject_that_reads_well_later_is_gone(db, tmp_path):
    good = json.dumps({"id": 1, "agent": "Nova", "message": "Hi"})
    (tmp_path / "r.jsonl").write_text(good + "\n{broken\n")
    source = SourceConfig("relay", str(tmp_path / "r.jsonl"))
    counts = ingest_source(db, source)
    assert (counts.messages, counts.rejects) == (1, 1)
    assert_adds_up(counts)
    assert [row["place"] for row in db["rejects"].rows] == ["line 2"]
    (tmp_path / "r.jsonl").write_text(good + "\n")
    ingest_source(db, source)
    assert db["rejects"].count == 0


def test_an_id_used_again_keeps_both_messages(db, tmp_path):
    file = tmp_path / "r.jsonl"
    source = SourceConfig("relay", str(file))
    for agent in ("Nova", "Eos", "Nova", "Eos"):
        file.write_text(json.dumps({"id": 5, "agent": agent, "message": "Hi"}))
        counts = ingest_source(db, source)
    assert counts.duplicates == 1
    assert {(row["external_id"], row["author"]) for row in db["messages"].rows} == {
        ("5", "Eos"),
        ("5#2", "Nova"),
    }


@pytest.mark.parametrize("order", ["abc", "cba", "bca", "cab"])
def test_rows_of_one_id_are_numbered_by_time_in_any_order(db, tmp_path, order):
    for day in order * 2:
        row = {"id": 5, "agent": day, "message": day, "timestamp": f"2026-03-0{ord(day) - 96}"}
        (tmp_path / "r.jsonl").write_text(json.dumps(row))
        ingest_source(db, SourceConfig("relay", str(tmp_path / "r.jsonl")))
    found = {row["external_id"]: row["text"] for row in db["messages"].rows}
    assert found == {"5": "a", "5#2": "b", "5#3": "c"}


def mail(subject, body):
    return f"From: ada@example.org\nMessage-ID: <1@x>\nSubject: {subject}\n\n{body}\n"


@pytest.mark.parametrize("order", ["abc", "cba", "bca", "bac"])
def test_one_message_id_with_two_bodies_keeps_both_in_any_order(tmp_path, order):
    mails = {"a": mail("Rain", "one"), "b": mail("Rain", "two"), "c": mail("[list] Rain", "one")}
    stored = []
    for number, names in enumerate(("abc", order * 2)):
        db = open_database(tmp_path / f"{number}.db")
        for name in names:
            (tmp_path / "a.eml").write_text(mails[name])
            ingest_source(db, SourceConfig("eml", str(tmp_path / "a.eml")))
        stored.append({(m.external_id, m.subject, m.text) for _, m in all_messages(db)})
    assert stored[0] == stored[1]
    assert sorted(text for _, _, text in stored[0]) == ["one", "two"]


def test_the_configured_author_is_who_says_i(db, journals):
    ingest_source(db, SourceConfig(journals.kind, journals.path, name="hers", author="Ada"))
    assert {(m.source, m.author) for _, m in all_messages(db)} == {("hers", "Ada")}


def test_text_that_sqlite_cannot_hold_is_mended(db, tmp_path):
    (tmp_path / "r.jsonl").write_text('{"id": 1, "agent": "Nova", "message": "a\\ud83d b"}')
    ingest_source(db, SourceConfig("relay", str(tmp_path / "r.jsonl")))
    assert next(db["messages"].rows)["text"] == "a\ufffd b"


def test_a_full_disk_loses_nothing(db, journals, tmp_path):
    ingest_source(db, journals)
    before = rows(db)
    for number in range(100):
        (tmp_path / "journals" / f"new-{number}.md").write_text("rain " * 2000)
    db.execute("pragma max_page_count = 80")
    with pytest.raises(UserError, match="disk is full"):
        ingest_source(db, journals)
    assert rows(db) == before
    db.execute("pragma max_page_count = 100000")
    assert ingest_source(db, journals).messages == 100


def test_an_unknown_kind_names_the_known_ones(db):
    with pytest.raises(UsageError, match=r"'dreams' is unknown.*journals"):
        ingest_source(db, SourceConfig("dreams", "/"))


def test_progress_is_told_the_counts(db, journals):
    seen = []
    ingest_source(db, journals, progress=lambda counts: seen.append(counts.read))
    assert seen == [1, 2, 3]


def test_the_same_key_is_logged_once(db):
    first = log_message(db, "relay", "Hello", key="k", author="Ada", now=NOW)
    later = NOW.replace(hour=4)
    assert first == (1, False)
    assert log_message(db, "relay", "Hello", key="k", author="Ada", now=later) == (1, True)
    assert log_message(db, "relay", "Hello", author="Ada", now=NOW) == (2, False)


def test_a_log_without_words_or_kind_is_refused(db):
    with pytest.raises(UsageError, match="empty"):
        log_message(db, "note", " \n", author="Ada", now=NOW)
    with pytest.raises(UsageError, match="known: journal"):
        log_message(db, "dream", "x", author="Ada", now=NOW)
