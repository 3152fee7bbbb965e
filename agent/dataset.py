"""Tonight's dataset without a night: shown, or written for other trainers."""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from agent.config import Config
from distill.base import resolve_base
from distill.base.replay import read_replay
from distill.identity import Identity
from memory.db import open_database
from memory.errors import BaseMissingError, UsageError
from memory.files import sha256_file, write_atomic


def build(config: Config, identity: Identity, folder: Path) -> dict:
    """The rows of tonight in `folder`; its manifest."""
    from distill.curate import curate, for_tiny

    tiny = config.base.name == "tiny"
    with open_database(config.database_path) as db:
        curate(
            db,
            identity,
            for_tiny(config.curate) if tiny else config.curate,
            folder,
            sources=config.sources,
            seed=config.train.seed,
            now=datetime.now(UTC),
            replay=_replay(config),
        )
    return json.loads((folder / "manifest.json").read_text())


def _replay(config: Config) -> list[dict]:
    try:
        return read_replay(resolve_base(config.base.name, config.base.revision))
    except BaseMissingError:
        return []


def preview(config: Config, identity: Identity) -> dict:
    """What `junior dataset` shows; tokens are counted with the base's tokenizer where it is here.

    Without the base in the cache a token is taken as four characters, and `counted` says so.
    """
    with tempfile.TemporaryDirectory() as folder:
        manifest = build(config, identity, Path(folder))
        tokens, counted = _loss_tokens(config, Path(folder), manifest)
    return manifest | {
        "loss_tokens": tokens,
        "foreign_loss_tokens": manifest["foreign_loss_characters"],
        "counted": counted,
    }


def _loss_tokens(config: Config, folder: Path, manifest: dict) -> tuple[int, str]:
    try:
        base = resolve_base(config.base.name, config.base.revision)
    except BaseMissingError:
        return round(manifest["loss_characters"] / 4), "estimated: characters / 4"
    return _count(folder / "train.jsonl", base), f"tokenizer of {base.name}"


def _count(path: Path, base) -> int:
    """Loss tokens of a dataset as training will have them, before packs cut long rows."""
    from collections import Counter

    from distill.tokens import tokenise
    from distill.train import read_rows
    from distill.train.adapter import load_tokenizer

    counts: Counter = Counter()
    tokenise(read_rows(path), load_tokenizer(base), max_length=1_000_000, counts=counts)
    return counts["loss_tokens"]


def export_dataset(config: Config, identity: Identity, form: str, output: Path) -> dict:
    """train.jsonl in TRL's or ShareGPT's form; {"rows", "sha256"}."""
    from distill.curate import json_lines

    if form not in ("trl", "sharegpt"):
        raise UsageError(f"--format: trl or sharegpt, found {form!r}")
    with tempfile.TemporaryDirectory() as folder:
        build(config, identity, Path(folder))
        lines = (Path(folder) / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [_row(json.loads(line), form) for line in lines]
    write_atomic(output, json_lines(rows))
    return {"rows": len(rows), "sha256": sha256_file(output), "path": str(output)}


def _row(example: dict, form: str) -> dict:
    turns = [(m["role"], m["content"]) for m in example["messages"]]
    if form == "trl":
        return {"messages": [{"role": role, "content": content} for role, content in turns]}
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    return {"conversations": [{"from": names[role], "value": text} for role, text in turns]}
