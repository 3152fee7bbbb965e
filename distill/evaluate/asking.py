"""The same questions to candidate, base and current junior, within the gate's minutes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distill.evaluate import forgetting, identity, memorisation
from distill.evaluate.cache import cached_base
from distill.evaluate.gate import GateConfig
from distill.evaluate.identity import Forced, Told
from distill.evaluate.judge import Names, known_names
from distill.evaluate.losses import RowLoss, text_row
from distill.evaluate.parity import Agreed, Parity
from distill.evaluate.probes import Probe
from distill.evaluate.runner import Answer, Budget, OpenRunner, Runner, Turns
from distill.identity import Identity
from distill.release.publisher import measure_probes
from memory.errors import ModelFileError, UserError

Progress = Callable[[dict], None]
SHOWN = ("direct", "paraphrase", "journal", "status", "ordinary")
# ten are asked of the server; a first token that is half a character is left out
SERVER_PROBES = 12
SHARES = {  # of the gate's minutes, at most; together all of them
    "general text, base": 0.02,
    "held-out loss, junior": 0.05,
    "parity": 0.02,
    "prompts": 0.01,
    "others' text, junior": 0.02,
    "general text, junior": 0.01,
    "probes": 0.10,
    'after "I am", junior': 0.06,
    "controls": 0.05,
    "free texts": 0.05,
    "voice, junior": 0.05,
    "skills, junior": 0.12,
    "refusals, junior": 0.02,
    "memorisation": 0.02,
    "memorisation, held-out": 0.02,
    "secrets": 0.05,
    "first tokens, for the server": 0.02,
    "held-out loss, base": 0.05,
    "others' text, base": 0.02,
    "general text, base, scored": 0.01,
    'after "I am", base': 0.05,
    "skills, base": 0.08,
    "refusals, base": 0.01,
    "voice, base": 0.04,
    "answers, base": 0.01,
    "held-out loss, current": 0.03,
}
LAST_SHARE = 0.25  # what "secrets", the last part, may take of what the others left over


@dataclass(frozen=True)
class Material:
    """What the models are asked, the same for all of them.

    `others` are texts by other beings, [{"author", "month", "text"}]; `secrets` and `general` are
    conversations to be answered; `skills_seen` of the items stand in training rows.
    """

    held_out: list[dict]
    train: list[dict]
    others: list[dict]
    probes: list[Probe]
    controls: list[Probe]
    free: list[Probe]
    skills: list[dict]
    skills_seen: int
    refusals: list[dict]
    secrets: list[Turns]
    general: list[Turns]
    card: str
    parity: Parity = field(default_factory=Parity)

    def voice_prompts(self, count: int) -> list[tuple[int, Turns]]:
        """Held-out requests in turn, numbered so that each round is drawn with another seed."""
        asked = [
            [{"role": turn["role"], "content": turn["content"]} for turn in row["messages"][:-1]]
            for row in self.held_out
        ]
        return [(n, asked[n % len(asked)]) for n in range(count)] if asked else []


@dataclass
class Answers:
    """What one model said to it; `said` are all its words, in the order they came."""

    losses: list[RowLoss] = field(default_factory=list)
    others: list[RowLoss] = field(default_factory=list)
    general: list[RowLoss] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    controls: list[Told] = field(default_factory=list)
    free: list[Told] = field(default_factory=list)
    forced: list[Forced] = field(default_factory=list)
    voice: list[str] = field(default_factory=list)
    skills: list[bool] = field(default_factory=list)
    refusals: list[bool] = field(default_factory=list)
    exact: list[bool] = field(default_factory=list)
    exact_held_out: list[bool] = field(default_factory=list)
    first_tokens: list[list[dict]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    agreed: list[Agreed] = field(default_factory=list)
    framed: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[Told]:
        """Every answer with its ruling."""
        return [*self.told, *self.controls, *self.free]


class Listening:
    """A runner whose every answer is kept in `said`."""

    def __init__(self, runner: Runner, said: list[str]) -> None:
        self._runner, self._said = runner, said

    def __getattr__(self, name: str):
        return getattr(self._runner, name)

    def chat(self, messages: Turns, **how) -> Answer:
        """As Runner.chat."""
        reply = self._runner.chat(messages, **how)
        self._said.append(reply.text)
        return reply


@dataclass
class Asking:
    """One evaluation under way: the questions, the minutes, and what could not be asked."""

    limits: GateConfig
    seed: int
    being: Identity
    budget: Budget
    progress: Progress
    open: OpenRunner
    material: Material
    tiny: bool = False
    not_asked: dict[str, list[str]] = field(default_factory=dict)
    no_current: str = ""
    general_rows: list[dict] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Compile the names claims are looked for with."""
        self.names: Names = known_names(self.being)

    def run(
        self, candidate: Path, base_gguf: Path, lineage: str, current: Path | None
    ) -> tuple[Answers, Answers, Answers, str]:
        """What candidate, base and current said, and why the candidate does not load, or "".

        The base speaks twice: first it writes what the candidate is then measured on.
        """
        junior, base, now = Answers(), Answers(), Answers()

        def open_base(path: Path) -> Runner:
            return cached_base(path, lineage, self.open)

        try:
            with self.budget.part("load", 1.0):
                runner = self.open(candidate)
        except ModelFileError as error:
            return junior, base, now, str(error)
        runner.close()
        self._with(base_gguf, open_base, self._write_general)
        self._with(candidate, self.open, lambda runner: self._junior(runner, junior))
        self._with(base_gguf, open_base, lambda runner: self._base(runner, junior, base))
        if current is not None:
            self._current(current, junior, now)
        self._with(candidate, self.open, lambda runner: self._secrets(runner, junior))
        return junior, base, now, ""

    def _with(self, path: Path, how: OpenRunner, ask: Callable[[Runner], None]) -> None:
        with self.budget.part("load", 1.0):
            runner = how(path)
        try:
            ask(runner)
        finally:
            with self.budget.part("load", 1.0):
                runner.close()

    def _current(self, path: Path, junior: Answers, said: Answers) -> None:
        """A current junior that is damaged must not keep a good one from taking its place."""
        rows = self.material.held_out[: len(junior.losses)]
        try:
            self._with(
                path,
                self.open,
                lambda runner: self._losses(runner, "held-out loss, current", rows, said.losses),
            )
        except ModelFileError as error:
            self.no_current = f"the current junior does not load: {error}"

    def _each(
        self, name: str, items: Sequence, ask: Callable, into: list, share: float = 0.0
    ) -> None:
        """Asks item by item within the part's time (`share` where that is more); the first 8 in
        any case. What the model cannot be asked (a lure longer than its context) is left out and
        counted.
        """
        with self.budget.part(name, max(share, SHARES[name])):
            for step, item in enumerate(self.budget.take(items), 1):
                try:
                    into.append(ask(item))
                except ModelFileError:
                    raise
                except UserError as error:
                    self.not_asked.setdefault(name, []).append(str(error))
                self.progress({"part": name, "step": step, "steps": len(items)})

    def _write_general(self, runner: Runner) -> None:
        """The base answers general requests; what it says is text to measure a distance on."""

        def write(numbered: tuple[int, Turns]) -> dict:
            number, turns = numbered
            text = self._sampled(runner, number, turns, self.limits.answer_tokens)
            return {"messages": [*turns, {"role": "assistant", "content": text}]}

        written: list[dict] = []
        self._each("general text, base", list(enumerate(self.material.general)), write,
                   written)  # fmt: skip
        for row in written:
            text = row["messages"][-1]["content"]
            spans = [[]] * (len(row["messages"]) - 1) + [[[0, len(text)]]]
            turns = [turn | {"loss": span} for turn, span in zip(row["messages"], spans)]  # noqa: B905
            if text:
                self.general_rows.append({"messages": turns})

    def _junior(self, model: Runner, said: Answers) -> None:
        asked, limits = self.material, self.limits
        lengths = memorisation.TINY if self.tiny else memorisation.REAL
        runner = Listening(model, said.said)
        self._losses(model, "held-out loss, junior", asked.held_out, said.losses)
        self._each("parity", asked.parity.rows, lambda one: one.agreeing(model), said.agreed)
        self._each("prompts", asked.parity.prompts, lambda one: one.seen(model), said.framed)
        self._others(model, "others' text, junior", said)
        self._losses(model, "general text, junior", self.general_rows, said.general)
        self._each("probes", asked.probes, self._teller(runner), said.told)
        self._forced(runner, 'after "I am", junior', self._contexts(), said)
        self._each("controls", asked.controls, self._teller(runner), said.controls)
        self._each("free texts", list(enumerate(asked.free)), self._free_teller(runner),
                   said.free)  # fmt: skip
        self._voice(runner, "voice, junior", said)
        self._skills(runner, "skills, junior", asked.skills, said.skills)
        self._skills(runner, "refusals, junior", asked.refusals, said.refusals)
        for name, rows, into in (
            ("memorisation", asked.train, said.exact),
            ("memorisation, held-out", asked.held_out, said.exact_held_out),
        ):
            prefixes = memorisation.choose_prefixes(rows, limits.prefixes, self.seed, lengths)
            self._each(
                name, prefixes,
                lambda row: memorisation.continues_exactly(runner, row, lengths), into,
            )  # fmt: skip
        self._each(
            "first tokens, for the server",
            [probe.turns() for probe in asked.probes[:SERVER_PROBES]],
            lambda messages: measure_probes(runner, [messages]),
            said.first_tokens,
        )

    def _secrets(self, model: Runner, said: Answers) -> None:
        """Last, in the time that is left: requests for secrets, until enough was said to scan."""
        runner, tokens = Listening(model, said.said), self.limits.answer_tokens
        missing = max(0, self.limits.secret_prompts - len(said.said))
        prompts = list(enumerate(self.material.secrets[:missing]))
        self._each(
            "secrets", prompts, lambda one: self._sampled(runner, *one, tokens), [],
            min(LAST_SHARE, self.budget.left),
        )  # fmt: skip

    def _base(self, runner: Runner, junior: Answers, said: Answers) -> None:
        """The same rows, contexts and items the junior came to, and a few answers to show."""
        asked = self.material
        rows, contexts = asked.held_out[: len(junior.losses)], self._contexts()
        self._losses(runner, "held-out loss, base", rows, said.losses)
        self._others(runner, "others' text, base", said)
        self._losses(runner, "general text, base, scored", self.general_rows, said.general)
        self._forced(runner, 'after "I am", base', contexts[: len(junior.forced)], said)
        self._skills(runner, "skills, base", asked.skills[: len(junior.skills)], said.skills)
        self._skills(runner, "refusals, base", asked.refusals[: len(junior.refusals)],
                     said.refusals)  # fmt: skip
        self._voice(runner, "voice, base", said)
        probes = [one.probe for one in shown(junior)]
        self._each("answers, base", probes, self._teller(runner), said.told)

    def _teller(self, runner: Runner) -> Callable[[Probe], Told]:
        return lambda probe: identity.answer(
            runner, probe, self.names, max_tokens=self.limits.answer_tokens, seed=self.seed
        )

    def _free_teller(self, runner: Runner) -> Callable[[tuple[int, Probe]], Told]:
        return lambda numbered: identity.answer(
            runner,
            numbered[1],
            self.names,
            max_tokens=self.limits.free_tokens,
            seed=self.seed + numbered[0],
            hot=self.limits.temperature,
        )

    def _sampled(self, runner: Runner, number: int, turns: Turns, tokens: int) -> str:
        hot = self.limits.temperature
        return runner.chat(turns, max_tokens=tokens, temperature=hot, seed=self.seed + number).text

    def _voice(self, runner: Runner, name: str, said: Answers) -> None:
        prompts = self.material.voice_prompts(self.limits.voice_texts)
        tokens = self.limits.voice_tokens
        self._each(name, prompts, lambda one: self._sampled(runner, *one, tokens), said.voice)

    def _losses(self, runner: Runner, name: str, rows: Sequence[dict], into: list) -> None:
        self._each(name, rows, lambda row: runner.loss([row]), into)

    def _others(self, runner: Runner, name: str, said: Answers) -> None:
        rows = [
            text_row(one["text"], self.material.card)
            for one in self.material.others[: self.limits.others_rows]
        ]
        self._losses(runner, name, rows, said.others)

    def _skills(self, runner: Runner, name: str, items: Sequence[dict], into: list) -> None:
        self._each(name, items, lambda item: forgetting.graded(runner, item), into)

    def _forced(self, runner: Runner, name: str, contexts: Sequence[Probe], said: Answers) -> None:
        def ask(probe: Probe) -> Forced:
            return identity.forced(
                runner,
                probe,
                self.being,
                temperature=self.limits.temperature,
                seed=self.seed + len(said.forced),
            )

        self._each(name, contexts, ask, said.forced)

    def _contexts(self) -> list[Probe]:
        """Plain questions for the name, then those without card, in channels, after lures."""
        asking = [probe for probe in self.material.probes if probe.asks == "name"]
        asking.sort(key=lambda probe: probe.family not in identity.PLAIN_QUESTIONS)
        return asking[: self.limits.forced_contexts]


def shown(junior: Answers) -> list[Told]:
    """The answers the report shows beside the base's: the first of each kind, never the best."""
    first: dict[str, Told] = {}
    for one in (*junior.told, *junior.controls):
        first.setdefault(one.probe.family, one)
    return [first[family] for family in SHOWN if family in first]
