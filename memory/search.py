"""Finds messages by their words."""

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from memory.db import Database, to_stored
from memory.fulltext import phrase

SNIPPET_CHARACTERS = 160
SUBJECT_WEIGHT = 4.0  # a word in the title counts as four in the text
RARE = 2_000  # messages; FTS5's bm25 reads every message that holds a word: 1.4 µs each
CANDIDATES = 400  # of a common word, the last stored ones are ranked
WINDOWS = (0.8, 0.4, 0.0)  # the last fifth of the memory first, then two fifths, then the rest
ENOUGH = 60  # matching messages: no earlier window is read
CHARACTERS = 4_000  # of a candidate that are looked at
K1, B = 1.2, 0.75  # as in FTS5's bm25
TERM = re.compile(r'"([^"]*)"|(\S+)')


@dataclass(frozen=True, slots=True)
class Hit:
    """A message found; `sent_at` ISO-8601 UTC or None, `snippet` one line around the words."""

    id: int
    source: str
    author: str
    sent_at: str | None
    snippet: str


@dataclass(frozen=True, slots=True)
class _Query:
    """What is looked for: FTS5's expression, its terms, and conditions on the message `m`."""

    match: str
    terms: tuple[str, ...]
    filters: str
    values: tuple[Any, ...]
    limit: int


def search(
    db: Database,
    query: str,
    *,
    limit: int = 20,
    newest: bool = False,
    author: str | None = None,
    source: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Hit]:
    """Messages with every word of `query` ("two words" in quotes as a phrase), best first.

    Best is by bm25 with the subject weighing more (sqlite.org/fts5.html, 5.1.1), exactly so where
    each term is a word of fewer than 2,000 messages. Else 60 to 400 of those stored last that
    match are ranked, by the same formula over their first 4,000 characters: all that
    `order by rank` would read take .6 s in a million. `newest` orders by time, always exactly.
    `author` is part of the name, in any case; `since` <= sent_at < `until`, both aware. Words
    are found without regard to case and accents, Chinese, Japanese and Korean as they stand in
    the text. A query without a word finds nothing.
    """
    filters, values = _filters(author, source, since, until)
    terms = parse_query(query)
    if not terms or limit < 1:
        return []
    match = " ".join(map(phrase, terms))
    asked = _Query(match, tuple(terms), filters, values, limit)
    counts = [_commonness(db, phrase(term)) for term in terms]
    if newest:
        ids = _newest(db, asked)
    elif max(counts) < RARE:
        ids = _best(db, asked)
    else:
        ids = _best_of_the_last(db, asked, counts)
    return _hits(db, ids, terms)


def parse_query(query: str) -> list[str]:
    """The words and quoted phrases of a query that hold a letter or a digit."""
    terms = [(quoted or word).strip() for quoted, word in TERM.findall(query)]
    return [term.replace('"', "").replace("\0", "") for term in terms if re.search(r"[^\W_]", term)]


def _filters(
    author: str | None, source: str | None, since: datetime | None, until: datetime | None
) -> tuple[str, tuple[Any, ...]]:
    conditions = {
        "m.author like ? escape '!'": author and f"%{_literal(author)}%",
        "m.source = ?": source,
        "m.sent_at >= ?": to_stored(since),
        "m.sent_at < ?": to_stored(until),
    }
    given = {sql: value for sql, value in conditions.items() if value is not None}
    return "".join(f" and {sql}" for sql in given), tuple(given.values())


def _literal(text: str) -> str:
    """Text as `like` takes it, with `!` as the escape."""
    return re.sub(r"([!%_])", r"!\1", text)


def _count(db: Database, match: str, most: int) -> int:
    """How many messages match, counted up to `most`."""
    sql = "select count(*) from (select 1 from messages_fts where messages_fts match ? limit ?)"
    return db.execute(sql, [match, most]).fetchone()[0]


def _commonness(db: Database, match: str) -> int:
    """How many messages hold a term, at most RARE; of two words in a row it is not counted.

    Two common words are seldom neighbours: finding 2,000 such places reads both words' lists.
    """
    return RARE if " " in match else _count(db, match, RARE)


