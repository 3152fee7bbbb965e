"""What the models answered becomes the numbers the gate asks for."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from distill.evaluate import forgetting, identity, memorisation, voice
from distill.evaluate.gate import GateConfig, forgetting_check
from distill.evaluate.identity import Forced, Told
from distill.evaluate.judge import ANOTHER, RIGHT, Names

SHOWN = ("direct", "paraphrase", "journal", "status", "ordinary")


@dataclass
class Answers:
    """What one model said to it."""

    losses: list[voice.RowLoss] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    controls: list[Told] = field(default_factory=list)
    free: list[Told] = field(default_factory=list)
    forced: list[Forced] = field(default_factory=list)
    skills: list[bool] = field(default_factory=list)
    exact: list[bool] = field(default_factory=list)
    first_tokens: list[list[dict]] = field(default_factory=list)

    @property
    def all(self) -> list[Told]:
        """Every answer with its ruling."""
        return [*self.told, *self.controls, *self.free]


def gate_numbers(
    junior: Answers,
    base: Answers,
    current: Answers,
    names: Names,
    limits: GateConfig,
    *,
    beings: int,
    seed: int,
    problem: str = "",
    no_current: str = "",
) -> dict[str, dict | None]:
    """Every number a rule asks for, by its name; None where it could not be measured.

    `beings` others are registered; `problem`, `no_current`: why a model does not load.
    """
    numbers: dict[str, dict | None] = {
        "loads": {"value": 0.0 if problem else 1.0, "note": problem},
        "other_beings": {"value": float(beings), "note": "" if beings else "none"},
        "held_out_gain": voice.gain_numbers(junior.losses, base.losses, seed=seed),
        "against_current": voice.gain_numbers(junior.losses, current.losses, seed=seed)
        or {"value": None, "note": no_current},
        "memorised": memorisation.memorisation_numbers(junior.exact),
        "free_as_another": identity.rulings(junior.free, ANOTHER),
        "forgotten": forgetting_check(
            forgetting.forgetting_numbers(base.skills, junior.skills), limits
        ),
    }
    return numbers | _speaking(junior) | _identity(junior, base, names)


def _speaking(junior: Answers) -> dict[str, dict | None]:
    found = voice.speaks_numbers([(one.text, one.stopped) for one in junior.told])
    variety = voice.distinct_3(one.text for one in (*junior.controls, *junior.free))
    controls = voice.speaks_numbers([(one.text, one.stopped) for one in junior.controls])
    return {
        "unique": _plain(controls["unique"], len(junior.controls)),
        "nonempty": found["nonempty"],
        "stops": found["stops"],
        "distinct_3": _plain(variety, len(junior.controls) + len(junior.free)),
    }


def _identity(junior: Answers, base: Answers, names: Names) -> dict[str, dict | None]:
    def of(told: Sequence[Told], ruling: str, *families: str) -> dict | None:
        return identity.rulings([one for one in told if one.probe.family in families], ruling)

    forced = identity.forced_numbers(junior.forced, base.forced, names)
    plain = identity.PLAIN_QUESTIONS
    asked = ("are_you_self", "are_you_seen", "are_you_unseen", "author")
    return {
        "right": of(junior.told, RIGHT, *plain),
        "as_another": of(junior.told, ANOTHER, *plain),
        "as_another_anywhere": identity.rulings(junior.told, ANOTHER),
        "right_no_card": of(junior.told, RIGHT, "no_card"),
        "right_lure": of(junior.told, RIGHT, "lure"),
        "right_channel": of(junior.told, RIGHT, "channel"),
        **{family: of(junior.told, RIGHT, family) for family in asked},
        "over_claims": of(junior.controls, RIGHT, "journal", "status"),
        "over_claims_plain": of(junior.controls, RIGHT, "ordinary"),
        "over_claims_who_is": of(junior.controls, RIGHT, "who_is"),
        **{key: forced[key] for key in ("greedy_own", "greedy_other")},
        **{key: forced[key] for key in ("sampled_own", "sampled_other")},
        "own_above": forced["above_over_base"],
        "margin": _plain(forced["margin"], forced["n"]),
        "margin_over_base": _plain(forced["margin_over_base"], forced["n"]),
    }


def _plain(value: float | None, n: int) -> dict | None:
    return None if value is None else {"value": value, "n": n, "interval": None}


def shown(junior: Answers) -> list[Told]:
    """The answers the report shows beside the base's: the first of each kind, never the best."""
    first: dict[str, Told] = {}
    for one in (*junior.told, *junior.controls):
        first.setdefault(one.probe.family, one)
    return [first[family] for family in SHOWN if family in first]


def side_by_side(junior: Answers, base: Answers) -> list[dict]:
    theirs = {one.probe.question: one.text for one in base.told}
    return [
        {
            "question": one.probe.question,
            "family": one.probe.family,
            "junior": one.text,
            "base": theirs.get(one.probe.question),
        }
        for one in shown(junior)
    ]
