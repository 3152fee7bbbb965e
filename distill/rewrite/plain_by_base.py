"""The plain side of a pair as the base says it, where it keeps the facts and time is left."""

from pathlib import Path

from distill.base.asked import AskedBase, turns_by_base
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
    turns = (row[-2:] for row in turns_by_base(nights, besides, "plain"))
    return {own["content"]: requested(asked["content"]) for asked, own in turns}
