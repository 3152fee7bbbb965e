"""Fuzzes every source of one file or folder: `python tests/fuzz/fuzz_json.py -runs=10000`.

The first byte picks the source, the second its file's name, the rest is the file. A folder of
exports as a further argument gives the fuzzer something to begin with.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["memory"]):
    from memory.message import Message, Skipped, Unreadable
    from memory.sources import SOURCES
    from memory.store import stored_row

FOLDER = Path(tempfile.mkdtemp())
NAMES = ("conversations.json", "result.json", "message_1.json", "export.jsonl", "feed.db")
KINDS = sorted(set(SOURCES) - {"imap", "table"})


def read(data: bytes) -> None:
    """A file of these bytes: records, at least one, and no exception."""
    kind, name, *_ = (*data[:2], 0, 0)
    source = SOURCES[KINDS[kind % len(KINDS)]]
    file = FOLDER / NAMES[name % len(NAMES)]
    file.write_bytes(data[2:])
    records = list(source.read_file(file, file))
    file.unlink()
    assert records
    for record in records:
        assert isinstance(record, Message | Skipped | Unreadable)
        if isinstance(record, Message):
            stored_row(record)


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
