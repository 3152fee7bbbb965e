"""Brings a source's new messages into memory.db, in one transaction."""

import os
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any

from memory.crash import reach
from memory.db import MESSAGE_COLUMNS, Database, to_stored, transaction
from memory.errors import UsageError
from memory.fulltext import index_new
from memory.message import SELF, Message, Skipped, Unreadable
from memory.sources import SOURCES, Record
from memory.sources.folder import relative
from memory.sources.imap import Batch
from memory.store import storable, store

PROGRESS_EVERY = 500  # records
LOG_KINDS = ("journal", "relay", "letter", "note")


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """One `[[sources]]` of config.toml.

    `kind` one of SOURCES; `path` a file or folder; `name` what its rows are filed under (the kind
    when empty); `own` further names and addresses the agent writes by there; `author` who "I" is
    there, where a format only says "me".
    """

    kind: str
    path: str
    name: str = ""
    own: tuple[str, ...] = ()
    author: str = ""


@dataclass
class Counts:
    """What became of every record read; `read` is the sum of the others."""

    read: int = 0
    messages: int = 0
    updated: int = 0
    duplicates: int = 0
    rejects: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The counts as the command line shows them."""
        return asdict(self)

    def skip(self, reason: str) -> None:
        """Count one more record skipped for `reason`."""
        self.skipped[reason] = self.skipped.get(reason, 0) + 1


_but_source = attrgetter(*MESSAGE_COLUMNS[1:])  # replace() takes thrice as long
Cursor = tuple[int, int, int, int]  # device, inode, size in bytes, mtime in ns


def ingest_source(
    db: Database,
    source: SourceConfig,
    *,
    only_changed: bool = False,
    wait: bool = False,
    progress: Callable[[Counts], None] | None = None,
) -> Counts:
    """Store what is new or changed under `source.path`: all of it, or nothing after an error.

    With `only_changed` files whose size, time and inode are as when they were last read are
    counted as skipped "unchanged file"; with `wait` one that is being written is left for later.
    A path that is not there is one reject. A connection is read on from where it was left, a
    transaction for each batch with its cursor. `progress` is called with the counts so far.
    Raises UsageError for an unknown kind, and memory.db's UserErrors (full disk, locked).
    """
    if source.kind not in SOURCES:
        raise UsageError(f"source kind {source.kind!r} is unknown; known: {', '.join(SOURCES)}")
    counts = Counts()
    root = Path(source.path).expanduser()
    tell = progress or (lambda counts: None)
    if read_batches := SOURCES[source.kind].read_batches:
        run = _Run(db, source, root, counts, tell)
        for batch in read_batches(source.path, dict(run.cursors)):
            with transaction(db):  # not one for all: nobody else could write while mail comes in
                run.take(batch)
        return counts
    with transaction(db):
        run = _Run(db, source, root, counts, tell)
        if problem := _closed(run.source.locate(root), root):
            run.file_rejects("", run.record([Unreadable("", "", problem)]))
        else:
            run.read_all(only_changed, wait)
        index_new(db)
        reach("ingest.uncommitted")
    return counts


def _closed(place: Path, root: Path) -> str:
    """Why a source's folder or file cannot be looked into; "" where it can."""
    try:
        if place.is_dir():
            os.scandir(place).close()
        else:
            place.stat()
    except (FileNotFoundError, NotADirectoryError):
        return f"there is no file or folder {root}"
    except OSError as error:  # a right that was taken away, a share that went
        return f"{root}: {error.strerror}"
    return ""


def ingest_records(db: Database, source: SourceConfig, records: Iterable[Record]) -> Counts:
    """Store records that are already read, as `ingest_source` does those of files."""
    counts = Counts()
    with transaction(db):
        _Run(db, source, Path(source.path), counts, lambda counts: None).record(records)
        index_new(db)
    return counts


