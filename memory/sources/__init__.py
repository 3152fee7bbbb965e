"""Where messages come from: one file per source."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from memory.message import Message, Skipped, Unreadable
from memory.sources import (
    blog,
    chatgpt,
    claude_ai,
    claude_code,
    corpus,
    discord,
    facebook,
    folder,
    google_chat,
    imap,
    imessage,
    instagram,
    mail,
    maildir,
    mbox,
    pst,
    relay,
    signal,
    slack,
    table,
    telegram,
    texts,
    transcript,
    whatsapp,
)

Record = Message | Unreadable | Skipped


@dataclass(frozen=True, slots=True)
class Source:
    """How one kind of source is listed and read.

    `list_files(root)` yields the files that may hold records; `read_file(file, root)` yields a
    record for everything in one, and at least one; `watch`: worth watching for changes;
    `same_key`: what another message under the same key means (memory.store); `locate(path)`: the
    file or folder on disk a configured path means, where it says more than that; `is_whole(file)`:
    a watched file can be read now, and is not half written; `read_batches`:
    of a connection, which has no files: yields records with the cursor they move.
    """

    kind: str
    list_files: Callable[[Path], Iterator[Path]]
    read_file: Callable[[Path, Path], Iterator[Record]]
    watch: bool = True
    same_key: str = "update"
    locate: Callable[[Path], Path] = Path
    is_whole: Callable[[Path], bool] = lambda file: True
    read_batches: Callable[[str, dict[str, imap.Cursor]], Iterator[imap.Batch]] | None = None


SOURCES: dict[str, Source] = {
    kind: Source(kind, folder.list_files, partial(texts.read_file, source=kind))
    for kind in texts.KINDS
}
SOURCES |= {
    "relay": Source("relay", relay.list_files, relay.read_file, same_key="relay"),
    "maildir": Source("maildir", maildir.list_files, maildir.read_file, same_key="mail"),
    "mbox": Source(
        "mbox", mbox.list_files, mbox.read_file, same_key="mail", is_whole=mbox.is_whole
    ),
    "eml": Source("eml", mail.list_files, mail.read_file, same_key="mail", is_whole=mail.is_whole),
    "imap": Source(
        "imap",
        imap.list_files,
        imap.read_file,
        watch=False,
        same_key="mail",
        read_batches=imap.read_batches,
    ),
    "pst": Source("pst", pst.list_files, pst.read_file, same_key="mail"),
    "claude_code": Source(
        "claude_code", claude_code.list_files, claude_code.read_file, same_key="copy"
    ),
    "chatgpt": Source("chatgpt", chatgpt.list_files, chatgpt.read_file),
    "claude_ai": Source("claude_ai", claude_ai.list_files, claude_ai.read_file),
    "transcript": Source("transcript", transcript.list_files, transcript.read_file),
    "blog": Source("blog", blog.list_files, blog.read_file),
    "corpus": Source("corpus", corpus.list_files, corpus.read_file),
    "table": Source("table", table.list_files, table.read_file, locate=table.locate),
    "telegram": Source("telegram", telegram.list_files, telegram.read_file, same_key="copy"),
    "whatsapp": Source("whatsapp", whatsapp.list_files, whatsapp.read_file, same_key="copy"),
    "instagram": Source("instagram", instagram.list_files, instagram.read_file, same_key="copy"),
    "facebook": Source("facebook", facebook.list_files, facebook.read_file, same_key="copy"),
    "imessage": Source("imessage", imessage.list_files, imessage.read_file, same_key="copy"),
    "google_chat": Source("google_chat", google_chat.list_files, google_chat.read_file),
    "slack": Source("slack", slack.list_files, slack.read_file),
    "discord": Source("discord", discord.list_files, discord.read_file),
    "signal": Source("signal", signal.list_files, signal.read_file, same_key="copy"),
}


def read_messages(kind: str, path: Path) -> Iterator[Record]:
    """Every record of a file or folder; a path that is not there is one Unreadable."""
    path, source = Path(path), SOURCES[kind]
    if source.read_batches is None and not source.locate(path).exists():
        yield Unreadable("", "", f"there is no file or folder {path}")
        return
    records = chain.from_iterable(source.read_file(file, path) for file in source.list_files(path))
    yield from relay.different_keys(records) if kind == "relay" else records


def absolute(kind: str, path: str | Path) -> str:
    """A path as the configuration keeps it: absolute, or an address as it was written."""
    if SOURCES[kind].read_batches is not None:
        return imap.normal(str(path))
    return str(Path(path).expanduser().absolute())


def guess_kind(path: Path) -> str:
    """The likely kind of a file or folder, by names and an mbox's first lines; else journals."""
    path = Path(path)
    if path.parts and path.parts[0] in ("imap:", "imaps:"):
        return "imap"
    if path.is_dir():
        is_maildir = (path / "cur").is_dir() and (path / "new").is_dir()
        return "maildir" if is_maildir else "journals"
    suffixes = {"relay": (".db", ".sqlite", ".sqlite3", ".jsonl"), "mbox": (".mbox",)}
    suffixes["eml"] = (".eml",)
    if mbox.begins_as_one(path):
        return "mbox"
    return next((k for k, ends in suffixes.items() if path.suffix.lower() in ends), "journals")
