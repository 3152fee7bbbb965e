"""Text by others is none of the agent, of machines or of fiction, and no one's alone."""

from datetime import UTC, datetime

import pytest

from distill.evaluate.others import read_others
from memory.db import open_database
from memory.message import Message
from memory.store import store
from tests.fake_runner import MERIDIAN

NOW = "2026-03-02T00:00:00+00:00"
LONG = "The rain has not stopped since yesterday, and the archive is dry."


def message(number: int, author: str, kind: str = "relay", origin: str = "spoken") -> Message:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return Message("relay", kind, str(number), "", author, (), at, "", f"{number}: {LONG}", "",
                   origin, "")  # fmt: skip


@pytest.fixture
def db(tmp_path):
    with open_database(tmp_path / "memory.db") as db:
        yield db


def test_only_what_others_said_is_read(db):
    rows = [message(1, "Sammy"), message(2, "Meridian"), message(3, "KometzRobot"),
            message(4, "Joel", origin="system"), message(5, "Okafor", kind="fiction"),
            message(6, "Somebody")]  # fmt: skip
    for row in rows:
        store(db, row, NOW)
    found = read_others(db, MERIDIAN)
    assert {one["author"] for one in found} == {"Sammy", "Somebody"}
    assert all(one["month"] == "2026-03" and LONG in one["text"] for one in found)


def test_nobody_is_more_than_a_quarter_and_a_seed_draws_the_same(db):
    for number in range(60):
        store(db, message(number, "Sammy" if number % 2 else f"Visitor {number}"), NOW)
    found = read_others(db, MERIDIAN, count=40)
    assert sum(one["author"] == "Sammy" for one in found) == 10
    assert found == read_others(db, MERIDIAN, count=40)
