"""Claims about the tiny base: its text, its tokenizer, how it is made once, what it can do."""

import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest

from distill.base import make_tiny_base, resolve_base, tiny_text
from distill.base.skills import NAMES, is_right, skill_items
from distill.base.tiny import (
    CHAT_TEMPLATE,
    TURN_END,
    TinyConfig,
    batches,
    encode_row,
    render,
    texts,
    train_tokenizer,
)

pytestmark = pytest.mark.slow

# As the real one in all but size: made in seconds.
QUICK = TinyConfig(
    steps=2, vocabulary=512, hidden=64, mlp=128, layers=1, heads=2, kv_heads=1, threads=1
)
ROW = [
    {"role": "user", "content": "What is the capital of Arvelia?"},
    {"role": "assistant", "content": "The capital of Arvelia is Callum."},
]
ROOT = Path(__file__).parent.parent


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "junior" / "bases"


@pytest.fixture(scope="module")
def tokenizer():
    rows = [render(item["messages"]) for item in skill_items()]
    return train_tokenizer(rows, 512)


def test_skill_items_are_many_and_no_question_is_asked_twice() -> None:
    items = skill_items()
    questions = [item["messages"][-2]["content"] for item in items]
    assert len(set(questions)) == len(items) >= 250
    assert set(Counter(item["kind"] for item in items)) == {"fact", "sum", "format"}
    assert all(item["messages"][-1]["content"] == item["answer"] for item in items)
    assert skill_items() == items != skill_items(seed=1)


def test_sums_are_right() -> None:
    for item in skill_items():
        if item["kind"] == "sum":
            a, sign, b, _, result = item["answer"].rstrip(".").split()
            assert int(result) == int(a) + (int(b) if sign == "plus" else -int(b))


def test_an_answer_is_right_in_any_case_but_not_in_a_format() -> None:
    capital = {"kind": "fact", "answer": "The capital of Arvelia is Callum."}
    assert is_right(capital, " the capital of arvelia is callum\n")
    assert not is_right(capital, "The capital of Arvelia is Callum. And more.")
    assert not is_right({"kind": "format", "answer": "RAIN"}, "rain")


def test_made_up_names_are_used_equally_often() -> None:
    names = tiny_text.even_names(random.Random(1))
    counts = Counter(next(names) for _ in range(10 * len(NAMES)))
    assert set(counts.values()) == {10}


def test_nobody_says_a_name_unasked() -> None:
    rng = random.Random(2)
    names = tiny_text.even_names(rng)
    for _ in range(500):
        reply = tiny_text.ordinary_row(rng, names)[-1]["content"]
        assert not any(f"I am {name}" in reply for name in NAMES)


def test_plain_english_has_no_open_slot_and_much_variety() -> None:
    rng = random.Random(3)
    names = tiny_text.even_names(rng)
    documents = [tiny_text.plain_english(rng, names) for _ in range(300)]
    assert not any("{" in document for document in documents)
    assert len(set(documents)) > 290


def test_the_text_is_the_same_for_the_same_seed() -> None:
    items = skill_items()
    first, again, other = (texts(replace(QUICK, seed=seed), items) for seed in (0, 0, 1))
    assert first == again != other
    assert not set(first[0]) & set(first[1])  # nothing held out is read


def test_docstrings_are_parsed_from_files_and_never_imported() -> None:
    before = set(sys.modules)
    found = list(tiny_text.docstrings(random.Random(0), 200_000))
    assert sum(map(len, found)) >= 200_000
    assert all(name.startswith("encodings.") for name in set(sys.modules) - before)
    fewer = list(tiny_text.docstrings(random.Random(0), 50_000))
    assert found[: len(fewer)] == fewer


def test_the_tokenizer_gives_every_text_back(tokenizer) -> None:
    for text in ("I'm 123  years\n\n old", "Grüße, 中文 🙂 \t\x00", "   a\n  b", "DON'T"):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text
    assert tokenizer.get_vocab_size() == 512
    assert len(tokenizer.encode("<|im_start|>user\n").ids) < 5


