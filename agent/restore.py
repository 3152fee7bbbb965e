"""A backup put back, here or on another machine, with its junior's model made again."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from agent.backup import TOML, Contents, backup_folder, find_damage, unpack
from agent.config import Config, load_config
from agent.lock import Lock
from memory.db import Database, open_database, transaction
from memory.errors import DatabaseError, UserError
from memory.files import make_private_dir, sync_dir


def newest(config: Config) -> Path:
    """The newest backup in [backup] folder. Raises UserError where there is none."""
    found = sorted(backup_folder(config).expanduser().glob("junior-*.tar"))
    if not found:
        raise UserError(f"{backup_folder(config)}: holds no backup; name the file to restore")
    return found[-1]


def restore_home(home: Path, file: Path, *, force: bool = False, with_junior: bool = True) -> dict:
    """Puts a backup back and makes its junior's model again.

    {"home", "messages", "generation", "same_bytes", "tag", "notes"}. Where the model cannot be made
    (no base yet, no room) the memory is back all the same: a note says what to do, and the same
    command with `force` tries again.
    """
    contents = restore(home, file, force=force)
    found = {"home": str(home), "messages": contents.messages, "notes": []}
    nothing = {"generation": None, "same_bytes": None, "tag": None}
    if not with_junior or contents.current is None:
        retire_all(home)
        return found | nothing
    try:
        return found | remake(load_config(home), contents)
    except UserError as error:
        again = f"then `junior restore {file} --force` makes the junior too"
        return found | nothing | {"notes": [f"{error}; {again}"]}


def retire_all(home: Path) -> None:
    """A memory without model files names no current junior."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with open_database(home / "memory.db") as db, transaction(db):
        db.execute("update generations set retired_at = coalesce(retired_at, ?)", [now])
        db.execute("delete from state where key = 'current_generation'")


def restore(home: Path, file: Path, *, force: bool = False) -> Contents:
    """Puts a backup's files into `home`; what was there before is kept beside as `*.replaced`.

    Raises UserError: no whole backup, a home in use, one that holds a memory already (not with
    `force`), a memory of a later Junior. Nothing has changed then.
    """
    if (home / "memory.db").exists() and not force:
        raise UserError(
            f"{home}: holds a memory already; name another --home, or use --force, which keeps it "
            "beside as memory.db.replaced"
        )
    make_private_dir(home)
    with _nobody_at_work(home), tempfile.TemporaryDirectory(dir=home, prefix=".restore-") as work:
        contents = unpack(file, Path(work))
        with open_database(Path(work, "memory.db")) as db:
            if problem := find_damage(db):
                raise DatabaseError(f"{file}: its memory is damaged ({problem}); take another")
            _settle(db, contents)
            db.execute("pragma wal_checkpoint(truncate)")
        _move_in(Path(work), home, contents)
    return contents


@contextmanager
def _nobody_at_work(home: Path) -> Iterator[None]:
    with (
        Lock(home / "daemon.lock", "a daemon is running for this home"),
        Lock(home / "night.lock", "a night is running"),
    ):
        yield


def _settle(db: Database, contents: Contents) -> None:
    """What the backup cannot hold is not claimed: other generations' models, a running night."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with transaction(db):
        db.execute(
            "update generations set retired_at = coalesce(retired_at, ?) where id is not ?",
            [now, contents.current],
        )
        db.execute(
            "update nights set verdict = 'failed', reason = 'cut off when its memory was restored',"
            " pid = null where verdict in ('running', 'interrupted')"
        )


def _move_in(work: Path, home: Path, contents: Contents) -> None:
    """memory.db last: until then the home is as it was, but for files kept beside."""
    for suffix in ("-wal", "-shm", ""):
        old = home / f"memory.db{suffix}"
        if old.exists():
            old.replace(home / f"memory.db.replaced{suffix}")
    for name in contents.files:
        if name.startswith("base/"):
            continue
        target = home / name
        make_private_dir(target.parent)
        if name in TOML and target.exists():
            target.replace(target.with_name(f"{name}.replaced"))
        if name != "memory.db":
            (work / name).replace(target)
    _move_base(work)
    (work / "memory.db").replace(home / "memory.db")
    sync_dir(home)


def _move_base(work: Path) -> None:
    from distill.base import bases_path

    for folder in work.glob("base/*"):
        target = bases_path() / folder.name
        if not target.exists():
            shutil.move(folder, target)


def remake(config: Config, contents: Contents) -> dict:
    """The current junior's model file made again from base and adapter, then published.

    {"generation", "same_bytes", "tag"}; all None where nothing was released. Raises
    BaseMissingError naming the command that fetches the base, PublishError.
    """
    if contents.current is None:
        return {"generation": None, "same_bytes": None, "tag": None}
    from distill import release

    folder = config.nights_path / contents.current
    same = _export_again(config, folder, contents)
    server = release.connect(config.publish)
    with open_database(config.database_path) as db:
        if server is not None:
            release.publish_current(db, config.home, server, config.publish)
        tag = release.current_generation(db).tag if server is not None else ""
    return {"generation": contents.current, "same_bytes": same, "tag": tag or None}


def _export_again(config: Config, folder: Path, contents: Contents) -> bool:
    """Whether the file is, byte for byte, what was released; if not, its new hash is recorded."""
    from distill.gguf import export
    from distill.release.publisher import load_recipe, save_recipe

    frozen = load_config(config.home, frozen=folder / "config.json")
    record = json.loads((folder / "export.json").read_text())
    files = export(
        _base_of(frozen, contents.lineage),
        folder / "adapter",
        folder,
        name=record["inputs"]["name"],
        config=frozen.export,
        provenance=record["inputs"]["provenance"],
    )
    made = [asdict(file) for file in files]
    recipe = load_recipe(folder)
    if made == [{key: file[key] for key in ("name", "sha256", "bytes")} for file in recipe.files]:
        return True
    save_recipe(folder, replace(recipe, files=made))
    with open_database(config.database_path) as db, transaction(db):
        sql = "update generations set files = ? where id = ?"
        db.execute(sql, [json.dumps(made), folder.name])
    return False


def _base_of(frozen: Config, lineage: str | None):
    from distill.base import list_bases, resolve_base

    same = [base for base in list_bases() if base.lineage == lineage]
    return same[0] if same else resolve_base(frozen.base.name, frozen.base.revision)
