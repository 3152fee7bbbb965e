"""Secrets become typed placeholders, control tokens become plain text; pure functions."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Spans = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret: its kind, its offsets in the text as given, and what stands in its place."""

    kind: str
    start: int
    end: int
    placeholder: str


def _luhn(found: str) -> bool:
    """ISO/IEC 7812-1, annex B: the check digit of payment cards."""
    digits = [int(character) for character in found if character.isdigit()]
    if not 13 <= len(digits) <= 19 or digits[0] not in (3, 4, 5, 6) or len(set(digits)) < 2:
        return False
    doubled = [d * 2 - 9 * (d > 4) if i % 2 else d for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _iban(found: str) -> bool:
    """ISO 13616: the first four characters to the end, letters as numbers, 1 modulo 97."""
    plain = found.replace(" ", "").upper()
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def _phone(found: str) -> bool:
    """At least nine digits, at most fifteen (E.164), and not the shape of a date or a time."""
    digits = [c for c in found if c.isdigit()]
    return 9 <= len(digits) <= 15 and not re.match(r"(19|20)\d\d[-./]\d", found)


def entropy(text: str) -> float:
    """Bits a character (Shannon) of `text`."""
    counts = [text.count(character) for character in set(text)]
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)


def _random_hex(found: str) -> bool:
    return entropy(found.lower()) > 3.0 and any(c.isdigit() for c in found)


def _random_base64(found: str) -> bool:
    """Upper and lower case, digits, and more bits a character than words and paths have."""
    classes = (str.isupper, str.islower, str.isdigit)
    mixed = all(sum(map(test, found)) >= 3 for test in classes)
    return mixed and entropy(found) > 4.2 and not re.search(r"[a-z]{9}|/[A-Z]?[a-z]{2,}/", found)


def _not_a_word(found: str) -> bool:
    """A value that a person could not mean as a word: digits or symbols in it, or mixed case."""
    if re.fullmatch(r"\[.*|<.*|\$\{?\w+.*|%.*%|\*+|x+|\.+|\d{1,3}|(\w+\.)+\w+\(.*", found, re.I):
        return False
    return len(found) >= 6 and bool(
        re.search(r"\d", found) or re.search(r"[!@#$%^&*?]\w", found) or _camel(found)
    )


def _camel(found: str) -> bool:
    return bool(re.search(r"[a-z][A-Z].*[a-z][A-Z]", found)) and found.isalnum()


def _any(_found: str) -> bool:
    return True


_KEYWORD = (
    r"(?:password|passwd|passphrase|passcode|pwd|secret(?:[ _-]?key)?|api[ _-]?(?:key|secret)"
    r"|access[ _-]?(?:key|token)|auth[ _-]?(?:key|token)|client[ _-]?secret|private[ _-]?key"
    r"|app[ _-]?password|token|credentials?|pin)"
)

# kind, what must be in the text, pattern: known by their shape alone
_SHAPES = r"""
url-password ://          ://[^\s/:@]{1,80}:(?P<secret>[^\s/@\[\]]{3,120})@
webhook      hooks.slack  hooks\.slack\.com/services/(?P<secret>[\w/]{20,90})
webhook      api/webhooks api/webhooks/(?P<secret>\d{15,22}/[\w-]{40,90})
api-key      _live_       \b[srp]k_live_\w{16,120}
api-key      _test_       \b[srp]k_test_\w{16,120}
api-key      AIza         \bAIza[\w-]{35}
api-key      SG.          \bSG\.[\w-]{16,40}\.[\w-]{30,60}
api-key      key-         \bkey-[0-9a-f]{32}\b
aws-key      A            \b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b
api-key      AC           \bAC[0-9a-f]{32}\b
api-key      SK           \bSK[0-9a-f]{32}\b
token        gh           \bgh[pousr]_[A-Za-z0-9]{30,260}
token        github_pat_  \bgithub_pat_\w{22,260}
token        glpat-       \bglpat-[\w-]{20,60}
token        hf_          \bhf_[A-Za-z0-9]{30,60}
token        npm_         \bnpm_[A-Za-z0-9]{30,60}
token        pypi-        \bpypi-[\w-]{50,300}
token        xox          \bxox[abeoprs]-[\w-]{10,200}
token        eyJ          \beyJ[\w-]{8,2000}\.[\w-]{8,4000}\.[\w-]{0,1000}
token        :            \b\d{8,11}:[A-Za-z][\w-]{33,36}\b
token        .            \b[MNO][\w-]{22,28}\.[\w-]{6}\.[\w-]{27,45}\b
token        asic         \b[Bb]asic\s{1,3}(?P<secret>[A-Za-z0-9+/]{12,400}={1,2})
token        AccountKey   AccountKey=(?P<secret>[A-Za-z0-9+/=]{30,120})
secret-key   nsec1        \bnsec1[a-z0-9]{40,70}
secret-key   AGE-SECRET   \bAGE-SECRET-KEY-1[A-Z0-9]{40,70}
"""

