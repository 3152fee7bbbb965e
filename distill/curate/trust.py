"""Whose text may stand in a row: registered beings, people written to, old senders."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

from distill.curate.config import CurateConfig
from distill.identity.beings import Being, Identity, split_author
from memory.message import Message


class Trust:
    """Answers `knows(...)` from the registry, the agent's own recipients and the time of ingest.

    Never from a date that a sender can write: only from when the message came in.
    """

    def __init__(self, db, identity: Identity, config: CurateConfig, now: datetime) -> None:
        """Reads authors and recipients once; `now` is aware."""
        self.identity = identity
        first = db.execute("select min(ingested_at) from messages").fetchone()[0]
        home = datetime.fromisoformat(first) if first else now
        self.first_import_until = home + timedelta(hours=config.first_import_hours)
        self.quarantined_since = now - timedelta(days=config.quarantine_days)
        self.written_to: set[str] = set()

    def wrote_to(self, recipients: Iterable[str]) -> None:
        """The agent wrote to these itself."""
        self.written_to |= {sender_key(one) for one in recipients if one}

    def knows(self, author: str, being: Being | None, ingested_at: str) -> bool:
        """Whether a message of `author` (resolved to `being`) may be context."""
        if being is not None or sender_key(author) in self.written_to:
            return True
        came_in = datetime.fromisoformat(ingested_at)
        return came_in <= self.first_import_until or came_in <= self.quarantined_since


class Forgotten:
    """Answers `covers(...)`: whether `junior forget` keeps a message out of every row."""

    def __init__(self, db, identity: Identity, *, only: Iterable[str] | None = None) -> None:
        """Reads the table once; `only` these authors, and no messages, instead of it."""
        rows = db.execute("select author, message_id from forgotten").fetchall()
        authors = [row[0] for row in rows if row[0]] if only is None else list(only)
        self.ids = {row[1] for row in rows if row[1]} if only is None else set()
        self.identity = identity
        self.keys = {key for author in authors for key in _author_keys(author)}
        beings = (identity.resolve(author) for author in authors)
        self.names = {being.name for being in beings if being is not None}

    def covers(self, id_: int, message: Message) -> bool:
        """By its id, by any part of its author, or by who that was at the time."""
        if id_ in self.ids:
            return True
        if not self.keys:
            return False
        being = self.identity.resolve(message.author, message.sent_at)
        named = being is not None and being.name in self.names
        return named or not self.keys.isdisjoint(_author_keys(message.author))


def _author_keys(author: str) -> set[str]:
    name, address = split_author(author)
    return {part for part in (" ".join(name.casefold().split()), address) if part}


def registered(identity: Identity, author: str, at: datetime | None) -> Being | None:
    """The being that wrote; a known name before an address that is not that being's is nobody."""
    being = identity.resolve(author, at)
    _, address = split_author(author)
    if being is None or not address or not being.addresses or address in being.addresses:
        return being
    return None


def sender_key(author: str) -> str:
    """What one unregistered sender is counted by: the address, else the name."""
    name, address = split_author(author)
    return address or " ".join(name.casefold().split())


def read_recipients(db, authors: Iterable[tuple[str, str]]) -> Iterable[str]:
    """Everybody that messages of these (source, author) pairs went to."""
    for source, author in authors:
        rows = db.execute(
            "select distinct recipients from messages where source = ? and author = ?",
            (source, author),
        )
        for (recipients,) in rows:
            yield from json.loads(recipients)
