"""The request an own document answers, as the base words it: reverse instruction.

Instruction backtranslation (Li et al., arXiv 2308.06259), without its second round.
"""

import re
from pathlib import Path

from distill.base.asked import AskedBase, turns_by_base

ASK = (
    "Somebody asked for the text below. Write their request: one short sentence that names nobody "
    "and quotes nothing.\n\n{text}"
)
SHOWN_CHARACTERS = 1500  # of a document
KEY_CHARACTERS = 200
SHORTEST, LONGEST = 8, 160
RUN = 5  # words in a row that are in the text too: it is quoted


class RequestByBase(AskedBase):
    """One sentence that asks for an own document."""

    @staticmethod
    def key(own: str) -> str:
        return own.strip()[:KEY_CHARACTERS]

    def prompt(self, own: str) -> tuple[str, int]:
        return ASK.format(text=own[:SHOWN_CHARACTERS]), 60

    def fit(self, own: str, said: str) -> str:
        asked = said.strip().strip('"\u201c\u201d').strip()
        whole = asked.endswith((".", "?", "!")) and "\n" not in asked
        named = any(re.search(rf"(?<!\w){re.escape(n)}(?!\w)", asked, re.I) for n in self._names)
        if not whole or named or not SHORTEST <= len(asked) <= LONGEST or _quotes(asked, own):
            return ""
        return asked


def _quotes(asked: str, own: str) -> bool:
    words, text = re.findall(r"\w+", asked.lower()), " ".join(re.findall(r"\w+", own.lower()))
    runs = (" ".join(words[i : i + RUN]) for i in range(len(words) - RUN + 1))
    return any(f" {run} " in f" {text} " for run in runs)


def asked_before(nights: Path, besides: str) -> dict[str, str]:
    """{the beginning of a document: its request} of the newest night with some but `besides`."""
    turns = (row[1:3] for row in turns_by_base(nights, besides, "request"))
    return {RequestByBase.key(own["content"]): asked["content"] for asked, own in turns}
