"""Checkpoints that are whole: sealed by a manifest of hashes, the newest intact one found again."""

import json
import os
import re
import shutil
from pathlib import Path

from memory.files import sha256_file, sync_dir, write_atomic

SEAL = "sealed.json"


def seal(checkpoint: Path, facts: dict) -> None:
    """Writes the manifest of a finished checkpoint folder, last, once its files are on disk.

    `facts` is what a resumed run must know (fingerprint, step, tokens, seconds). The trainer
    writes straight into checkpoint-N: without the manifest nothing tells a torn one from a whole.
    """
    checkpoint = Path(checkpoint)
    files = sorted(p for p in checkpoint.rglob("*") if p.is_file() and p.name != SEAL)
    for path in files:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
    sync_dir(checkpoint)
    hashes = {str(path.relative_to(checkpoint)): sha256_file(path) for path in files}
    write_atomic(checkpoint / SEAL, json.dumps({"files": hashes, **facts}, indent=1))
    sync_dir(checkpoint.parent)


def read_seal(checkpoint: Path) -> dict | None:
    """The facts of a checkpoint that is whole; None if it is unsealed, changed or incomplete."""
    try:
        manifest = json.loads((Path(checkpoint) / SEAL).read_text(encoding="utf-8"))
        whole = all(
            sha256_file(Path(checkpoint) / name) == digest
            for name, digest in manifest["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return manifest if whole and manifest["files"] else None


def newest_whole(folder: Path, fingerprint: str) -> tuple[Path, dict] | None:
    """The checkpoint to go on from: the whole one with the highest step of this very run.

    `fingerprint` names data, base, configuration and seed: another run's checkpoints are no help.
    """
    for checkpoint in reversed(list_checkpoints(folder)):
        facts = read_seal(checkpoint)
        if facts and facts.get("fingerprint") == fingerprint:
            return checkpoint, facts
    return None


def list_checkpoints(folder: Path) -> list[Path]:
    """Every checkpoint-N in `folder`, whole or not, by rising N."""
    found = [p for p in Path(folder).glob("checkpoint-*") if re.fullmatch(r"\d+", p.name[11:])]
    return sorted(found, key=lambda path: int(path.name[11:]))


def clear_after(folder: Path, kept: Path | None) -> None:
    """Removes every checkpoint that is not `kept` nor older: torn ones, and those of other runs.

    What a killed run left half written must not mix with what is written there again.
    """
    step = int(kept.name[11:]) if kept else -1
    for checkpoint in list_checkpoints(folder):
        if int(checkpoint.name[11:]) > step:
            shutil.rmtree(checkpoint)


def keep_newest(folder: Path, count: int) -> None:
    """Removes all but the `count` newest checkpoints; called after the newest is sealed."""
    for checkpoint in list_checkpoints(folder)[: -max(1, count)]:
        shutil.rmtree(checkpoint)
