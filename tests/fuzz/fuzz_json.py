"""Fuzzes every reader of JSON exports: `python -m tests.fuzz.fuzz_json -runs=10000`.

The first byte says whether the rest is a file as it is, read by any kind, or how a valid export of
a kind is spoilt: which of its values, at any depth, become another type, a number out of range,
bytes, or a copy of another part.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["memory"]):
    from memory.message import Message, Skipped, Unreadable
    from memory.sources import SOURCES
    from memory.store import stored_row
    from tests.test_orders import EXPORTS, SAID

FOLDER = Path(tempfile.mkdtemp())
NAMES = ("conversations.json", "result.json", "message_1.json", "export.jsonl", "feed.db")
KINDS = sorted(set(SOURCES) - {"imap", "table"})
VALID = [
    (kind, Path(name).name, export(SAID[:6]))
    for (kind, name), export in EXPORTS.items()
    if name.endswith((".json", ".jsonl"))
]
JUNK = (None, True, -1, 10**30, 1e308, "", "\ud800", "x" * 500, [], {}, [[]], "2026-02-30")


def read(data: bytes) -> None:
    """A file of these bytes: records, at least one, in a second, and no exception."""
    if not data or data[0] % 2:
        kind, name, *_ = (*data[1:3], 0, 0)
        check(KINDS[kind % len(KINDS)], NAMES[name % len(NAMES)], data[3:])
        return
    given = atheris.FuzzedDataProvider(data[1:])
    kind, name, text = VALID[given.ConsumeIntInRange(0, len(VALID) - 1)]
    lines = name.endswith(".jsonl") or "\n" in text.strip()
    value = [json.loads(line) for line in text.splitlines()] if lines else json.loads(text)
    spoil(value, given)
    written = "\n".join(map(json.dumps, value)) if lines else json.dumps(value)
    check(kind, name, written.encode())


def spoil(value: Any, given: Any) -> None:
    """Replaces up to eight of the values in `value`, at any depth."""
    for _ in range(given.ConsumeIntInRange(1, 8)):
        places = list(_places(value))
        if not places:
            return
        holder, key = places[given.ConsumeIntInRange(0, len(places) - 1)]
        choice = given.ConsumeIntInRange(0, len(JUNK) + 2)
        if choice < len(JUNK):
            holder[key] = deepcopy(JUNK[choice])
        elif choice == len(JUNK):
            holder[key] = given.ConsumeUnicode(40)
        elif choice == len(JUNK) + 1:
            holder[key] = given.ConsumeInt(9)
        else:
            other, name = places[given.ConsumeIntInRange(0, len(places) - 1)]
            holder[key] = json.loads(json.dumps(other[name]))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def check(kind: str, name: str, data: bytes) -> None:
    """Reads a file of these bytes."""
    file = FOLDER / name
    file.write_bytes(data)
    start = time.process_time()
    records = list(SOURCES[kind].read_file(file, file))
    assert records and time.process_time() - start < 1
    for record in records:
        assert isinstance(record, Message | Skipped | Unreadable)
        if isinstance(record, Message):
            stored_row(record)


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
