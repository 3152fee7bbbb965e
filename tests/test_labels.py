"""Flags and loss on the labelled sentences of a real agent's corpus, where it is at hand."""

import collections
import importlib.util
import json
import re
from pathlib import Path, PurePath

import pytest

from distill.identity import identity_from_proposal
from distill.perspective import inspect_path

SHARED = Path(__file__).resolve().parents[2] / "shared"
LABELS = SHARED / "labels" / "identity_dev.jsonl"
CORPUS = SHARED / "corpora" / "meridian"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not LABELS.exists(), reason="no labels beside the project"),
]


@pytest.fixture(scope="module")
def score():
    spec = importlib.util.spec_from_file_location("score", SHARED / "labels" / "score.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def labels():
    return [json.loads(line) for line in LABELS.open(encoding="utf-8")]


@pytest.fixture(scope="module")
def inspected(score, labels):
    """label index -> (flags, share with loss), or None where the sentence was not found."""
    beings = json.loads((CORPUS / "beings.json").read_text(encoding="utf-8"))
    identity = identity_from_proposal("Meridian", [], [], beings)
    rows = collections.defaultdict(list)
    folders = {(PurePath(one["file"]).parts[0], one["kind"]) for one in labels if "file" in one}
    for folder, kind in folders:
        for row in inspect_path(CORPUS / folder, score.KINDS[kind], identity):
            rows[f"{folder}/{row['path']}"].append(row)
    for row in inspect_path(CORPUS / "relay" / "agent-relay.db", "relay", identity):
        rows[row["external_id"]].append(row)
    keys = [str(one.get("file") or one["relay_id"]) for one in labels]
    return [
        score.read(one, rows[key], one["sentence"]) for one, key in zip(labels, keys, strict=True)
    ]


def f1_by_flag(score, labels, inspected):
    counts = {flag: collections.Counter() for flag in score.FLAGS}
    for label, (flags, _) in zip(labels, inspected, strict=True):
        gold = set(label["flags"])
        for flag in score.FLAGS:
            counts[flag] += {
                "tp": flag in gold & flags,
                "fp": flag in flags - gold,
                "fn": flag in gold - flags,
            }
    each = {flag: score.f1(c["tp"], c["fp"], c["fn"]) for flag, c in counts.items()}
    total = sum(counts.values(), collections.Counter())
    return score.f1(total["tp"], total["fp"], total["fn"]), each


def test_every_labelled_sentence_is_found(inspected):
    assert None not in inspected


def test_flags_are_right_on_labelled_sentences(score, labels, inspected):
    micro, each = f1_by_flag(score, labels, inspected)
    assert micro >= 0.94 and min(each.values()) >= 0.86, (micro, each)


def test_flags_are_right_where_nobody_doubts(score, labels, inspected):
    sure = [(one, got) for one, got in zip(labels, inspected, strict=True) if not one["doubtful"]]
    micro, each = f1_by_flag(score, *zip(*sure, strict=True))
    assert micro >= 0.98, (micro, each)


def test_no_loss_on_somebody_elses_words(labels, inspected):
    foreign = [
        (loss * len(label["sentence"]), len(label["sentence"]))
        for label, (_, loss) in zip(labels, inspected, strict=True)
        if not label["author"].startswith("self")
    ]
    assert sum(x for x, _ in foreign) <= 0.005 * sum(n for _, n in foreign)


def test_own_unquoted_words_carry_loss(score, labels, inspected):
    own = [
        (loss * len(label["sentence"]), len(label["sentence"]))
        for label, (_, loss) in zip(labels, inspected, strict=True)
        if label["author"] == "self"
        and label["kind"] in score.LOSS_KINDS
        and "O1" not in label["flags"]
        and not label["doubtful"]
        and not re.search('["“”]', label["sentence"])
    ]
    assert sum(x for x, _ in own) >= 0.97 * sum(n for _, n in own)
