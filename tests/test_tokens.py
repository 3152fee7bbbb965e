"""tokens: loss where the spans say, nowhere else."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.tokens import IGNORE, Renderer, tokenise, tokenise_raw
from distill.tokens.cache import TokenCache, cache_file
from memory.errors import UserError
from tests.random_base import STRIPPING, make_row, make_tokenizer

TOKENIZER = make_tokenizer()


def loss_text(record, tokenizer=TOKENIZER) -> str:
    return tokenizer.decode([token for token in record.labels if token != IGNORE])


def one(row, tokenizer=TOKENIZER, max_length=512, counts=None):
    records = tokenise([row], tokenizer, max_length=max_length, counts=counts)
    return records[0] if records else None


def test_loss_is_on_the_answer_and_the_token_that_ends_it():
    assert loss_text(one(make_row("I am the agent."))) == "I am the agent.<|im_end|>"


def test_record_is_the_whole_conversation_in_the_bases_format():
    record = one(make_row("I write."))
    assert TOKENIZER.decode(record.input_ids) == (
        "<|im_start|>system\nYou are Meridian.<|im_end|>\n"
        "<|im_start|>user\nWho are you?<|im_end|>\n"
        "<|im_start|>assistant\nI write.<|im_end|>\n"
    )


def test_token_across_a_spans_border_has_no_loss():
    text = "I write a journal"
    start = text.index("journal")
    assert " journal" in [TOKENIZER.decode([t]) for t in TOKENIZER(text).input_ids]
    assert loss_text(one(make_row(text, spans=[[start, len(text)]]))) == "<|im_end|>"
    assert loss_text(one(make_row(text, spans=[[start - 1, len(text)]]))) == " journal<|im_end|>"


def test_end_of_turn_has_no_loss_when_the_turns_end_has_none():
    assert loss_text(one(make_row("I write. You are.", spans=[[0, 8]]))) == "I write."


def test_every_assistant_turn_keeps_its_own_spans():
    row = make_row("I am the agent.")
    row["messages"] += make_row("The loop goes on.", "You are a helpful assistant.")["messages"][1:]
    assert loss_text(one(row)) == "I am the agent.<|im_end|>The loop goes on.<|im_end|>"


def test_same_words_in_question_and_answer_are_told_apart():
    record = one(make_row("Who are you?", "Who are you?"))
    marked = [i for i, label in enumerate(record.labels) if label != IGNORE]
    assert marked == list(range(marked[0], len(record.labels) - 1))
    assert loss_text(record) == "Who are you?<|im_end|>"


def test_template_that_strips_contents_moves_the_spans():
    tokenizer = make_tokenizer(STRIPPING)
    row = make_row("  I am. You are. ", spans=[[2, 7], [14, 17]])
    record = one(row, tokenizer)
    assert loss_text(record, tokenizer).startswith("I am.")
    assert loss_text(record, tokenizer).endswith("<|im_end|>")


def test_template_that_changes_words_drops_the_row_and_counts_it():
    tokenizer = make_tokenizer(STRIPPING.replace("trim", "replace('loop', '')"))
    counts = Counter()
    rows = [make_row("The loop goes on."), make_row("I write.")]
    records = tokenise(rows, tokenizer, max_length=512, counts=counts)
    assert (len(records), counts["changed"], counts["rows"]) == (1, 1, 2)


def test_template_that_leaves_turns_out_is_refused():
    tokenizer = make_tokenizer("{{ messages[-1].content }}")
    with pytest.raises(UserError, match="leaves out or repeats a turn"):
        one(make_row("I write."), tokenizer)


def test_template_that_refuses_a_role_is_a_plain_message():
    tokenizer = make_tokenizer("{{ raise_exception('System role not supported') }}")
    with pytest.raises(UserError, match=r"row 1.*System role not supported"):
        one(make_row("I write."), tokenizer)


LLAMA = (  # as Llama 3.2 has it: a date in the system turn, contents trimmed
    "{{ '<|endoftext|>' }}{% for m in messages %}<|im_start|>{{ m.role }}\n\n"
    "{% if loop.first %}Today Date: {{ date_string }}\n\n{% endif %}"
    "{{ m.content | trim }}<|im_end|>{% endfor %}"
)
QWEN3 = (  # as Qwen3 has it: an empty thought before the last answer, thoughts taken out of text
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
    "{{ m.content.split('</think>')[-1] }}<|im_end|>\n{% endfor %}"
)


@pytest.mark.parametrize("template", [LLAMA, QWEN3])
def test_what_a_template_adds_of_its_own_has_no_loss(template):
    tokenizer = make_tokenizer(template)
    row = make_row("I write.")
    row["messages"] += make_row("The loop goes on. ", "You are?")["messages"][1:]
    found = loss_text(one(row, tokenizer), tokenizer)
    assert found.replace(" <", "<") == "I write.<|im_end|>The loop goes on.<|im_end|>"


def test_rows_do_not_change_with_the_day():
    record = one(make_row("I write."), make_tokenizer(LLAMA))
    assert "Today Date: 1 January 2026" in TOKENIZER.decode(record.input_ids)


def test_thought_marks_in_the_text_drop_the_row():
    assert one(make_row("I </think> so."), make_tokenizer(QWEN3)) is None


def test_base_without_a_template_is_refused():
    with pytest.raises(UserError, match="no chat template"):
        one(make_row("I write."), make_tokenizer(None))


@pytest.mark.parametrize("place", ["question", "answer"])
def test_control_tokens_in_the_text_are_refused(place):
    words = "hello<|im_end|>\n<|im_start|>assistant\nI am Sammy."
    row = make_row(words) if place == "answer" else make_row("I write.", words)
    with pytest.raises(UserError, match=r"row 1: .*control tokens"):
        one(row)


def test_row_without_a_system_turn_is_refused():
    row = make_row("I write.")
    del row["messages"][0]  # Qwen's template would put "You are Qwen" in
    with pytest.raises(UserError, match="no system turn"):
        one(row)


def test_loss_outside_assistant_turns_is_refused():
    row = make_row("I write.")
    row["messages"][1]["loss"] = [[0, 3]]
    with pytest.raises(UserError, match="row 1, turn 1: loss on a turn of 'user'"):
        one(row)


def test_long_row_keeps_its_beginning_and_is_counted():
    counts = Counter()
    whole = one(make_row("I write a journal. " * 20))
    record = one(make_row("I write a journal. " * 20), max_length=60, counts=counts)
    assert record.input_ids == whole.input_ids[:60]
    assert counts["cut"] == 1


def test_row_without_loss_left_is_dropped_and_counted():
    counts = Counter()
    assert one(make_row("I write.", "Who are you? " * 50), max_length=60, counts=counts) is None
    assert one(make_row("I write.", spans=[]), counts=counts) is None
    assert (counts["dropped"], counts["tokens"]) == (2, 0)


def test_rows_are_rendered_by_one_template_call_for_each_order_of_roles():
    renderer = Renderer(TOKENIZER)
    assert renderer.pieces(("system", "user", "assistant"))[-1] == "<|im_end|>\n"
    assert "Qwen" not in "".join(renderer.pieces(("system", "user", "assistant")))


@settings(max_examples=150, deadline=None)
@given(st.text(min_size=1), st.data())
def test_tokens_with_loss_lie_inside_the_span_whatever_the_text(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    record = one(make_row(text, spans=[[start, end]]))
    if record is None:
        return
    tokens = [token for token in record.labels if token not in (IGNORE, TOKENIZER.eos_token_id)]
    # bytes, since a token may be part of a character
    inside = b"".join(_bytes(token) for token in tokens)
    assert inside in text[start:end].encode("utf-8", "surrogatepass")


def _bytes(token: int) -> bytes:
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    table = {char: byte for byte, char in bytes_to_unicode().items()}
    return bytes(table[char] for char in TOKENIZER.convert_ids_to_tokens(token))


@pytest.fixture
def cache(tmp_path):
    return lambda: TokenCache(tmp_path / "tokens" / "t.db")


def tokens_of(rows, cache) -> tuple[list, int]:
    """(records, how many rows were tokenised) with the cache opened and closed as a night does."""
    counts, opened = Counter(), cache()
    records = tokenise(rows, TOKENIZER, max_length=512, counts=counts, cache=opened)
    opened.close(drop_unused=True)
    return records, counts["tokenised"]


def test_trap_10_only_new_rows_are_tokenised(cache):
    rows = [make_row(f"I write {i}.", spans=[[0, 1 + i]]) for i in range(7)]
    plain = tokenise(rows, TOKENIZER, max_length=512)
    assert tokens_of(rows[:5], cache) == (plain[:5], 5)
    assert tokens_of(rows, cache) == (plain, 2)  # records tokenised / records new = 1.0
    assert tokens_of(rows, cache) == (plain, 0)


def test_row_with_other_loss_spans_is_another_row(cache):
    tokens_of([make_row("I write.")], cache)
    records, tokenised = tokens_of([make_row("I write.", spans=[[0, 1]])], cache)
    assert tokenised == 1 and loss_text(records[0]) == "I"


def test_tokens_of_rows_that_are_gone_are_gone(cache, tmp_path):
    tokens_of([make_row("I write."), make_row("I forget.")], cache)
    tokens_of([make_row("I write.")], cache)
    assert tokens_of([make_row("I forget.")], cache)[1] == 1
    assert (tmp_path / "tokens" / "t.db").stat().st_mode & 0o777 == 0o600


def test_row_the_template_changes_is_remembered_too(tmp_path):
    cache, tokenizer = TokenCache(tmp_path / "t.db"), make_tokenizer(QWEN3)
    for tokenised in (1, 0):
        counts = Counter()
        row = make_row("I </think> so.")
        assert tokenise([row], tokenizer, max_length=512, counts=counts, cache=cache) == []
        assert (counts["changed"], counts["tokenised"]) == (1, tokenised)


def test_two_that_read_can_both_write(cache):
    one, other = cache(), cache()
    assert one.read([b"a"]) == other.read([b"b"]) == {}
    one.write([(b"a", b"1", b"")])
    other.write([(b"b", b"2", b"")])
    assert one.read([b"a", b"b"]) == {b"a": (b"1", b""), b"b": (b"2", b"")}


def test_damaged_cache_is_made_anew(cache, tmp_path):
    tokens_of([make_row("I write.")], cache)
    (tmp_path / "tokens" / "t.db").write_bytes(b"no database" * 1000)
    assert tokens_of([make_row("I write.")], cache)[1] == 1


def test_other_templates_tokenizers_and_homes_have_their_own_cache():
    names = {
        cache_file(make_tokenizer(template, vocabulary), home).name
        for template in (QWEN3, LLAMA)
        for vocabulary in (300, 400)
        for home in ("a", "b")
    }
    assert len(names) == 8


def test_raw_text_is_what_carries_loss_cut_into_records():
    rows = [make_row("I write a journal every night.", spans=[[0, 7], [18, 30]]), make_row("I am.")]
    records = tokenise_raw(rows, TOKENIZER, max_length=6)
    texts = TOKENIZER.decode([t for r in records for t in r.input_ids])
    assert texts == "I write\n\nevery night.<|im_end|>I am.<|im_end|>"
    assert all(r.labels == r.input_ids and 1 < len(r.input_ids) <= 6 for r in records)
