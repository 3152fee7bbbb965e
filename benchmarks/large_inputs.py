"""How much memory an import of a file of 2 GB takes, for each shape that is read as a stream.

    .venv/bin/python -m benchmarks.large_inputs [--gigabytes 2] [--only SHAPE] [--folder /tmp]
        [--results FILE]

Each file is made up, imported into a new memory by a process of its own, and deleted. Printed is
the most that process held resident (getrusage(2), ru_maxrss), with what became of the records.
With --results, a file of JSON lines, the shapes that are in it already are left out. Where a
format has fields that are read and thrown away, these are most of the file, as media are of real
exports: the readers hold them while they build a message.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count, cycle, islice
from pathlib import Path

from benchmarks.ingest import Words
from memory.db import open_database, sqlite3
from memory.ingest import SourceConfig, ingest_source

HOUR = 1_772_355_600  # 2026-03-01T09:00:00Z
MEDIA = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3g=" * 60  # 4 kB


class Texts:
    """The texts of `Words`, a thousand of them again and again: made as fast as written."""

    def __init__(self, words: Words) -> None:
        self.texts = cycle([words.text() for _ in range(1000)])

    def text(self) -> str:
        """The next of them."""
        return next(self.texts)


Shape = Callable[[int, str], object]


def _said(words: Texts, shape: Shape) -> Iterator[bytes]:
    return (json.dumps(shape(n, words.text())).encode() + b"\n" for n in count())


def _listed(words: Texts, head: bytes, shape: Shape) -> Iterator[bytes]:
    """A document whose last list holds an object a message; its first is empty."""
    yield head + b"{}\n"
    yield from (b"," + line for line in _said(words, shape))


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


def _telegram(n: int, text: str) -> object:
    return {"id": n, "type": "message", "from": "Pell", "text": text, "thumbnail": MEDIA,
            "date_unixtime": str(HOUR + n)}  # fmt: skip


def _chatgpt(number: int, text: str) -> object:
    said = {"author": {"role": "user"}, "content": {"parts": [text]}, "metadata": {"x": MEDIA}}
    nodes = {str(n): {"message": said, "parent": str(n - 1)} for n in range(50)}
    return {"id": f"c{number}", "mapping": nodes, "current_node": "49"}


def _claude_ai(number: int, text: str) -> object:
    turns = [{"uuid": f"{number}-{n}", "sender": "human", "text": text, "files": [MEDIA]}
             for n in range(50)]  # fmt: skip
    return {"uuid": f"c{number}", "chat_messages": turns}


def _relay(n: int, text: str) -> object:
    return {"id": n, "agent": "Pell", "timestamp": HOUR + n, "message": text, "state": MEDIA}


def _claude_code(n: int, text: str) -> object:
    return {"type": "assistant", "uuid": f"u{n}", "sessionId": "s", "toolUseResult": MEDIA,
            "message": {"content": text}}  # fmt: skip


def _facebook(n: int, text: str) -> object:
    return {"sender_name": "Pell", "timestamp_ms": HOUR * 1000 + n, "content": text,
            "photos": [{"uri": MEDIA}]}  # fmt: skip


def _google_chat(n: int, text: str) -> object:
    return {"creator": {"name": "Pell"}, "text": text, "message_id": f"s/t/{n}",
            "created_date": "Sunday, March 1, 2026 at 9:00:00 AM UTC",
            "annotations": [MEDIA]}  # fmt: skip


def _slack(n: int, text: str) -> object:
    return {"type": "message", "user": "U1", "ts": f"{HOUR + n}.0001", "text": text,
            "files": [{"preview": MEDIA}]}  # fmt: skip


def _discord(n: int, text: str) -> object:
    return {"id": str(n), "type": "Default", "timestamp": "2026-03-01T09:00:00Z", "content": text,
            "author": {"id": "1", "name": "Pell"}, "embeds": [{"description": MEDIA}]}  # fmt: skip


def _signal(n: int, text: str) -> object:
    return {"sender": "Pell", "date": f"2026-03-01 09:{n % 60:02}", "body": text, "sticker": MEDIA}


def _whatsapp(words: Texts) -> Iterator[bytes]:
    for n in count():
        yield f"{n // 1440 % 28 + 1}/3/26, {n // 60 % 24:02}:{n % 60:02} - Pell: ".encode()
        yield words.text().encode() + b"\n"
        yield from (b"1/3/26, 09:00 - Pell: <Media omitted>\n" for _ in range(100))


def _csv(words: Texts) -> Iterator[bytes]:
    yield b"AuthorID,Author,Date,Content,Attachments,Reactions\n"
    for n in count():
        yield f'1,Pell,2026-03-01T09:{n % 60:02},"{words.text()}",{MEDIA},\n'.encode()


def _subtitles(words: Texts) -> Iterator[bytes]:
    for n in count():
        yield f"{n}\n00:00:{n % 60:02},000 --> 00:00:{n % 60:02},900\n{words.text()}\n\n".encode()


def _text(words: Texts) -> Iterator[bytes]:
    yield from (words.text().encode() + b"\n\n" for _ in count())


def _line(words: Texts) -> Iterator[bytes]:
    yield b"From x Sun Mar  1 09:00:00 2026\nFrom: pell@example.org\n\n"
    yield from (words.text().encode() + b" " for _ in count())


def stream(pieces: Callable[[Texts], Iterator[bytes]], end: bytes = b"") -> Callable:
    """A maker of files out of pieces."""

    def make(file: Path, size: float) -> None:
        found = pieces(Texts(Words()))
        with open(file, "wb", buffering=2**20) as out:
            while out.tell() < size:
                out.writelines(islice(found, 50))
            out.write(end)

    return make


def document(shape: Shape, head: bytes = b'{"messages": [', end: bytes = b"]}") -> Callable:
    """A maker of one JSON document."""
    return stream(partial(_listed, head=head, shape=shape), end)


def log(shape: Shape) -> Callable:
    """A maker of JSON lines."""
    return stream(partial(_said, shape=shape))


def packed(member: str, shape: Shape) -> Callable:
    """A maker of a zip whose one member has the size asked for."""

    def make(file: Path, size: float) -> None:
        lines, written = _listed(Texts(Words()), b"[", shape), 0
        with (
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open(member, "w", force_zip64=True) as out,
        ):
            while written < size:
                written += out.write(b"".join(islice(lines, 50)))
            out.write(b"]")

    return make


def database(create: str, insert: str, row: Callable[[int, str], tuple]) -> Callable:
    """A maker of a SQLite file."""

    def make(file: Path, size: float) -> None:
        words, number = Texts(Words()), 0
        with closing(sqlite3.connect(str(file))) as connection:
            connection.executescript(
                f"pragma journal_mode = off; pragma synchronous = off; {create}"
            )
            while file.stat().st_size < size:
                rows = [row(number + n, words.text()) for n in range(5000)]
                connection.executemany(insert, rows)
                connection.commit()
                number += 5000

    return make


RELAY = ("create table agent_messages (id integer primary key, timestamp, agent, message, state)",
         "insert into agent_messages values (?, ?, ?, ?, ?)",
         lambda n, text: (n, HOUR + n, "Pell", text, MEDIA))  # fmt: skip
IMESSAGE = ("create table message (guid, text, attributedBody, handle_id, is_from_me, date)",
            "insert into message values (?, ?, ?, 0, 1, ?)",
            lambda n, text: (f"g{n}", text, MEDIA.encode(), n * 10**9))  # fmt: skip
SHAPES: dict[str, tuple[str, str, Callable[[Path, float], None], float]] = {
    # kind, file, how it is made, the share of the size asked for
    "mbox": ("mbox", "a.mbox", stream(_mbox), 1),
    "mbox of one line": ("mbox", "a.mbox", stream(_line), 1),
    "one mail": ("eml", "a.eml", stream(_mbox), 1),
    "telegram": ("telegram", "result.json",
                 document(_telegram, b'{"name": "North", "id": 1, "messages": ['), 1),
    "chatgpt": ("chatgpt", "conversations.json", document(_chatgpt, b"[", b"]"), 1),
    "claude_ai": ("claude_ai", "conversations.json", document(_claude_ai, b"[", b"]"), 1),
    "claude_code": ("claude_code", "s.jsonl", log(_claude_code), 1),
    "log of a model": ("chatgpt", "log.jsonl", log(
        lambda n, text: {"id": f"c{n}", "messages": [{"role": "user", "content": text}], "x": MEDIA}
    ), 1),
    "facebook": ("facebook", "message_1.json", document(_facebook), 1),
    "google_chat": ("google_chat", "messages.json", document(_google_chat), 1),
    "slack, zipped": ("slack", "export.zip", packed("north/2026-03-01.json", _slack), 1),
    "discord": ("discord", "north.json", document(_discord), 1),
    "discord, CSV": ("discord", "north.csv", stream(_csv), 1),
    "signal": ("signal", "data.json", log(_signal), 1),
    "relay, JSON lines": ("relay", "relay.jsonl", log(_relay), 1),
    "relay, SQLite": ("relay", "relay.db", database(*RELAY), 1),
    "table": ("table", "life.db?table=agent_messages&text=message", database(*RELAY), 1),
    "imessage": ("imessage", "chat.db", database(*IMESSAGE), 1),
    "whatsapp": ("whatsapp", "WhatsApp Chat with Pell.txt", stream(_whatsapp), 1),
    "transcript": ("transcript", "a.srt", stream(_subtitles), 1),
    "journal": ("journals", "a.md", stream(_text), 1),
    "journal of 16 MB": ("journals", "a.md", stream(_text), 0.0083),
    "blog": ("blog", "_posts/2026-03-01-a.md", stream(_text), 1),
    "corpus": ("corpus", "a.txt", stream(_text), 1),
}  # fmt: skip


def measure(shape: str, folder: Path, size: float) -> dict:
    """What an import in a process of its own took and gave."""
    kind, name, make, share = SHAPES[shape]
    with tempfile.TemporaryDirectory(dir=folder) as place:
        file = Path(place, name.partition("?")[0])
        file.parent.mkdir(exist_ok=True)
        make(file, size * share)
        path = file.parent if kind == "blog" else Path(place, name)
        command = [sys.executable, "-m", "benchmarks.large_inputs", "--child", kind, str(path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return {"shape": shape, "gigabytes": file.stat().st_size / 1e9} | json.loads(done.stdout)


def child(kind: str, file: Path) -> None:
    """Imports the file into a memory beside it; prints what that took."""
    begin = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(dir=tempfile.gettempdir()) as home,
        open_database(Path(home, "memory.db")) as db,
    ):
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
    parser.add_argument("--results", type=Path, help="JSON lines, added to")
    options = parser.parse_args()
    if options.child:
        child(options.child[0], Path(options.child[1]))
        return
    results = options.results
    lines = results.read_text().splitlines() if results and results.exists() else []
    done = {json.loads(line)["shape"] for line in lines}
    for shape in [name for name in options.only or SHAPES if name not in done]:
        line = json.dumps(measure(shape, options.folder, options.gigabytes * 1e9))
        print(line, flush=True)
        if results:
            with open(results, "a", encoding="utf-8") as out:
                out.write(line + "\n")


if __name__ == "__main__":
    main()
