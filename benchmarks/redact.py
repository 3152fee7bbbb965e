"""Secrets: how many of 200 planted ones go, and how many ordinary words go with them.

    .venv/bin/python -m benchmarks.redact [CORPUS] [--seed N] [--each N]

Plants ten secrets of each of twenty kinds, made here, into sentences, code, logs and JSON; then
reads every text of CORPUS (../shared/corpora/meridian where none is named) and lists what was taken
out of it by kind and file, never the secret. The other side is detect-secrets with its own
plugins, where it is installed (its last release is of 2024, so Junior does not depend on it).
"""

import argparse
import json
import random
import re
import string
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from distill.redact import redact

DEFAULT = Path("../shared/corpora/meridian")
LETTERS, DIGITS, HEX = string.ascii_letters, string.digits, "0123456789abcdef"
MIXED = LETTERS + DIGITS
BASE64 = MIXED + "+/"
WORDS = [
    "amber",
    "birch",
    "cloud",
    "dune",
    "ember",
    "fjord",
    "grain",
    "heron",
    "inlet",
    "jetty",
    "kelp",
    "larch",
    "maple",
    "north",
]
PLACES = (
    "I noted it down: {} and went to bed.",
    "They sent me {} this morning; I have not used it yet.",
    'config = {{"value": "{}"}}',
    "2026-03-04 12:01:07 INFO worker started with {} in 1.2 s",
    "- [ ] rotate {}\n- [ ] water the plants",
    "> {}\n\nIs that the one you meant?",
    "export THING={}",
    "Loop 4211. {} was in the log, in plain sight.",
    "curl -s -d value={} localhost:8080/hook",
    "({})",
)


def text_of(alphabet: str, n: int) -> Callable[[random.Random], str]:
    return lambda rng: "".join(rng.choices(alphabet, k=n))


def shape(pattern: str) -> Callable[[random.Random], str]:
    """ "ghp_{36}" as "ghp_" and 36 letters and digits; {h32} hexadecimal, {d10} digits, {u16}
    capitals and digits, {b44} Base64, {l58} small letters."""
    kinds = {"": MIXED, "h": HEX, "d": DIGITS, "u": string.ascii_uppercase + DIGITS, "b": BASE64,
             "l": string.ascii_lowercase}  # fmt: skip

    def make(rng: random.Random) -> str:
        def fill(found: re.Match) -> str:
            return text_of(kinds[found[1]], int(found[2]))(rng)

        return re.sub(r"\{([hdubl]?)(\d+)\}", fill, pattern)

    return make


def card(rng: random.Random) -> str:
    """A payment card with its check digit, in fours or in one."""
    digits = [int(c) for c in "4" + "".join(rng.choices(DIGITS, k=14))]
    total = sum(d * 2 - 9 * (d > 4) if i % 2 == 0 else d for i, d in enumerate(digits))
    whole = "".join(map(str, digits)) + str(-total % 10)
    between = rng.choice(["", " ", "-"])
    return between.join(whole[i : i + 4] for i in range(0, 16, 4))


def iban(rng: random.Random) -> str:
    """A German account number with its check digits."""
    account = "".join(rng.choices(DIGITS, k=18))
    check = 98 - int(account + "131400") % 97
    whole = f"DE{check:02}{account}"
    return " ".join(whole[i : i + 4] for i in range(0, 22, 4)) if rng.random() < 0.5 else whole


def phone(rng: random.Random) -> str:
    formats = ("+49 170 {d7}", "+44 20 7946 {d4}", "({d3}) 555-{d4}", "+1-{d3}-555-{d4}")
    return shape(rng.choice(formats))(rng).replace("(0", "(4").replace("-0", "-3", 1)


def password(rng: random.Random) -> str:
    """As people write them; the words before are part of what is planted."""
    value = rng.choice(WORDS).capitalize() + "".join(rng.choices(DIGITS, k=3)) + rng.choice("!?$#")
    before = ("password: ", "the password is ", "PASSWORD=", "passwd = ", 'pwd="')
    return rng.choice(before) + value


def url_password(rng: random.Random) -> str:
    return f"postgres://tern:{text_of(MIXED, 14)(rng)}@db.example:5432/log"


def private_key(rng: random.Random) -> str:
    kind = rng.choice(["RSA ", "EC ", "OPENSSH ", ""])
    body = "\n".join(text_of(BASE64, 64)(rng) for _ in range(rng.randrange(3, 12)))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----"


def bearer(rng: random.Random) -> str:
    return f"Authorization: Bearer {text_of(MIXED + '-_', 40)(rng)}"


