"""This junior beside earlier nights: slow decline, frozen months, and what two nights confirm."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.evaluate.intervals import mann_kendall, weighted_mean
from distill.evaluate.losses import RowLoss, gain_numbers, row_key

NIGHTS = 30
PLOTTED = (
    "right",
    "greedy_own",
    "over_claims",
    "held_out_gain",
    "style_gone",
    "told_apart",
    "forgotten",
    "distinct_3",
    "entropy",
)


@dataclass(frozen=True)
class Night:
    """An earlier night of the same lineage: its id and its report.json."""

    id: str
    report: dict[str, Any]

    def value(self, name: str) -> float | None:
        """The value of a check."""
        one = self.check(name)
        return one and one["value"]

    def check(self, name: str) -> dict | None:
        """A check as it was reported, None where there was none of that name."""
        return next((one for one in self.report["checks"] if one["name"] == name), None)


def read_nights(folder: Path, lineage: str) -> list[Night]:
    """The nights beside `folder` that were judged on this base before it, oldest first."""
    found = []
    reports = sorted(folder.parent.glob("*/report.json"), key=lambda p: p.stat().st_mtime)
    for path in [*reports[:1], *reports[1:][-2 * NIGHTS :]]:
        if path.parent == folder:
            continue
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:  # a damaged report of an old night is no reason to stop this one
            continue
        if isinstance(report, dict) and report.get("lineage") == lineage:
            found.append(Night(path.parent.name, report))
    return found


def read_canaries(folder: Path) -> dict[str, Any] | None:
    """canaries.json of the newest night beside `folder`, with that "night"; None without any."""
    return next(_newest(folder, "canaries.json"), None)


def read_naive(folder: Path, lineage: str) -> dict[str, Any] | None:
    """naive.json of the newest night of this base that has one, as read_canaries."""
    found = (one for one in _newest(folder, "naive.json") if one.get("lineage") == lineage)
    return next(found, None)


def _newest(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.parent.glob(f"*/{name}"), reverse=True):
        try:
            yield {"night": path.parent.name} | json.loads(path.read_text(encoding="utf-8"))
        except ValueError:  # a damaged file of an old night is no reason to stop this one
            continue


def previous_of(nights: Sequence[Night], generation: str) -> dict[str, float | None]:
    """The values of the junior in use, by name of the check; {} where its report is not there."""
    found = next((one for one in nights if one.id == generation), None)
    return {} if found is None else {one["name"]: one["value"] for one in found.report["checks"]}


def frozen_losses(rows: Sequence[dict], losses: Sequence[RowLoss]) -> dict[str, RowLoss]:
    """Losses of held-out rows of all but the newest two months, by row_key: they stay the same."""
    months = sorted({row.get("month", "") for row in rows} - {""})
    old = set(months[:-2])
    return {
        row_key(row): loss
        for row, loss in zip(rows, losses, strict=False)
        if row.get("month") in old
    }


def frozen_numbers(now: dict[str, RowLoss], nights: Sequence[Night], *, seed: int) -> dict | None:
    """Loss on frozen months against the best of the last 30 nights on the same rows (nats a token).

    None where no earlier night has scored at least eight of them.
    """
    compared = []
    for night in nights[-NIGHTS:]:
        then = {key: tuple(loss) for key, loss in night.report.get("frozen", {}).items()}
        shared = sorted(now.keys() & then.keys())
        if len(shared) >= 8:
            found = gain_numbers([now[k] for k in shared], [then[k] for k in shared], seed=seed)
            best = weighted_mean([then[k] for k in shared])
            compared.append((found["value"], best, night.id, found))
    if not compared:
        return None
    _, _, best, found = max(compared, key=lambda one: one[0])
    return found | {"note": f"beside night {best}, the best of {len(compared)} on these rows"}


def kept_numbers(now: dict | None, nights: Sequence[Night], name: str) -> dict | None:
    """A number as a share of what it was in the first night of this base."""
    first = next((value for night in nights if (value := night.value(name))), None)
    if now is None or first is None:
        return None
    low_high = now["interval"] and tuple(bound / first for bound in now["interval"])
    note = f"night one had {first:.2f}, this one {now['value']:.2f}"
    return {"value": now["value"] / first, "n": now["n"], "interval": low_high, "note": note}


def trend_numbers(now: float | None, nights: Sequence[Night], name: str) -> dict | None:
    """Mann-Kendall's tau of a check over the last 30 nights where it falls for sure, else 0.

    None for fewer than four nights.
    """
    series = [value for night in nights if (value := night.value(name)) is not None]
    trend = None if now is None else mann_kendall([*series[-NIGHTS:], now])
    if trend is None:
        return None
    falls = trend.tau if trend.p < 0.05 else 0.0
    words = f"tau {trend.tau:+.2f}, p {trend.p:.3f}"
    return {"value": falls, "n": len(series) + 1, "interval": None, "note": words}


def series_of(nights: Sequence[Night], checks: Sequence[dict], night: str) -> list[dict]:
    """What the report draws: {"name", "title", "unit", "points": [[night, value]]} of two nights
    and more, this one last."""
    now = {one["name"]: one for one in checks}
    found = []
    for name in PLOTTED:
        if name not in now:
            continue
        points = [[one.id, one.value(name)] for one in nights[-NIGHTS:]]
        points = [
            [n, value] for n, value in [*points, [night, now[name]["value"]]] if value is not None
        ]
        if len(points) > 1:
            found.append(
                {key: now[name][key] for key in ("name", "title", "unit")} | {"points": points}
            )
    return found
