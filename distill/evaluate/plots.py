"""Places of lines in the report's drawings, so that the page needs no script."""

from collections.abc import Iterable, Sequence
from typing import Any

LEFT, RIGHT, TOP, BOTTOM = 44, 560, 12, 272


def loss_curve(metrics: Sequence[dict]) -> dict[str, Any] | None:
    """Places in a 640 x 300 drawing for the training and held-out loss; None without two points.

    `metrics`: {"step", "loss", "held_out_loss"}, either loss None where it was not measured.
    """
    train = _points(metrics, "loss")
    held = _points(metrics, "held_out_loss")
    if len(train) < 2:
        return None
    steps = max(step for step, _ in train + held)
    values = [loss for _, loss in train + held]
    low, high = min(values), max(max(values), min(values) + 0.1)

    def x(step: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * step / max(1, steps), 1)

    def y(loss: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (loss - low) / (high - low), 1)

    train_label, held_label = y(train[-1][1]) + 4, y(held[-1][1]) + 4 if held else 0
    if held and abs(train_label - held_label) < 15:
        held_label = train_label + (15 if held_label >= train_label else -15)
    return {
        "steps": steps,
        "train": " ".join(f"{x(step)},{y(loss)}" for step, loss in train),
        "held": " ".join(f"{x(step)},{y(loss)}" for step, loss in held),
        "dots": [(x(step), y(loss)) for step, loss in held],
        "grid": [(y(v), f"{v:.2f}") for v in (low, (low + high) / 2, high)],
        "first": f"{train[0][1]:.2f}",
        "last": f"{train[-1][1]:.2f}",
        "held_last": f"{held[-1][1]:.2f}" if held else "",
        "train_label": train_label,
        "held_label": held_label,
    }


def _points(metrics: Iterable[dict], key: str) -> list[tuple[int, float]]:
    return [(row["step"], row[key]) for row in metrics if row.get(key) is not None]


def night_plots(series: Iterable[dict]) -> list[dict[str, Any]]:
    """One 320 x 120 drawing for each number over the nights: its line, its last dot, its scale.

    `series`: {"title", "unit", "points": [[night, value], ...]} of two nights and more.
    """
    return [_night_plot(one) for one in series]


def _night_plot(one: dict[str, Any]) -> dict[str, Any]:
    values = [value for _, value in one["points"]]
    low, high = min(values), max(values)
    if one["unit"] == "share":
        low, high = 0.0, max(1.0, high)
    elif high - low < 0.02:
        low, high = low - 0.01, high + 0.01
    width = 250 / max(1, len(values) - 1)
    places = [
        (round(10 + number * width, 1), round(84 - 68 * (value - low) / (high - low), 1))
        for number, value in enumerate(values)
    ]
    return {
        "title": one["title"],
        "unit": one["unit"],
        "line": " ".join(f"{x},{y}" for x, y in places),
        "dot": places[-1],
        "first": one["points"][0][0],
        "last": one["points"][-1][0],
        "from": values[0],
        "to": values[-1],
        "low": low,
        "high": high,
    }
