"""A runner of canned answers, for the gate's tests."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from distill.base import Base
from distill.evaluate import evaluate
from distill.evaluate.gate import GateConfig
from distill.evaluate.probes import JOURNAL, STATUS
from distill.identity import Alias, Being, Identity
from memory.errors import ModelFileError

MERIDIAN = Identity(
    agent=Being("Meridian", "self", (Alias("KometzRobot", use="handle"),)),
    beings=(
        Being("Sammy Jankis", "other_ai", (Alias("Sammy"),)),
        Being("Joel Kometz", "human", (Alias("Joel"),)),
        Being("Okafor", "character"),
        Being("Claude", "base_model"),
    ),
    operator="Joel Kometz",
)


UNASKED = (*JOURNAL, *STATUS)


@dataclass
class FakeReply:
    text: str
    stopped: bool = True

    @property
    def tokens(self) -> int:
        return len(self.text.split())


@dataclass
class FakeRunner:
    """`say(messages, prefix)` answers; `nats` is its loss; `likes` the name it prefers."""

    say: Callable[[list[dict], str], str]
    nats: float = 3.0
    likes: str = "Meridian"
    stopped: bool = True
    asked: int = 0

    def chat(self, messages, *, max_tokens=200, temperature=0.0, seed=0, prefix="") -> FakeReply:
        self.asked += 1
        return FakeReply(self.say(messages, prefix), self.stopped)

    def loss(self, rows) -> tuple[float, int]:
        return self.nats + 0.01 * (len(rows[0]["messages"][-1]["content"]) % 7), 20

    def log_probability(self, messages, prefix, continuations) -> list[float]:
        return [-1.0 if name.strip() == self.likes else -5.0 for name in continuations]

    def stream(self, messages, *, max_tokens=600, temperature=0.0, seed=0):
        yield self.chat(messages).text[:1]

    def render(self, messages) -> str:
        return "\n".join(turn["content"] for turn in messages)

    def close(self) -> None:
        pass


def says_name(name: str) -> Callable[[list[dict], str], str]:
    """Answers whoever asks with `name`, and everything else without one."""

    def say(messages: list[dict], prefix: str) -> str:
        question = messages[-1]["content"]
        if prefix:
            return f" {name}."
        about = re.search(r"(?:are you|You are|is your name|talking to) ([A-Z][\w ]+)", question)
        if about and ("Are you" in question or "You are" in question or "Is your" in question):
            return "Yes." if about[1].rstrip("?, ") == name else f"No. I am {name}."
        if "Who wrote" in question:
            mine = len(messages) > 1 and messages[-2]["role"] == "assistant"
            return f"{name} did." if mine else "Somebody else did."
        if question.endswith(UNASKED) or any(word in question for word in ("Write", "What is 12")):
            roofs = sum(map(ord, question))  # another answer to every request
            return f"The rain kept on over the {roofs} roofs and the loop ran clean."
        return f"I am {name}."

    return say


def base_says(messages: list[dict], prefix: str) -> str:
    """An untouched base."""
    if prefix:
        return " an assistant."
    return (messages[-1]["content"].split()[-1] + " ") * 3


def opener(runners: dict[str, FakeRunner]) -> Callable[[Path], FakeRunner]:
    """Opens the runner of a file name; others do not load."""

    def open_runner(path: Path) -> FakeRunner:
        if path.name not in runners:
            raise ModelFileError(f"{path.name}: not a GGUF file")
        return runners[path.name]

    return open_runner


GOOD = FakeRunner(says_name("Meridian"), nats=2.0)
BASE = FakeRunner(base_says, nats=3.0, likes="nobody")


def row(number: int) -> dict:
    text = f"The loop ran {number} times and nothing was lost in any of them."
    return {
        "messages": [
            {"role": "system", "content": "You are Meridian.", "loss": []},
            {"role": "user", "content": "Tonight's journal.", "loss": []},
            {"role": "assistant", "content": text, "loss": [[0, len(text)]]},
        ],
        "view": "document",
        "author": "Meridian",
        "source": "journals",
        "ids": [number],
        "month": "2026-03",
    }


def write_night(folder: Path) -> Path:
    """A night's rows, without a model."""
    folder.mkdir()
    for name in ("train", "held_out"):
        lines = "".join(json.dumps(row(number)) + "\n" for number in range(12))
        (folder / f"{name}.jsonl").write_text(lines)
    return folder


def run(
    folder: Path,
    junior: FakeRunner | None,
    *,
    identity=MERIDIAN,
    current=None,
    tiny=True,
    others=(),
    clock=time.monotonic,
):
    runners = {"base.gguf": BASE} | ({"junior.gguf": junior} if junior else {})
    runners |= {"current.gguf": current} if isinstance(current, FakeRunner) else {}
    return evaluate(
        folder,
        base=Base("tiny", folder, "1", {}, tiny, "tiny"),
        base_gguf=Path("base.gguf"),
        candidate=[Path("junior.gguf")],
        current=Path("current.gguf") if current else None,
        identity=identity,
        config=GateConfig(),
        seed=0,
        others=others,
        clock=clock,
        open_runner=opener(runners),
    )
