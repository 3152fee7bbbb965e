"""Where messages come from: one file per source."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from memory.message import Message, Skipped, Unreadable
from memory.sources import folder, mail, maildir, mbox, relay, texts

Record = Message | Unreadable | Skipped


@dataclass(frozen=True, slots=True)
class Source:
    """How one kind of source is listed and read.

    `list_files(root)` yields the files that may hold records; `read_file(file, root)` yields a
    record for everything in one, and at least one; `watch`: worth watching for changes;
    `same_key`: what another message under the same key means (memory.store).
    """

    kind: str
    list_files: Callable[[Path], Iterator[Path]]
    read_file: Callable[[Path, Path], Iterator[Record]]
    watch: bool = True
    same_key: str = "update"


SOURCES: dict[str, Source] = {
    kind: Source(kind, folder.list_files, partial(texts.read_file, source=kind))
    for kind in texts.KINDS
}
SOURCES |= {
    "relay": Source("relay", relay.list_files, relay.read_file, same_key="relay"),
    "maildir": Source("maildir", maildir.list_files, maildir.read_file, same_key="mail"),
    "mbox": Source("mbox", mbox.list_files, mbox.read_file, same_key="mail"),
    "eml": Source("eml", mail.list_files, mail.read_file, same_key="mail"),
}


def read_messages(kind: str, path: Path) -> Iterator[Record]:
    """Every record of a file or folder; a path that is not there is one Unreadable."""
    path = Path(path)
    if not path.exists():
        yield Unreadable("", "", f"there is no file or folder {path}")
        return
    source = SOURCES[kind]
    records = chain.from_iterable(source.read_file(file, path) for file in source.list_files(path))
    yield from relay.different_keys(records) if kind == "relay" else records


def guess_kind(path: Path) -> str:
    """The kind a file or folder most likely is, by names alone; journals where nothing tells."""
    path = Path(path)
    if path.is_dir():
        is_maildir = (path / "cur").is_dir() and (path / "new").is_dir()
        return "maildir" if is_maildir else "journals"
    suffixes = {"relay": (".db", ".sqlite", ".sqlite3", ".jsonl"), "mbox": (".mbox",)}
    suffixes["eml"] = (".eml",)
    return next((k for k, ends in suffixes.items() if path.suffix.lower() in ends), "journals")
