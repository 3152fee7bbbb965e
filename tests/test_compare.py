"""The blind test hides who is who, goes on where it stopped, and counts rightly."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import pytest

from agent.compare import Comparison, Trial, choose_rows, in_words, read_trials, vote_in_terminal
from agent.compare_page import ComparePage
from memory.db import open_database
from memory.errors import UserError
from tests.browser import Browser, needs_browser
from tests.fake_runner import FakeRunner, opener, row, says_name, write_night


def trial(n: int) -> Trial:
    texts = {"own": f"o{n}", "junior": f"j{n}", "base": f"b{n}"}
    return Trial(f"{n:016x}", f"Question {n}?", texts, n < 4)


TRIALS = [trial(n) for n in range(12)]


@pytest.fixture
def db(tmp_path):
    with open_database(tmp_path / "memory.db") as db:
        yield db


def test_trials_are_made_once_with_fixed_decoding(tmp_path):
    night = write_night(tmp_path / "2026-11-20")
    (night / "manifest.json").write_text(json.dumps({"system_card": "You are Meridian."}))
    junior, base = FakeRunner(says_name("Meridian")), FakeRunner(says_name("nobody"))
    runners = opener({"junior.gguf": junior, "base.gguf": base})
    paths = night, Path("junior.gguf"), Path("base.gguf")
    trials = read_trials(*paths, runners, 5)
    assert trials == read_trials(*paths, opener({}), 5) and len(trials) == 5
    assert junior.asked == base.asked == 5 and set(trials[0].texts) == {"own", "junior", "base"}
    assert trials[0].texts["own"].startswith("The loop ran")


def test_questions_newer_than_what_was_learnt_come_first(tmp_path):
    night = write_night(tmp_path / "2026-11-20")
    rows = [row(n) | {"month": month} for n, month in enumerate(["2026-02", "2026-05", ""])]
    (night / "held_out.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    found = choose_rows(night, 9)
    assert [(one["month"], newer) for one, newer in found] == [
        ("2026-05", True), ("2026-02", False), ("", False),
    ]  # fmt: skip


def test_nothing_to_compare_is_said(tmp_path):
    night = write_night(tmp_path / "2026-11-20")
    (night / "held_out.jsonl").write_text("")
    with pytest.raises(UserError, match="no held-out text"):
        choose_rows(night, 9)


def test_the_order_is_mixed_and_stays():
    orders = [trial.order(("own", "junior", "base")) for trial in TRIALS]
    assert len({tuple(order) for order in orders}) > 2
    assert orders == [trial.order(("own", "junior", "base")) for trial in TRIALS]


def test_it_goes_on_where_it_stopped(db):
    answers = iter(["a", "x", "s", "b", "q"])
    said = []
    comparison = Comparison(db, "2026-11-20", TRIALS)
    assert vote_in_terminal(comparison, "Pell", ask=lambda _: next(answers), say=said.append) == 2
    again = Comparison(db, "2026-11-20", TRIALS)
    assert [trial.key for trial in again.left()] == [
        trial.key for n, trial in enumerate(TRIALS) if n not in (0, 2)
    ]
    assert not any("junior" in line or "own" in line for line in said)
    assert Comparison(db, "another", TRIALS).results()["votes"] == 0


def test_two_and_three_sides_are_counted_apart(db):
    three, two = (Comparison(db, "g", TRIALS, ways) for ways in (3, 2))
    for trial in TRIALS:
        three.vote(trial, "own")
        three.vote(trial, "base")  # a second vote on one trial changes nothing
    two.vote(TRIALS[0], "junior")
    assert three.results()["wins"] == {"own": 12, "junior": 0, "base": 0}
    found = two.results()
    assert found["wins"] == {"own": 0, "junior": 1} and found["chance"] == 0.5
    assert found["interval"]["junior"] == pytest.approx((0.2065, 1.0), abs=1e-3)


def test_power_says_how_many_votes_are_enough(db):
    two = Comparison(db, "g", TRIALS, 2)
    found = two.results()
    assert found["votes_needed"] == 194 and not found["enough"] and "194 votes" in in_words(found)
    two.vote(TRIALS[0], "own")
    strength = two.results()["strength"]
    assert strength["own"] > 0 > strength["junior"]


def test_sides_that_say_the_same_are_no_trial(db):
    same = Trial("0" * 16, "?", {"own": "yes", "junior": "yes", "base": "no"}, False)
    assert list(Comparison(db, "g", [same]).left()) == []


HOSTILE = {"own": "<b>", "junior": "j", "base": "x"}


def test_the_page_hides_the_sides_and_takes_only_its_own_votes(db):
    comparison = Comparison(db, "g", [Trial("a" * 16, "<script>alert(1)</script>", HOSTILE, True)])
    page = ComparePage(comparison, "Pell")
    body = page.page().split("</style>")[1]
    assert "<script>" not in body and "junior" not in body and "own" not in body
    assert not page.vote({"trial": ["b" * 16], "place": ["0"]})
    assert not page.vote({"trial": ["a" * 16], "place": ["7"]})
    assert page.vote({"trial": ["a" * 16], "place": ["0"]})
    assert not page.vote({"trial": ["a" * 16], "place": ["1"]})
    assert "Thank you" in page.page()
    page.server.server_close()


@contextmanager
def served(path: Path, trials: list[Trial]) -> Iterator[ComparePage]:
    """The page, answered by a thread that has the database to itself."""
    made: Queue = Queue()
    done = threading.Event()

    def serve() -> None:
        with open_database(path) as db:
            page = ComparePage(Comparison(db, "g", trials), "Pell")
            page.server.timeout = 0.1
            made.put(page)
            page.serve(done.is_set)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield made.get()
    finally:
        done.set()
        thread.join()


def test_the_page_is_on_loopback_behind_a_secret(tmp_path):
    with served(tmp_path / "memory.db", TRIALS) as page:
        assert page.server.server_address[0] == "127.0.0.1" and len(page.token) > 20
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{page.server.server_port}/")
        with urllib.request.urlopen(page.url) as found:
            assert "Which of these did Pell write?" in found.read().decode()
            assert "default-src 'none'" in found.headers["Content-Security-Policy"]


@needs_browser
@pytest.mark.slow
def test_a_person_votes_in_a_real_browser(tmp_path):
    path, chosen = tmp_path / "memory.db", []
    with served(path, TRIALS[:3]) as page, Browser(tmp_path / "profile") as browser:
        browser.go(page.url)
        for n in range(3):
            browser.until(f"document.body.innerText.includes('{n} votes so far')")
            assert browser.run("document.querySelectorAll('button').length") == 3
            chosen.append(browser.run("document.querySelectorAll('button')[1].innerText"))
            browser.run("document.querySelectorAll('button')[1].click()")
        browser.until("document.body.innerText.includes('Thank you')")
    with open_database(path) as db:
        kept = dict(db.execute("select trial, choice from votes").fetchall())
    assert [one.texts[kept[one.key]] for one in TRIALS[:3]] == chosen
