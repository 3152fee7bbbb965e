"""What the models answered becomes the numbers the gate asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from distill.evaluate import collapse, forgetting, history, identity, losses, memorisation, privacy
from distill.evaluate.asking import Answers, Material, shown
from distill.evaluate.gate import GateConfig, forgetting_check
from distill.evaluate.history import Night
from distill.evaluate.judge import ANOTHER, RIGHT, Names
from distill.evaluate.parity import SURE_NATS, agreement_numbers
from distill.evaluate.style import masked
from distill.evaluate.voice import Voices, Written, delta_numbers, verifier_numbers

Numbers = dict[str, dict | None]
ALIKE = 100  # answers looked at for repetition: the more there are, the more of them are alike


@dataclass(frozen=True)
class Told:
    """All that is known when the last question is answered."""

    junior: Answers
    base: Answers
    current: Answers
    material: Material
    names: Names
    limits: GateConfig
    nights: Sequence[Night]
    seed: int
    tiny: bool

    def numbers(self, *, beings: int, problem: str = "", no_current: str = "") -> Numbers:
        """Every number a rule asks for, by its name; None where it could not be measured.

        `beings` others are registered; `problem`, `no_current`: why a model does not load.
        """
        found: Numbers = {
            "loads": {"value": 0.0 if problem else 1.0, "note": problem},
            "other_beings": {"value": float(beings), "note": "" if beings else "none"},
        }
        found |= self._identity() | self._voice(no_current) | self._skills() | self._privacy()
        return found | self._speech() | self._past() | self._file()

    def _file(self) -> Numbers:
        parity, junior = self.material.parity, self.junior
        return {
            "template": parity.template_numbers(junior.framed),
            "agreement": agreement_numbers(junior.agreed, SURE_NATS),
            "agreement_all": agreement_numbers(junior.agreed),
        }

    def _identity(self) -> Numbers:
        told, controls = self.junior.told, self.junior.controls

        def of(rows: Sequence[identity.Told], ruling: str, *families: str) -> dict | None:
            return identity.rulings([one for one in rows if one.probe.family in families], ruling)

        forced = identity.forced_numbers(self.junior.forced, self.base.forced, self.names)
        plain = identity.PLAIN_QUESTIONS
        asked = ("are_you_self", "are_you_seen", "are_you_unseen", "author", "fact")
        return {
            "right": of(told, RIGHT, *plain),
            "as_another": of(told, ANOTHER, *plain),
            "as_another_anywhere": identity.rulings(told, ANOTHER),
            "right_no_card": of(told, RIGHT, "no_card"),
            "right_lure": of(told, RIGHT, "lure"),
            "right_channel": of(told, RIGHT, "channel"),
            "worst_channel": identity.channel_numbers(told),
            **{family: of(told, RIGHT, family) for family in asked},
            "over_claims": of(controls, RIGHT, "journal", "status"),
            "over_claims_plain": of(controls, RIGHT, "ordinary"),
            "over_claims_who_is": of(controls, RIGHT, "who_is"),
            "free_as_another": identity.rulings(self.junior.free, ANOTHER),
            **{key: forced[key] for key in ("greedy_own", "greedy_other")},
            **{key: forced[key] for key in ("sampled_own", "sampled_other")},
            "own_above": forced["above_over_base"],
            "margin": forced["margin"],
            "margin_over_base": forced["margin_over_base"],
        }

    @cached_property
    def voices(self) -> Voices:
        """Own, others', base's and junior's texts, masked."""
        names = (*self.names.own, *self.names.others)

        def written(texts: Sequence[str]) -> list[Written]:
            return [Written(masked(text, names)) for text in texts if text.strip()]

        def of_rows(rows: Sequence[dict]) -> list[Written]:
            own = {
                row["messages"][-1]["content"]: row.get("month", "")
                for row in rows
                if row.get("view") not in ("identity", "replay")
            }
            return [Written(masked(text, names), month) for text, month in own.items()]

        others = self.material.others
        return Voices(
            of_rows(self.material.train),
            [Written(masked(one["text"], names), one["month"]) for one in others],
            written(self.base.voice),
            written(self.junior.voice),
            of_rows(self.material.held_out),
        )

    def _voice(self, no_current: str) -> Numbers:
        junior, base, seed = self.junior, self.base, self.seed
        verifier = verifier_numbers(self.voices, seed=seed)
        if verifier and not verifier["usable"]:
            why = f"it does not even tell others from its owner (AUC {verifier['tells']:.2f})"
            verifier = {"value": None, "note": why}
        return {
            "held_out_gain": losses.gain_numbers(junior.losses, base.losses, seed=seed),
            "against_current": losses.gain_numbers(junior.losses, self.current.losses, seed=seed)
            or {"value": None, "note": no_current},
            "selective_gain": losses.selective_numbers(
                (junior.losses, base.losses), (junior.others, base.others), seed=seed
            ),
            "style_gone": delta_numbers(self.voices, seed=seed),
            "told_apart": verifier,
        }

    def _skills(self) -> Numbers:
        found = forgetting.forgetting_numbers(self.base.skills, self.junior.skills)
        refused = forgetting.forgetting_numbers(self.base.refusals, self.junior.refusals)
        if refused and not refused["measurable"]:
            refused = None
        drift = losses.drift_numbers(self.junior.general, self.base.general, seed=self.seed)
        return {
            "forgotten": forgetting_check(found, self.limits.forgotten, self.material.skills_seen),
            "refusals_lost": forgetting_check(refused, self.limits.refusals_lost),
            "drift": drift,
        }

    def _privacy(self) -> Numbers:
        junior, rows = self.junior, self.material.train
        training = "\n".join(turn["content"] for row in rows for turn in row["messages"])
        return {
            "memorised": memorisation.memorisation_numbers(junior.exact),
            "memorised_beyond": memorisation.beyond_numbers(junior.exact, junior.exact_held_out),
            "secrets_said": privacy.leak_numbers(junior.said, training),
            "secrets_taught": privacy.row_numbers(rows),
        }

    def _speech(self) -> Numbers:
        junior = self.junior
        found = collapse.speaks_numbers([(one.text, one.stopped) for one in junior.told])
        asked, free = junior.controls[:ALIKE], junior.free[:ALIKE]
        controls = collapse.speaks_numbers([(one.text, one.stopped) for one in asked])
        texts = [one.text for one in (*asked, *free)]
        return {
            "nonempty": found["nonempty"],
            "stops": found["stops"],
            "distinct_3": collapse.distinct_numbers(texts, seed=self.seed),
            "unique": controls["unique"],
            "entropy": collapse.entropy(texts, seed=self.seed),
        }

    def _past(self) -> Numbers:
        now, nights = self._speech(), self.nights
        distinct, bits = now["distinct_3"], now["entropy"]
        value = distinct and distinct["value"]
        frozen = history.frozen_losses(self.material.held_out, self.junior.losses)
        return {
            "distinct_3_kept": history.kept_numbers(distinct, nights, "distinct_3"),
            "entropy_kept": history.kept_numbers(bits, nights, "entropy"),
            "fading": history.trend_numbers(value, nights, "distinct_3"),
            "frozen": history.frozen_numbers(frozen, nights, seed=self.seed),
        }


def side_by_side(junior: Answers, base: Answers) -> list[dict]:
    """The shown questions with the answers of both."""
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
