"""Fuzzes the reading of text files: `python tests/fuzz/fuzz_text.py -runs=10000`."""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["memory", "distill"]):
    from memory.fulltext import phrase, spaced
    from memory.message import Message
    from memory.sources import texts
    from memory.sources.html import html_to_text
    from memory.store import stored_row

FOLDER = Path(tempfile.mkdtemp())


def read(data: bytes) -> None:
    """A journal of these bytes: at least one record; its text as HTML and in the index."""
    file = FOLDER / "2026-03-01.md"
    file.write_bytes(data)
    records = list(texts.read_file(file, FOLDER, source="journals"))
    assert records
    for record in records:
        if isinstance(record, Message):
            stored_row(record)
            html_to_text(record.text)
            phrase(spaced(record.text))


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
