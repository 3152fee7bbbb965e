"""chat.db: what is only in attributedBody is read, tapbacks are not words."""

from datetime import UTC, datetime

import pytest

from memory.db import sqlite3
from memory.message import SELF, Message, Skipped, Unreadable
from memory.sources import read_messages
from memory.sources.imessage import decode_body, read_date
from tests.fixtures import count, fixture_folder, records_of

# All people and words here are made up.
NANOSECONDS = 794_048_400 * 10**9  # 2026-03-01 09:00 UTC since 2001
STREAM = (
    b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84\x84\x84\x12NSAttributedString\x00\x84\x84"
    b"\x08NSObject\x00\x85\x92\x84\x84\x84\x08NSString\x01\x94\x84\x01+\x05hello\x86\x86"
)


def make(path, *rows):
    """chat.db of rows (text, attributedBody, is_from_me, associated_message_type, in a chat)."""
    with sqlite3.connect(str(path)) as db:
        db.execute("create table handle (id text)")
        db.execute("insert into handle values ('+100')")
        db.execute("create table chat (guid text, display_name text)")
        db.execute("insert into chat values ('g1', 'Harbour')")
        db.execute("create table chat_message_join (message_id integer, chat_id integer)")
        db.execute("""create table message (guid text, text text, attributedBody blob, handle_id
            integer, is_from_me integer, date integer, associated_message_type integer)""")
        for number, (text, body, own, kind, joined) in enumerate(rows, 1):
            values = (f"g{number}", text, body, 1, own, NANOSECONDS, kind)
            db.execute("insert into message values (?, ?, ?, ?, ?, ?, ?)", values)
            if joined:
                db.execute("insert into chat_message_join values (?, 1)", [number])
    db.close()
    return list(read_messages("imessage", path))


def test_own_and_others_words_with_their_chat(tmp_path):
    own, other = make(tmp_path / "chat.db", ("hi", None, 1, 0, 1), ("ho", None, 0, 0, 1))
    assert (own.author, other.author, own.conversation) == (SELF, "+100", "Harbour")
    assert own.sent_at == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_a_null_text_is_decoded_from_its_archive(tmp_path):
    good, bad = make(tmp_path / "chat.db", (None, STREAM, 1, 0, 1), (None, b"\x04x", 1, 0, 1))
    assert good.text == "hello"
    assert isinstance(bad, Unreadable) and bad.where == "row 2"


@pytest.mark.parametrize("cut", range(0, len(STREAM), 3))
def test_a_cut_archive_raises_nothing(cut):
    assert decode_body(STREAM[:cut]) in (None, "", "hello")


def test_tapbacks_are_skipped_in_both_shapes(tmp_path):
    records = make(
        tmp_path / "chat.db",
        ("x", None, 0, 2000, 1),
        ("x", None, 0, 3006, 1),
        ("Loved “hello”", None, 0, 0, 1),
        ("Loved it", None, 0, 0, 1),
    )
    assert [getattr(one, "reason", "said") for one in records] == [*["tapback"] * 3, "said"]


def test_a_message_taken_back_is_skipped_as_such(tmp_path):
    make(tmp_path / "chat.db", (None, None, 1, 0, 1), ("hi", None, 1, 0, 1))
    with sqlite3.connect(str(tmp_path / "chat.db")) as db:
        db.execute("alter table message add column date_retracted integer default 0")
        db.execute("update message set date_retracted = 5 where rowid = 1")
    db.close()
    gone, said = read_messages("imessage", tmp_path / "chat.db")
    assert gone.reason == "message taken back" and said.text == "hi"


def test_messages_in_no_chat_are_read_all_the_same(tmp_path):
    (message,) = make(tmp_path / "chat.db", ("hi", None, 0, 0, 0))
    assert (message.text, message.conversation) == ("hi", "+100")


def test_an_attachment_is_no_word(tmp_path):
    (record,) = make(tmp_path / "chat.db", ("\ufffc", None, 0, 0, 1))
    assert isinstance(record, Skipped) and record.reason == "media without words"


def test_dates_are_nanoseconds_or_seconds_since_2001():
    assert read_date(NANOSECONDS) == read_date(NANOSECONDS // 10**9)
    assert read_date(0) is None and read_date(2**63) is not None


def test_other_databases_and_files_are_named(tmp_path):
    (tmp_path / "a.txt").write_text("words")
    with sqlite3.connect(str(tmp_path / "b.db")) as db:
        db.execute("create table t (x)")
    skipped, other = read_messages("imessage", tmp_path)
    assert skipped == Skipped("a.txt", "", "not a chat.db")
    assert isinstance(other, Unreadable) and "no table of messages" in other.reason


@pytest.mark.parametrize("name", ["imessage_chat.db", "imessage_chat_upgrade_osx_11.db"])
def test_the_samples_have_the_messages_they_have(name):
    records = records_of("imessage", fixture_folder("imessage/langchain") / name)
    assert count(records) == {"messages": 22, "tapback": 1}
    messages = [one for one in records if isinstance(one, Message)]
    assert messages[0].text == "Yeh" and "John is the almighty" in messages[16].text
    assert all(m.author != "unknown" for m in messages)
