"""Un-learning: authors and messages kept out of every dataset from the next night on."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from agent.config import Config
from distill import release
from distill.curate.trust import Forgotten
from distill.identity import load_identity
from memory.db import Database, all_messages, open_database, transaction
from memory.errors import UsageError


def forget(
    config: Config,
    *,
    authors: Iterable[str] = (),
    messages: Iterable[int] = (),
    query: str = "",
    erase: bool = False,
    undo: bool = False,
) -> dict:
    """{"messages": n, "generations_that_still_hold_them": [...], "nights_whose_files_do": [...]}.

    An author stays forgotten: what comes from them later is left out too. `query` names every
    message that full-text search finds. `erase` also empties the text kept in memory, for good;
    `undo` lets authors and messages be learnt again. Raises UsageError for the agent itself, for
    a message that is not there, and when nothing is named.
    """
    authors, messages = list(authors), list(messages)
    if not (authors or messages or query):
        raise UsageError("forget: whom or what? --author NAME, --message ID or --search WORDS")
    identity = load_identity(config.identity_path)
    for author in authors:
        if identity.resolve(author) is identity.agent:
            raise UsageError(f"forget: {author} is the agent; without its own words there is none")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with open_database(config.database_path) as db:
        ids = set(messages) | set(_found(db, query))
        _check_there(db, ids)
        before = _covered(db, identity)
        with transaction(db):
            (_let_go if undo else _keep_out)(db, authors, ids, now)
        meant = before - _covered(db, identity) if undo else ids | _by(db, identity, authors)
        if erase and not undo:
            _erase(db, meant, now)
        kept = [one.id for one in release.list_generations(db)]
    holding = [night for night in _nights(config) if _holds(config.nights_path / night, meant)]
    return {
        "messages": len(meant),
        "generations_that_still_hold_them": [night for night in holding if night in kept],
        "nights_whose_files_do": [night for night in holding if night not in kept],
    }


def _found(db: Database, query: str) -> list[int]:
    from memory.search import search

    if not query:
        return []
    most = db.execute("select count(*) from messages").fetchone()[0]
    return [hit.id for hit in search(db, query, limit=max(most, 1), newest=True)]


def _check_there(db: Database, ids: set[int]) -> None:
    for number in sorted(ids):
        if not db.execute("select 1 from messages where id = ?", [number]).fetchone():
            raise UsageError(f"forget: there is no message {number}; `junior search` shows ids")


def _keep_out(db: Database, authors: list[str], ids: set[int], now: str) -> None:
    for author in authors:
        sql = "insert or ignore into forgotten (author, since) values (?, ?)"
        db.execute(sql, [author.strip(), now])
    for number in sorted(ids):
        sql = "insert or ignore into forgotten (message_id, since) values (?, ?)"
        db.execute(sql, [number, now])


def _let_go(db: Database, authors: list[str], ids: set[int], now: str) -> None:
    for author in authors:
        db.execute("delete from forgotten where author = ?", [author.strip()])
    for number in sorted(ids):
        db.execute("delete from forgotten where message_id = ? and not erased", [number])


def _covered(db: Database, identity) -> set[int]:
    forgotten = Forgotten(db, identity)
    return {number for number, message in all_messages(db) if forgotten.covers(number, message)}


def _by(db: Database, identity, authors: list[str]) -> set[int]:
    """Ids of the messages of these authors, forgotten now."""
    if not authors:
        return set()
    those = Forgotten(db, identity, only=authors)
    return {number for number, message in all_messages(db) if those.covers(number, message)}


def _erase(db: Database, ids: set[int], now: str) -> None:
    """Text, subject and former versions go, and stay gone when the file is read again."""
    with transaction(db):
        for number in sorted(ids):
            db.execute("update messages set subject = '', text = '' where id = ?", [number])
            db.execute("delete from versions where message_id = ?", [number])
            sql = (
                "insert into forgotten (message_id, erased, since) values (?, 1, ?)"
                " on conflict (message_id) do update set erased = 1"
            )
            db.execute(sql, [number, now])


def _nights(config: Config) -> list[str]:
    return sorted(path.parent.name for path in config.nights_path.glob("*/train.jsonl"))


def _holds(folder: Path, ids: set[int]) -> bool:
    """Whether a row of a night's dataset was made of one of these messages."""
    return any(not ids.isdisjoint(row) for row in _row_ids(folder))


def _row_ids(folder: Path) -> Iterator[list[int]]:
    with (folder / "train.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            try:
                yield json.loads(line)["ids"]
            except (ValueError, KeyError, TypeError):
                continue
