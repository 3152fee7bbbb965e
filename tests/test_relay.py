"""Relay feeds are read from any database or JSON that fits."""

import json
from datetime import UTC, datetime

import pytest

from memory.db import sqlite3
from memory.message import Message, Unreadable
from memory.sources import read_messages
from memory.sources.dates import read_stamp


def make_database(path, table, columns, *rows):
    with sqlite3.connect(str(path)) as connection:
        connection.execute(f"create table {table} ({columns})")
        marks = ",".join("?" * len(rows[0]))
        connection.executemany(f"insert into {table} values ({marks})", rows)
    connection.close()
    return path


AGENT_COLUMNS = "id integer primary key, timestamp, agent, message, topic, in_reply_to"


def test_a_relay_database_is_read_row_by_row(tmp_path):
    rows = [(7, "2026-03-01 09:00:00", "Nova", "\x1b[31mhot\x1b[0m", "alert", 3)]
    (message,) = read_messages(
        "relay", make_database(tmp_path / "r.db", "agent_messages", AGENT_COLUMNS, *rows)
    )
    assert (message.external_id, message.author, message.reply_to) == ("7", "Nova", "3")
    assert (message.text, message.conversation) == ("\x1b[31mhot\x1b[0m", "alert")
    assert message.sent_at == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_other_names_of_columns_are_found(tmp_path):
    columns = "uuid, Sender, Body, Created_At"
    row = ("a1", "Nova", "Hello", 1772355600)
    (message,) = read_messages("relay", make_database(tmp_path / "r", "messages", columns, row))
    assert (message.external_id, message.author, message.text) == ("a1", "Nova", "Hello")
    assert message.sent_at == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_a_second_table_has_keys_of_its_own(tmp_path):
    path = tmp_path / "r.db"
    make_database(path, "agent_messages", "id, agent, message", (1, "Nova", "a"))
    make_database(
        path, "directed_messages", "id, from_agent, to_agent, message", (1, "A", "B", "b")
    )
    one, two = read_messages("relay", path)
    assert (one.external_id, two.external_id) == ("1", "directed_messages:1")
    assert two.recipients == ("B",)


def test_a_database_without_such_a_table_says_what_it_has(tmp_path):
    (record,) = read_messages(
        "relay", make_database(tmp_path / "r.db", "recipes", "id, dish", (1, 2))
    )
    assert isinstance(record, Unreadable)
    assert "tables found: recipes" in record.reason


def test_a_locked_database_is_tried_again_later(tmp_path):
    path = make_database(tmp_path / "r.db", "agent_messages", "agent, message", ("Nova", "a"))
    other = sqlite3.connect(str(path), isolation_level=None)
    other.execute("begin exclusive")
    (record,) = read_messages("relay", path)
    other.close()
    assert record == Unreadable("r.db", "", "locked, will be tried again")


def test_a_damaged_database_is_one_reject(tmp_path):
    (tmp_path / "r.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    (record,) = read_messages("relay", tmp_path)
    assert isinstance(record, Unreadable)


def test_json_lines_are_read_and_a_broken_one_is_named(tmp_path):
    good = {"id": 1, "agent": "Nova", "message": "Hi", "timestamp": "2026-03-01T09:00:00Z"}
    lines = [json.dumps(good), "{broken", json.dumps({"level": "info"}), ""]
    (tmp_path / "r.jsonl").write_text("\n".join(lines))
    message, broken, other = read_messages("relay", tmp_path)
    assert isinstance(message, Message)
    assert (broken.where, other.where) == ("line 2", "line 3")


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"messages": rows}])
def test_json_documents_of_two_shapes_are_read(tmp_path, wrap):
    rows = [{"author": "Nova", "text": f"line {number}"} for number in range(3)]
    (tmp_path / "r.json").write_text(json.dumps(wrap(rows), indent=1))
    assert [m.text for m in read_messages("relay", tmp_path)] == ["line 0", "line 1", "line 2"]


def test_an_id_used_again_by_another_is_numbered(tmp_path):
    rows = [{"id": 5, "agent": agent, "message": "Hi"} for agent in ("Nova", "Eos", "Nova")]
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert [m.external_id for m in read_messages("relay", tmp_path)] == ["5", "5#2", "5"]


@pytest.mark.parametrize(
    "stamp",
    ["2026-03-01 09:00:00", "2026-03-01T09:00:00.123456", "2026-03-01T02:00:00-07:00",
     "2026-03-01T09:00:00Z", "Sun, 01 Mar 2026 09:00:00 GMT", 1772355600, "1772355600000"],
)  # fmt: skip
def test_mixed_clocks_become_utc(stamp):
    assert read_stamp(stamp) == datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "stamp", [None, "", "yesterday", "2026-13-45", True, "0001-01-01T00:00+14:00"]
)
def test_a_clock_that_says_nothing_is_no_time(stamp):
    assert read_stamp(stamp) is None


def test_mails_tagged_relay_take_their_topic_from_the_subject(tmp_path):
    columns = "id, from_name, subject, body, received_at"
    row = (4, "Nova", "[RELAY] The gate", "It is open.", "2026-03-01 09:00:00")
    (message,) = read_messages(
        "relay", make_database(tmp_path / "r.db", "relay_messages", columns, row)
    )
    assert (message.conversation, message.subject) == ("The gate", "[RELAY] The gate")


def test_one_object_over_many_lines_is_one_message(tmp_path):
    (tmp_path / "r.json").write_text(json.dumps({"agent": "Nova", "message": "Hi"}, indent=1))
    (message,) = read_messages("relay", tmp_path)
    assert (message.author, message.text) == ("Nova", "Hi")


def test_a_document_cut_short_keeps_what_came_before(tmp_path):
    rows = [{"author": "Nova", "text": f"line {number}"} for number in range(3)]
    (tmp_path / "r.json").write_text(json.dumps({"messages": rows}, indent=1)[:-30])
    *messages, broken = read_messages("relay", tmp_path)
    assert [m.text for m in messages] == ["line 0", "line 1"]
    assert isinstance(broken, Unreadable)


@pytest.mark.parametrize("text", ["[" * 5000, '{"a":' * 5000, '{"a":' * 5000 + "\n{}"])
def test_json_nested_without_end_is_no_crash(tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    assert list(read_messages("relay", tmp_path))