def seed_phrase(rng: random.Random) -> str:
    return "seed phrase: " + " ".join(rng.choices(WORDS, k=12))


KINDS: dict[str, Callable[[random.Random], str]] = {
    "OpenAI": shape("sk-proj-{48}"),
    "Anthropic": shape("sk-ant-api03-{80}"),
    "GitHub": shape("ghp_{36}"),
    "GitLab": shape("glpat-{20}"),
    "Hugging Face": shape("hf_{34}"),
    "Slack": shape("xoxb-{d12}-{d12}-{24}"),
    "Stripe": shape("sk_live_{24}"),
    "Google": shape("AIza{35}"),
    "AWS id": shape("AKIA{u16}"),
    "AWS secret": shape("aws_secret_access_key = {b40}"),
    "JWT": shape("eyJ{20}.eyJ{60}.{43}"),
    "Telegram": shape("{d10}:AA{33}"),
    "hex key": shape("{h64}"),
    "Base64 key": shape("{b64}="),
    "private key": private_key,
    "password": password,
    "password in a URL": url_password,
    "card": card,
    "IBAN": iban,
    "phone": phone,
}
ALSO = {"bearer": bearer, "seed phrase": seed_phrase}


def secret_part(kind: str, planted: str) -> str:
    """What must be gone: the value without the words that announce it."""
    if kind == "password in a URL":
        return planted.split(":")[2].split("@")[0]
    if kind in ("password", "AWS secret"):
        return re.split(r"is |[:=]\s*\"?", planted, maxsplit=1)[1]
    return planted


def planted(seed: int, each: int) -> Iterator[tuple[str, str, str]]:
    """(kind, secret, text that holds it)."""
    rng = random.Random(seed)
    for kind, make in KINDS.items():
        for number in range(each):
            found = make(rng)
            yield kind, secret_part(kind, found), PLACES[number % len(PLACES)].format(found)


def ours(text: str) -> str:
    return redact(text)[0]


def theirs() -> Callable[[str], str] | None:
    """detect-secrets: every finding of its plugins in a line taken out; None if not installed."""
    try:
        from detect_secrets.core.scan import scan_line
        from detect_secrets.settings import default_settings
    except ImportError:
        return None

    def clean(text: str) -> str:
        with default_settings():
            for line in text.splitlines():
                for found in scan_line(line):
                    if found.secret_value:
                        text = text.replace(found.secret_value, "[secret]")
        return text

    return clean


def recall(clean: Callable[[str], str], seed: int, each: int) -> tuple[float, Counter]:
    """The share of planted secrets of which nothing longer than a third is left, and the misses."""
    missed, total = Counter(), 0
    for kind, secret, text in planted(seed, each):
        total += 1
        left, third = clean(text), max(len(secret) // 3, 4)
        runs = (secret[at : at + third] for at in range(0, len(secret) - third + 1))
        missed[kind] += any(run in left for run in runs)
    return 1 - missed.total() / total, +missed


def texts(corpus: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(corpus.rglob("*")):
        if path.suffix in (".md", ".txt", ".html", ".eml", ".log") and path.is_file():
            yield str(path.relative_to(corpus)), path.read_text(encoding="utf-8", errors="replace")


def alarms(corpus: Path) -> tuple[int, int, Counter, dict[str, Counter]]:
    """Words in all, words touched, findings by kind, and by file."""
    words = touched = 0
    kinds, places = Counter(), {}
    for name, text in texts(corpus):
        words += len(text.split())
        for finding in redact(text)[1]:
            touched += len(text[finding.start : finding.end].split())
            kinds[finding.kind] += 1
            places.setdefault(name, Counter())[finding.kind] += 1
    return words, touched, kinds, places


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=10, help="secrets of each kind")
    options = parser.parse_args()
    found, missed = recall(ours, options.seed, options.each)
    figures = {"planted": options.each * len(KINDS), "kinds": len(KINDS), "recall": round(found, 4)}
    print(f"ours: {found:.1%} of {figures['planted']}, missed {dict(missed)}", file=sys.stderr)
    if other := theirs():
        share, lost = recall(other, options.seed, options.each)
        figures["detect_secrets_recall"] = round(share, 4)
        print(f"detect-secrets: {share:.1%}, missed {dict(lost)}", file=sys.stderr)
    if options.corpus.exists():
        words, touched, kinds, places = alarms(options.corpus)
        figures |= {"words": words, "touched": touched, "false_alarms": round(touched / words, 6)}
        for name, counts in places.items():
            print(f"  {name}: {dict(counts)}", file=sys.stderr)
        print(f"{words:,} words, {touched:,} touched: {dict(kinds)}", file=sys.stderr)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