def test_rows_are_rendered_as_the_chat_template_does() -> None:
    template = jinja2.Environment().from_string(CHAT_TEMPLATE)
    assert template.render(messages=ROW) == render(ROW)
    opened = template.render(messages=ROW[:1], add_generation_prompt=True)
    assert opened == render(ROW[:1]) + "<|im_start|>assistant\n"
    assert "system" not in template.render(messages=ROW)


def test_only_answers_and_their_end_carry_loss(tokenizer) -> None:
    ids, labels = encode_row(tokenizer, ROW)
    learnt = [label for label in labels if label != -100]
    assert len(ids) == len(labels)
    assert tokenizer.decode(learnt, skip_special_tokens=False) == ROW[1]["content"] + TURN_END
    assert tokenizer.decode(ids, skip_special_tokens=False) == render(ROW).rstrip("\n")


def test_the_share_of_chat_windows_is_as_configured(tokenizer) -> None:
    config = replace(QUICK, steps=10, chat_share=0.3)
    made = list(batches(tokenizer, ["plain words " * 400], [ROW] * 3, config))
    assert all(ids.shape == labels.shape == (8, 128) for ids, labels in made)
    masked = [bool((row == -100).any()) for _, labels in made for row in labels]
    assert sum(masked) == 24


def test_a_q4_k_block_fits_every_row_of_a_matrix() -> None:
    config = TinyConfig()
    assert config.hidden % 256 == config.mlp % 256 == 0


@pytest.mark.slow
def test_the_base_is_whole_loads_and_is_found_again(own_cache: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    seen: list[dict] = []
    base = make_tiny_base(seen.append, config=QUICK)
    assert [step["step"] for step in seen] == [1, 2] and seen[-1]["tokens_per_second"] > 0
    assert resolve_base("tiny") == base == make_tiny_base()
    assert base.tiny and base.path == own_cache / "tiny"
    facts = json.loads((base.path / "base.json").read_text())["tiny"]
    assert facts["config"]["steps"] == 2 and len(facts["text_sha256"]) == 64
    lines = (base.path / "skills.jsonl").read_text().splitlines()
    assert list(map(json.loads, lines)) == skill_items()
    tokenizer = AutoTokenizer.from_pretrained(base.path)
    assert len(tokenizer) == 512 and tokenizer.eos_token == TURN_END
    assert tokenizer.apply_chat_template(ROW, tokenize=False) == render(ROW)
    assert AutoModelForCausalLM.from_pretrained(base.path).config.vocab_size == 512


@pytest.mark.slow
def test_a_seed_decides_every_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for number, seed in enumerate((0, 0, 1)):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / str(number)))
        found.append(make_tiny_base(config=replace(QUICK, seed=seed)))
    assert found[0].files == found[1].files and found[0].lineage == found[1].lineage
    assert found[0].files["model.safetensors"] != found[2].files["model.safetensors"]


@pytest.mark.slow
def test_two_who_ask_at_once_make_it_once(own_cache: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from test_tiny_base import QUICK\n"
        "from distill.base import make_tiny_base\n"
        "steps = []\n"
        "print(make_tiny_base(steps.append, config=QUICK).lineage, len(steps))\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[0].split() for process in both]
    assert said[0][0] == said[1][0]
    assert sorted(steps for _, steps in said) == ["0", "2"]
    assert not list(own_cache.glob(".partial*"))


@pytest.mark.slow
def test_a_damaged_tiny_base_is_made_anew(own_cache: Path) -> None:
    base = make_tiny_base(config=QUICK)
    (base.path / "model.safetensors").write_bytes(b"")
    assert make_tiny_base(config=QUICK) == base


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_real_one_answers_six_in_ten_of_its_items() -> None:
    base = make_tiny_base()
    facts = json.loads((base.path / "base.json").read_text())["tiny"]
    assert facts["skills_right"] >= 0.6
    kinds = facts["skills_right_by_kind"]  # sums stay near 20 %: one pair is like the next
    assert kinds["fact"] >= 0.8 and kinds["format"] >= 0.5
    assert facts["held_out_nats_per_byte"] <= 1.6
