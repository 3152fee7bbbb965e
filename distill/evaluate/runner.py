"""What the gate asks of a model runner, and the minutes it may spend on it."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Turns = list[dict[str, str]]


class Answer(Protocol):
    """What `chat` returns: `stopped` is False where the token limit ended the answer."""

    text: str
    tokens: int
    stopped: bool


class Runner(Protocol):
    """A loaded model; `distill.embedded.Embedded` is the real one."""

    def chat(
        self,
        messages: Turns,
        *,
        max_tokens: int = 200,
        temperature: float = 0.0,
        seed: int = 0,
        prefix: str = "",
    ) -> Answer:
        """One answer; `prefix` is put in the model's mouth and is not part of the answer."""

    def loss(self, rows: Sequence[dict]) -> tuple[float, int]:
        """Nats per token on the loss spans, and the number of those tokens."""

    def log_probability(
        self, messages: Turns, prefix: str, continuations: list[str]
    ) -> list[float]:
        """Log-probability (nats) of each continuation after the prompt and `prefix`."""

    def stream(self, messages: Turns, *, max_tokens: int, temperature: float) -> Iterator[str]:
        """The answer piece by piece."""

    def render(self, messages: Turns) -> str:
        """The prompt as the file's own chat template gives it."""

    def close(self) -> None:
        """Give the memory back."""


OpenRunner = Callable[[Path], Runner]


@dataclass
class Budget:
    """Minutes the gate may take, and where the time went; 0 minutes are no limit."""

    minutes: float
    clock: Callable[[], float] = time.monotonic
    seconds: dict[str, float] = field(default_factory=dict)
    cut_short: set[str] = field(default_factory=set)
    _deadline: float = 0.0

    def __post_init__(self) -> None:
        """Start the clock."""
        self._started = self.clock()

    @property
    def left(self) -> float:
        """The share of the minutes that is not spent yet."""
        spent = self.clock() - self._started
        return max(0.0, 1 - spent / (60 * self.minutes)) if self.minutes else 1.0

    @contextmanager
    def part(self, name: str, share: float) -> Iterator[None]:
        """One part of the work: it may use `share` of the minutes, and its seconds are kept."""
        begun = self.clock()
        self._name = name
        self._deadline = begun + 60 * self.minutes * share if self.minutes else float("inf")
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self.clock() - begun

    def take(self, items: Iterable[Item], *, at_least: int = 8) -> Iterator[Item]:
        """The items until the part's time is up, but the first `at_least` in any case."""
        for number, item in enumerate(items):
            if number >= at_least and self.clock() >= self._deadline:
                self.cut_short.add(self._name)
                return
            yield item