# (kind, what must be in the text for the pattern to be tried, pattern, check). A group named
# `secret` narrows what is taken out; quantifiers are bounded, so that no text can hang them.
_RULES: tuple[tuple[str, str, str, Callable[[str], bool]], ...] = (
    (
        "private-key",
        "-----BEGIN",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]{1,20000}?"
        r"(?:-----END [A-Z0-9 ]{0,40}-----|\Z)",
        _any,
    ),
    *((*line.split(), _any) for line in _SHAPES.strip().splitlines()),
    ("api-key", "sk-", r"\bsk-(?:ant-|proj-|or-|live-)?[\w-]{20,200}", _random_hex),
    ("token", "earer", r"\b[Bb]earer\s{1,3}(?P<secret>[\w.~+/-]{16,2000}=*)", _not_a_word),
    (
        "seed-phrase",
        "phrase",
        r"(?i)\b(?:seed|recovery|mnemonic)(?: phrase)?\s{0,2}(?:is|:|=)\s{0,3}"
        r"(?P<secret>[a-z]{3,8}(?:\s+[a-z]{3,8}){11,23})",
        _any,
    ),
    (
        "password",
        "",
        rf"(?i)(?<![a-z]){_KEYWORD}[\"']?\s{{0,3}}(?::=|=>|=|:)\s{{0,3}}[\"'`]{{0,3}}"
        r"(?P<secret>[^\s\"'`,;<>()]{6,200})",
        _not_a_word,
    ),
    (
        "password",
        "",
        rf"(?i)(?<![a-z]){_KEYWORD}\s{{1,3}}(?:is|was|are)\s{{1,3}}(?:now\s)?[\"'`]{{0,2}}"
        r"(?P<secret>[^\s\"'`,;<>()]{6,80})",
        _not_a_word,
    ),
    ("card", "", r"(?<![\w.+-])\d(?:[ -]?\d){12,18}(?![\w-])", _luhn),
    ("iban", "", r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", _iban),
    (
        "phone",
        "+",
        r"(?<![\w+])\+\d{1,3}[ .-]?(?:\(\d{1,5}\)[ .-]?)?\d(?:[ .-]?\d){6,12}\b",
        _phone,
    ),
    (
        "phone",
        "",
        r"(?<![\w.-])(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[.-]\d{4}(?![\w-])",
        _phone,
    ),
    ("phone", "0", r"(?<![\w.,:#/-])0\d{2,4}[ /-]\d{3,4}(?:[ -]?\d{2,4}){1,2}(?![\w.:/-])", _phone),
    ("id-number", "-", r"(?<![\w-])(?!000|666|9)\d{3}-\d{2}-\d{4}(?![\w-])", _any),
    ("hex", "", r"(?<![\w-])(?:0x)?[0-9a-fA-F]{32,512}(?![\w-])", _random_hex),
    ("base64", "", r"(?<![\w+/.-])[A-Za-z0-9+/_-]{40,4000}={0,2}(?![\w+/])", _random_base64),
)
_COMPILED = tuple((kind, hint, re.compile(pattern), check) for kind, hint, pattern, check in _RULES)
_DIGITS_NEEDED = frozenset(("card", "iban", "phone", "id-number", "hex", "base64"))


