"""The blind test: which of these did the agent write? Trials, votes, and what they say."""

import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.config import Config
from agent.stages import read_card
from distill.evaluate.intervals import bradley_terry, votes_needed, wilson
from distill.evaluate.losses import row_key
from distill.evaluate.runner import OpenRunner, Turns
from memory.db import Database, to_stored, transaction
from memory.errors import UserError
from memory.files import write_atomic

OWN, JUNIOR, BASE = "own", "junior", "base"
WAYS = {2: (OWN, JUNIOR), 3: (OWN, JUNIOR, BASE)}
LONGEST, TOKENS = 700, 160  # characters of an own reply, tokens of a model's
TO_BE_TOLD = 0.6  # a share of right guesses that would matter; power is said for it


@dataclass(frozen=True)
class Trial:
    """One question with the texts of each side; `newer`: written after all that was learnt."""

    key: str
    question: str
    texts: dict[str, str]
    newer: bool

    def order(self, sides: Sequence[str]) -> list[str]:
        """The sides in an order drawn from the trial alone, so that a reload shows the same."""
        return random.Random(f"{self.key} {len(sides)}").sample(list(sides), len(sides))


def choose_rows(folder: Path, count: int) -> list[tuple[dict, bool]]:
    """Held-out rows of a night whose own reply is short enough to be read, the newest first.

    With each, whether it is of a later month than every training row. Raises UserError.
    """
    held_out, train = (_read(folder / f"{name}.jsonl") for name in ("held_out", "train"))
    learnt = max((row.get("month", "") for row in train), default="")
    fit = [row for row in held_out if 20 <= len(row["messages"][-1]["content"]) <= LONGEST]
    fit.sort(key=lambda row: (row.get("month", ""), row["view"] == "turn"), reverse=True)
    if not fit:
        raise UserError(f"{folder}: no held-out text is short enough to be compared")
    return [(row, bool(learnt) and row.get("month", "") > learnt) for row in fit[:count]]


def _read(path: Path) -> list[dict]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"{path} is not there: the night ended early, or it is pruned") from None
    return [json.loads(line) for line in lines if line.strip()]


