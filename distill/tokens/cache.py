"""Tokens of rows that were tokenised before, by the hash of the row, in one SQLite file."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from memory.db import sqlite3
from memory.files import PRIVATE_FILE, cache_path, make_private_dir

VERSION = 1  # rises when the same row would give other tokens or labels
TABLE = (
    "create table if not exists tokens (key blob primary key, ids blob, loss blob) without rowid"
)

Stored = tuple[bytes, bytes]  # int32 ids, and a bit a token: whether it carries loss


class TokenCache:
    """What one home's rows were tokenised to by one tokenizer and template.

    A file that is damaged is thrown away: everything in it can be made anew.
    """

    def __init__(self, path: Path) -> None:
        """Opens or makes the file, private. Raises OSError where the folder cannot be had."""
        make_private_dir(path.parent)
        try:
            self._db = _open(path)
        except sqlite3.DatabaseError:
            path.unlink(missing_ok=True)
            self._db = _open(path)
        path.chmod(PRIVATE_FILE)
        self._db.execute("create temp table used (key blob primary key) without rowid")

    def read(self, keys: list[bytes]) -> dict[bytes, Stored]:
        """What is known of these rows; empty ids are a row that the template changes."""
        self._db.executemany("insert or ignore into used values (?)", ((key,) for key in keys))
        marks = ", ".join("?" * len(keys))
        found = self._db.execute(f"select key, ids, loss from tokens where key in ({marks})", keys)
        return {key: (ids, loss) for key, ids, loss in found}

    def write(self, entries: Iterable[tuple[bytes, bytes, bytes]]) -> None:
        self._db.execute("begin immediate")  # a reader that turns writer would not be waited for
        with self._db:
            self._db.executemany("insert or replace into tokens values (?, ?, ?)", entries)

    def close(self, *, drop_unused: bool) -> None:
        """Closes the file; rows not read since it was opened go, so that the forgotten are gone."""
        self._db.execute("begin immediate")
        with self._db:
            if drop_unused:
                self._db.execute("delete from tokens where key not in (select key from used)")
        self._db.close()


def _open(path: Path):
    db = sqlite3.connect(path, timeout=60, isolation_level=None)
    db.execute("pragma secure_delete = on")
    db.execute("pragma synchronous = normal")
    db.execute(TABLE)
    return db


def cache_file(tokenizer, owner: str) -> Path:
    """Where the tokens of `owner` (a home) lie for this tokenizer, its template and our version."""
    parts = (VERSION, tokenizer.backend_tokenizer.to_str(), tokenizer.chat_template, owner)
    name = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    return cache_path() / "tokens" / f"{name}.db"


def row_key(row: dict) -> bytes:
    """A row's own hash: roles, contents and loss spans, in order."""
    turns = [[t["role"], t["content"], t.get("loss") or []] for t in row["messages"]]
    return hashlib.sha256(json.dumps(turns).encode()).digest()


def store(ids: list[int], labels: list[int], ignore: int) -> Stored:
    import numpy

    loss = numpy.array(labels, dtype=numpy.int64) != ignore
    return numpy.array(ids, dtype="<i4").tobytes(), numpy.packbits(loss).tobytes()


def restore(stored: Stored, ignore: int) -> tuple[list[int], list[int]]:
    """(input_ids, labels) of what `store` gave."""
    import numpy

    ids = numpy.frombuffer(stored[0], dtype="<i4")
    loss = numpy.unpackbits(numpy.frombuffer(stored[1], dtype=numpy.uint8), count=len(ids))
    return ids.tolist(), numpy.where(loss, ids, ignore).tolist()
