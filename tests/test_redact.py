"""Claims about what is taken out of texts, and what is left alone."""

import random
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.redact import DEFAULT, KINDS, alarms, ours, recall
from distill.redact import move_spans, neutralise_control_tokens, redact

RANDOM = random.Random(5)


def characters(alphabet: str, n: int) -> str:
    return "".join(RANDOM.choices(alphabet, k=n))


MIXED, HEX = string.ascii_letters + string.digits, "0123456789abcdef"
PLANTED = {
    "openai": f"sk-proj-{characters(MIXED, 48)}",
    "anthropic": f"sk-ant-api03-{characters(MIXED, 60)}",
    "github": f"ghp_{characters(MIXED, 36)}",
    "gitlab": f"glpat-{characters(MIXED, 20)}",
    "hugging face": f"hf_{characters(MIXED, 34)}",
    "slack": f"xoxb-{characters('0123456789', 12)}-{characters(MIXED, 24)}",
    "stripe": f"sk_live_{characters(MIXED, 24)}",
    "google": f"AIza{characters(MIXED, 35)}",
    "aws": f"AKIA{characters(string.ascii_uppercase + '0123456789', 16)}",
    "jwt": f"eyJ{characters(MIXED, 20)}.eyJ{characters(MIXED, 40)}.{characters(MIXED, 43)}",
    "telegram": f"{characters('123456789', 10)}:A{characters(MIXED, 34)}",
    "twilio": f"SK{characters(HEX, 32)}",
    "sendgrid": f"SG.{characters(MIXED, 22)}.{characters(MIXED, 43)}",
    "nostr": f"nsec1{characters(string.ascii_lowercase, 58)}",
    "hex": characters(HEX, 64),
    "card": "4111 1111 1111 1111",
    "iban": "DE89 3704 0044 0532 0130 00",
    "phone": "+49 170 5550182",
    "us phone": "(403) 555-0182",
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_secret_is_taken_out(name):
    secret = PLANTED[name]
    text, findings = redact(f"I noted it here: {secret} and went to bed.")
    assert secret not in text and len(findings) == 1
    assert text.startswith("I noted it here: [") and text.endswith("] and went to bed.")


@pytest.mark.parametrize(
    "line",
    ["password: hunter22!", "API_KEY=Zx81kqPw", "the password is tr0ub4dor&3", "pwd = 'G7f!kk20'"],
)
def test_a_secret_after_its_keyword_is_taken_out(line):
    text, findings = redact(line)
    assert findings and "[password-1]" in text


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_of_200_planted_secrets_of_20_kinds_99_in_100_are_gone(seed):
    share, missed = recall(ours, seed, 10)
    assert len(KINDS) == 20 and share >= 0.99, missed


@pytest.mark.parametrize("corpus", [Path("demo/life"), DEFAULT], ids=["made up", "real"])
def test_at_most_one_ordinary_word_in_a_hundred_is_touched(corpus):
    if not corpus.exists():
        pytest.skip(f"no corpus at {corpus}")
    words, touched, kinds, _ = alarms(corpus)
    assert words > 1000 and touched <= 0.01 * words, kinds


def test_a_key_in_a_pem_block_goes_as_a_whole():
    block = (
        f"-----BEGIN RSA PRIVATE KEY-----\n{characters(MIXED, 300)}\n-----END RSA PRIVATE KEY-----"
    )
    assert redact(f"before\n{block}\nafter")[0] == "before\n[private-key-1]\nafter"


@pytest.mark.parametrize(
    "text",
    [
        "Loop 11958, 2026-05-15T17:33:23-06:00, 4772 rows, 192.168.1.20, version 3.50.7.",
        "The secret is that nobody reads it. The token: a word. Password: changed again.",
        "https://example.org/2026/03/a-long-slug-of-words-that-means-something-to-people.html",
        "Pages 200-201; 1,131 of 31,477; 4111 1111 1111 1112; GB82 WEST 1234 5698 7654 33.",
        "def read(path): return path.read_text(encoding='utf-8')",
        "my api_key=os.environ[KEY] and token = get_token()",
    ],
)
def test_ordinary_text_stays_as_it_is(text):
    assert redact(text) == (text, [])


def test_the_same_secret_has_the_same_placeholder():
    a, b = PLANTED["github"], PLANTED["gitlab"]
    assert redact(f"{a} {b} {a}")[0] == "[token-1] [token-2] [token-1]"


def test_redacting_twice_changes_nothing():
    once, _ = redact(" ".join(PLANTED.values()))
    assert redact(once) == (once, [])


def test_spans_move_with_the_text_and_leave_placeholders_out():
    secret = PLANTED["aws"]
    before = f"key {secret} end"
    after, findings = redact(before)
    spans = move_spans([(0, len(before))], findings)
    assert [after[s:e] for s, e in spans] == ["key ", " end"]


@pytest.mark.parametrize(
    "token",
    ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "</s>", "<think>", "[INST]"],
)
def test_control_tokens_become_text_of_the_same_length(token):
    neutral = neutralise_control_tokens(f"a {token} b")
    assert token not in neutral and len(neutral) == len(token) + 4


@given(st.text(alphabet="<|>im_end/s[INST]", max_size=60))
def test_no_text_keeps_the_opening_of_a_control_token(text):
    neutral = neutralise_control_tokens(text)
    assert "<|" not in neutral and "<s>" not in neutral and len(neutral) == len(text)


@given(st.text(max_size=300))
def test_redact_only_replaces_what_it_reports(text):
    after, findings = redact(text)
    grown = sum(len(f.placeholder) - (f.end - f.start) for f in findings)
    assert len(after) == len(text) + grown


def test_ten_thousand_odd_characters_do_not_hang():
    for odd in ("a" * 20000, "1 " * 10000, "password " * 2000, "-----BEGIN " * 2000, "+1" * 9000):
        redact(odd)