def read_trials(
    folder: Path, junior: Path, base: Path, open_runner: OpenRunner, count: int
) -> list[Trial]:
    """The trials of a night, made once with fixed decoding and kept in its compare.json."""
    path = folder / "compare.json"
    try:
        return [Trial(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        pass
    chosen = choose_rows(folder, count)
    asked = [_asked(row, read_card(folder)) for row, _ in chosen]
    said = {JUNIOR: _answers(open_runner, junior, asked), BASE: _answers(open_runner, base, asked)}
    trials = [
        Trial(
            row_key(row),
            asked[number][-1]["content"],
            {OWN: row["messages"][-1]["content"].strip()}
            | {side: texts[number] for side, texts in said.items()},
            newer,
        )
        for number, (row, newer) in enumerate(chosen)
    ]
    write_atomic(path, json.dumps([asdict(trial) for trial in trials], ensure_ascii=False))
    return trials


def _asked(row: dict, card: str) -> Turns:
    """The turns before the own reply, under the card that is served."""
    turns = [{"role": t["role"], "content": t["content"]} for t in row["messages"][:-1]]
    said = [turn for turn in turns if turn["role"] != "system"]
    return [{"role": "system", "content": card}, *said]


def _answers(open_runner: OpenRunner, path: Path, asked: Sequence[Turns]) -> list[str]:
    runner = open_runner(path)
    try:
        return [
            runner.chat(turns, max_tokens=TOKENS, temperature=0.0, seed=0).text.strip()
            for turns in asked
        ]
    finally:
        runner.close()


@dataclass(frozen=True)
class Comparison:
    """The trials of one generation put before somebody, two or three sides at a time."""

    db: Database
    generation: str
    trials: Sequence[Trial]
    ways: int = 3

    @property
    def sides(self) -> tuple[str, ...]:
        """What is compared."""
        return WAYS[self.ways]

    def left(self) -> Iterator[Trial]:
        """Trials without a vote, in their order; those where two sides say the same are none."""
        query = "select trial from votes where generation = ? and sides = ?"
        done = {key for (key,) in self.db.execute(query, [self.generation, self._sides()])}
        for trial in self.trials:
            texts = [trial.texts[side] for side in self.sides]
            if trial.key not in done and len(set(texts)) == len(texts):
                yield trial

    def vote(self, trial: Trial, choice: str, now: datetime | None = None) -> None:
        """Keeps a vote; a second one on the same trial changes nothing."""
        if choice not in self.sides:
            raise UserError(f"{choice!r} is none of {', '.join(self.sides)}")
        row = [self.generation, trial.key, self._sides(), json.dumps(trial.order(self.sides)),
               choice, to_stored(now or datetime.now(UTC))]  # fmt: skip
        with transaction(self.db):
            self.db.execute(
                "insert or ignore into votes (generation, trial, sides, shown, choice, voted_at)"
                " values (?, ?, ?, ?, ?, ?)",
                row,
            )

    def results(self) -> dict:
        """Votes, wins with Wilson intervals, Bradley-Terry strengths, and how many would do."""
        query = (
            "select choice, count(*) from votes where generation = ? and sides = ? group by choice"
        )
        counts = dict(self.db.execute(query, [self.generation, self._sides()]).fetchall())
        wins = {side: counts.get(side, 0) for side in self.sides}
        n, chance = sum(wins.values()), 1 / self.ways
        needed = votes_needed(chance + TO_BE_TOLD - 0.5, chance)
        return {
            "generation": self.generation,
            "ways": self.ways,
            "votes": n,
            "wins": wins,
            "interval": {side: wilson(wins[side], n) for side in self.sides},
            "strength": _strength(wins) if n else {},
            "chance": chance,
            "enough": n >= needed,
            "votes_needed": needed,
            "trials": len(self.trials),
            "newer_than_training": sum(trial.newer for trial in self.trials),
        }

    def _sides(self) -> str:
        return json.dumps(self.sides)


def _strength(wins: dict[str, int]) -> dict[str, float]:
    """Bradley-Terry of votes for one of several: who is chosen has beaten each of the others."""
    return bradley_terry({(a, b): wins[a] for a in wins for b in wins if a != b})


def vote_in_terminal(
    comparison: Comparison,
    name: str,
    *,
    ask: Callable[[str], str] = input,
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr),
) -> int:
    """One trial after the other until q or the end; how many votes were given."""
    letters = "abc"[: comparison.ways]
    given = 0
    for trial in comparison.left():
        order = trial.order(comparison.sides)
        say(f"\n{trial.question}\n")
        for letter, side in zip(letters, order, strict=True):
            say(f"--- {letter} ---\n{trial.texts[side] or '(nothing)'}\n")
        answer = _choice(f"Which did {name} write? {'/'.join(letters)}, s to skip, q to stop: ",
                         letters, ask)  # fmt: skip
        if answer == "q":
            break
        if answer != "s":
            comparison.vote(trial, order[letters.index(answer)])
            given += 1
    return given


def _choice(prompt: str, letters: str, ask: Callable[[str], str]) -> str:
    while True:
        try:
            answer = ask(prompt).strip().lower()
        except EOFError:
            return "q"
        if answer in (*letters, "s", "q"):
            return answer


def in_words(result: dict) -> str:
    """The result for people."""
    lines = [f"{result['votes']} votes on {result['generation']}, {result['ways']} sides, "
             f"chance {result['chance']:.0%}"]  # fmt: skip
    for side, wins in result["wins"].items():
        interval = result["interval"][side]
        if interval:
            share = f"{wins / result['votes']:.0%}"
            lines.append(f"  {side:7} {wins:4} {share:>5}  {interval[0]:.0%} to {interval[1]:.0%}"
                         f"  strength {result['strength'][side]:+.2f}")  # fmt: skip
    if not result["enough"]:
        lines.append(
            f"{result['votes_needed']} votes would tell a difference of ten points from chance"
            " four times of five"
        )
    newer = result["newer_than_training"]
    lines.append(f"{newer} of {result['trials']} questions are newer than all that was learnt")
    return "\n".join(lines)


def open_comparison(
    config: Config, db: Database, generation: str, *, ways: int = 3, count: int = 200
) -> Comparison:
    """The comparison of a generation or night (the current one without a name); makes its trials
    where there are none yet. Raises UserError."""
    from agent.juniors import junior_folder
    from distill.base import resolve_base
    from distill.embedded import Embedded
    from distill.gguf import base_gguf
    from distill.release.publisher import check_files, read_export

    if ways not in WAYS:
        raise UserError(f"{ways} sides cannot be compared: 2 or 3 can")
    folder = junior_folder(config, generation)
    junior = check_files(folder, read_export(folder))[0]
    base = base_gguf(resolve_base(config.base.name, config.base.revision), config.export)
    return Comparison(db, folder.name, read_trials(folder, junior, base, Embedded, count), ways)