class _Run:
    """One pass over one source; guards what it knows of its files until the commit."""

    def __init__(
        self,
        db: Database,
        config: SourceConfig,
        root: Path,
        counts: Counts,
        progress: Callable[[Counts], None],
    ) -> None:
        self.db, self.config, self.root = db, config, root
        self.counts, self.progress = counts, progress
        self.name = config.name or config.kind
        self.source = SOURCES[config.kind]
        self.now = to_stored(datetime.now(UTC))
        self.cursors = self._load_cursors()
        self.rejected = self._load_rejected()

    def read_all(self, only_changed: bool, wait: bool) -> None:
        """Read every file; forget cursors and rejects of files that are gone."""
        self.file_rejects("", {})
        for file in self.source.list_files(self.root):
            file_on_disk = self.source.locate(file)
            path = relative(file_on_disk, self.source.locate(self.root))
            cursor = fingerprint(file_on_disk)
            known = self.cursors.pop(path, None)
            if only_changed and cursor is not None and cursor == known:
                self.counts.read += 1
                self.counts.skip("unchanged file")
                self.rejected.pop(path, None)
            elif wait and not self.source.is_whole(file):
                self.counts.read += 1
                self.counts.skip("still being written")
            else:
                self._read_file(file, path, cursor, known)
            self.progress(self.counts)
        self._forget()

    def take(self, batch: Batch) -> None:
        """Store a batch and how far its folder has been read; former rejects of mails stay."""
        self._hold(batch.path, self.record(batch.records))
        if batch.cursor is not None:
            self._save_cursor(batch.path, batch.cursor)
            for path in (batch.path, ""):  # the folder, and the server, can be read again
                self._drop_reject(path, "")
        self.progress(self.counts)

    def _read_file(
        self, file: Path, path: str, cursor: Cursor | None, known: Cursor | None
    ) -> None:
        rejects = self.record(self.source.read_file(file, self.root), cursor)
        self.file_rejects(path, rejects)
        if cursor is None or "" in rejects:  # the whole file was unreadable: try it again
            self.db.execute("delete from cursors where source = ? and path = ?", [self.name, path])
        elif cursor != known:
            self._save_cursor(path, cursor)

    def record(self, records: Iterable[Record], cursor: Cursor | None = None) -> dict:
        """Store and count `records`; gives back the rejects as {place: reason}."""
        counts, rejects = self.counts, {}
        for item in records:
            counts.read += 1
            if isinstance(item, Message):
                self._count(self._store(item, cursor))
            elif isinstance(item, Skipped):
                counts.skip(item.reason)
            else:
                counts.rejects += 1
                rejects[item.where] = item.reason
            if counts.read % PROGRESS_EVERY == 0:
                self.progress(counts)
        return rejects

    def _store(self, message: Message, cursor: Cursor | None) -> str:
        named = self._named(message)
        return store(self.db, named, self.now, rule=self.source.same_key, file_time=_mtime(cursor))

    def _count(self, outcome: str) -> None:
        setattr(self.counts, outcome, getattr(self.counts, outcome) + 1)

    def _named(self, message: Message) -> Message:
        author = message.author
        if author == SELF and self.config.author:
            author = self.config.author
        kind, external_id, conversation, _, *rest = _but_source(message)
        return Message(self.name, kind, external_id, conversation, author, *rest)

    def file_rejects(self, path: str, rejects: dict[str, str]) -> None:
        """Make `rejects` ({place: reason}) all that is held against `path`."""
        for place in self.rejected.pop(path, set()) - rejects.keys():
            self._drop_reject(path, place)
        self._hold(path, rejects)

    def _hold(self, path: str, rejects: dict[str, str]) -> None:
        for place, reason in rejects.items():
            sql = """insert into rejects (source, path, place, reason, seen_at)
                     values (?, ?, ?, ?, ?) on conflict (source, path, place)
                     do update set reason = excluded.reason,
                       seen_at = iif(reason = excluded.reason, seen_at, excluded.seen_at)"""
            self.db.execute(sql, [self.name, path, place, storable(reason), self.now])

    def _drop_reject(self, path: str, place: str) -> None:
        sql = "delete from rejects where source = ? and path = ? and place = ?"
        self.db.execute(sql, [self.name, path, place])

    def _load_cursors(self) -> dict[str, Cursor]:
        sql = "select path, device, inode, size, mtime_ns from cursors where source = ?"
        return {path: tuple(rest) for path, *rest in self.db.execute(sql, [self.name])}

    def _save_cursor(self, path: str, cursor: Cursor) -> None:
        sql = """insert into cursors (source, path, device, inode, size, mtime_ns, seen_at)
                 values (?, ?, ?, ?, ?, ?, ?) on conflict (source, path) do update set
                 device = excluded.device, inode = excluded.inode, size = excluded.size,
                 mtime_ns = excluded.mtime_ns, seen_at = excluded.seen_at"""
        self.db.execute(sql, [self.name, path, *cursor, self.now])

    def _load_rejected(self) -> dict[str, set[str]]:
        rejected: dict[str, set[str]] = {}
        sql = "select path, place from rejects where source = ?"
        for path, place in self.db.execute(sql, [self.name]):
            rejected.setdefault(path, set()).add(place)
        return rejected

    def _forget(self) -> None:
        """What is left over belongs to files that are no longer there."""
        for path in self.cursors:
            self.db.execute("delete from cursors where source = ? and path = ?", [self.name, path])
        for path, places in self.rejected.items():
            for place in places:
                self._drop_reject(path, place)


