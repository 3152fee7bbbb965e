"""Backups: one private file with the memory, both toml files and the current junior's adapter."""

import io
import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.config import Config
from agent.lock import Lock
from agent.status import is_backup_due, set_state
from memory.db import Database, open_database, sqlite3
from memory.errors import DatabaseError, UserError
from memory.files import PRIVATE_FILE, make_private_dir, sha256_file, sync_dir

LIST = "backup.json"
TOML = ("config.toml", "identity.toml")
LEFT_OUT = (".gguf", ".log", ".tmp")  # a model file is made again from base and adapter


@dataclass(frozen=True)
class Contents:
    """What lies in a backup: `files` are {name: sha256}, `current` the served generation's id."""

    made_at: str
    messages: int
    current: str | None
    lineage: str | None
    files: dict[str, str]


def make_backup(config: Config, now: datetime, *, output: Path | None = None) -> dict:
    """Writes one backup, restores it on trial, and only then gives it its name.

    {"path", "bytes", "messages", "current", "removed": [...]}. Without `output` it lies in
    [backup] folder and the oldest beyond [backup] keep go. Raises UserError: no room, a damaged
    memory, a folder that cannot be written; BusyError while another is being made.
    """
    folder = (output.absolute().parent if output else backup_folder(config)).expanduser()
    try:
        make_private_dir(folder) if output is None else folder.mkdir(parents=True, exist_ok=True)
        with Lock(config.home / "backup.lock", "a backup is being made"):
            return _make(config, now, folder, output)
    except OSError as error:
        raise UserError(f"{folder}: no backup was made: {error.strerror}") from error


def _make(config: Config, now: datetime, folder: Path, output: Path | None) -> dict:
    _check_room(config, folder)
    clear_leftovers(folder)
    target = output.absolute() if output else folder / f"junior-{now:%Y-%m-%dT%H%M%SZ}.tar"
    with tempfile.TemporaryDirectory(dir=folder, prefix=".backup-", suffix=".tmp") as work:
        copy = Path(work, "memory.db")
        _copy_database(config, copy)
        packed = Path(work, "whole.tar")
        contents = _pack(config, copy, packed, now)
        copy.unlink()
        _try(packed, Path(work, "trial"))
        packed.chmod(PRIVATE_FILE)
        packed.replace(target)
        sync_dir(folder)
    gone = [] if output else _rotate(folder, config.backup.keep)
    with open_database(config.database_path) as db:
        set_state(db, "last_backup_at", now.isoformat(timespec="seconds"))
        set_state(db, "backup_problem", None)
    found = {"path": str(target), "bytes": target.stat().st_size, "messages": contents.messages}
    return found | {"current": contents.current, "removed": gone}


def backup_if_due(config: Config, now: datetime) -> dict | None:
    """A day after the last one; a failure is noted for `junior status` and tried in an hour."""
    if not is_backup_due(config, now):
        return None
    with open_database(config.database_path) as db:
        set_state(db, "last_backup_try_at", now.isoformat(timespec="seconds"))
    try:
        return make_backup(config, now)
    except UserError as error:
        with open_database(config.database_path) as db:
            set_state(db, "backup_problem", str(error))
        raise


def backup_folder(config: Config) -> Path:
    """Where the daily backups lie."""
    return Path(config.backup.folder) if config.backup.folder else config.home / "backups"


def _check_room(config: Config, folder: Path) -> None:
    """The copy, the packed file and the trial lie on the disk together."""
    needed = 3 * config.database_path.stat().st_size + 64_000_000
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder}: {free / 1e9:.2f} GB free, a backup needs {needed / 1e9:.2f} GB while it is "
            "made: free some space, or name another folder ([backup] folder)"
        )


def _copy_database(config: Config, target: Path) -> None:
    """SQLite's backup API: a consistent copy while others write (sqlite.org/backup.html)."""
    target.touch(PRIVATE_FILE)
    with open_database(config.database_path) as db, closing(sqlite3.connect(str(target))) as copy:
        db.conn.backup(copy)
        copy.execute("pragma journal_mode=delete")


