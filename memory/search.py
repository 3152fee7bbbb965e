"""Finds messages by their words."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from memory.db import Database, to_stored

SNIPPET_WORDS = 24
SNIPPET_CHARACTERS = 160
SUBJECT_WEIGHT = 4.0  # a word in the title counts as four in the text
TERM = re.compile(r'"([^"]*)"|(\S+)')
# Scripts without spaces between words: the tokenizer takes a whole sentence for one word.
CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Hit:
    """A message found; `sent_at` ISO-8601 UTC or None, `snippet` one line around the words."""

    id: int
    source: str
    author: str
    sent_at: str | None
    snippet: str


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

    Best is by bm25 with the subject weighing more (sqlite.org/fts5.html, 5.1.1); `newest` orders
    by time. `author` is part of the name, in any case; `since` <= sent_at < `until`, both aware. A
    query without a word finds nothing; one with Chinese, Japanese or Korean is looked for
    letter by letter.
    """
    filters, values = _filters(author, source, since, until)
    terms = parse_query(query)
    if not terms or limit < 1:
        return []
    find = _find_letters if CJK.search(query) else _find_words
    return find(db, terms, filters, values, newest, limit)


def parse_query(query: str) -> list[str]:
    """The words and quoted phrases of a query that hold a letter or a digit."""
    terms = [(phrase or word).strip() for phrase, word in TERM.findall(query)]
    return [term.replace('"', "").replace("\0", "") for term in terms if re.search(r"\w", term)]


def _filters(
    author: str | None, source: str | None, since: datetime | None, until: datetime | None
) -> tuple[str, list[Any]]:
    conditions = {
        "m.author like ? escape '!'": author and f"%{_literal(author)}%",
        "m.source = ?": source,
        "m.sent_at >= ?": to_stored(since),
        "m.sent_at < ?": to_stored(until),
    }
    given = {sql: value for sql, value in conditions.items() if value is not None}
    return "".join(f" and {sql}" for sql in given), list(given.values())


def _literal(text: str) -> str:
    """Text as `like` takes it, with `!` as the escape."""
    return re.sub(r"([!%_])", r"!\1", text)


def _find_words(
    db: Database, terms: list[str], filters: str, values: list[Any], newest: bool, limit: int
) -> list[Hit]:
    match = " ".join(f'"{term}"' for term in terms)  # quoted, so no word is FTS5 syntax
    order = "m.sent_at desc" if newest else f"bm25(messages_fts, {SUBJECT_WEIGHT}, 1.0)"
    sql = f"""select m.id, m.source, m.author, m.sent_at,
                     snippet(messages_fts, -1, '', '', '…', {SNIPPET_WORDS})
              from messages_fts join messages m on m.id = messages_fts.rowid
              where messages_fts match ?{filters} order by {order}, m.id limit ?"""
    return [_hit(row) for row in db.execute(sql, [match, *values, limit])]


def _find_letters(
    db: Database, terms: list[str], filters: str, values: list[Any], newest: bool, limit: int
) -> list[Hit]:
    contains = " and ".join(
        ["(m.text like ? escape '!' or m.subject like ? escape '!')"] * len(terms)
    )
    likes = [f"%{_literal(term)}%" for term in terms for _ in range(2)]
    sql = f"""select m.id, m.source, m.author, m.sent_at, m.text from messages m
              where {contains}{filters} order by m.sent_at desc, m.id limit ?"""
    rows = db.execute(sql, [*likes, *values, limit])
    return [_hit((*row[:4], _around(row[4], terms[0]))) for row in rows]


def _around(text: str, term: str) -> str:
    start = max(0, text.lower().find(term.lower()) - SNIPPET_CHARACTERS // 2)
    end = start + SNIPPET_CHARACTERS
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")


def _hit(row: tuple[Any, ...]) -> Hit:
    return Hit(*row[:4], snippet=" ".join(row[4].split()))
