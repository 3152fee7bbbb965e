"""Which rows are learnt and which are held out: caps, then newest threads and documents apart."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from distill.curate.config import CurateConfig
from distill.curate.rows import Exchange, Row


def draw(seed: int, key: str) -> bytes:
    """A place in a draw that depends on nothing but the seed and the key."""
    return hashlib.blake2b(f"{seed} {key}".encode(errors="surrogatepass"), digest_size=8).digest()


def cap_pairs(
    found: Sequence[Exchange], config: CurateConfig, seed: int, operator: str, dropped: Counter
) -> list[Exchange]:
    """At most so many pairs a counterpart and calendar week; the operator has no cap."""
    weeks: dict[tuple[str, str], list[Exchange]] = {}
    for one in found:
        if one.said and one.week and one.counterpart != operator:
            weeks.setdefault((one.counterpart, one.week), []).append(one)
    over = set()
    for members in weeks.values():
        members.sort(key=lambda one: draw(seed, one.pieces[0].key))
        over |= {one.pieces[0].key for one in members[config.pairs_per_week :]}
    kept = [one for one in found if one.pieces[0].key not in over]
    dropped["pairs of a counterpart in one week"] += _pieces(found) - _pieces(kept)
    return kept


def _pieces(found: Iterable[Exchange]) -> int:
    return sum(len(one.pieces) for one in found)


def cap_rows(rows: list[Row], config: CurateConfig, seed: int, dropped: Counter) -> list[Row]:
    """Strangers get few rows and little loss; no thread gets more than its share."""
    total = sum(row.loss_characters for row in rows)
    threads = {row.group for row in rows if row.view == "turn"}
    share = max(config.thread_share, config.thread_parts / max(1, len(threads)))
    rows = _capped(
        rows,
        lambda row: row.counterpart if row.stranger else "",
        config.stranger_share * total,
        config.stranger_rows,
        seed,
        "rows with an unregistered sender",
        dropped,
    )
    return _capped(
        rows,
        lambda row: row.group if row.view == "turn" else "",
        share * total,
        len(rows),
        seed,
        "rows of a long thread",
        dropped,
    )


def _capped(
    rows: list[Row],
    group_of: Callable[[Row], str],
    characters: float,
    most: int,
    seed: int,
    reason: str,
    dropped: Counter,
) -> list[Row]:
    """Rows in a drawn order until a group has its characters or its number; one always stays."""
    used: Counter[str] = Counter()
    number: Counter[str] = Counter()
    over = set()
    for row in sorted(rows, key=lambda row: draw(seed, row.key)):
        group = group_of(row)
        if not group:
            continue
        full = used[group] + row.loss_characters > characters and number[group]
        if full or number[group] >= most:
            over.add(row.key)
            continue
        used[group] += row.loss_characters
        number[group] += 1
    dropped[reason] += len(over)
    return [row for row in rows if row.key not in over]


def split(rows: Sequence[Row], config: CurateConfig, seed: int) -> tuple[list[Row], list[Row]]:
    """(train, held-out): whole threads and documents of every source, most of them the newest.

    Never more than a quarter of all rows; a held-out text that also stands in train is left out.
    """
    least = min(config.held_out_least, len(rows) // 4)
    target = max(least, min(config.held_out_most, round(config.held_out_share * len(rows))))
    sources: dict[str, dict[str, list[Row]]] = {}
    for row in sorted(rows, key=lambda row: row.order, reverse=True):
        sources.setdefault(row.source, {}).setdefault(row.group, []).append(row)
    chosen: set[str] = set()
    for groups in sources.values():
        part = sum(map(len, groups.values())) / len(rows)
        chosen |= _newest_and_some(groups, target * part, seed)
    everything = {name: rows for groups in sources.values() for name, rows in groups.items()}
    if _count(everything, chosen) < least:
        rest = [item for item in everything.items() if item[0] not in chosen]
        rest.sort(key=lambda item: len(item[1]))
        chosen |= _take(rest, least - _count(everything, chosen), whole=True)
    train = [row for row in rows if row.group not in chosen]
    known = {_words(row) for row in train}
    return train, [row for row in rows if row.group in chosen and _words(row) not in known]


def _newest_and_some(groups: dict[str, list[Row]], target: float, seed: int) -> set[str]:
    """Three quarters from the newest groups of a source, the rest from a draw over its months."""
    newest = _take(list(groups.items()), round(0.75 * target))
    older = [item for item in groups.items() if item[0] not in newest]
    return newest | _take(_one_a_month(older, seed), round(target) - _count(groups, newest))


def _take(groups: Sequence[tuple[str, list[Row]]], room: int, *, whole: bool = False) -> set[str]:
    """Groups in order as long as they fit; one that would fill over half of it is passed by."""
    taken: set[str] = set()
    most = room if whole else max(2, room // 2)
    for name, rows in groups:
        if len(rows) <= min(room, most):
            taken.add(name)
            room -= len(rows)
    return taken


def _one_a_month(groups: Sequence[tuple[str, list[Row]]], seed: int) -> list[tuple[str, list[Row]]]:
    """A drawn order in which every month comes once before any comes twice."""
    seen: Counter[str] = Counter()
    ranked = []
    for name, rows in sorted(groups, key=lambda item: draw(seed, item[0])):
        seen[rows[0].month] += 1
        ranked.append((seen[rows[0].month], draw(seed, name), (name, rows)))
    return [item for _, _, item in sorted(ranked, key=lambda one: one[:2])]


def _count(groups: dict[str, list[Row]], names: Iterable[str]) -> int:
    return sum(len(groups[name]) for name in names)


def _words(row: Row) -> str:
    return " ".join(row.turns[-1].body.text.casefold().split())
