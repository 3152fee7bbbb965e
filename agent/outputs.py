"""What a stage left behind, by hash, so that the next one never builds on a damaged file."""

import json
from collections.abc import Sequence
from pathlib import Path

from memory.db import Database
from memory.errors import StageError
from memory.files import sha256_file

# The model file is not among them: export.json names its hash, and whoever serves it checks.
OUTPUTS = {
    "curate": ("train.jsonl", "held_out.jsonl", "manifest.json"),
    "train": ("adapter/adapter_model.safetensors", "adapter/adapter_config.json", "train.json"),
    "export": ("export.json",),
}


def hash_outputs(folder: Path, stage: str) -> dict[str, str]:
    """{name: sha256} of what `stage` wrote into its night's folder."""
    names = OUTPUTS.get(stage, ())
    return {name: sha256_file(folder / name) for name in names if (folder / name).is_file()}


def check_outputs(db: Database, night: str, folder: Path, stages: Sequence[str]) -> None:
    """Raises StageError naming the first file that is not as one of these stages left it.

    That stage then counts as not done: resuming the night runs it again.
    """
    sql = "select outputs from stages where night = ? and name = ? and status = 'done'"
    for stage in stages:
        row = db.execute(f"{sql} order by attempt desc", [night, stage]).fetchone()
        for name, digest in json.loads((row and row[0]) or "{}").items():
            if not (folder / name).is_file() or sha256_file(folder / name) != digest:
                _run_again(db, night, stage)
                raise StageError(
                    f"{folder / name}: is not as {stage} left it; `junior night --resume` runs "
                    f"{stage} and what follows again"
                )


def _run_again(db: Database, night: str, stage: str) -> None:
    """The stage and those after it, which built on it."""
    sql = (
        "update stages set status = 'failed' where night = ? and rowid >="
        " (select min(rowid) from stages where night = ? and name = ? and status = 'done')"
    )
    db.execute(sql, [night, night, stage])
    db.conn.commit()