def redact(text: str) -> tuple[str, list[Finding]]:
    """`text` without its secrets, and the findings with offsets into `text` as given.

    A secret becomes `[kind-n]`, n counted from 1 for each kind of the text, the same secret always
    the same n. What was redacted before comes back unchanged.
    Cards by Luhn, IBAN by mod 97, the rest by shape, keyword or entropy.
    """
    findings = _numbered(text, _disjoint(_matches(text)))
    parts, at = [], 0
    for finding in findings:
        parts += [text[at : finding.start], finding.placeholder]
        at = finding.end
    return "".join([*parts, text[at:]]), findings


def _matches(text: str) -> Iterable[tuple[int, int, str]]:
    has_digits = bool(re.search(r"\d[^\n]{0,9}?\d", text))
    for kind, hint, pattern, check in _COMPILED:
        if (hint and hint not in text) or (kind in _DIGITS_NEEDED and not has_digits):
            continue
        group = "secret" if "secret" in pattern.groupindex else 0
        for match in pattern.finditer(text):
            if check(match.group(group)):
                yield *_without_stop(text, *match.span(group)), kind


def _without_stop(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without a full stop, comma or bracket that belongs to the sentence."""
    while end > start + 1 and text[end - 1] in ".,;:!?)]}":
        end -= 1
    return start, end


def _disjoint(found: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """In order of place; where two overlap the rule that stands first in the table wins."""
    kept: list[tuple[int, int, str]] = []
    for start, end, kind in found:
        if all(end <= s or start >= e for s, e, _ in kept):
            kept.append((start, end, kind))
    return sorted(kept)


def _numbered(text: str, found: list[tuple[int, int, str]]) -> list[Finding]:
    numbers: dict[str, dict[str, int]] = {}
    findings = []
    for start, end, kind in found:
        seen = numbers.setdefault(kind, {})
        n = seen.setdefault(text[start:end], len(seen) + 1)
        findings.append(Finding(kind, start, end, f"[{kind}-{n}]"))
    return findings


def move_spans(spans: Iterable[Sequence[int]], findings: Sequence[Finding]) -> Spans:
    """`spans` (sorted offsets before redaction) as offsets after it, placeholders left out."""
    moved: Spans = []
    for start, end in spans:
        for part_start, part_end in _outside(start, end, findings):
            by = sum(
                len(f.placeholder) - (f.end - f.start) for f in findings if f.end <= part_start
            )
            moved.append((part_start + by, part_end + by))
    return moved


def _outside(start: int, end: int, findings: Sequence[Finding]) -> Spans:
    parts = []
    for finding in findings:
        if finding.end <= start or finding.start >= end:
            continue
        if finding.start > start:
            parts.append((start, finding.start))
        start = finding.end
    return [*parts, (start, end)] if start < end else parts


# Every control token of the families that must work (Qwen, Llama 3) opens with "<|"; the others
# are named. Each is replaced by as many characters, so that offsets stay.
_NAMED = re.compile(
    r"<(/?(?:s|bos|eos|pad|unk|think|tool_call|tool_response|start_of_turn|end_of_turn))>"
)
_BRACKETED = re.compile(r"\[(/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS))\]")


def neutralise_control_tokens(text: str) -> str:
    """`text`, of the same length, in which no tokenizer finds a control token."""
    if "<" in text:
        text = text.replace("<|", "<\u00a6").replace("<\uff5c", "<\u00a6")
        text = _NAMED.sub("\u2039\\1\u203a", text)
    if "[" in text:
        text = _BRACKETED.sub("(\\1)", text)
    return text
