"""What the untouched base said before, kept by question: no night asks it twice."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.evaluate.runner import Answer, Runner, Turns
from memory.files import cache_path, make_private_dir, write_atomic

MOST = 20_000  # answers kept for one base, the newest


@dataclass(frozen=True)
class Kept:
    """An answer out of the file."""

    text: str
    tokens: int
    stopped: bool


class CachedRunner:
    """A Runner that loads its model at the first question it has no answer to.

    Answers stand in `path`, one line each; they hold as long as model file and question are the
    same, since every draw is seeded. `close` writes what is new.
    """

    def __init__(self, path: Path, open_runner: Callable[[], Runner]) -> None:
        self.path, self._open = path, open_runner
        self._runner: Runner | None = None
        self._known = _read(path)
        self._new: dict[str, Any] = {}

    @property
    def runner(self) -> Runner:
        """The model itself, loaded now if it was not."""
        if self._runner is None:
            self._runner = self._open()
        return self._runner

    def chat(
        self,
        messages: Turns,
        *,
        max_tokens: int = 200,
        temperature: float = 0.0,
        seed: int = 0,
        prefix: str = "",
    ) -> Answer:
        """As Runner.chat."""

        def ask() -> list:
            reply = self.runner.chat(
                messages, max_tokens=max_tokens, temperature=temperature, seed=seed, prefix=prefix
            )
            return [reply.text, reply.tokens, reply.stopped]

        return Kept(*self._once(ask, "chat", messages, max_tokens, temperature, seed, prefix))

    def loss(self, rows: Sequence[dict]) -> tuple[float, int]:
        """As Runner.loss."""
        messages = [row["messages"] for row in rows]
        nats, tokens = self._once(lambda: list(self.runner.loss(rows)), "loss", messages)
        return nats, tokens

    def log_probability(
        self, messages: Turns, prefix: str, continuations: list[str]
    ) -> list[float]:
        """As Runner.log_probability."""
        return self._once(
            lambda: self.runner.log_probability(messages, prefix, continuations),
            *("log_probability", messages, prefix, continuations),
        )

    def stream(self, messages: Turns, *, max_tokens: int, temperature: float) -> Iterator[str]:
        """As Runner.stream; not kept."""
        return self.runner.stream(messages, max_tokens=max_tokens, temperature=temperature)

    def render(self, messages: Turns) -> str:
        """As Runner.render; not kept."""
        return self.runner.render(messages)

    def close(self) -> None:
        """Frees the model and writes what it said that was not known."""
        if self._runner is not None:
            self._runner.close()
        if self._new:
            make_private_dir(self.path.parent)
            kept = list((self._known | self._new).items())[-MOST:]
            write_atomic(self.path, "".join(json.dumps(pair) + "\n" for pair in kept))

    def _once(self, ask: Callable[[], Any], *question: Any) -> Any:
        key = hashlib.blake2b(json.dumps(question).encode(), digest_size=12).hexdigest()
        if key not in self._known:
            self._known[key] = self._new[key] = ask()
        return self._known[key]


def cached_base(gguf: Path, lineage: str, open_runner: Callable[[Path], Runner]) -> Runner:
    """The base's file behind its kept answers; the file itself where it is not on disk."""
    try:
        size = gguf.stat().st_size
    except FileNotFoundError:
        return open_runner(gguf)
    path = cache_path() / "gate" / f"{lineage[:16]}-{gguf.stem}-{size}.jsonl"
    return CachedRunner(path, lambda: open_runner(gguf))


def _read(path: Path) -> dict[str, Any]:
    """Kept answers; {} where there are none, or the file is not whole."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return dict(json.loads(line) for line in lines)
    except (FileNotFoundError, ValueError):
        return {}
