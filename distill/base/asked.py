"""The base asked about own texts one by one, while time is left and its answers are of use."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from memory.errors import JuniorError

PATIENCE = 40  # with nothing fit among the first, the base cannot do it


def turns_by_base(nights: Path, besides: str, part: str) -> list[list[dict]]:
    """The turns of the rows whose `part` ("plain", "request") the base made, of the newest night
    with some but `besides`; [] for none."""
    folders = sorted(nights.iterdir(), reverse=True) if nights.is_dir() else []
    rows = (_rows(folder / "train.jsonl", part) for folder in folders if folder.name != besides)
    return next((found for found in map(list, rows) if found), [])


def _rows(path: Path, part: str) -> Iterator[list[dict]]:
    if path.is_file():
        with path.open(encoding="utf-8") as file:
            yield from (json.loads(r)["messages"] for r in file if f'"{part}": "base"' in r)


class AskedBase:
    """Called with an own text it gives what the base makes of it, "" where rules are to do.

    `load` opens the base, as an `embedded.Embedded`, at the first text that is not in `known`
    ({text: answer} of an earlier night, by `key`); `minutes` count from then on. A base that
    cannot be loaded leaves all to the rules. Use as a context manager.
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

    def __enter__(self):
        return self

    def __exit__(self, *_error: object) -> None:
        if self._runner is not None:
            self._runner.close()

    def __call__(self, own: str) -> str:
        if self.key(own) in self._known:
            return self._known[self.key(own)]
        if not self._may_ask():
            return ""
        self.asked += 1
        prompt, tokens = self.prompt(own)
        said = self._runner.chat([{"role": "user", "content": prompt}], max_tokens=tokens).text
        fit = self.fit(own, said)
        self.kept += bool(fit)
        return fit

    @staticmethod
    def key(own: str) -> str:
        """What of a text it is known by."""
        return own

    def prompt(self, own: str) -> tuple[str, int]:
        """What is asked, and the most tokens of the answer."""
        raise NotImplementedError

    def fit(self, own: str, said: str) -> str:
        """What is used of the answer, "" where it will not do."""
        raise NotImplementedError

    def _may_ask(self) -> bool:
        if self._seconds <= 0 or (self.asked >= PATIENCE and not self.kept):
            return False
        if self._runner is None:
            try:
                self._runner = self._load()
            except JuniorError:
                self._seconds = 0.0
                return False
            self._end = time.monotonic() + self._seconds
        return time.monotonic() < self._end
