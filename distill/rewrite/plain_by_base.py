"""The plain side of a pair as the base says it, where it keeps the facts and time is left."""

import json
from pathlib import Path

from distill.base.asked import AskedBase
from distill.rewrite.fidelity import problems
from distill.rewrite.plain import plain_version
from distill.rewrite.rewriter import cleaned, requested

ASK = "Say this plainly, keep every fact, add nothing. Answer with the text alone.\n\n{text}"


class PlainByBase(AskedBase):
    """The plain version of an own text."""

    def prompt(self, own: str) -> tuple[str, int]:
        return ASK.format(text=" ".join(own.split())), 64 + len(own) // 2

    def fit(self, own: str, said: str) -> str:
        plain = plain_version(cleaned(said))
        return "" if plain == own or problems(own, plain, self._names) else plain


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
