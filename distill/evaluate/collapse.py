"""Whether the model still speaks, stops, and has more than one thing to say."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import variance

from distill.evaluate.intervals import wilson

ENTROPY_WORDS = 1000
Measure = Callable[[Sequence[str]], float | None]


def speaks_numbers(answers: Sequence[tuple[str, bool]]) -> dict:
    """From (text, stopped) pairs: shares not empty and stopped by themselves, distinct-3."""
    n = len(answers)
    spoken, stopped = sum(bool(text.strip()) for text, _ in answers), sum(s for _, s in answers)
    different = len({text for text, _ in answers})
    return {
        "n": n,
        "nonempty": share(spoken, n),
        "stops": share(stopped, n),
        "distinct_3": distinct_3(text for text, _ in answers),
        "unique": share(different, n),
    }


def share(hits: int, n: int) -> dict | None:
    """{"value", "n", "interval"} of hits among n; None of nothing."""
    return {"value": hits / n, "n": n, "interval": wilson(hits, n)} if n else None


def distinct_3(texts: Iterable[str]) -> float | None:
    """Share of word triples that are different, over all texts; None where there is no triple.

    Falls to a third when a model is trained on its own output for five nights.
    """
    triples: list[tuple[str, ...]] = []
    for text in texts:
        words = text.split()
        triples += zip(words, words[1:], words[2:], strict=False)
    return len(set(triples)) / len(triples) if triples else None


def distinct_numbers(texts: Sequence[str], *, seed: int) -> dict | None:
    """`distinct_3` with n texts and an interval."""
    return _jackknifed(distinct_3, texts, seed)


def entropy(texts: Sequence[str], *, seed: int, most: int = ENTROPY_WORDS) -> dict | None:
    """Bits a word (Shannon) over the first `most` words; None under a hundred words.

    It grows with the number of words: compare only nights that asked as much.
    """
    return _jackknifed(lambda some: _bits(some, most), texts, seed)


def _bits(texts: Iterable[str], most: int) -> float | None:
    words = [word for text in texts for word in text.casefold().split()][:most]
    if len(words) < 100:
        return None
    counts = Counter(words).values()
    return -sum(count / len(words) * math.log2(count / len(words)) for count in counts)


def _jackknifed(measure: Measure, texts: Sequence[str], seed: int) -> dict | None:
    """A number over all texts, its interval from leaving out a tenth in turn (Tukey's jackknife);
    drawing texts twice, as a bootstrap does, would itself make them less different."""
    value = measure(texts)
    if value is None:
        return None
    dealt = random.Random(seed).sample(list(texts), len(texts))
    parts = min(10, len(dealt))
    left = [measure([t for n, t in enumerate(dealt) if n % parts != out]) for out in range(parts)]
    kept = [one for one in left if one is not None]
    interval = None
    if len(kept) > 2:
        spread = math.sqrt((len(kept) - 1) ** 2 / len(kept) * variance(kept))
        interval = value - 1.96 * spread, value + 1.96 * spread
    return {"value": value, "n": len(texts), "interval": interval}
