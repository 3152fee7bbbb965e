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
        "select id, author, sent_at, substr(text, 1, ?) from messages"
        " where origin = 'spoken' and kind != 'fiction' and length(text) >= ? and author != ''"
    )
    rows = db.execute(query, (LONGEST, LEAST)).fetchall()
    random.Random(seed).shuffle(rows)
    most, seen, found = max(8, round(MOST_SHARE * count)), Counter[str](), []
    for _, author, sent_at, text in rows:
        being = identity.resolve(author)
        if getattr(being, "kind", "").startswith("self") or seen[author] >= most:
            continue
        if len(found) == count:
            break
        seen[author] += 1
        found.append({"author": author, "month": (sent_at or "")[:7], "text": text})
    return found
