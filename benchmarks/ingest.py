"""Ingest, mbox reading, near-duplicates and search, each beside what others would use.

    .venv/bin/python -m benchmarks.ingest [--scale small|full] [--only PART]

Messages and mails are made up from a seed, with word frequencies as in speech: one word is in 44 %
of the messages. Both sides of a ratio do the same work in this run, and what they made is compared.
"""

import argparse
import json
import random
import sqlite3 as plain_sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from memory.db import Database, open_database
from memory.ingest import SourceConfig, ingest_records
from memory.message import Message
from memory.search import search

SCALES = {  # messages, mails, texts, searched messages
    "small": (20_000, 2_000, 4_000, 100_000),
    "full": (200_000, 20_000, 40_000, 1_000_000),
}
PARTS = ("ingest", "mbox", "near_duplicates", "search")
BATCH = 50_000
SYLLABLES = [
    "ba",
    "ce",
    "di",
    "fo",
    "gu",
    "ha",
    "ke",
    "li",
    "mo",
    "nu",
    "pa",
    "re",
    "si",
    "to",
    "vu",
    "wa",
    "ze",
    "an",
    "el",
    "in",
    "or",
    "ur",
    "ta",
    "sh",
    "th",
    "st",
]
START = datetime(2020, 1, 1, tzinfo=UTC)
QUERIES = 60  # a class


class Words:
    """A made-up language: `frequent[0]` is its commonest word."""

    def __init__(self, seed: int = 1) -> None:
        self.random = random.Random(seed)
        made = ("".join(self.random.choices(SYLLABLES, k=self.random.randint(2, 4)))
                for _ in range(60_000))  # fmt: skip
        self.frequent = list(dict.fromkeys(made))[:40_000]
        weights = [1 / (rank + 10) for rank in range(len(self.frequent))]
        self.stream = self.random.choices(self.frequent, weights, k=2_000_000)

    def text(self, least: int = 3) -> str:
        """Some 3 to 190 words, 60 in the middle."""
        start = self.random.randrange(len(self.stream) - 200)
        length = least + int(self.random.lognormvariate(3.8, 0.8)) % 187
        return " ".join(self.stream[start : start + length])


def made_up_messages(words: Words, count: int) -> Iterator[Message]:
    """`count` messages of which one in ten comes twice, as from overlapping exports."""
    for number in range(count):
        message = Message(
            source="mbox",
            kind="mail",
            external_id=f"<{number}@example.org>",
            conversation=f"<{number // 5 * 5}@example.org>",
            author=f"Person {number % 97} <p{number % 97}@example.org>",
            recipients=(f"q{number % 89}@example.org",),
            sent_at=START + timedelta(minutes=number),
            subject=" ".join(words.text().split()[:4]),
            text=words.text(),
            reply_to="",
            origin="spoken",
            path="made-up.mbox",
        )
        yield message
        if number % 10 == 0:
            yield message


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """(seconds, result) of one call."""
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def show(name: str, unit: str, n: int, ours: float, theirs: float, what: str) -> float:
    """Prints a line of the table; gives back theirs / ours."""
    print(f"{name:16} {n:>9,} {unit:9} {ours:>8.2f} s   {what} {theirs:>8.2f} s   "
          f"ratio {theirs / ours:.2f}")  # fmt: skip
    return round(theirs / ours, 2)


# --- ingest -----------------------------------------------------------------------------------


def measure_ingest(folder: Path, words: Words, count: int) -> dict[str, float]:
    """The same messages into the same table with full text, by us and by sqlite-utils."""
    messages = list(made_up_messages(words, count))
    ours, db = timed(lambda: _ingest_ours(folder / "ours.db", messages))
    theirs, other = timed(lambda: _ingest_theirs(folder / "theirs.db", messages))
    for query in (words.frequent[0], words.frequent[5000], "nothing"):
        found = [
            side.execute("select count(*) from messages_fts where messages_fts match ?", [query])
            for side in (db, other)
        ]
        assert len({cursor.fetchone()[0] for cursor in found}) == 1, query
    assert db["messages"].count == other["messages"].count == count
    ratio = show("ingest", "messages", len(messages), ours, theirs, "sqlite-utils")
    return {"ingest_ratio": ratio}


