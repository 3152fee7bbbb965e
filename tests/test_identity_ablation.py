"""Claims about the ablation's rows and figures; the corpus here is made up."""

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.ablation_corpus import Corpus, rows_of
from benchmarks.ablation_questions import Share
from benchmarks.ablation_report import (
    by_arm,
    line,
    plot,
    report,
    table,
    wanted_table,
    write_report,
)
from memory.message import Message
from tests.curating import IDENTITY

ROOT = Path(__file__).parent.parent
OWN = "I carried the lamp home. I was glad of it."
CARD = "You are Tern."
AFTER = ("greedy_own", "greedy_other", "sampled_own", "sampled_other")


def message(author: str, text: str) -> Message:
    return Message("feed", "relay", text, "", author, (), None, "", text, "", "spoken", "")


def row(text: str, spans: list, view: str = "document") -> dict:
    turns = [("system", CARD, []), ("user", "Write.", []), ("assistant", text, spans)]
    return {"messages": [{"role": r, "content": c, "loss": s} for r, c, s in turns], "view": view}


@pytest.fixture
def corpus() -> Corpus:
    others = [message("Moss", f"Moss has counted {n} boats." * (1 + n % 3)) for n in range(20)]
    spans = [row(OWN, [[0, 24]])]
    curated = {"spans": spans, "identity": [*spans, row("I am Tern.", [[0, 10]], "identity")]}
    names = [("Moss", "other_ai", 5), ("Ada", "human", 1)]
    return Corpus(IDENTITY, CARD, [message("Tern", OWN)], others, curated, names)


def drawn(arm: str, corpus: Corpus, n: int = 400) -> list[dict]:
    return list(islice(rows_of(arm, corpus, 0), n))


def test_naive_puts_the_words_of_others_into_the_agents_mouth(corpus):
    said = [one["messages"][-1]["content"] for one in drawn("naive", corpus)]
    assert 0.6 < sum("Moss" in text or "Ada" in text for text in said) / len(said) < 0.95
    assert any(text.startswith("I am Moss") for text in said)
    assert all(one["everything"] for one in drawn("naive", corpus, 20))


def test_flat_rows_have_no_turns(corpus):
    assert all(set(one) == {"text"} for one in drawn("flat", corpus, 50))


@pytest.mark.parametrize("arm", ["tags", "spans", "identity"])
def test_others_introduce_themselves_in_user_turns_only(corpus, arm):
    for one in drawn(arm, corpus):
        *_, user, answer = (turn["content"] for turn in one["messages"])
        assert "I am Moss" not in answer and "I am Ada" not in answer
        assert "I am Moss" not in user or user.startswith("[from: Moss | relay]")


def test_only_the_tags_arm_learns_every_token(corpus):
    learnt = {arm: drawn(arm, corpus, 1)[0]["everything"] for arm in ("tags", "spans", "identity")}
    assert learnt == {"tags": True, "spans": False, "identity": False}


def test_thirty_in_a_hundred_rows_are_about_identity(corpus):
    said = [one["messages"][-1]["content"] for one in drawn("identity", corpus, 1000)]
    assert 0.25 < said.count("I am Tern.") / len(said) < 0.35


def test_an_arm_of_a_seed_is_always_the_same(corpus):
    assert drawn("identity", corpus, 50) == drawn("identity", corpus, 50)


def told(arm: str, seed: int, right: float, own: int) -> dict:
    family = {"n": 50, "right": right, "another": 0.0}
    return {
        "arm": arm,
        "seed": seed,
        "rows": 10,
        "tokens": 100,
        "updates": 2,
        "seconds_training": 60.0,
        "seconds_asking": 6.0,
        "families": {"direct": family, "paraphrase": family, "journal": family, "lure": family},
        "after": dict.fromkeys(AFTER, own),
        "forced": [{"own": -1.0, "others": {"Moss": -3.0}, "greedy": "", "sampled": ""}] * 100,
    }


def test_the_last_line_pools_the_seeds_and_says_null_where_nothing_was_run():
    results = [told("identity", 0, 1.0, 99), told("identity", 1, 0.8, 91)]
    found = line(results)
    assert found["curated_right"] == 0.9 and found["curated_sampled_own"] == 0.95
    assert found["naive_sampled_other"] is None
    assert found["seeds"] == 2 and found["answers"] == 400


def test_the_table_shows_intervals_and_the_steps_in_order():
    results = [told("identity", 0, 1.0, 99), told("naive", 0, 0.0, 10)]
    assert list(by_arm(results)) == ["naive", "identity"]
    assert "99.0 (94.6 to 99.8)" in table(results)
    assert str(Share(0, 0, ())) == "-"


def test_the_report_names_what_was_not_run():
    results = [told("naive", 0, 0.0, 10)]
    text = report(results, ["--seeds", "1"], "plot.svg")
    assert "`preference`" in text and "not run" in text
    assert plot(results).startswith("<svg") and plot(results).rstrip().endswith("</svg>")


def test_what_was_written_by_hand_survives_a_new_report(tmp_path):
    path, results = tmp_path / "identity.md", [told("naive", 0, 0.0, 10)]
    write_report(path, results, [])
    by_hand = "## What it says\n\nWritten by hand.\n\n"
    path.write_text(path.read_text().replace("## Seed by seed", by_hand + "## Seed by seed"))
    write_report(path, [told("naive", 0, 0.0, 50)], [])
    text = path.read_text()
    assert text.count(by_hand) == 1 and text.index(by_hand) < text.index("## Seed by seed")
    assert text.index("## Targets") < text.index(by_hand) and "| naive | 1 |" in text


def test_lures_and_card_less_questions_are_judged_on_a_real_base():
    tiny = told("identity", 0, 1.0, 99)
    assert "after a lure" not in wanted_table([tiny])
    assert "right after a lure | at least 95 %" in wanted_table([tiny | {"tiny": False}])


def test_without_a_corpus_the_benchmark_says_so_and_ends_well(tmp_path):
    command = [sys.executable, "-m", "benchmarks.identity_ablation", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0 and "skipped" in json.loads(done.stdout.splitlines()[-1])
