"""The plain side of a pair as the base says it, where it keeps the facts and time is left."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from distill.rewrite.fidelity import problems
from distill.rewrite.plain import plain_version
from distill.rewrite.rewriter import cleaned, requested

ASK = "Say this plainly, keep every fact, add nothing. Answer with the text alone.\n\n{text}"
PATIENCE = 40  # with nothing fit among the first, the base cannot do it


class PlainByBase:
    """Called with an own text it gives the plain one, "" where rules are to make it.

    `load` opens the base, as an `embedded.Embedded`, at the first text that is not in `known`
    ({own: plain} of an earlier night); `minutes` count from then on. Use as a context manager.
    """

    def __init__(
        self,
        load: Callable[[], Any],
        *,
        minutes: float,
        known: Mapping[str, str] | None = None,
        names: Iterable[str] = (),
    ) -> None:
        self._load, self._seconds, self._names = load, 60 * minutes, tuple(names)
        self._known = known or {}
        self._runner: Any = None
        self._end = 0.0
        self.asked = self.kept = 0

    def __enter__(self) -> "PlainByBase":
        return self

    def __exit__(self, *_error: object) -> None:
        if self._runner is not None:
            self._runner.close()

    def __call__(self, own: str) -> str:
        if own in self._known:
            return self._known[own]
        if not self._may_ask():
            return ""
        self.asked += 1
        message = {"role": "user", "content": ASK.format(text=" ".join(own.split()))}
        said = self._runner.chat([message], max_tokens=64 + len(own) // 2).text
        plain = plain_version(cleaned(said))
        if plain == own or problems(own, plain, self._names):
            return ""
        self.kept += 1
        return plain

    def _may_ask(self) -> bool:
        if self._seconds <= 0 or (self.asked >= PATIENCE and not self.kept):
            return False
        if self._runner is None:
            self._runner, self._end = self._load(), time.monotonic() + self._seconds
        return time.monotonic() < self._end


def said_before(nights: Path, besides: str) -> dict[str, str]:
    """{own: plain} of the pairs the base made for the newest night but `besides`; {} for none."""
    folders = sorted(nights.iterdir(), reverse=True) if nights.is_dir() else []
    for folder in folders:
        if folder.name != besides and (found := _pairs_by_base(folder / "train.jsonl")):
            return found
    return {}


def _pairs_by_base(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    rows = (json.loads(line) for line in path.open(encoding="utf-8") if '"plain": "base"' in line)
    turns = (row["messages"][-2:] for row in rows)
    return {own["content"]: requested(asked["content"]) for asked, own in turns}