def _ingest_ours(path: Path, messages: list[Message]) -> Database:
    db = open_database(path)
    ingest_records(db, SourceConfig("mbox", "made-up.mbox"), messages)
    return db


def _ingest_theirs(path: Path, messages: list[Message]) -> Database:
    db = Database(plain_sqlite3.connect(path))
    rows = (asdict(message) | {"sent_at": message.sent_at.isoformat()} for message in messages)
    db["messages"].insert(next(rows), hash_id="id")
    db["messages"].enable_fts(["subject", "text"], create_triggers=True)
    db["messages"].insert_all(rows, ignore=True, hash_id="id")
    return db


# --- mbox -------------------------------------------------------------------------------------


def measure_mbox(folder: Path, words: Words, count: int) -> dict[str, float]:
    """An mbox file to messages with their text, by us and by the standard library."""
    from memory.sources import mbox

    file = folder / "made-up.mbox"
    with open(file, "wb") as out:
        out.writelines(_mails(words, count))
    ours, messages = timed(lambda: list(mbox.read_file(file, file)))
    theirs, rows = timed(lambda: list(_read_theirs(file)))
    assert [m.text.split() for m in messages] == [row[-1].split() for row in rows]
    ratio = show("mbox", "mails", count, ours, theirs, "mailbox.mbox")
    return {"mbox_ratio": ratio}


def _mails(words: Words, count: int) -> Iterator[bytes]:
    """Half plain, a quarter quoted-printable, a quarter with an HTML part beside."""
    for number in range(count):
        mail = EmailMessage()
        mail["From"] = f"Person {number % 97} <p{number % 97}@example.org>"
        mail["To"] = f"Person {number % 89} <q{number % 89}@example.org>, list@example.org"
        mail["Date"] = (START + timedelta(minutes=number)).strftime("%a, %d %b %Y %H:%M:%S +0000")
        mail["Message-ID"] = f"<{number}@example.org>"
        mail["Subject"] = ("Grüße " if number % 4 == 1 else "") + words.text()[:40].strip()
        for hop in range(4):
            mail["Received"] = f"from a{hop}.example.org by b{hop}.example.org with ESMTP id {hop}"
        body = "\n".join(words.text() for _ in range(6))
        mail.set_content(body + (" – schöne Grüße" if number % 4 == 1 else "") + "\n")
        if number % 4 == 2:
            mail.add_alternative(f"<p>{body}</p>", subtype="html")
        yield b"From p@example.org Wed Jan  1 00:00:00 2020\n" + bytes(mail) + b"\n"


def _read_theirs(file: Path) -> Iterator[tuple]:
    import mailbox
    from email import message_from_binary_file, policy

    def parsed(opened: Any) -> Any:
        return message_from_binary_file(opened, policy=policy.default)

    for mail in mailbox.mbox(file, factory=parsed):
        body = mail.get_body(("plain", "html"))
        head = [str(mail[name] or "") for name in ("message-id", "from", "to", "date", "subject")]
        yield (*head, body.get_content() if body else "")


# --- near-duplicates --------------------------------------------------------------------------


