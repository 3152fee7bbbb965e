"""Turns of phrase that are a habit: counted in the corpus, put back where a plain one stands."""

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from memory.files import write_atomic

LEAST_TIMES = 5
LEAST_SHARE = 0.6  # of the places where the plain words stand: below it is no habit
LONGEST = 4  # words on either side
FILE = "habits.json"
_PHRASE = re.compile(r"[\w'’ -]+")
_CAPITALS = re.compile(r"\w[A-Z]|\bI\b")  # a capital that does not only open a sentence
_TOKEN = re.compile(r"[\w'’-]+|[^\w\s]")


def learn_habits(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """{plain words: own words} out of (plain, own) texts: what is nearly always said so.

    Words are aligned by difflib; a habit was met five times at least, and in three of five places
    where its plain words stand.
    """
    pairs = list(pairs)
    found: Counter[tuple[str, str]] = Counter()
    for plain, own in pairs:
        found.update(_differences(_TOKEN.findall(plain), _TOKEN.findall(own)))
    stands = Counter()
    for plain, _ in pairs:
        stands.update(_runs([word.lower() for word in _TOKEN.findall(plain)]))
    habits: dict[str, str] = {}
    for (said, own), times in found.most_common():
        if times >= LEAST_TIMES and times >= LEAST_SHARE * stands[said] and said not in habits:
            habits[said] = own
    return habits


def _differences(plain: list[str], own: list[str]) -> Iterator[tuple[str, str]]:
    """(plain words, own words) where the two differ; differences one word apart are one."""
    matcher = difflib.SequenceMatcher(None, plain, own, autojunk=False)
    blocks: list[tuple[int, int, int, int]] = []
    for tag, start, end, ours, last in matcher.get_opcodes():
        if tag == "equal":
            continue
        if blocks and start - blocks[-1][1] <= 1:
            start, ours = blocks[-1][0], blocks.pop()[2]
        blocks.append((start, end, ours, last))
    for start, end, ours, last in blocks:
        said, words = " ".join(plain[start:end]), " ".join(own[ours:last])
        short = 0 < end - start <= LONGEST and 0 < last - ours <= LONGEST
        if short and _PHRASE.fullmatch(said) and _PHRASE.fullmatch(words):
            words = words if _CAPITALS.search(words) else words.lower()
            if words != said.lower():
                yield said.lower(), words


def _runs(words: list[str]) -> Iterator[str]:
    for size in range(1, LONGEST + 1):
        for start in range(len(words) - size + 1):
            yield " ".join(words[start : start + size])


def with_habits(text: str, habits: Mapping[str, str]) -> str:
    """`text` with every plain phrase said as the agent says it; a capital stays one."""
    if not habits:
        return text
    longest = sorted(habits, key=len, reverse=True)
    either = "|".join(re.escape(one).replace(r"\ ", r"\s+") for one in longest)

    def own(match: re.Match) -> str:
        words = habits[" ".join(match[0].lower().split())]
        return words[:1].upper() + words[1:] if match[0][:1].isupper() else words

    return re.sub(rf"(?<![\w'’-])(?:{either})(?![\w'’-])", own, text, flags=re.IGNORECASE)


def save_habits(folder: Path, habits: Mapping[str, str]) -> Path:
    """Write `folder`/habits.json."""
    return write_atomic(folder / FILE, json.dumps(habits, indent=1, ensure_ascii=False))


def load_habits(folder: Path) -> dict[str, str]:
    """The habits kept with a night; none where it kept none."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}
