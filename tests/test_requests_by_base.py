"""Claims about the requests that the base words: own text answers them, and nobody is named."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from distill.base.asked import PATIENCE
from distill.curate import CurateConfig, curate
from distill.curate.requests_by_base import RequestByBase, asked_before
from distill.identity import Being, Identity
from memory.db import open_database
from memory.errors import ModelFileError
from memory.ingest import log_message
from tests.fake_runner import FakeRunner

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OWN = "The gauge was low again. I wrote the number down and went home along the dyke."


def ask(said: str, own: str = OWN) -> str:
    with RequestByBase(lambda: FakeRunner(lambda *_: said), minutes=1, names=("Vesper",)) as by:
        return by(own)


@pytest.mark.parametrize(
    "said",
    [
        "Write for Vesper.",
        "Write",
        "First line.\nSecond line.",
        "Say that you wrote the number down and went home.",
        "",
    ],
)
def test_a_request_that_names_quotes_or_breaks_off_is_not_used(said):
    assert ask(said) == ""
    assert ask('"What did you see at the dyke today?"') == "What did you see at the dyke today?"


def curated(folder, request_by) -> list[dict]:
    identity = Identity(agent=Being("Pell", "self"), beings=(Being("Vesper", "other_ai"),))
    with open_database(folder / "memory.db") as db:
        for n in range(40):
            log_message(db, "journal", f"{OWN} It stood at {n}, {n * 7} paces from the mark.",
                        author="Pell", now=NOW + timedelta(days=n))  # fmt: skip
        config = CurateConfig(near_duplicate=1, template_examples=99, plain_share=0.0)
        later = NOW + timedelta(days=60)
        curate(db, identity, config, folder, seed=0, now=later, request_by=request_by)
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    return [row for row in rows if row["view"] == "document"]


def test_documents_answer_it_and_the_next_night_does_not_ask_again(tmp_path):
    night = tmp_path / "nights" / "2026-03-01"
    night.mkdir(parents=True)
    with RequestByBase(lambda: FakeRunner(lambda *_: "What was the day like?"), minutes=1) as by:
        rows = curated(night, by)
    assert rows and {row["request"] for row in rows} == {"base"} and by.kept >= len(rows)
    assert {row["messages"][1]["content"] for row in rows} == {"What was the day like?"}
    known = asked_before(tmp_path / "nights", besides="2026-03-02")
    again = RequestByBase(lambda: pytest.fail("asked"), minutes=1, known=known)
    assert again(rows[0]["messages"][2]["content"]) == "What was the day like?"


def test_without_time_a_gpu_or_a_base_rules_make_it(tmp_path):
    def damaged():
        raise ModelFileError("it is damaged")

    with RequestByBase(damaged, minutes=1) as by:
        rows = curated(tmp_path, by)
    assert rows and not any("request" in row for row in rows) and by.asked == 0
    assert RequestByBase(lambda: pytest.fail("asked"), minutes=0)(OWN) == ""


def test_a_base_that_cannot_do_it_is_soon_left_alone():
    with RequestByBase(lambda: FakeRunner(lambda *_: "no"), minutes=1) as by:
        assert {by(f"{n} {OWN}") for n in range(PATIENCE + 9)} == {""} and by.asked == PATIENCE
