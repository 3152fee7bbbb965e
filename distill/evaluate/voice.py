"""Whether it sounds like its owner: two measures of style that need no download."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from distill.evaluate.intervals import Interval, auc, percentiles
from distill.evaluate.style import (
    CHUNK_CHARACTERS,
    bags,
    chunks,
    cosine_distances,
    frequencies,
    gram_rows,
    habit_words,
    verifier,
    words,
)

BAG_WORDS, LEAST_BAG, BAGS = 5000, 400, 20
LEAST_CHUNKS, MOST_CHUNKS, FOLDS = 8, 240, 6
SHORT_CHUNK = 300  # characters of a piece where the junior has said little
TELLS = 0.8  # a verifier under this on the owner against others says nothing about a junior


@dataclass(frozen=True)
class Written:
    """A masked text and the month it was written in, "" where nobody knows."""

    text: str
    month: str = ""


@dataclass(frozen=True)
class Voices:
    """What is compared: the owner's texts, others', and what base and junior answered.

    `held_out` are own texts that nobody learnt from, the answers the junior's are set beside.
    """

    own: Sequence[Written]
    others: Sequence[Written]
    base: Sequence[Written]
    junior: Sequence[Written]
    held_out: Sequence[Written] = ()


def delta_numbers(voices: Voices, *, seed: int, most: int = BAG_WORDS) -> dict | None:
    """Cosine Delta to the owner's profile (Evert et al. 2017) of each voice, on random bags.

    Half of the owner's texts make the profile, the other half says how far the owner is from
    itself. `value`: of the way from the base to the owner, how much the junior has gone (1: as near
    as the owner itself, below 0: farther than the base). None where a voice has too few words.
    """
    tokens = _tokens(voices, seed)
    size = min(most, *(3 * len(one) // 4 for one in tokens.values()))  # so that bags differ
    if size < LEAST_BAG:
        return None
    distances = _distances(tokens, size, seed)
    far, near, mine = (fmean(distances[name]) for name in ("base", "self", "junior"))
    gone = [(far - one) / max(1e-9, far - near) for one in distances["junior"]]
    return {
        "value": fmean(gone),
        "n": size,
        "interval": percentiles(gone),
        "note": (
            f"distance {mine:.2f}; own text to itself {near:.2f}, "
            f"others {fmean(distances['others']):.2f}, base {far:.2f}; bags of {size:,} words"
        ),
        "distances": {name: fmean(found) for name, found in distances.items()},
    }


def _tokens(voices: Voices, seed: int) -> dict[str, list[str]]:
    """Words of each voice; the owner's texts are dealt into a profile and "self"."""
    own = list(voices.own)
    random.Random(seed).shuffle(own)
    sides = {
        "profile": own[::2],
        "self": own[1::2],
        "others": voices.others,
        "base": voices.base,
        "junior": voices.junior,
    }
    return {name: [w for one in texts for w in words(one.text)] for name, texts in sides.items()}


def _distances(tokens: dict[str, list[str]], size: int, seed: int) -> dict[str, list[float]]:
    """Distance of each bag to the middle of the owner's; z-scores over all but the junior's."""
    import numpy as np

    drawn = {
        name: bags(one, size, BAGS, seed + place)
        for place, (name, one) in enumerate(tokens.items())
    }
    reference = [bag for name, found in drawn.items() if name != "junior" for bag in found]
    habits = habit_words(reference)
    known = frequencies(reference, habits)
    middle, spread = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-9)
    scaled = {name: (frequencies(found, habits) - middle) / spread for name, found in drawn.items()}
    profile = scaled.pop("profile").mean(axis=0)
    return {name: cosine_distances(rows, profile).tolist() for name, rows in scaled.items()}


