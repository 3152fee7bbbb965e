"""Made-up authors who write about the same things and differ in planted habits alone."""

import random

from distill.evaluate.voice import Written

CONTENT = (
    "river lamp bread stone winter window road garden letter morning tide engine paper market "
    "kettle harbour ladder candle shadow orchard"
).split()
VERBS = "opened carried found kept turned washed left saw held mended lost painted".split()
OPENERS = ("however", "so", "and", "then", "perhaps", "indeed", "still", "but", "now", "yet", "")
FILLERS = ("quite", "rather", "almost", "just", "very", "too", "only", "even", "", "")
JOINS = ("while", "because", "though", "until", "which", "when", "whereas", "since")
MARKS = (".", "!", "...", ";", " —", "?", ":")


class Author:
    """Habits drawn once from the seed; what is written about is the same for everybody."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(f"habits {seed}")
        self.weights = {
            name: [rng.gammavariate(0.4, 1.0) + 0.02 for _ in pool]
            for name, pool in (("o", OPENERS), ("f", FILLERS), ("j", JOINS), ("m", MARKS))
        }

    def write(self, sentences: int, rng: random.Random) -> str:
        return " ".join(self._sentence(rng) for _ in range(sentences))

    def _sentence(self, rng: random.Random) -> str:
        def one(pool, key):
            return rng.choices(pool, self.weights[key])[0]

        parts = [
            one(OPENERS, "o"), "the", rng.choice(CONTENT), rng.choice(VERBS), one(FILLERS, "f"),
            "a", rng.choice(CONTENT), one(JOINS, "j"), "it", rng.choice(VERBS), "the",
            rng.choice(CONTENT),
        ]  # fmt: skip
        return " ".join(part for part in parts if part) + one(MARKS, "m")


def texts(author: int, draw: int, count: int = 60) -> list[Written]:
    """`count` texts in six months; the same `draw` gives the same texts."""
    rng, writer = random.Random(f"texts {author} {draw}"), Author(author)
    return [Written(writer.write(8, rng), f"2031-{1 + n % 6:02}") for n in range(count)]