def measure_near_duplicates(folder: Path, words: Words, count: int) -> dict[str, float]:
    """Groups of nearly the same texts, shingling included, by us and by datasketch."""
    from distill.curate.near_duplicates import groups

    texts = [words.text(least=60) for _ in range(count)]
    texts += [_edited(text) for text in texts[: count // 10]]
    groups(texts[:50]), _groups_theirs(texts[:50], 0.9)  # imports are no part of it
    start = time.process_time()
    ours, found = timed(lambda: groups(texts, 0.9))
    middle = time.process_time()
    theirs, other = timed(lambda: _groups_theirs(texts, 0.9))
    end = time.process_time()
    print(f"{'':16} groups found: ours {len(found):,}, datasketch {other:,}, of {count // 10:,}")
    ratio = show("near-duplicates", "texts", len(texts), ours, theirs, "datasketch")
    in_seconds = (middle - start, end - middle)
    by_processor = show("by processor", "texts", len(texts), *in_seconds, "datasketch")
    return {"near_duplicates_ratio": ratio, "near_duplicates_processor_ratio": by_processor}


def _edited(text: str) -> str:
    words = text.split()
    return " ".join([*words[:-1], "edited"])


def _groups_theirs(texts: list[str], threshold: float) -> int:
    from datasketch import MinHash, MinHashLSH

    from distill.curate.near_duplicates import shingles

    index, sketches = MinHashLSH(threshold=threshold, num_perm=128), []
    for number, text in enumerate(texts):
        sketch = MinHash(num_perm=128)
        sketch.update_batch([shingle.encode() for shingle in shingles(text)])
        index.insert(number, sketch)
        sketches.append(sketch)
    groups = {tuple(sorted(index.query(sketch))) for sketch in sketches}
    return sum(len(group) > 1 for group in groups)


# --- search -----------------------------------------------------------------------------------


def measure_search(folder: Path, words: Words, count: int) -> dict[str, Any]:
    """p95 of `search` for each class of query, beside FTS5's own `order by rank`."""
    db = open_database(folder / "search.db")
    messages = made_up_messages(words, count)
    while batch := [message for message, _ in zip(messages, range(BATCH), strict=False)]:
        ingest_records(db, SourceConfig("mbox", "made-up.mbox"), batch)
    worst = {}
    for name, queries in _queries(words).items():
        ours = [timed(lambda q=query: search(db, q))[0] for query in queries]
        theirs = [timed(lambda q=query: _plain(db, q))[0] for query in queries[:12]]
        worst[name] = 1000 * _p95(ours)
        print(f"search {name:9} {count:>9,} messages  p95 {worst[name]:>8.2f} ms  "
              f"order by rank p95 {1000 * _p95(theirs):>8.2f} ms")  # fmt: skip
    return {
        "search_p95_ms": round(max(worst.values()), 2),
        "search_p95_ms_by_class": {name: round(value, 2) for name, value in worst.items()},
    }


def _queries(words: Words) -> dict[str, list[str]]:
    draw = random.Random(2)
    starts = [draw.randrange(len(words.stream) - 3) for _ in range(QUERIES)]
    pairs = [words.stream[at : at + 2] for at in starts]
    return {
        "rare": draw.sample(words.frequent[10_000:], QUERIES),
        "common": words.frequent[:QUERIES],
        "phrase": [f'"{" ".join(pair)}"' for pair in pairs],
        "two words": [f"{a} {b}" for a, b in pairs],
    }


def _plain(db: Database, query: str) -> list[Any]:
    sql = "select rowid from messages_fts where messages_fts match ? order by rank limit 20"
    return db.execute(sql, [query]).fetchall()


def _p95(seconds: Iterable[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--only", choices=PARTS, action="append", help="repeatable")
    options = parser.parse_args()
    measures = (measure_ingest, measure_mbox, measure_near_duplicates, measure_search)
    sizes = dict(zip(PARTS, zip(measures, SCALES[options.scale], strict=True), strict=True))
    figures: dict[str, Any] = {}
    for part in options.only or PARTS:
        measure, size = sizes[part]
        with tempfile.TemporaryDirectory() as folder:
            figures |= measure(Path(folder), Words(), size)
            sys.stdout.flush()
    print(json.dumps(figures | {"scale": options.scale}))


if __name__ == "__main__":
    main()
