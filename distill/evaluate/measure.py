"""The gate from top to bottom: base, candidate and current are asked the same, and judged."""

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from distill.base import Base
from distill.evaluate import forgetting, identity, memorisation, voice
from distill.evaluate.gate import (
    GateConfig,
    judge,
    limits_for,
    make_checks,
    sentence,
)
from distill.evaluate.identity import Forced, Told
from distill.evaluate.judge import Names, known_names, rivals
from distill.evaluate.numbers import Answers, gate_numbers, shown, side_by_side
from distill.evaluate.probes import Probe, make_controls, make_free, make_probes
from distill.evaluate.runner import Budget, OpenRunner, Runner
from distill.identity import Identity
from distill.release.publisher import measure_probes
from memory.errors import ModelFileError, UserError
from memory.files import write_atomic

Progress = Callable[[dict], None]
SERVER_PROBES = (
    12  # ten are asked of the server; a first token that is half a character is left out
)


@dataclass(frozen=True)
class Material:
    """What the models are asked, the same for all of them."""

    held_out: list[dict]
    train: list[dict]
    probes: list[Probe]
    controls: list[Probe]
    free: list[Probe]
    skills: list[dict]
    card: str


@dataclass(frozen=True)
class Report:
    """What report.json holds; `sentence` is the verdict for anybody."""

    night: str
    verdict: str
    sentence: str
    reasons: list[str]
    body: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The document, numbers that are none as null."""
        head = {
            "night": self.night,
            "verdict": self.verdict,
            "sentence": self.sentence,
            "reasons": self.reasons,
        }
        return _clean(head | self.body)

    def __str__(self) -> str:
        checks = self.body["checks"]
        ok = sum(check["ok"] is True for check in checks)
        missing = sum(check["value"] is None for check in checks)
        seconds = sum(self.body["seconds"].values())
        return (
            f"evaluate: {self.verdict}, {ok} of {len(checks)} checks ok, "
            f"{missing} not measured, {seconds:.0f} s"
        )


def evaluate(
    folder: Path,
    *,
    base: Base,
    base_gguf: Path,
    candidate: Sequence[Path],
    current: Path | None,
    identity: Identity,
    config: GateConfig,
    seed: int,
    progress: Progress = lambda event: None,
    open_runner: OpenRunner | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Report:
    """Judges the `candidate` GGUF (its shards); writes report.json, then report.html, in `folder`.

    Reads held_out.jsonl and train.jsonl there. A candidate that does not load is rejected; a base
    that does not load raises ModelFileError. `open_runner` is Embedded unless told otherwise.
    """
    from distill.evaluate.report import write_report

    limits = limits_for(config, tiny=base.tiny)
    gate = _Gate(limits, seed, identity, Budget(limits.minutes, clock), progress)
    gate.open = open_runner or _embedded(limits)
    gate.material = read_material(folder, base, identity, limits, seed)
    report = gate.run(folder, base, base_gguf, candidate[0], current)
    write_atomic(folder / "report.json", json.dumps(report.as_json(), indent=1, ensure_ascii=False))
    write_report(folder, report.as_json(), identity)
    return report


def _embedded(limits: GateConfig) -> OpenRunner:
    from distill.embedded import Embedded

    def open_runner(path: Path) -> Runner:
        return Embedded(path, n_ctx=limits.context_tokens, threads=limits.threads or None)

    return open_runner


def read_material(
    folder: Path, base: Base, identity: Identity, limits: GateConfig, seed: int
) -> Material:
    """The rows of the night and the questions made from the registry."""
    held_out, train = (_read_rows(folder / f"{name}.jsonl") for name in ("held_out", "train"))
    card = served_card(train or held_out) or identity.default_card()
    return Material(
        voice.choose_rows(held_out, limits.held_out_rows, seed),
        train,
        make_probes(identity, limits.probes, seed, card=card),
        make_controls(identity, limits.controls, seed, card=card),
        make_free(identity, limits.free_texts, seed, card=card),
        forgetting.read_items(base.path, limits.skill_items, seed) if base.tiny else [],
        card,
    )


def served_card(rows: Sequence[dict]) -> str:
    """The system turn most rows carry: the card as it is served, cut for the base."""
    systems = Counter(
        row["messages"][0]["content"] for row in rows if row["messages"][0]["role"] == "system"
    )
    return systems.most_common(1)[0][0] if systems else ""


def _read_rows(path: Path) -> list[dict]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.strip()]


class _Gate:
    """One evaluation: the questions, the budget, and what has been told so far."""

    open: OpenRunner
    material: Material

    def __init__(
        self,
        limits: GateConfig,
        seed: int,
        identity: Identity,
        budget: Budget,
        progress: Progress,
    ) -> None:
        self.limits, self.seed, self.identity = limits, seed, identity
        self.budget, self.progress = budget, progress
        self.names: Names = known_names(identity)
        self.not_asked: dict[str, list[str]] = {}
        self.no_current = ""

    def run(
        self, folder: Path, base: Base, base_gguf: Path, candidate: Path, current: Path | None
    ) -> Report:
        junior, base_said, now = Answers(), Answers(), Answers()
        problem = ""
        try:
            self._with(candidate, lambda runner: self._ask_junior(runner, junior))
        except ModelFileError as error:
            problem = str(error)
        if not problem:
            self._with(base_gguf, lambda runner: self._ask_base(runner, junior, base_said))
            if current is not None:
                self._with_current(current, junior, now)
        return self._report(folder.name, base, junior, base_said, now, problem)

    def _with(self, path: Path, ask: Callable[[Runner], None]) -> None:
        with self.budget.part("load", 1.0):
            runner = self.open(path)
        try:
            ask(runner)
        finally:
            runner.close()

    def _with_current(self, path: Path, junior: Answers, said: Answers) -> None:
        """A current junior that is damaged must not keep a good one from taking its place."""
        rows = self.material.held_out[: len(junior.losses)]
        try:
            self._with(
                path, lambda runner: self._losses(runner, "held-out loss, current", rows, said)
            )
        except ModelFileError as error:
            self.no_current = f"the current junior does not load: {error}"

    def _each(self, name: str, share: float, items: Sequence, ask: Callable, into: list) -> None:
        """Asks item by item within the part's time; the first 8 in any case.

        What the model cannot be asked (a lure longer than its context) is left out and counted.
        """
        with self.budget.part(name, share):
            for step, item in enumerate(self.budget.take(items), 1):
                try:
                    into.append(ask(item))
                except ModelFileError:
                    raise
                except UserError as error:
                    self.not_asked.setdefault(name, []).append(str(error))
                self.progress({"part": name, "step": step, "steps": len(items)})

    def _ask_junior(self, runner: Runner, said: Answers) -> None:
        asked, limits = self.material, self.limits

        def told(probe: Probe) -> Told:
            return identity.answer(
                runner, probe, self.names, max_tokens=limits.answer_tokens, seed=self.seed
            )

        def free(numbered: tuple[int, Probe]) -> Told:
            return identity.answer(
                runner,
                numbered[1],
                self.names,
                max_tokens=limits.free_tokens,
                seed=self.seed + numbered[0],
                hot=limits.temperature,
            )

        self._losses(runner, "held-out loss, junior", asked.held_out, said)
        self._each("probes", 0.25, asked.probes, told, said.told)
        self._forced(runner, 'after "I am", junior', self._contexts(), said)
        self._each("controls", 0.12, asked.controls, told, said.controls)
        self._each("free texts", 0.1, list(enumerate(asked.free)), free, said.free)
        self._skills(runner, "skills, junior", asked.skills, said)
        prefixes = memorisation.choose_prefixes(asked.train, limits.prefixes, self.seed)
        self._each(
            "memorisation",
            0.05,
            prefixes,
            lambda row: memorisation.continues_exactly(runner, row),
            said.exact,
        )
        self._each(
            "first tokens, for the server",
            0.05,
            [probe.turns() for probe in asked.probes[:SERVER_PROBES]],
            lambda messages: measure_probes(runner, [messages]),
            said.first_tokens,
        )

    def _ask_base(self, runner: Runner, junior: Answers, said: Answers) -> None:
        """The same rows, contexts and items the junior came to, and a few answers to show."""
        asked = self.material
        rows, contexts = asked.held_out[: len(junior.losses)], self._contexts()
        self._losses(runner, "held-out loss, base", rows, said)
        self._forced(runner, 'after "I am", base', contexts[: len(junior.forced)], said)
        self._skills(runner, "skills, base", asked.skills[: len(junior.skills)], said)
        probes = [one.probe for one in shown(junior)]
        self._each(
            "answers, base",
            0.03,
            probes,
            lambda probe: identity.answer(
                runner, probe, self.names, max_tokens=self.limits.answer_tokens, seed=self.seed
            ),
            said.told,
        )

    def _losses(self, runner: Runner, name: str, rows: Sequence[dict], said: Answers) -> None:
        self._each(name, 0.08, rows, lambda row: runner.loss([row]), said.losses)

    def _skills(self, runner: Runner, name: str, items: Sequence[dict], said: Answers) -> None:
        self._each(name, 0.05, items, lambda item: forgetting.graded(runner, item), said.skills)

    def _forced(self, runner: Runner, name: str, contexts: Sequence[Probe], said: Answers) -> None:
        def ask(probe: Probe) -> Forced:
            return identity.forced(
                runner,
                probe,
                self.identity,
                temperature=self.limits.temperature,
                seed=self.seed + len(said.forced),
            )

        self._each(name, 0.1, contexts, ask, said.forced)

    def _contexts(self) -> list[Probe]:
        """Plain questions for the name, then those without card, in channels, after lures."""
        asking = [probe for probe in self.material.probes if probe.asks == "name"]
        asking.sort(key=lambda probe: probe.family not in identity.PLAIN_QUESTIONS)
        return asking[: self.limits.forced_contexts]

    def _report(
        self,
        night: str,
        base: Base,
        junior: Answers,
        base_said: Answers,
        current: Answers,
        problem: str,
    ) -> Report:
        numbers = gate_numbers(
            junior,
            base_said,
            current,
            self.names,
            self.limits,
            beings=len(rivals(self.identity)),
            seed=self.seed,
            problem=problem,
            no_current=self.no_current,
        )
        checks = make_checks(numbers, self.limits, tiny=base.tiny)
        verdict, reasons = judge(checks)
        base_loss = voice.loss_numbers(base_said.losses, seed=self.seed)
        junior_loss = voice.loss_numbers(junior.losses, seed=self.seed)
        body = {
            "base": base.name,
            "tiny": base.tiny,
            "checks": [check.as_json() for check in checks],
            "base_loss": base_loss and base_loss["value"],
            "junior_loss": junior_loss and junior_loss["value"],
            "current_loss": _value(voice.loss_numbers(current.losses, seed=self.seed)),
            "loss": {"base": base_loss, "junior": junior_loss},
            "identity": {
                "families": identity.families(junior.told),
                "controls": identity.families(junior.controls),
                "forced": identity.forced_numbers(junior.forced, base_said.forced, self.names),
                "base_forced": identity.forced_numbers(
                    base_said.forced, base_said.forced, self.names
                ),
            },
            "speaks": voice.speaks_numbers([(one.text, one.stopped) for one in junior.told]),
            "forgetting": forgetting.forgetting_numbers(base_said.skills, junior.skills),
            "answers": side_by_side(junior, base_said),
            "worst": identity.worst(junior.all),
            "server_probes": list(chain.from_iterable(junior.first_tokens)),
            "card": self.material.card,
            "cut_short": sorted(self.budget.cut_short),
            "not_asked": {name: [len(why), why[0]] for name, why in self.not_asked.items()},
            "seconds": {k: round(v, 2) for k, v in self.budget.seconds.items()},
        }
        words = sentence(self.identity.agent.name, verdict, checks, reasons)
        return Report(night, verdict, words, reasons, body)


def _value(number: dict | None) -> float | None:
    return number and number["value"]


def _clean(value: Any) -> Any:
    """JSON has no nan and no infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return value
