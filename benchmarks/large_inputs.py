"""How much memory an import of a file of 2 GB takes, for each shape that is read as a stream.

    .venv/bin/python -m benchmarks.large_inputs [--gigabytes 2] [--only SHAPE] [--folder /tmp]

Each file is made up, imported into a new memory by a process of its own, and deleted. Printed is
the most that process held resident (getrusage(2), ru_maxrss), with what became of the records.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count, cycle, islice
from pathlib import Path

from benchmarks.ingest import Words
from memory.db import open_database
from memory.ingest import SourceConfig, ingest_source

HOUR = 1_772_355_600  # 2026-03-01T09:00:00Z


class Texts:
    """The texts of `Words`, a thousand of them again and again: made as fast as written."""

    def __init__(self, words: Words) -> None:
        self.texts = cycle([words.text() for _ in range(1000)])

    def text(self) -> str:
        """The next of them."""
        return next(self.texts)


def _said(words: Texts, shape: Callable[[int, str], object]) -> Iterator[bytes]:
    return (json.dumps(shape(n, words.text())).encode() + b"\n" for n in count())


def _mbox(words: Texts) -> Iterator[bytes]:
    """Mails of which each has 100 kB attached, as what fills large mailboxes."""
    picture = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3g=\n" * 1400
    for n in count():
        yield (
            b"From x Sun Mar  1 09:00:00 2026\nFrom: pell@example.org\nMessage-ID: <%d@x.example>"
            b"\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\n%s\n--B"
            b"\nContent-Type: image/gif\nContent-Transfer-Encoding: base64\n\n%s--B--\n\n"
            % (n, words.text().encode(), picture)
        )


def _telegram(words: Texts) -> Iterator[bytes]:
    yield b'{"name": "North", "id": 1, "messages": [{}\n'
    said = _said(words, lambda n, text: {"id": n, "type": "message", "from": "Pell", "text": text,
                                         "date_unixtime": str(HOUR + n)})  # fmt: skip
    yield from (b"," + line for line in said)


def _chatgpt(words: Texts) -> Iterator[bytes]:
    def talk(number: int, text: str) -> object:
        said = {"author": {"role": "user"}, "content": {"parts": [text]}}
        nodes = {str(n): {"message": said, "parent": str(n - 1)} for n in range(50)}
        return {"id": f"c{number}", "mapping": nodes, "current_node": "49"}

    yield b"[{}\n"
    yield from (b"," + line for line in _said(words, talk))


def _relay(words: Texts) -> Iterator[bytes]:
    yield from _said(words, lambda n, text: {"id": n, "agent": "Pell", "timestamp": HOUR + n,
                                             "message": text})  # fmt: skip


def _claude_code(words: Texts) -> Iterator[bytes]:
    yield from _said(words, lambda n, text: {"type": "assistant", "uuid": f"u{n}", "sessionId": "s",
                                             "message": {"content": text}})  # fmt: skip


def _whatsapp(words: Texts) -> Iterator[bytes]:
    for n in count():
        yield f"{n // 1440 % 28 + 1}/3/26, {n // 60 % 24:02}:{n % 60:02} - Pell: ".encode()
        yield words.text().encode() + b"\n"


def _text(words: Texts) -> Iterator[bytes]:
    yield from (words.text().encode() + b"\n\n" for _ in count())


def _line(words: Texts) -> Iterator[bytes]:
    yield b"From x Sun Mar  1 09:00:00 2026\nFrom: pell@example.org\n\n"
    yield from (words.text().encode() + b" " for _ in count())


SHAPES: dict[str, tuple[str, str, Callable[[Texts], Iterator[bytes]], bytes, float]] = {
    # kind, file, what it is made of, its end, the share of the size asked for
    "mbox": ("mbox", "a.mbox", _mbox, b"", 1),
    "mbox of one line": ("mbox", "a.mbox", _line, b"", 1),
    "telegram": ("telegram", "result.json", _telegram, b"]}", 1),
    "chatgpt": ("chatgpt", "conversations.json", _chatgpt, b"]", 1),
    "relay": ("relay", "relay.jsonl", _relay, b"", 1),
    "claude_code": ("claude_code", "s.jsonl", _claude_code, b"", 1),
    "whatsapp": ("whatsapp", "WhatsApp Chat with Pell.txt", _whatsapp, b"", 1),
    "corpus": ("corpus", "a.txt", _text, b"", 1),
    "journal": ("journals", "a.md", _text, b"", 1),
    "journal of 16 MB": ("journals", "a.md", _text, b"", 0.0083),
}


def make(file: Path, pieces: Iterator[bytes], end: bytes, size: float) -> None:
    """A file of about `size` bytes."""
    with open(file, "wb", buffering=2**20) as out:
        while out.tell() < size:
            out.writelines(islice(pieces, 200))
        out.write(end)


def measure(shape: str, folder: Path, size: float) -> dict:
    """What an import in a process of its own took and gave."""
    kind, name, pieces, end, share = SHAPES[shape]
    with tempfile.TemporaryDirectory(dir=folder) as place:
        file = Path(place, name)
        make(file, pieces(Texts(Words())), end, size * share)
        command = [sys.executable, "-m", "benchmarks.large_inputs", "--child", kind, str(file)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return {"shape": shape, "gigabytes": file.stat().st_size / 1e9} | json.loads(done.stdout)


def child(kind: str, file: Path) -> None:
    """Imports the file into a memory beside it; prints what that took."""
    begin = time.perf_counter()
    with open_database(file.parent / "memory.db") as db:
        counts = ingest_source(db, SourceConfig(kind, str(file))).as_json()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    seconds = round(time.perf_counter() - begin)
    print(json.dumps({"peak_mb": round(peak), "seconds": seconds} | counts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--only", choices=SHAPES, action="append", help="repeatable")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--child", nargs=2, metavar=("KIND", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], Path(options.child[1]))
        return
    for shape in options.only or SHAPES:
        print(json.dumps(measure(shape, options.folder, options.gigabytes * 1e9)), flush=True)


if __name__ == "__main__":
    main()
