"""The released juniors as SQLite knows them: which there are, which one is served."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from distill.gguf.writing import private
from distill.release.modelfile import rewrite_tag
from distill.release.publisher import check_files
from memory.db import Database, to_stored, transaction
from memory.errors import NotReleasedError


@dataclass(frozen=True)
class Generation:
    """A released junior; `files` are [{"name", "sha256", "bytes"}], `tag` is "" without Ollama.

    `recipe` is the hash of the numbers it was trained with; "" where its night names none;
    `rewrite_digest` that of the name that rewrites, "" where it has none.
    """

    id: str
    created_at: datetime
    base: str
    lineage: str
    files: list[dict[str, Any]]
    scores: dict[str, Any]
    tag: str
    digest: str
    pinned: bool
    retired_at: datetime | None
    current: bool
    recipe: str = ""
    rewrite_digest: str = ""
    verdict: str = "released"

    @property
    def names(self) -> dict[str, str]:
        """{tag: digest} of all it is called at Ollama."""
        second = {rewrite_tag(self.tag): self.rewrite_digest} if self.rewrite_digest else {}
        return {self.tag: self.digest} | second if self.tag else {}

    @property
    def bytes(self) -> int:
        """Size of all its model files."""
        return sum(file["bytes"] for file in self.files)

    def as_json(self) -> dict[str, Any]:
        """The row of `junior generations --json`."""
        return {
            "id": self.id,
            "created_at": to_stored(self.created_at),
            "verdict": self.verdict,
            "base": self.base,
            "lineage": self.lineage,
            "recipe": self.recipe,
            "scores": self.scores,
            "bytes": self.bytes,
            "tag": self.tag,
            "digest": self.digest,
            "rewrite_digest": self.rewrite_digest,
            "current": self.current,
            "pinned": self.pinned,
            "retired_at": to_stored(self.retired_at),
        }


def list_generations(db: Database, *, retired: bool = False) -> list[Generation]:
    """The kept generations, newest first; with `retired`, those whose files are gone as well."""
    sql = (
        "select g.id, g.created_at, g.base, g.lineage, g.files, g.scores, g.tag, g.digest,"
        " g.pinned, g.retired_at,"
        " g.id = (select value from state where key = 'current_generation'), g.recipe,"
        " g.rewrite_digest"
        " from generations g where ? or g.retired_at is null order by g.created_at desc, g.id desc"
    )
    return [_from_row(row) for row in db.execute(sql, (retired,)).fetchall()]


def _from_row(row: tuple) -> Generation:
    id_, created, base, lineage, files, scores, tag, digest, pinned, retired, current, *more = row
    return Generation(
        id_,
        datetime.fromisoformat(created),
        base or "",
        lineage or "",
        json.loads(files or "[]"),
        json.loads(scores or "{}"),
        tag or "",
        digest or "",
        bool(pinned),
        datetime.fromisoformat(retired) if retired else None,
        bool(current),
        *(one or "" for one in more),
    )


def current_generation(db: Database) -> Generation | None:
    """The generation that is served; None before the first release."""
    kept = list_generations(db, retired=True)
    return next((generation for generation in kept if generation.current), None)


def find_generation(db: Database, name: str, *, retired: bool = False) -> Generation:
    """The generation of that id or tag, a kept one unless `retired` are asked for, too.

    NotReleasedError names those that are kept.
    """
    for generation in list_generations(db, retired=retired):
        if name in (generation.id, generation.tag):
            return generation
    known = ", ".join(generation.id for generation in list_generations(db)) or "none"
    raise NotReleasedError(f"{name}: is no kept generation; there is {known}")


def previous_generation(db: Database, current: Generation) -> Generation | None:
    """The kept generation `current` took over from, else the one released last before it."""
    kept = list_generations(db)
    took_over = get_state(db, f"before {current.id}")
    for one in kept:
        if one.id == took_over:
            return one
    order = (current.created_at, current.id)
    return next((one for one in kept if (one.created_at, one.id) < order), None)


def generation_files(home: Path, generation: Generation) -> list[Path]:
    """Paths of its model files with every byte checked, so that a damaged one is never loaded.

    Raises ModelFileError.
    """
    return check_files(night_folder(home, generation.id), generation.files)


@contextmanager
def one_at_a_time(home: Path) -> Iterator[None]:
    """Waits until nobody else publishes, switches or mends in this home."""
    with open(home / "release.lock", "wb", opener=private) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def night_folder(home: Path, night: str) -> Path:
    """Where a night's files lie."""
    return home / "nights" / night


def pin(db: Database, name: str, *, pinned: bool = True) -> Generation:
    """Keep a generation from being pruned, or let it go; gives it."""
    generation = find_generation(db, name)
    with transaction(db):
        db.execute("update generations set pinned = ? where id = ?", (pinned, generation.id))
    return find_generation(db, generation.id)


def get_state(db: Database, key: str) -> str:
    row = db.execute("select value from state where key = ?", (key,)).fetchone()
    return row[0] if row and row[0] else ""


def set_state(db: Database, key: str, value: str) -> None:
    """Within a transaction."""
    sql = "insert into state values (?, ?) on conflict (key) do update set value = excluded.value"
    db.execute(sql, (key, value))


def released(db: Database) -> Generation:
    """The current generation; NotReleasedError before the first release."""
    current = current_generation(db)
    if current is None:
        raise NotReleasedError("nothing is released yet: run `junior night` first")
    return current
