"""Keeps the full-text index of the messages: words, and Chinese, Japanese, Korean by bigrams."""

import re
from typing import Any

# Scripts whose words have no spaces between them, or (Korean) carry their endings along.
LETTERS = (
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003fffd"
)
CJK = re.compile(f"[{LETTERS}]")
RUN = re.compile(f"[{LETTERS}]+(?:\n[{LETTERS}]+)*")  # mail breaks lines inside of words

INDEX_NEW = """
insert into messages_fts (rowid, subject, text)
select id, spaced(subject), spaced(text) from messages
where id > (select coalesce(max(id), 0) from messages_fts_docsize)
"""


def spaced(text: str) -> str:
    """Text as it is indexed: "去公园散步" -> " 去公 公园 园散 散步 步 ", the rest as it is.

    FTS5's tokenizer takes the whole run for one word and finds nothing for 公园. The last letter
    stands alone, so that each letter begins some word.
    """
    return text if text.isascii() else RUN.sub(_bigrams, text)


def _bigrams(run: re.Match[str]) -> str:
    letters = run[0].replace("\n", "")
    pairs = [letters[at : at + 2] for at in range(len(letters))]
    return f" {' '.join(pairs)} "


def phrase(term: str) -> str:
    """A query's term as FTS5 matches it: a quoted phrase, so no word is its syntax."""
    words = spaced(term.replace('"', "").replace("\0", "")).split()
    if not words or not CJK.match(words[-1]):
        return f'"{" ".join(words)}"'
    if len(words) > 1 and len(words[-2]) == 2 and words[-2][1] == words[-1]:
        return f'"{" ".join(words[:-1])}"'  # 公园 园: the second is in the first
    return f'"{" ".join(words)}"*'  # a letter alone begins a pair


def register(db: Any) -> None:
    """Give a connection the function that the index's triggers call."""
    db.conn.create_function("spaced", 1, spaced, deterministic=True)


def index_new(db: Any) -> None:
    """Index what has been inserted since the last time; at the end of the same transaction.

    In one statement it takes a seventh of what a trigger on every insert does: FTS5 writes its
    pending words out before each statement that fires one.
    """
    db.execute(INDEX_NEW)
