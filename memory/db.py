"""Opens memory.db: one SQLite file, private, durable, at its newest migration."""

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from memory.errors import BusyError, DatabaseError, UserError
from memory.files import PRIVATE_FILE, make_private_dir
from memory.fulltext import register
from memory.message import Message
from memory.migrations import MIGRATIONS


def _import_sqlite_utils() -> Any:
    """sqlite_utils without the pandas and numpy it would pull in: .09 s and 24 MB for .55 and 111.

    The block is taken away right after: left in place it would break datasets and llama_cpp.
    """
    blocked = [name for name in ("pandas", "numpy") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(blocked))
    try:
        import sqlite_utils
        import sqlite_utils.db
    finally:
        for name in blocked:
            del sys.modules[name]
    return sqlite_utils


sqlite_utils = _import_sqlite_utils()
# The pysqlite3 wheel where it is installed. Nothing in the process may open memory.db by another
# copy of SQLite: two copies break each other's POSIX locks.
sqlite3 = sqlite_utils.db.sqlite3
Database = sqlite_utils.Database
migrations = sqlite_utils.Migrations("junior")
for _migration in MIGRATIONS:
    migrations()(_migration)

BUSY_SECONDS = 10.0
MESSAGE_COLUMNS = tuple(Message.__dataclass_fields__)


def open_database(path: Path) -> Database:
    """Open (and make, in an existing folder) the memory at `path`, migrated to this version.

    WAL, synchronous FULL, foreign keys, waits 10 s for other writers; the file, its -wal and -shm
    are 0600. Raises DatabaseError in plain words: no home, no database, another program's database,
    one of a later version, a folder that cannot be written; BusyError when it stays locked.
    """
    path = Path(path)
    _make_file(path)
    with plain_errors(path), contextlib.ExitStack() as undo:
        connection = sqlite3.connect(str(path), timeout=BUSY_SECONDS)
        undo.callback(connection.close)
        db = Database(connection, execute_plugins=False)
        _set_pragmas(db)
        register(db)
        _migrate(db, path)
        undo.pop_all()
    return db


def _make_file(path: Path) -> None:
    """Make the file 0600 before SQLite does at the usual umask; -wal and -shm take its mode."""
    if path.is_dir():
        raise DatabaseError(f"{path}: is a folder, where the memory is one file; move it away")
    if not path.parent.is_dir():
        raise DatabaseError(f"{path.parent}: there is no such home; make it with `junior init`")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE))
        for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            with contextlib.suppress(FileNotFoundError):
                if file.stat().st_mode & 0o077:
                    file.chmod(PRIVATE_FILE)
    except OSError as error:
        advice = "give yourself the right to write there, or name another home with --home"
        raise DatabaseError(f"{path}: cannot be opened ({error.strerror}); {advice}") from error


def _set_pragmas(db: Database) -> None:
    db.execute(f"pragma busy_timeout={int(BUSY_SECONDS * 1000)}")
    db.execute("pragma foreign_keys=on")
    if db.execute("pragma journal_mode").fetchone()[0] != "wal":
        _switch_to_wal(db)
    db.execute("pragma synchronous=full")


def _switch_to_wal(db: Database) -> None:
    """SQLite does not wait by itself when two processes switch a new file to WAL at once."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("pragma journal_mode=wal").fetchone()
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _migrate(db: Database, path: Path) -> None:
    """Apply pending migrations in one transaction; refuse what is not ours or not yet known."""
    known = [migration.__name__ for migration in MIGRATIONS]
    if [migration.name for migration in migrations.applied(db)] == known:
        return
    _keep_copy(db, path, known)
    with transaction(db):  # looked at again inside: another process may just have done it
        applied = {migration.name for migration in migrations.applied(db)}
        _refuse_unknown(db, path, applied, sorted(applied - set(known)))
        migrations.apply(db)


def _keep_copy(db: Database, path: Path, known: list[str]) -> None:
    """Before an older memory is migrated: `backups/memory-before-m003.db`, by SQLite's own API."""
    applied = {migration.name for migration in migrations.applied(db)}
    coming = [name for name in known if name not in applied]
    if not applied or not coming or applied - set(known):
        return
    folder = make_private_dir(path.parent / "backups")
    target = folder / f"{path.stem}-before-{coming[0].split('_')[0]}.db"
    if target.exists():
        return
    half = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    os.close(os.open(half, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))
    try:
        with contextlib.closing(sqlite3.connect(str(half))) as copy:
            db.conn.backup(copy)
            copy.execute("pragma journal_mode=delete")
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)