def verifier_numbers(voices: Voices, *, seed: int) -> dict | None:
    """AUC of the 4-gram verifier: how surely it tells the owner's own text from the junior's.

    The verifier learns own against others and base. It is calibrated leave-one-month-out: `tells`
    is the AUC of own months it never saw against others', `base` the same against the base's
    answers. `value` sets the junior's answers beside own held-out ones, which no fold has seen
    either (beside the left-out months where these are too few): .5 not to be told apart, 1 always.
    None where a voice has too few pieces; `usable` is False where others are not even told.
    """
    texts = sum(len(one.text) for one in voices.junior)
    size = CHUNK_CHARACTERS if texts >= 2 * LEAST_CHUNKS * CHUNK_CHARACTERS else SHORT_CHUNK
    voices_of = {
        name: _pieces(getattr(voices, name), seed + place, size)
        for place, name in enumerate(("own", "others", "base", "junior", "held_out"))
    }
    if min(len(voices_of[name]) for name in ("own", "others", "junior")) < LEAST_CHUNKS:
        return None
    scored = _fold_scores(voices_of)
    newer = len(scored["held_out"]) >= LEAST_CHUNKS
    mine = scored["held_out"] if newer else scored["own"]
    tells = auc(scored["own"], scored["others"])
    of_base = auc(scored["own"], scored["base"]) if scored["base"] else None
    kind = "held-out" if newer else "left-out"
    note = f"pieces of {size} characters beside {len(mine)} of {kind} own text"
    note += f"; it tells others at {tells:.2f}"
    return {
        "value": auc(mine, scored["junior"]),
        "n": len(scored["junior"]),
        "interval": _auc_interval(mine, scored["junior"], seed),
        "tells": tells,
        "tells_n": len(scored["others"]),
        "base": of_base,
        "usable": tells >= TELLS,
        "note": note + (f", the base at {of_base:.2f}" if of_base is not None else ""),
    }


def _pieces(texts: Iterable[Written], seed: int, size: int) -> list[Written]:
    """Pieces of one size, none of two months; no more than are needed."""
    months: dict[str, list[str]] = defaultdict(list)
    for one in texts:
        months[one.month].append(one.text)
    found = [
        Written(piece, month) for month, held in months.items() for piece in chunks(held, size)
    ]
    random.Random(seed).shuffle(found)
    return found[:MOST_CHUNKS]


def folds_of(own: Sequence[Written]) -> list[int]:
    """The fold of each piece: a month is one; what has no month, or fewer than three, is dealt."""
    months = sorted({one.month for one in own if one.month})
    if len(months) >= 3:
        dealt = {month: number for number, month in enumerate(months)}
        return [dealt.get(one.month, place % len(months)) for place, one in enumerate(own)]
    return [place % FOLDS for place in range(len(own))]


def _fold_scores(voices: dict[str, list[Written]]) -> dict[str, list[float]]:
    """Scores of every piece by a verifier that never saw it; where none did, by the mean of all."""
    import numpy as np

    order = ("own", "others", "base", "junior", "held_out")
    learnt = sum(len(voices[name]) for name in order[:3])
    texts = [one.text for name in order for one in voices[name]]
    ends = np.cumsum([len(voices[name]) for name in order])[:-1]
    rows = dict(zip(order, np.split(gram_rows(texts, learnt), ends), strict=True))
    of_own = np.array(folds_of(voices["own"]))
    count = of_own.max() + 1
    of = {"own": of_own} | {n: np.arange(len(voices[n])) % count for n in ("others", "base")}
    scored: dict[str, list] = {name: [] for name in order}
    for fold in range(count):
        foreign = np.vstack([rows[name][of[name] != fold] for name in ("others", "base")])
        weights = verifier(rows["own"][of_own != fold], foreign)
        for name, folds in of.items():
            scored[name] += (rows[name][folds == fold] @ weights).tolist()
        for name in order[3:]:
            scored[name].append(rows[name] @ weights)
    return scored | {name: np.mean(scored[name], axis=0).tolist() for name in order[3:]}


def _auc_interval(positive: Sequence[float], negative: Sequence[float], seed: int) -> Interval:
    """95 % percentile bootstrap, each side drawn anew."""
    import numpy as np

    one, other = np.array(positive)[:, None], np.array(negative)[None, :]
    above = (one > other) + 0.5 * (one == other)
    chance = np.random.default_rng(seed)
    return percentiles(
        [
            float(above[chance.integers(len(one), size=len(one))].mean(axis=0)[drawn].mean())
            for drawn in chance.integers(other.size, size=(300, other.size))
        ]
    )
