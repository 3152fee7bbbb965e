"""What is kept of old generations, by count and size: all, the adapter alone, or nothing."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from distill.ollama import Ollama, Say, Tag
from distill.release.config import PublishConfig
from distill.release.generations import (
    Generation,
    current_generation,
    list_generations,
    night_folder,
    previous_generation,
)
from distill.release.switching import is_latest
from memory.db import Database, to_stored, transaction
from memory.errors import PublishError, UserError


def prune(
    db: Database,
    home: Path,
    server: Ollama | None,
    config: PublishConfig,
    *,
    say: Say | None = None,
    now: datetime | None = None,
) -> list[str]:
    """Let old generations go: their tags and GGUF files, not their reports; gives ids.

    Kept are the current, the one before it, the pinned, and the newest `config.keep` as far as
    `config.max_gb` allows; of the next `config.keep_adapters` the adapter. Only once `latest` is
    verified; a tag that is not as we made it stays, and that is said.
    """
    current = current_generation(db)
    if current is None:
        return []
    tags = server.tags() if server is not None else {}
    if server is not None and not is_latest(tags, current, config):
        raise PublishError(f"{config.name}:latest is not {current.tag}: nothing was pruned")
    kept = _kept(db, home, current, config)
    gone = []
    for generation in list_generations(db, retired=True):
        left = generation.retired_at is None or (generation.tag and server is not None)
        if generation.id not in kept and left:
            _retire(db, home, server, tags, generation, say or _say_nothing, now)
            if generation.retired_at is None:
                gone.append(generation.id)
    _drop_adapters(db, home, kept, config)
    return gone


def _say_nothing(_: str) -> None:
    return None


def _protected(db: Database, current: Generation) -> list[Generation]:
    """What no bound takes away: the current, the one before it, the pinned."""
    before = previous_generation(db, current)
    names = {current.id} | ({before.id} if before else set())
    return [one for one in list_generations(db) if one.id in names or one.pinned]


def _kept(db: Database, home: Path, current: Generation, config: PublishConfig) -> set[str]:
    protected = _protected(db, current)
    kept = {one.id for one in protected}
    size = _candidates_bytes(db, home) + sum(_bytes(home, one.id) for one in protected)
    for one in list_generations(db)[: max(config.keep, 0)]:
        if one.id not in kept:
            size += _bytes(home, one.id)
            if config.max_gb and size > config.max_gb * 1e9:
                break
            kept.add(one.id)
    return kept


def _retire(
    db: Database,
    home: Path,
    server: Ollama | None,
    tags: dict[str, Tag],
    generation: Generation,
    say: Say,
    now: datetime | None,
) -> None:
    """Tag, then files, then the row: killed in between, it is done again and harms nothing."""
    tag = generation.tag
    for name, digest in generation.names.items() if server is not None else ():
        if name in tags and tags[name].digest == digest:
            server.delete(name)
        elif name in tags:
            say(f"{name} is not as Junior made it; it stays in Ollama")
    for file in generation.files:
        (night_folder(home, generation.id) / file["name"]).unlink(missing_ok=True)
    with transaction(db):
        sql = "update generations set retired_at = coalesce(retired_at, ?), tag = ? where id = ?"
        left = tag if server is None else ""
        db.execute(sql, (to_stored(now or datetime.now(UTC)), left, generation.id))


def _drop_adapters(db: Database, home: Path, kept: set[str], config: PublishConfig) -> None:
    """Of the generations without files the newest keep their adapters, while there is room."""
    size = _candidates_bytes(db, home) + sum(_bytes(home, one) for one in kept)
    left = max(config.keep_adapters, 0)
    for one in list_generations(db, retired=True):
        folder = night_folder(home, one.id) / "adapter"
        if one.id in kept or not folder.is_dir():
            continue
        size, left = size + _bytes(home, one.id), left - 1
        if left < 0 or (config.max_gb and size > config.max_gb * 1e9):
            shutil.rmtree(folder)


def check_room(db: Database, home: Path, config: PublishConfig) -> None:
    """Before a night: what must be kept leaves room for one more under `publish.max_gb`.

    Raises UserError with what takes the room.
    """
    current = current_generation(db)
    if current is None or not config.max_gb:
        return
    protected = _protected(db, current)
    held = _candidates_bytes(db, home) + sum(_bytes(home, one.id) for one in protected)
    more = _bytes(home, current.id)
    if held + more > config.max_gb * 1e9:
        pinned = ", ".join(one.id for one in protected if one.pinned) or "none"
        raise UserError(
            f"{home / 'nights'}: the generations that stay hold {held / 1e9:.1f} GB, one more needs"
            f" about {more / 1e9:.1f} GB, and publish.max_gb is {config.max_gb:g}: raise it, or let"
            f" go of a pinned one (`junior pin --undo`; pinned: {pinned})"
        )


def stored_bytes(home: Path) -> int:
    """What model files and adapters of all nights take on disk; a file with two names is one."""
    return _size([*(home / "nights").glob("*/*.gguf"), *(home / "nights").glob("*/adapter/*")])


def _candidates_bytes(db: Database, home: Path) -> int:
    """What nights that were not released still hold: the newest rejected ones can be talked to."""
    known = {one.id for one in list_generations(db, retired=True)}
    nights = home / "nights"
    there = [one.name for one in nights.iterdir() if one.is_dir()] if nights.is_dir() else []
    return sum(_bytes(home, name) for name in there if name not in known)


def _bytes(home: Path, night: str) -> int:
    folder = night_folder(home, night)
    return _size([*folder.glob("*.gguf"), *folder.glob("adapter/*")])


def _size(paths: list[Path]) -> int:
    stats = [path.stat() for path in paths]
    return sum({(one.st_dev, one.st_ino): one.st_size for one in stats}.values())
