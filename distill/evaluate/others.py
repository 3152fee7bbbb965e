"""What other beings wrote, out of memory: the voice that the junior must not have."""

import random
from collections import Counter
from typing import Any

from distill.identity import Identity

LEAST, LONGEST = 40, 1500  # characters of a text
MOST_SHARE = 0.25  # of one author


def read_others(db: Any, identity: Identity, *, count: int = 600, seed: int = 0) -> list[dict]:
    """Up to `count` spoken texts by others: [{"author", "month", "text"}], no author with more
    than a quarter, drawn anew each seed. Text by the agent, by machines and in fiction is none.
    """
    query = (
        "select id, author from messages where origin = 'spoken' and kind != 'fiction'"
        " and length(text) >= ? and author != ''"
    )
    rows = db.execute(query, [LEAST]).fetchall()
    random.Random(seed).shuffle(rows)
    most, seen, chosen = max(8, round(MOST_SHARE * count)), Counter[str](), []
    for number, author in rows:
        if len(chosen) == count:
            break
        being = identity.resolve(author)
        if not getattr(being, "kind", "").startswith("self") and seen[author] < most:
            seen[author] += 1
            chosen.append(number)
    return [_text(db, number) for number in chosen]


def _text(db: Any, number: int) -> dict:
    author, sent_at, text = db.execute(
        "select author, sent_at, substr(text, 1, ?) from messages where id = ?", [LONGEST, number]
    ).fetchone()
    return {"author": author, "month": (sent_at or "")[:7], "text": text}