def _refuse_unknown(db: Database, path: Path, applied: set[str], later: list[str]) -> None:
    if later:
        found = f"was written by a later Junior (it has {', '.join(later)})"
        raise DatabaseError(f"{path}: {found}; update Junior, or restore an older backup")
    names = [name for name in db.table_names() if name != migrations.migrations_table]
    if names and not applied:
        found = f"is another program's database (tables {', '.join(names[:5])})"
        raise DatabaseError(f"{path}: {found}; move it away")


@contextmanager
def transaction(db: Database) -> Iterator[Database]:
    """`begin immediate` ... commit: all of it or none.

    Takes the writer's place at once, so that a long read before the first write cannot end in a
    lock that no waiting mends. SQLite's errors come out as in `plain_errors`.
    """
    with plain_errors(), contextlib.ExitStack() as undo:
        db.execute("begin immediate")
        undo.callback(db.rollback)  # does nothing where the error has ended the transaction
        yield db
        db.execute("commit")
        undo.pop_all()


ADVICE = {
    "SQLITE_FULL": "the disk is full; nothing was lost, make room and do it again",
    "SQLITE_IOERR": "the disk does not answer as it should; check it, then do it again",
    "SQLITE_READONLY": "cannot be written; check its owner and mode, and the disk's",
    "SQLITE_CANTOPEN": "cannot be opened; check the folder's owner and mode",
    "SQLITE_NOTADB": "is not a SQLite database; move it away, or restore a backup",
    "SQLITE_CORRUPT": "is damaged; restore a backup with `junior restore`",
}


@contextmanager
def plain_errors(path: Path | str = "memory.db") -> Iterator[None]:
    """SQLite's errors of the operator's world as UserErrors; errors of ours pass as they are.

    BusyError for a lock, UserError for a full disk, DatabaseError for the rest of ADVICE.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", None) or ""
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise BusyError(f"{path}: is locked by another process; try again later") from error
        if name.startswith("SQLITE_IOERR") and _is_full(path):
            name = "SQLITE_FULL"
        for prefix, advice in ADVICE.items():
            if name.startswith(prefix):
                kind = UserError if prefix == "SQLITE_FULL" else DatabaseError
                raise kind(f"{path}: {advice} ({error})") from error
        raise


def _is_full(path: Path | str) -> bool:
    """Whether not even memory.db-shm, without which nobody can read, had room (32 KiB)."""
    try:
        return Path(path).is_absolute() and shutil.disk_usage(Path(path).parent).free < 1 << 16
    except OSError:
        return False


def to_stored(moment: datetime | None) -> str | None:
    """An aware time as it is stored: "2026-11-20T03:30:00+00:00", seconds, UTC; None stays None."""
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None


def message_from_row(row: Any) -> Message:
    """A Message from a mapping, or from a tuple in the order of MESSAGE_COLUMNS."""
    values = dict(zip(MESSAGE_COLUMNS, row, strict=True)) if isinstance(row, tuple) else row
    fields = {name: values[name] for name in MESSAGE_COLUMNS}
    fields["recipients"] = tuple(json.loads(fields["recipients"]))
    if fields["sent_at"]:
        fields["sent_at"] = datetime.fromisoformat(fields["sent_at"])
    else:
        fields["sent_at"] = None
    return Message(**fields)


def all_messages(
    db: Database, where: str = "1", parameters: tuple = ()
) -> Iterator[tuple[int, Message]]:
    """(id, Message) ordered by time (unknown first), source and key: not by order of import.

    `where` is SQL over the columns of `messages`, `parameters` its values.
    """
    columns = ", ".join(("id", *MESSAGE_COLUMNS))
    sql = f"select {columns} from messages where {where} order by sent_at, source, external_id"
    for row in db.execute(sql, parameters):
        yield row[0], message_from_row(tuple(row[1:]))
