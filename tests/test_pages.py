"""Claims about the pages: what they say, what they escape, and that a real browser is at ease."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from agent.serve.pages import VIEWS
from distill.release import current_generation
from memory.db import open_database
from memory.ingest import log_message
from tests.browser import Browser
from tests.fake_llm import FakeLLM
from tests.serving import served, wren_home

pytestmark = pytest.mark.slow

SCRIPT = "<script>window.robbed = true</script><img src=x onerror='window.robbed = true'>"
NIGHTS = ("2026-11-19", "2026-11-20", "2026-11-21")


def _life(config) -> None:
    """A mail that holds a script, a source's reject with another, a dataset and a report."""
    now = datetime(2026, 11, 20, 9, tzinfo=UTC)
    with open_database(config.database_path) as db:
        log_message(db, "note", f"heron {SCRIPT}", author=f"Mallory {SCRIPT}", now=now)
        sql = "insert into rejects (source, path, place, reason, seen_at) values (?, ?, '', ?, ?)"
        db.execute(sql, ["maildir", f"cur/{SCRIPT}", f"bad: {SCRIPT}", now.isoformat()])
        db.conn.commit()
        for number, night in enumerate(NIGHTS):
            db["nights"].insert(
                {"id": night, "started_at": (now + timedelta(days=number)).isoformat(),
                 "verdict": "released", "reason": f"{SCRIPT}"}
            )  # fmt: skip
    own = {"role": "assistant", "content": f"I saw a heron. {SCRIPT}", "loss": [[0, 14]]}
    sample = {"view": "document", "source": "log", "month": "2026-11", "messages": [own]}
    manifest = {"examples": 3, "new": 1, "held_out": 1, "loss_characters": 14,
                "foreign_loss_characters": 0, "by_author": {SCRIPT: 14}, "by_source": {"log": 14},
                "by_view": {"document": 14}, "dropped": {"template": 2}, "notes": [],
                "samples": [sample], "system_card": "You are Wren."}  # fmt: skip
    folder = config.nights_path / NIGHTS[-1]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "identity.toml").write_bytes(config.identity_path.read_bytes())
    trials = [
        {"key": f"{n:016x}", "question": f"Question {n}? {SCRIPT}", "newer": True,
         "texts": {"own": f"mine {n}", "junior": f"its {n}", "base": f"none {n}"}}
        for n in range(2)
    ]  # fmt: skip
    (folder / "compare.json").write_text(json.dumps(trials))
    (folder / "report.html").write_text("<!doctype html><title>A report</title><p>A report")


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    config = wren_home(tmp_path_factory.mktemp("pages"), nights=NIGHTS)
    _life(config)
    with FakeLLM(answer=lambda asked: f"Said {SCRIPT}").running(config) as model:
        behind = replace(config.serve, backend="openai", url=model.url)
        with served(replace(config, serve=behind)) as found:
            yield found


