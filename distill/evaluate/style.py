"""A text's habits without its subject: masked, counted in words and in runs of four characters."""

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

FUNCTION_WORDS = frozenset(
    "a about above after again against all almost also although always am among an and another any"
    " are as at away back be because been before being below between both but by can cannot could"
    " did do does done down during each either else enough even ever every few first for from had"
    " has have having he her here hers herself him himself his how however i if in indeed instead"
    " into is it its itself just last least less like many may me might mine more most much must my"
    " myself neither never next no none nor not nothing now of off often on once one only onto or"
    " other others our ours ourselves out over own perhaps quite rather same shall she should since"
    " so some something sometimes soon still such than that the their theirs them themselves then"
    " there these they this those though three through thus to together too toward two under until"
    " up upon us very was we well were what when where whether which while who whom whose why will"
    " with within without would yes yet you your yours yourself".split()
)
GRAM, MOST_GRAMS, MOST_WORDS = 4, 2000, 150
CHUNK_CHARACTERS = 600
_LINK = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+\.\w+|(?:/[\w.-]+){2,}")
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|[0§@]+|\n\n|[^\w\s]")


def masked(text: str, names: Iterable[str] = ()) -> str:
    """The text with links as §, names as @ and digits as 0: what it is about is not how it sounds.

    A run of digits keeps its length up to four.
    """
    text = _LINK.sub("§", text)
    known = sorted((name for name in names if len(name) > 1), key=len, reverse=True)
    if known:
        text = re.sub(rf"(?<!\w)(?:{'|'.join(map(re.escape, known))})(?!\w)", "@", text)
    return re.sub(r"\d{1,4}", lambda run: "0" * len(run[0]), re.sub(r"\d{5,}", "0000", text))


def words(text: str) -> list[str]:
    """Words in lower case, punctuation marks and paragraph breaks of a masked text."""
    return [token.casefold() for token in _TOKEN.findall(text)]


def habit_words(texts: Iterable[Sequence[str]]) -> list[str]:
    """What Delta counts: function words and marks; elsewhere than in English the commonest words.

    Burrows (2002) takes the commonest words of all texts, which are a language's function words.
    """
    seen = Counter(word for one in texts for word in one)
    habits = [word for word in seen if word in FUNCTION_WORDS or not word[0].isalnum()]
    total = sum(seen.values())
    if sum(seen[word] for word in habits if word in FUNCTION_WORDS) < 0.25 * total:
        habits = [word for word, _ in seen.most_common(MOST_WORDS)]
    return sorted(habits, key=lambda word: (-seen[word], word))[:MOST_WORDS]


def bags(tokens: Sequence[str], size: int, count: int, seed: int) -> list[list[str]]:
    """`count` random bags of `size` words of an author's, each drawn without putting back."""
    rng = random.Random(seed)
    return [rng.sample(tokens, size) for _ in range(count)]


def frequencies(found: Sequence[Sequence[str]], habits: Sequence[str]) -> "np.ndarray":
    """Relative frequency of each habit word (columns) in each bag (rows), float64."""
    import numpy as np

    counts = [Counter(one) for one in found]
    return np.array([[bag[word] / max(1, bag.total()) for word in habits] for bag in counts])


def cosine_distances(rows: "np.ndarray", profile: "np.ndarray") -> "np.ndarray":
    """1 - cosine of each row to the profile: 0 alike, 1 unrelated, 2 opposite."""
    import numpy as np

    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(profile)
    return 1 - rows @ profile / np.maximum(norms, 1e-12)


def chunks(texts: Iterable[str], size: int = CHUNK_CHARACTERS) -> list[str]:
    """Short texts joined, long ones cut, to pieces of about `size` characters without the rest."""
    pieces, held = [], ""
    for text in texts:
        held = f"{held}\n\n{text}" if held else text
        while len(held) >= size:
            cut = held.rfind(" ", size // 2, size) + 1 or size
            pieces.append(held[:cut])
            held = held[cut:]
    return pieces


def gram_rows(texts: Sequence[str], learnt: int) -> "np.ndarray":
    """tf-idf rows (length 1) of the commonest character 4-grams of the first `learnt` texts.

    Float64 of shape (texts, grams): 1 + log count, times log rarity.
    """
    import numpy as np

    counts = [
        Counter(text[place : place + GRAM] for place in range(len(text) - GRAM + 1))
        for text in texts
    ]
    seen = Counter(gram for one in counts[:learnt] for gram in one)
    common = sorted(seen, key=lambda gram: (-seen[gram], gram))[:MOST_GRAMS]
    place_of = {gram: place for place, gram in enumerate(common)}
    rows = np.zeros((len(texts), max(1, len(common))))
    for row, one in zip(rows, counts, strict=True):
        places = [place_of[gram] for gram in one if gram in place_of]
        row[places] = [1 + np.log(n) for gram, n in one.items() if gram in place_of]
    rows[:, : len(common)] *= np.log((1 + learnt) / (1 + np.array([seen[g] for g in common])))
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def verifier(own: "np.ndarray", others: "np.ndarray", ridge: float = 1.0) -> "np.ndarray":
    """Weights of a ridge classifier on gram_rows: a row times them is higher, the more own it is.

    Both sides weigh alike. Solved in its dual form, with as many unknowns as texts (Hastie et al.,
    The Elements of Statistical Learning, 12.3.7).
    """
    import numpy as np

    rows, sides = np.vstack([own, others]), np.r_[np.ones(len(own)), -np.ones(len(others))]
    weight = np.sqrt(np.where(sides > 0, 0.5 / len(own), 0.5 / len(others)) * len(rows))
    scaled = rows * weight[:, None]
    dual = np.linalg.solve(scaled @ scaled.T + ridge * np.eye(len(rows)), sides * weight)
    return scaled.T @ dual
