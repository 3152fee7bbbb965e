"""A warm start, where a cold one has no time: from the last cold night's adapter, with replay."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from distill.tokens.cache import row_key
from distill.train.adapter import WEIGHTS
from distill.train.recipes import TrainConfig
from distill.train.window import Window
from memory.files import sha256_file

LONGEST_CHAIN = 7  # warm nights on one cold night; the next is cold, whatever the window holds
RATE = 0.5  # of the recipe's learning rate
SHAPE = ("adapter", "r", "alpha", "target_modules")


@dataclass(frozen=True)
class Start:
    """The cold night to begin from: its name, its adapter's folder, and its rows."""

    night: str
    adapter: Path
    rows: frozenset[bytes]


def choose(
    folder: Path, base, config: TrainConfig, window: Window, tokens: int, rows
) -> Start | None:
    """Where to begin warm, or None: `tokens` fit into the window, or no cold night will do.

    The rate is that of the newest night on this base. A cold night will do if it was not
    rejected, has adapters of this shape, carries fewer than seven warm ones, and none of its rows
    is gone today: what was forgotten is un-learnt from the base alone.
    """
    nights = list(earlier_nights(folder, base))
    if not nights or window.fits(tokens, nights[-1][1]["tokens_per_second"]):
        return None
    cold = [(path, facts) for path, facts in nights if not facts.get("warm_from")]
    for path, facts in reversed(cold):
        chain = sum(other.get("warm_from") == path.name for _, other in nights)
        if chain >= LONGEST_CHAIN:
            return None
        start = Start(path.name, path / "adapter", _keys(path / "train.jsonl"))
        fits = all(_plain(facts["recipe"].get(k)) == _plain(getattr(config, k)) for k in SHAPE)
        if fits and start.rows and start.rows <= {row_key(row) for row in rows}:
            return start
    return None


def rows_and_config(
    start: Start, rows: list[dict], config: TrainConfig, seed: int
) -> tuple[list[dict], TrainConfig]:
    """The new rows with as many characters of old ones, and the numbers of a warm night."""
    new = [row for row in rows if row_key(row) not in start.rows]
    old = [row for row in rows if row_key(row) in start.rows]
    draw = random.Random(f"{seed} warm")
    wanted, replay = sum(map(_size, new)), []
    for row in draw.sample(old, len(old)):
        if wanted <= 0:
            break
        replay.append(row)
        wanted -= _size(row)
    mixed = draw.sample(new + replay, len(new) + len(replay))
    return mixed, replace(config, learning_rate=RATE * config.learning_rate)


def earlier_nights(folder: Path, base) -> Iterator[tuple[Path, dict]]:
    """(folder, train.json) of finished nights beside `folder` on this base, oldest first.

    A night whose adapter is not the one it wrote, or that the gate rejected, is left out.
    """
    found = []
    for path in folder.resolve().parent.glob("*/train.json"):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            whole = sha256_file(path.parent / "adapter" / WEIGHTS) == facts["adapter_sha256"]
            rejected = _verdict(path.parent) == "rejected"
        except (OSError, ValueError, KeyError):
            continue
        if whole and not rejected and facts.get("lineage") == base.lineage:
            found.append((path.stat().st_mtime, path.parent, facts))
    for _, path, facts in sorted(found, key=lambda entry: entry[:2]):
        if path != folder.resolve():
            yield path, facts


def _verdict(night: Path) -> str:
    try:
        return json.loads((night / "report.json").read_text(encoding="utf-8"))["verdict"]
    except FileNotFoundError:
        return ""


def _keys(path: Path) -> frozenset[bytes]:
    try:
        with open(path, encoding="utf-8") as lines:
            return frozenset(row_key(json.loads(line)) for line in lines)
    except (OSError, ValueError, KeyError):
        return frozenset()


def _size(row: dict) -> int:
    return sum(len(turn["content"]) for turn in row["messages"])


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