@pytest.fixture(scope="module")
def page(door, tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        found.go(f"{door.url}/login?code={door.codes.new()}")
        yield found


@pytest.mark.parametrize("path", [*VIEWS, "/search?q=heron"])
def test_every_view_is_whole_and_escapes_what_others_wrote(door, path):
    answer = httpx.get(door.url + path, headers=door.bearer)
    assert answer.status_code == 200 and "</html>" in answer.text
    assert "<script>window" not in answer.text and "<img src=x" not in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_the_first_page_says_where_things_stand(door):
    text = httpx.get(door.url, headers=door.bearer).text
    assert f"The current junior is {NIGHTS[-1]}" in text and "Nights over time" in text
    assert text.count('<circle class="released"') == 9 and f'href="/nights/{NIGHTS[0]}"' in text


def test_a_page_that_is_not_there_says_so_in_a_page(door):
    answer = httpx.get(
        f"{door.url}/nights/2001-01-01", headers=door.bearer | {"Accept": "text/html"}
    )
    assert answer.status_code == 400 and "2001-01-01" in answer.text and "Back to" in answer.text


def test_no_page_asks_for_anything_from_elsewhere(door):
    for path in (*VIEWS, "/static/junior.css", "/static/junior.js"):
        text = httpx.get(door.url + path, headers=door.bearer).text
        assert "http://" not in text.replace(door.url, "") and "https://" not in text


def test_every_view_loads_without_a_complaint_and_runs_no_strangers_script(door, page):
    for path in (*VIEWS, "/search?q=heron", f"/nights/{NIGHTS[-1]}"):
        page.go(door.url + path)
        assert page.run("document.title") and not page.run("window.robbed")
    assert page.errors == []


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_scrolls_no_view_sideways(door, page, dark):
    page.size(360, 740, dark=dark, phone=True)
    for path in VIEWS:
        page.go(door.url + path)
        wide = page.run("document.documentElement.scrollWidth")
        paper = page.run("getComputedStyle(document.body).backgroundColor")
        assert wide <= 360 and (paper == "rgb(22, 24, 28)") == dark
    page.size(1100, 900)


@pytest.mark.parametrize("path", [*VIEWS, "/search?q=heron"])
def test_the_keyboard_reaches_everything_that_is_seen(door, page, path):
    page.go(door.url + path)
    seen = (
        "[...document.querySelectorAll('a, button, input, select, textarea, summary')]"
        ".filter(one => one.getClientRects().length)"
    )
    wanted, reached = page.run(f"{seen}.length"), set()
    for _ in range(4 * wanted):  # a date is four stops
        page.press("Tab")
        reached.add(page.run(f"{seen}.indexOf(document.activeElement)"))
        if wanted and reached >= set(range(wanted)):
            return
    raise AssertionError(f"never reached: {set(range(wanted)) - reached} of {wanted}")


def test_roll_back_works_from_the_keyboard(door, page):
    page.go(door.url)
    page.run(f"document.querySelector('form[action*=\"{NIGHTS[0]}/rollback\"] button').focus()")
    page.press("Enter", "\r")
    page.until(f"document.querySelector('tr.current')?.innerText.includes('{NIGHTS[0]}')")
    with open_database(door.config.database_path) as db:
        assert current_generation(db).id == NIGHTS[0]
    assert page.errors == []


def test_a_chat_is_answered_as_text_and_never_as_markup(door, page):
    page.go(f"{door.url}/chat")
    page.run("document.querySelector('textarea').focus()")
    page.call("Input.insertText", text="Hello.")
    page.press("Enter", "\r")
    page.until("document.querySelector('.junior')?.innerText.endsWith('>')")
    said = page.run("document.querySelector('.junior').innerText")
    assert said == f"Said {SCRIPT}" and not page.run("window.robbed") and page.errors == []


def test_a_junior_is_talked_to_beside_its_base_and_stopped(door, page):
    page.go(f"{door.url}/chat")
    page.ask_beside("Hello.")
    page.run("document.querySelector('#stop').click()")
    page.until("document.querySelector('#stop').hidden")
    said = [page.run(f"document.querySelector('.{who}').innerText") for who in ("junior", "base")]
    assert said[0] == f"Said {SCRIPT}" != said[1] and page.errors == []


def test_a_running_night_moves_on_the_page(door, page):
    page.go(door.url)
    with open_database(door.config.database_path) as db:
        db["nights"].insert(
            {"id": "2026-11-22", "started_at": "2026-11-22T03:30:00+00:00", "stage": "curate",
             "verdict": "running", "pid": os.getpid()}
        )  # fmt: skip
        page.until("document.querySelector('#live-words').innerText.includes('curate (2 of 6)')")
        db["nights"].update("2026-11-22", {"stage": "train"})
        row = {"night": "2026-11-22", "name": "curate", "attempt": 1, "status": "done"}
        db["stages"].insert(row | {"seconds": 3.0, "summary": "curate: 3 examples"})
        page.until("document.querySelector('#live-done').innerText.includes('3 examples')")
        assert page.run("document.querySelector('#live-bar').value") == 3
        db["nights"].update("2026-11-22", {"verdict": "failed"})
    page.until("document.querySelector('#live').hidden && document.readyState === 'complete'")
    assert page.errors == []


def test_a_comparison_is_voted_and_counted(door, page):
    page.go(f"{door.url}/compare")
    text = page.run("document.querySelector('main').innerText")
    assert "Question 0" in text and "0 votes" in text
    assert not any(word in text.split("So far")[0] for word in ("own", "its junior", "base"))
    page.run("document.querySelectorAll('button')[1].focus()")
    page.press("Enter", "\r")
    page.until("document.querySelector('main').innerText.includes('Question 1')")
    assert "1 votes" in page.run("document.querySelector('#result').innerText")
    with open_database(door.config.database_path) as db:
        assert db.execute("select count(*), max(trial) from votes").fetchone() == (1, "0" * 16)
