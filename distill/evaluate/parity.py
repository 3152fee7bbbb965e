"""Whether the file says what the trained model says: likeliest tokens, and prompts as rendered."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.evaluate.intervals import wilson
from distill.evaluate.runner import Runner
from memory.errors import UserError

SURE_NATS = 0.25  # a smaller lead is a tie: 4-bit rounding turns it, in training's NF4 and in ours

Agreed = list[tuple[bool, float]]


@dataclass(frozen=True)
class Predicted:
    """A held-out row with the trained model's likeliest token at each place that carries loss.

    `leads`: the nats that token is ahead of the second.
    """

    row: dict
    tokens: list[int]
    leads: list[float]

    def agreeing(self, runner: Runner) -> Agreed:
        """(whether the file finds the same token likeliest, its lead) of each place.

        Both count places from the left; the shorter context ends the comparison.
        """
        ours = runner.row_predictions(self.row)
        told = zip(ours, self.tokens, self.leads, strict=False)
        return [(one == other, lead) for one, other, lead in told]


@dataclass(frozen=True)
class Prompt:
    """A conversation, and the prompt that transformers makes of it with the base's template."""

    messages: list[dict]
    text: str

    def seen(self, runner: Runner) -> str:
        """What the file's own template makes of it; "" where that is the same."""
        try:
            found = runner.render(self.messages)
        except UserError as error:
            return str(error)
        return "" if found == self.text else f"{found!r} for {self.text!r}"


@dataclass(frozen=True)
class Parity:
    """What `train` wrote down of its own model (distill/train/parity.py)."""

    rows: tuple[Predicted, ...] = ()
    prompts: tuple[Prompt, ...] = ()

    def template_numbers(self, framed: Sequence[str]) -> dict | None:
        """1 where every prompt is the base's own, 0 where one is not; None where none is known."""
        if not self.prompts:
            return None
        wrong = [text for text in framed if text]
        value = float(not wrong and len(framed) == len(self.prompts))
        return {"value": value, "n": 0, "interval": None, "note": "; ".join(wrong)[:300]}


def read_parity(folder: Path, held_out: Sequence[dict]) -> Parity:
    """`folder`/parity.json with the rows it speaks of; empty where training wrote none."""
    try:
        found = json.loads((folder / "parity.json").read_text(encoding="utf-8"))
        rows = [
            Predicted(held_out[one["row"]], one["tokens"], one["leads"]) for one in found["rows"]
        ]
        return Parity(tuple(rows), tuple(Prompt(**one) for one in found["prompts"]))
    except (FileNotFoundError, ValueError, KeyError, IndexError, TypeError):
        return Parity()


def agreement_numbers(rows: Sequence[Agreed], lead: float = 0.0) -> dict | None:
    """The share of places led by at least `lead` where both find the same token likeliest.

    None without any such place.
    """
    told = [same for row in rows for same, ahead in row if ahead >= lead]
    if not told:
        return None
    return {
        "value": sum(told) / len(told),
        "n": len(told),
        "interval": wilson(sum(told), len(told)),
    }
