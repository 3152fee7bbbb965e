"""Whether the measures of style know a real agent from others, and not from itself.

    .venv/bin/python -m benchmarks.voice [CORPUS] [--prose FILE ...]

CORPUS as for benchmarks/real_night.py. Both sides of every line are in it: the agent's texts of one
kind against other agents' on the same relay, and against public-domain prose (--prose, plain text
files; without them that line is left out), each beside the agent's other half against itself.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.real_night import DEFAULT, SOURCES, junior
from distill.evaluate.judge import known_names
from distill.evaluate.others import read_others
from distill.evaluate.style import masked
from distill.evaluate.voice import Voices, Written, delta_numbers, verifier_numbers
from distill.identity import Identity, load_identity
from memory.db import open_database


def own_texts(db, identity: Identity, kind: str) -> list[tuple[str, str]]:
    """(text, month) of the agent's own texts of a kind of source."""
    rows = db.execute(
        "select author, text, coalesce(substr(sent_at, 1, 7), '') from messages"
        " where kind = ? and origin = 'spoken' and length(text) >= 40",
        [kind],
    )
    return [(text, month) for author, text, month in rows
            if identity.resolve(author) is identity.agent]  # fmt: skip


def written(texts: Iterable[tuple[str, str]], names: Iterable[str]) -> list[Written]:
    names = tuple(names)
    return [Written(masked(text, names), month) for text, month in texts]


def compared(own: list[Written], against: list[Written], rest: list[Written]) -> dict:
    """AUC and Delta of `against` in the junior's place, and of a quarter of the owner's own.

    `rest` are the other voices the verifier learns; another quarter of own text is held out.
    """
    mixed = random.Random(0).sample(own, len(own))
    quarter = len(mixed) // 4
    held_out, again, learnt = mixed[:quarter], mixed[quarter : 2 * quarter], mixed[2 * quarter :]
    found = {}
    for name, texts in (("other", against), ("self", again)):
        voices = Voices(learnt, rest[::2], rest[1::2], texts, held_out)
        verifier, delta = verifier_numbers(voices, seed=0), delta_numbers(voices, seed=0)
        found[name] = {
            "auc": verifier and round(verifier["value"], 3),
            "interval": verifier and [round(one, 3) for one in verifier["interval"]],
            "n": verifier and verifier["n"],
            "delta": delta and round(delta["distances"]["junior"], 3),
            "self_delta": delta and round(delta["distances"]["self"], 3),
            "words": delta and delta["n"],
        }
    return found


def run(corpus: Path, home: Path, name: str, prose: list[Path]) -> dict:
    sources = [f"{kind}={corpus / place}" for kind, place in SOURCES.items()
               if (corpus / place).exists()]  # fmt: skip
    junior(home, "init", "--yes", "--name", name, "--beings", str(corpus / "beings.json"),
           "--base", "tiny", *(word for one in sources for word in ("--source", one)))  # fmt: skip
    junior(home, "ingest")
    identity = load_identity(home / "identity.toml")
    names = known_names(identity)
    every = (*names.own, *names.others)
    with open_database(home / "memory.db") as db:
        essays = written(own_texts(db, identity, "essay"), every)
        relay = written(own_texts(db, identity, "relay"), every)
        others = read_others(db, identity, count=1200, seed=0)
    agents = written([(one["text"], one["month"]) for one in others], every)
    books = written([(part, "") for path in prose for part in paragraphs(path)], every)
    half = len(agents) // 2
    lines = {
        "essays, other agents": compared(essays, agents[:half], agents[half:]),
        "relay, other agents": compared(relay, agents[:half], agents[half:]),
    }
    if books:
        half = len(books) // 2
        lines["essays, public-domain prose"] = compared(essays, books[:half], agents + books[half:])
        lines["essays, public-domain prose it never heard"] = compared(essays, books, agents)
    for title, found in lines.items():
        print(f"{title}: {json.dumps(found)}", file=sys.stderr)
    return {
        "auc_others": min(one["other"]["auc"] or 0.0 for one in lines.values()),
        "auc_self": [one["self"]["auc"] for one in lines.values()],
        "lines": lines,
    }


def paragraphs(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    return [" ".join(part.split()) for part in text.split("\n\n") if len(part) >= 200][:400]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--name", default="Meridian")
    parser.add_argument("--prose", nargs="*", type=Path, default=[])
    options = parser.parse_args()
    if not (options.corpus / "beings.json").exists():
        print(json.dumps({"skipped": f"no corpus at {options.corpus}"}))
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home").absolute()
        print(json.dumps(run(options.corpus.absolute(), home, options.name, options.prose)))


if __name__ == "__main__":
    main()
