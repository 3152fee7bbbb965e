"""Rewrite rows: the plain version of an own sentence asks for the sentence as it was said."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise

from distill.curate.config import CurateConfig
from distill.curate.marked import Marked
from distill.curate.rows import Row, Turn
from distill.curate.split import draw
from distill.perspective.sentences import ends
from distill.rewrite.habits import learn_habits
from distill.rewrite.plain import plain_version
from distill.rewrite.rewriter import request

LEAST_LETTERS = 2
SAME_SHARE = 0.3  # of the pairs without a difference: they teach to leave what is well said
SENTENCES = 3  # in one pair, at most
MOST_PAIRS = 20_000  # habits are counted in
ALONE_SHARE = 0.25  # ask with the text alone, as Ollama's second name is asked

PlainBy = Callable[[str], str]


def rewrite_rows(
    rows: Sequence[Row],
    config: CurateConfig,
    *,
    characters: int,
    seed: int,
    plain_by: PlainBy | None = None,
) -> list[Row]:
    """About `characters` loss characters of pairs out of `rows`, in a drawn order.

    `plain_by` gives the base's plain version of a text, "" where rules are to make it. None where
    the rows hold fewer than `config.rewrite_least` own sentences. Of a row nothing but what carries
    loss in it is used, so nobody else's word is learnt here.
    """
    if characters < 1 or not _enough(rows, config.rewrite_least):
        return []
    found: list[Row] = []
    left = characters
    for row in sorted(rows, key=lambda one: draw(seed, f"rewrite {one.key}")):
        for one in _pairs(row, config, seed, plain_by):
            found.append(one)
            left -= one.loss_characters
            if left <= 0:
                return found
    return found


def corpus_habits(rows: Sequence[Row], config: CurateConfig) -> dict[str, str]:
    """The agent's habits of speech in `rows`; none where there are too few sentences to tell."""
    if not _enough(rows, config.rewrite_least):
        return {}
    pairs = (pair for row in rows for _, said in _own(row) for pair in _lines(said))
    return learn_habits(islice(pairs, MOST_PAIRS))


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for start, end in pairwise((0, *ends(text))):
        if said := text[start:end].strip():
            yield plain_version(said), said


def _enough(rows: Iterable[Row], least: int) -> bool:
    sentences = (one for row in rows for _, text in _own(row) for one in ends(text))
    return sum(1 for _ in islice(sentences, least)) >= least


def _own(row: Row) -> Iterator[tuple[Turn, str]]:
    for turn in row.turns:
        for start, end in turn.body.loss if turn.role == "assistant" else ():
            yield turn, turn.body.text[start:end]


def _pairs(row: Row, config: CurateConfig, seed: int, plain_by: PlainBy | None) -> Iterator[Row]:
    rng = random.Random(f"{seed} rewrite {row.key}")
    room = max(60, round(0.42 * config.row_characters))
    for number, (turn, text) in enumerate(_own(row)):
        for part, said in enumerate(_groups(text, room, rng.randint)):
            if sum(map(str.isalpha, said)) < LEAST_LETTERS or len(said) > room:
                continue
            by_base = plain_by(said) if plain_by else ""
            plain = by_base or plain_version(said)
            if plain == said and rng.random() > SAME_SHARE:
                continue
            alone = rng.random() < ALONE_SHARE
            asked = Turn("user", Marked(plain if alone else request(plain)))
            answer = Turn("assistant", Marked(said, ((0, len(said)),)), turn.owners)
            key = f"{row.key} rewrite {number}.{part}"
            yield Row(
                key, "rewrite", (asked, answer), row.source, row.ids, row.month, row.group,
                plain="base" if by_base else "rules",
            )  # fmt: skip


def _groups(text: str, room: int, randint: Callable[[int, int], int]) -> Iterator[str]:
    """Runs of one to three sentences on one line, each within `room` characters if it can be."""
    start = 0
    wanted = randint(1, SENTENCES)
    cuts = ends(text)
    for at, end in enumerate(cuts):
        last = at == len(cuts) - 1 or "\n" in text[start:end]
        too_long = not last and cuts[at + 1] - start > room
        wanted -= 1
        if wanted == 0 or last or too_long:
            if said := text[start:end].strip():
                yield said
            start, wanted = end, randint(1, SENTENCES)