def _best(db: Database, asked: _Query) -> list[int]:
    sql = f"""select f.rowid from messages_fts f join messages m on m.id = f.rowid
              where messages_fts match ?{asked.filters}
              order by bm25(messages_fts, {SUBJECT_WEIGHT}, 1.0), f.rowid limit ?"""
    return _ids(db, sql, [asked.match, *asked.values, asked.limit])


def _newest(db: Database, asked: _Query) -> list[int]:
    """By time; for a common word down the index of times, which soon has enough."""
    if _count(db, asked.match, RARE) < RARE:
        sql = f"""select m.id from messages_fts f cross join messages m on m.id = f.rowid
                  where messages_fts match ?{asked.filters} order by m.sent_at desc, m.id limit ?"""
    else:
        sql = f"""select m.id from messages m where exists
                    (select 1 from messages_fts f where messages_fts match ? and f.rowid = m.id)
                    {asked.filters} order by m.sent_at desc, m.id limit ?"""
    return _ids(db, sql, [asked.match, *asked.values, asked.limit])


def _best_of_the_last(db: Database, asked: _Query, counts: list[int]) -> list[int]:
    (last,) = db.execute("select coalesce(max(id), 0) from messages").fetchone()
    rows: list[tuple] = []
    for after in (int(last * share) for share in WINDOWS):
        if len(rows) < max(ENOUGH, asked.limit):
            rows += _last_stored(db, asked, after, last)
            last = after
    scores = _scores(rows, asked.terms, counts)
    ranked = sorted(zip(scores, rows, strict=True), key=lambda one: (-one[0], one[1][0]))
    return [row[0] for _, row in ranked[: asked.limit]]


def _last_stored(db: Database, asked: _Query, after: int, until: int) -> list[tuple]:
    """(id, subject, text) of those that match with after < id <= until, the last stored first."""
    sql = f"""select m.id, substr(m.subject, 1, {CHARACTERS}), substr(m.text, 1, {CHARACTERS})
              from messages_fts f cross join messages m on m.id = f.rowid
              where messages_fts match ? and f.rowid > ? and f.rowid <= ?{asked.filters}
              order by f.rowid desc limit ?"""
    most = max(CANDIDATES, asked.limit)
    return db.execute(sql, [asked.match, after, until, *asked.values, most]).fetchall()


def _scores(rows: list[tuple], terms: tuple[str, ...], counts: list[int]) -> list[float]:
    """bm25 of (id, subject, text) rows; the rarer of the terms weigh more."""
    lengths = [len(subject) + len(text) for _, subject, text in rows]
    average = sum(lengths) / max(1, len(rows)) or 1.0
    weights = [math.log(1 + 10 * RARE / (1 + count)) for count in counts]
    words = [(term.lower(), weight) for term, weight in zip(terms, weights, strict=True)]
    scores = []
    for (_, subject, text), length in zip(rows, lengths, strict=True):
        subject, text, score = subject.lower(), text.lower(), 0.0
        floor = K1 * (1 - B + B * length / average)
        for word, weight in words:
            times = SUBJECT_WEIGHT * subject.count(word) + text.count(word)
            score += weight * times * (K1 + 1) / (times + floor)
        scores.append(score)
    return scores


def _ids(db: Database, sql: str, values: list[Any]) -> list[int]:
    return [row[0] for row in db.execute(sql, values)]


def _hits(db: Database, ids: list[int], terms: list[str]) -> list[Hit]:
    sql = "select id, source, author, sent_at, subject, text from messages where id = ?"
    rows = (db.execute(sql, [number]).fetchone() for number in ids)
    return [Hit(*row[:4], snippet=_snippet(row[4], row[5], terms)) for row in rows]


def _snippet(subject: str, text: str, terms: list[str]) -> str:
    """One line of the text around the first of the words; the subject where only it has them."""
    found = [at for term in terms if (at := _find(text, term)) >= 0]
    if not found and any(_find(subject, term) >= 0 for term in terms):
        text = subject
    start = max(0, min(found, default=0) - SNIPPET_CHARACTERS // 3)
    start = text.find(" ", start, start + 20) + 1 or start if start else 0
    end = start + SNIPPET_CHARACTERS
    cut = " ".join(text[start:end].split())
    return ("…" if start else "") + cut + ("…" if end < len(text) else "")


def _find(text: str, term: str) -> int:
    word = re.search(rf"\b{re.escape(term)}\b", text, re.IGNORECASE)
    return word.start() if word else text.lower().find(term.lower())
