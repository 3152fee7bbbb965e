"""Nights over time as small drawings: one line of numbers each, every point opens its report."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from agent.config import Config
from agent.status import list_nights
from memory.db import open_database

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 320, 120, 10, 310, 14, 96
MOST_NIGHTS = 60


@dataclass(frozen=True)
class Point:
    """A night's number, and where it stands in the drawing."""

    night: str
    verdict: str
    value: float
    label: str
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class Series:
    """One drawing: its title, what is better, its points, the lowest and the highest label."""

    title: str
    better: str
    points: tuple[Point, ...]
    low: str
    high: str

    @property
    def line(self) -> str:
        return " ".join(f"{point.x},{point.y}" for point in self.points)


SERIES = (
    ("Identity: says its own name", "higher", "right", "share"),
    ("Voice: gain on unseen own text", "higher", "gain", "nats"),
    ("Forgetting: of the base's skills", "lower", "forgotten", "share"),
    ("Loss on unseen own text", "lower", "loss", "nats"),
    ("Size of the model file", "", "size", "MB"),
)


def nights_over_time(config: Config) -> list[Series]:
    """The drawings over the last nights that were judged; without numbers, none."""
    with open_database(config.database_path) as db:
        rows = list(reversed(list_nights(db, MOST_NIGHTS)))
    numbers = [(row["id"], row["verdict"] or "", _numbers(config.nights_path / row["id"]))
               for row in rows]  # fmt: skip
    found = []
    for title, better, key, unit in SERIES:
        points = [
            Point(night, verdict, values[key], _label(values[key], unit))
            for night, verdict, values in numbers
            if values.get(key) is not None
        ]
        if points:
            found.append(_placed(title, better, points, unit))
    return found


def _numbers(folder: Path) -> dict[str, float | None]:
    report, export = _read(folder / "report.json"), _read(folder / "export.json")
    checks = {check["name"]: check["value"] for check in report.get("checks", [])}
    base, junior = report.get("base_loss"), report.get("junior_loss")
    sizes = [file["bytes"] for file in export.get("files", [])]
    return {
        "right": checks.get("right"),
        "gain": base - junior if base is not None and junior is not None else None,
        "forgotten": checks.get("forgotten"),
        "loss": junior,
        "size": sum(sizes) / 1e6 if sizes else None,
    }


def _read(path: Path) -> dict:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _placed(title: str, better: str, points: Iterable[Point], unit: str) -> Series:
    points = list(points)
    low, high = min(p.value for p in points), max(p.value for p in points)
    if unit == "share":
        low, high = 0.0, 1.0
    reach = high - low or 1.0
    step = (RIGHT - LEFT) / max(1, len(points) - 1)
    placed = tuple(
        Point(
            p.night,
            p.verdict,
            p.value,
            p.label,
            round(LEFT + number * step if len(points) > 1 else (LEFT + RIGHT) / 2, 1),
            round(BOTTOM - (BOTTOM - TOP) * (p.value - low) / reach, 1),
        )
        for number, p in enumerate(points)
    )
    return Series(title, better, placed, _label(low, unit), _label(high, unit))


def _label(value: float, unit: str) -> str:
    if unit == "share":
        return f"{value:.0%}"
    return f"{value:.2f} {unit}" if unit == "nats" else f"{value:,.1f} {unit}"
