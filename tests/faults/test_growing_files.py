"""Claims about files read while they are written: at the end each message is there, once, whole."""

import json

import pytest

from memory.db import open_database
from memory.ingest import SourceConfig, ingest_source

WORDS = [
    "Es regnete über dem Moor.",
    "I counted 12 boats – then left.",
    "雨が降った。",
    "Then sun.",
]
FIRST = "From pell Mon Mar  2 09:00:00 2026\n"


def relay(number, words):
    return json.dumps({"id": number, "agent": "Pell", "message": words}, ensure_ascii=False) + "\n"


def claude_code(number, words):
    told = {"type": "assistant", "uuid": str(number), "sessionId": "s", "isSidechain": False,
            "timestamp": f"2026-03-01T09:00:{number:02}Z",
            "message": {"role": "assistant", "content": words}}  # fmt: skip
    return json.dumps(told, ensure_ascii=False) + "\n"


def mbox(number, words):
    head = f"Message-ID: <{number}@example.org>\nFrom: Pell <pell@example.org>\n"
    more = f"Date: Mon, 2 Mar 2026 09:00:{number:02} +0000\nContent-Type: text/plain; charset=utf-8"
    return f"{FIRST}{head}{more}\n\n{words}\n\n"


def journals(number, words):
    return f"{words}\n\n"


WRITERS = {"relay": relay, "claude_code": claude_code, "mbox": mbox, "journals": journals}


def read(db, source):
    counts = ingest_source(db, source, only_changed=True, wait=True)
    rows = db.execute("select external_id, text from messages order by external_id").fetchall()
    return counts, rows


@pytest.mark.parametrize("step", [1, 7, 64])
@pytest.mark.parametrize("kind", WRITERS)
def test_a_growing_file_ends_as_if_read_at_once(tmp_path, kind, step):
    whole = "".join(WRITERS[kind](n, words) for n, words in enumerate(WORDS, 1)).encode()
    file = tmp_path / "file.md"
    source = SourceConfig(kind, str(file))
    with open_database(tmp_path / "memory.db") as db, file.open("ab", buffering=0) as out:
        for start in range(0, len(whole), step):
            out.write(whole[start : start + step])
            _, found = read(db, source)
        assert db["rejects"].count == 0
    with open_database(tmp_path / "again.db") as db:
        assert found == read(db, source)[1] and found


@pytest.mark.parametrize("kind", ["relay", "claude_code", "journals"])
def test_a_file_cut_back_and_begun_anew_loses_nothing_that_was_read(tmp_path, kind):
    """As logrotate's copytruncate does; a journal is one message, which is then another version."""
    lines = [WRITERS[kind](n, words) for n, words in enumerate(WORDS, 1)]
    file = tmp_path / "file.md"
    source = SourceConfig(kind, str(file))
    with open_database(tmp_path / "memory.db") as db:
        file.write_text("".join(lines[:3]))
        read(db, source)
        file.write_text("")
        read(db, source)
        file.write_text(lines[3])
        counts, rows = read(db, source)
        one = kind == "journals"
        assert (counts.messages, counts.updated, counts.rejects) == (
            (0, 1, 0) if one else (1, 0, 0)
        )
        assert len(rows) == (1 if one else 4)
        kept = "\n".join(row[0] for row in db.execute("select text from versions"))
    assert all(words in (kept if one else str(rows)) for words in WORDS[:3])