def find_troubles(db: Database, limit: int = 10) -> list[dict[str, Any]]:
    """`source`, `path`, `reason` and `since` of what cannot be read as a whole now, each once.

    A source or file that is gone, locked, damaged or of another schema; the newest first.
    """
    sql = """select source, path, reason, seen_at as since from rejects where place = ''
             order by seen_at desc, source, path limit ?"""
    return list(db.query(sql, [limit]))


def fingerprint(file: Path) -> Cursor | None:
    """What changes when a file does; None where it cannot be looked at.

    The WAL beside a SQLite file counts: new rows lie there first.
    """
    try:
        status = file.stat()
    except OSError:
        return None
    size, mtime_ns = status.st_size, status.st_mtime_ns
    with suppress(OSError):
        wal = os.stat(f"{file}-wal")
        size, mtime_ns = size + wal.st_size, max(mtime_ns, wal.st_mtime_ns)
    return status.st_dev, status.st_ino, size, mtime_ns


def _mtime(cursor: Cursor | None) -> str | None:
    if cursor is None:
        return None
    with suppress(OverflowError, ValueError, OSError):
        return to_stored(datetime.fromtimestamp(cursor[3] // 10**9, UTC))
    return None


def log_message(
    db: Database,
    kind: str,
    text: str,
    *,
    to: tuple[str, ...] = (),
    topic: str = "",
    key: str = "",
    author: str,
    now: datetime,
    origin: str = "spoken",
) -> tuple[int, bool]:
    """The agent writes to its own memory; gives back (id, whether `key` was there already).

    `kind` is one of LOG_KINDS, `now` aware. With the same `key` twice there is one message, which
    holds the newer text. What a junior wrote has its `origin` and never trains. Raises UsageError
    for another kind or an empty text.
    """
    if kind not in LOG_KINDS:
        raise UsageError(f"log: kind {kind!r} is unknown; known: {', '.join(LOG_KINDS)}")
    if not text.strip():
        raise UsageError("log: the text is empty; give it as an argument or on standard input")
    alone = f"{now.astimezone(UTC).isoformat()}-{secrets.token_hex(4)}"
    identity = f"{kind}:{key}" if key else alone
    message = Message(
        source="log",
        kind=kind,
        external_id=identity,
        conversation=topic,
        author=author,
        recipients=tuple(to),
        sent_at=now,
        subject="",
        text=text,
        reply_to="",
        origin=origin,
        path="",
    )
    with transaction(db):
        outcome = store(db, message, to_stored(now), file_time=to_stored(now))
        index_new(db)
        sql = "select id from messages where source = ? and external_id = ?"
        (number,) = db.execute(sql, ["log", storable(identity)]).fetchone()
    return number, outcome != "messages"
