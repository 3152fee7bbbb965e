"""Finds texts that are nearly the same: sketches of their words, then the true overlap."""

from collections.abc import Iterator, Sequence

from memory.fulltext import spaced

SKETCH = 56  # hashes a sketch
# Of 8 hashes each: texts that share .95 of their words meet with p = .999, .9 with .98, .4 with
# .005; to share .9 of its runs of three a text must share more of its words.
BANDS = 7
SHINGLE = 3  # words
LEAST = 22  # words; of two shorter texts neither is a copy unless it is the same
FIRSTS = 4  # groups a bucket leads to: keeps a thousand copies of one form from a million pairs
SEED = 42


def groups(texts: Sequence[str], threshold: float = 0.9) -> list[list[int]]:
    """Indices of texts that share `threshold` of their three-word shingles (Jaccard), two or more.

    Groups are ordered by their first index, indices ascend; the same texts give the same groups.
    Texts of fewer than 22 words are in none. Linear in the length of all texts: MinHash (rensa)
    of the single words finds who may be alike, and only those are cut into shingles.
    Broder, "On the resemblance and containment of documents" (1997).
    """
    from rensa import RMinHash, RMinHashLSH

    long: list[int] = []
    sketches = RMinHash.digest_matrix_from_token_sets(_long(texts, long), SKETCH, SEED)
    if len(long) < 2:
        return []
    index = RMinHashLSH(threshold=threshold, num_perm=SKETCH, num_bands=BANDS)
    index.insert_matrix(sketches)
    flags = index.query_duplicate_flags_matrix(sketches)
    met = [i for i, flag in zip(long, flags, strict=True) if flag]
    words = [_words(texts[i]) for i in met]
    rows = RMinHash.digest_matrix_from_token_sets(words, SKETCH, SEED).to_rows()
    sets = {i: frozenset(_runs(own)) for i, own in zip(met, words, strict=True)}
    return _joined(met, rows, sets, threshold)


def _long(texts: Sequence[str], indices: list[int]) -> Iterator[list[str]]:
    """The words of the texts that are long enough, whose `indices` are noted down.

    One after the other: held all at once the lists cost the garbage collector a quarter of it all.
    """
    for index, text in enumerate(texts):
        words = _words(text)
        if len(words) >= LEAST:
            indices.append(index)
            yield words


def shingles(text: str) -> list[str]:
    """Every three words in a row, in lower case; Chinese by its bigrams."""
    return _runs(_words(text))


def _words(text: str) -> list[str]:
    return spaced(text.lower()).split()


def _runs(words: list[str]) -> list[str]:
    return list(map(" ".join, zip(*(words[at:] for at in range(SHINGLE)), strict=False)))


def _joined(
    met: list[int], rows: list[list[int]], sets: dict[int, frozenset[str]], threshold: float
) -> list[list[int]]:
    """Groups of the texts that meet in a band and do overlap, each text in one."""
    buckets: dict[tuple[int, ...], list[int]] = {}
    group: dict[int, list[int]] = {}
    width = SKETCH // BANDS
    for own, row in zip(met, rows, strict=True):
        group[own] = [own]
        for band in range(BANDS):
            firsts = buckets.setdefault((band, *row[band * width : (band + 1) * width]), [])
            for first in firsts:
                if group[first] is group[own]:
                    break
                if _overlap(sets, first, own) >= threshold:
                    _join(group, first, own)
                    break
            else:
                if len(firsts) < FIRSTS:
                    firsts.append(own)
    found = {id(members): sorted(members) for members in group.values() if len(members) > 1}
    return sorted(found.values())


def _overlap(sets: dict[int, frozenset[str]], one: int, other: int) -> float:
    shared = len(sets[one] & sets[other])
    return shared / (len(sets[one]) + len(sets[other]) - shared)


def _join(group: dict[int, list[int]], one: int, other: int) -> None:
    kept, moved = sorted((group[one], group[other]), key=len, reverse=True)
    kept += moved
    for index in moved:
        group[index] = kept
