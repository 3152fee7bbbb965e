"""Fuzzes the reading of text files: `python tests/fuzz/fuzz_text.py -runs=10000`.

The first byte picks who reads it, the second the file's name, the rest is the file.
"""

import sys
import tempfile
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["memory", "distill"]):
    from distill.perspective.replies import quoted_parts
    from memory.fulltext import phrase, spaced
    from memory.message import Message
    from memory.sources import SOURCES
    from memory.sources.html import html_to_text
    from memory.store import stored_row

FOLDER = Path(tempfile.mkdtemp())
KINDS = ("journals", "letters", "poems", "blog", "corpus", "transcript", "whatsapp", "signal",
         "telegram", "facebook", "discord", "relay", "mbox")  # fmt: skip
NAMES = ("2026-03-01.md", "_chat.txt", "talk.srt", "talk.vtt", "messages.html", "talk.csv")


def read(data: bytes) -> None:
    """At least one record of any reader, in a second; each as HTML, in the index and quoted."""
    kind, name, *_ = (*data[:2], 0, 0)
    file = FOLDER / NAMES[name % len(NAMES)]
    file.write_bytes(data[2:])
    start = time.process_time()
    records = list(SOURCES[KINDS[kind % len(KINDS)]].read_file(file, FOLDER))
    assert records and time.process_time() - start < 1
    for record in records:
        if isinstance(record, Message):
            stored_row(record)
            html_to_text(record.text)
            phrase(spaced(record.text))
            quoted_parts(record.text, record.kind)


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