def _pack(config: Config, copy: Path, target: Path, now: datetime) -> Contents:
    with closing(sqlite3.connect(str(copy))) as db:
        messages = db.execute("select count(*) from messages").fetchone()[0]
        row = db.execute(
            "select id, lineage from generations"
            " where id = (select value from state where key = 'current_generation')"
        ).fetchone()
    current, lineage = row or (None, None)
    named = {"memory.db": copy} | dict(_small_files(config, current, lineage))
    hashes = {name: sha256_file(path) for name, path in named.items()}
    contents = Contents(now.isoformat(timespec="seconds"), messages, current, lineage, hashes)
    with target.open("wb") as raw, tarfile.open(fileobj=raw, mode="w") as tar:
        _add(tar, LIST, json.dumps(contents.__dict__, indent=1).encode())
        for name, path in named.items():
            tar.add(path, name, recursive=False, filter=_private)
    return contents


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = _private(tarfile.TarInfo(name))
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _private(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mode, entry.uid, entry.gid, entry.uname, entry.gname = PRIVATE_FILE, 0, 0, "", ""
    return entry


def _small_files(
    config: Config, current: str | None, lineage: str | None
) -> Iterator[tuple[str, Path]]:
    """The toml files, the current night without its model, and the tiny base it needs."""
    for name in TOML:
        if (config.home / name).is_file():
            yield name, config.home / name
    if current is None:
        return
    night = config.nights_path / current
    for path in sorted([*night.glob("*"), *night.glob("adapter/*")]):
        if path.is_file() and path.suffix not in LEFT_OUT and not path.name.startswith("."):
            yield f"nights/{current}/{path.relative_to(night)}", path
    for base in _tiny_bases(lineage):  # made on this machine: no other can make the same again
        for name in ("base.json", *base.files):
            yield f"base/{base.path.name}/{name}", base.path / name


def _tiny_bases(lineage: str | None) -> list:
    from distill.base import list_bases

    return [base for base in list_bases() if base.tiny and base.lineage == lineage]


def unpack(file: Path, folder: Path) -> Contents:
    """Every file of a backup into `folder`, hashes checked; UserError where it is no whole one."""
    try:
        with tarfile.open(file, "r:") as tar:
            listed = tar.extractfile(LIST)
            contents = Contents(**json.loads(listed.read()))
            for name, digest in contents.files.items():
                _extract(tar, name, digest, folder, file)
    except (tarfile.TarError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file}: is no whole backup of Junior's ({error})") from error
    return contents


def _extract(tar: tarfile.TarFile, name: str, digest: str, folder: Path, file: Path) -> None:
    parts = name.split("/")
    if not all(re.fullmatch(r"\w[\w.-]*", part) for part in parts):
        raise UserError(f"{file}: holds a file with the odd name {name!r}; it was not made here")
    target = folder.joinpath(*parts)
    make_private_dir(target.parent)
    with tar.extractfile(name) as source, target.open("wb") as out:
        target.chmod(PRIVATE_FILE)
        shutil.copyfileobj(source, out, 1 << 20)
    if sha256_file(target) != digest:
        raise UserError(f"{file}: is damaged ({name} is not as it was saved); take another backup")


def _try(packed: Path, folder: Path) -> None:
    """The trial restore: unpacked, opened, checked and counted like the real one."""
    contents = unpack(packed, folder)
    with open_database(folder / "memory.db") as db:
        problem = find_damage(db)
        messages = db["messages"].count
    if problem or messages != contents.messages:
        raise DatabaseError(
            f"memory.db is damaged ({problem or 'messages are missing'}); no backup was made of it:"
            " restore the last one with `junior restore`"
        )


def find_damage(db: Database) -> str:
    """ "" or the first thing wrong: pages and indexes, foreign keys, the full-text index."""
    found = db.execute("pragma integrity_check(1)").fetchone()[0]
    if found != "ok":
        return found
    if db.execute("pragma foreign_key_check").fetchone():
        return "a row points to one that is not there"
    try:
        db.execute("insert into messages_fts (messages_fts) values ('integrity-check')")
    except sqlite3.DatabaseError as error:
        return f"full-text index: {error}"
    finally:
        db.conn.rollback()
    sql = "select count(*) from messages where id not in (select id from messages_fts_docsize)"
    missing = db.execute(sql).fetchone()[0]
    sql = "select count(*) from messages_fts_docsize where id not in (select id from messages)"
    extra = db.execute(sql).fetchone()[0]
    return f"full-text index: {missing} missing, {extra} too many" if missing or extra else ""


def _rotate(folder: Path, keep: int) -> list[str]:
    old = sorted(folder.glob("junior-*.tar"))[: -max(keep, 1)]
    for path in old:
        path.unlink()
    return [path.name for path in old]


def clear_leftovers(folder: Path) -> None:
    """What a killed backup left; the lock is held, so nobody is writing it."""
    for path in folder.glob(".backup-*.tmp"):
        shutil.rmtree(path, ignore_errors=True)
