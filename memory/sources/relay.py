"""Reads relay feeds: the SQLite or JSON logs in which agents talk to each other."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from memory.db import sqlite3
from memory.message import Message, Skipped, Unreadable
from memory.sources import chat, folder
from memory.sources.dates import read_stamp

Record = Message | Unreadable | Skipped

# Names a column or key goes by, the likeliest first.
AUTHOR = ("agent", "from_agent", "sender", "author", "sender_name", "from", "from_name", "name",
          "user", "role", "source_agent", "sender_email", "from_address")  # fmt: skip
TEXT = ("message", "text", "body", "content", "msg", "payload")
TIME = ("timestamp", "time", "created_at", "sent_at", "created", "ts", "date", "datetime",
        "received_at", "inserted_at")  # fmt: skip
IDENTITY = ("id", "message_id", "msg_id", "uuid", "guid", "_id")
TOPIC = ("topic", "channel", "thread", "thread_id", "room", "conversation", "conversation_id")
SUBJECT = ("subject", "title")
TO = ("to", "to_agent", "recipient", "recipients", "target", "target_agent", "receiver")
REPLY = ("in_reply_to", "reply_to", "reply_to_id", "parent_id", "parent")
FIELDS = {
    "author": AUTHOR,
    "text": TEXT,
    "time": TIME,
    "id": IDENTITY,
    "topic": TOPIC,
    "subject": SUBJECT,
    "to": TO,
    "reply": REPLY,
}
TABLES = ("agent_messages", "relay_messages", "directed_messages")  # the first has plain ids
LISTS = ("messages", "entries", "items", "data", "log")  # of a JSON document
SQLITE_MAGIC = b"SQLite format 3\0"
LONGEST_LINE, MOST_PARTS = 16 * 2**20, 200_000  # characters, commas
TAG = re.compile(r"\s*\[RELAY\]\s*", re.IGNORECASE)  # of a mail that is meant as a relay message
LOCK_SECONDS = 2.0


def list_files(root: Path) -> Iterator[Path]:
    """Visible files, but for SQLite's own beside a database."""
    for path in folder.list_files(root):
        if not path.name.endswith(("-wal", "-shm", "-journal")):
            yield path


def read_file(file: Path, root: Path) -> Iterator[Record]:
    """A record for every row of a SQLite database, line of JSONL, or object of a JSON list.

    Streams rows and lines. Clocks without a zone are taken as UTC; texts stay as they are,
    terminal escapes included. The source is opened read-only and never changed.
    """
    path = folder.relative(file, root)
    start = folder.read_bytes(file, path, 2**63, first=4096)
    if not isinstance(start, bytes):
        yield start
    elif not start.strip():
        yield Skipped(path, "", "empty file")
    elif start.startswith(SQLITE_MAGIC):
        yield from _read_sqlite(file, path)
    elif start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        yield from _read_json(file, path, start)
    else:
        yield Skipped(path, "", "neither SQLite nor JSON")


# --- SQLite -----------------------------------------------------------------------------------


def _read_sqlite(file: Path, path: str) -> Iterator[Record]:
    try:
        with closing(open_read_only(file)) as connection:
            yield from _read_tables(connection, path)
    except sqlite3.DatabaseError as error:
        yield Unreadable(path, "", reason_of(error))


def open_read_only(file: Path) -> Any:
    """A connection that cannot write and waits 2 s for a lock; bytes that are no UTF-8 are U+FFFD.

    mode=ro, never immutable: that would read a live database without its lock and its WAL.
    """
    uri = f"{file.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=LOCK_SECONDS)
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    return connection


def reason_of(error: Exception) -> str:
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "locked, will be tried again"
    return f"cannot be read as a SQLite database: {error}"


def _read_tables(connection: Any, path: str) -> Iterator[Record]:
    tables = dict(_tables(connection))
    fitting = [name for name in tables if _fits(name, tables)]
    if not fitting:
        listing = ", ".join(sorted(tables)) or "none"
        reason = f"no table with columns for author and text; tables found: {listing}"
        yield Unreadable(path, "", reason)
        return
    for number, table in enumerate(sorted(fitting, key=_preference)):
        prefix = f"{table}:" if number else ""
        yield from _read_table(connection, path, table, tables[table], prefix)


def _tables(connection: Any) -> Iterator[tuple[str, dict[str, str]]]:
    """Each table with the columns found by name: {"author": column, "text": column, ...}."""
    sql = "select name from sqlite_master where type = 'table' and name not like 'sqlite%'"
    for (table,) in connection.execute(sql).fetchall():
        columns = [row[1] for row in connection.execute(f"pragma table_info({quoted(table)})")]
        yield table, find_fields(columns)


def find_fields(names: list[str]) -> dict[str, str]:
    """Which of a table's columns, or an object's keys, plays which part of FIELDS."""
    lowered = {name.lower(): name for name in reversed(names)}
    hits = {
        field: next((lowered[name] for name in known if name in lowered), "")
        for field, known in FIELDS.items()
    }
    return {field: name for field, name in hits.items() if name}


def _fits(name: str, tables: dict[str, dict[str, str]]) -> bool:
    """Known tables with author and text; else any called like messages; else any with a time."""
    if not {"author", "text"} <= tables[name].keys():
        return False
    if any(known in tables for known in TABLES):
        return name in TABLES
    named = [other for other in tables if "message" in other.lower() or "relay" in other.lower()]
    return name in named if named else "time" in tables[name]


def _preference(table: str) -> tuple[int, str]:
    return (TABLES.index(table) if table in TABLES else len(TABLES), table)


def _read_table(
    connection: Any, path: str, table: str, fields: dict[str, str], prefix: str
) -> Iterator[Record]:
    identity = quoted(fields["id"]) if "id" in fields else "rowid"
    columns = [quoted(name) for field, name in fields.items() if field != "id"]
    names = ["id", *(field for field in fields if field != "id")]
    sql = f"select {', '.join([identity, *columns])} from {quoted(table)} order by 1"
    place = "" if table == TABLES[0] else f"{table} "
    for row in connection.execute(sql):
        values = dict(zip(names, row, strict=True))
        yield record_of(values, path, f"{place}row {values['id']}", prefix)


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


# --- JSON -------------------------------------------------------------------------------------


def _read_json(file: Path, path: str, start: bytes) -> Iterator[Record]:
    """One object a line where the first line is an object of its own; else one document."""
    first = start.split(b"\n", 1)[0]
    try:
        whole = json.loads(first.decode("utf-8-sig", "replace"))
        lines = isinstance(whole, dict) and "text" in find_fields(list(whole))
    except (ValueError, RecursionError):
        lines = file.suffix in (".jsonl", ".ndjson") or len(first) == len(start) < file_size(file)
        lines = lines and not first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
    try:
        yield from _read_lines(file, path) if lines else _read_document(file, path)
    except OSError as error:  # of the file, or archive's for JSON that breaks off
        yield Unreadable(path, "", f"cannot be read to its end: {error.strerror or error}")


def file_size(file: Path) -> int:
    """Bytes, 0 where the file is gone."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _read_lines(file: Path, path: str) -> Iterator[Record]:
    number = 0
    with open(file, encoding="utf-8-sig", errors="replace") as lines:
        while line := lines.readline(LONGEST_LINE):
            number += 1
            if line.strip():
                yield _from_line(line, path, f"line {number}")


def _from_line(line: str, path: str, place: str) -> Record:
    if line.count(",") > MOST_PARTS:
        return Unreadable(path, place, "has far too many parts for a message")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Unreadable(path, place, f"is no JSON: {error}")
    return _from_object(value, path, place)


def _read_document(file: Path, path: str) -> Iterator[Record]:
    """The objects of a list, or of the first list of LISTS in an object, as they are read."""
    number, listed = 0, ""
    alone: dict[str, Any] = {}
    with open(file, "rb") as stream:
        for where, value in chat.walk(stream, frozenset({"[]", *(f"{one}[]" for one in LISTS)})):
            if where.endswith("[]") and where[:-2] in ("", *LISTS) and listed in ("", where):
                number, listed = number + 1, where
                yield _from_object(value, path, f"item {number}")
            elif where and not re.search(r"[.\[]", where) and value is not None:
                alone[where] = value
    if not number and "text" in find_fields(list(alone)):
        yield _from_object(alone, path, "item 1")
    elif not number:
        yield Skipped(path, "", "no messages in the file")


def _from_object(value: Any, path: str, place: str) -> Record:
    if not isinstance(value, dict):
        return Unreadable(path, place, "is no object with author and text")
    fields = find_fields(list(value))
    if "text" not in fields or "author" not in fields:
        keys = ", ".join(map(str, value)) or "none"
        return Unreadable(path, place, f"has no author or no text; keys found: {keys[:200]}")
    return record_of({field: value[name] for field, name in fields.items()}, path, place, "")


# --- both -------------------------------------------------------------------------------------


def record_of(values: dict[str, Any], path: str, place: str, prefix: str) -> Message | Skipped:
    """The message of a row: `values` by the names of FIELDS; its key is `prefix` + id."""
    text = as_text(values["text"])
    if not text.strip():
        return Skipped(path, place, "empty message")
    author, sent_at = as_text(values["author"]), read_stamp(values.get("time"))
    identity = as_text(values.get("id"))
    if not identity:
        content = "\0".join((str(values.get("time")), author, text))
        identity = hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:32]
    reply = as_text(values.get("reply"))
    return Message(
        source="relay",
        kind="relay",
        external_id=prefix + identity,
        conversation=as_text(values.get("topic")) or _topic(as_text(values.get("subject"))),
        author=author,
        recipients=_recipients(values.get("to")),
        sent_at=sent_at,
        subject=as_text(values.get("subject")),
        text=text,
        reply_to=prefix + reply if reply else "",
        origin="spoken",
        path=path,
    )


def _topic(subject: str) -> str:
    """What a mail tagged [RELAY] is about; "" of any other subject."""
    tag = TAG.match(subject)
    return subject[tag.end() :] if tag else ""


def as_text(value: Any) -> str:
    """A column or key as text: "" for nothing, JSON for what has parts."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _recipients(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(as_text(item) for item in value if item)
    return (as_text(value),) if value else ()


def different_keys(records: Iterator[Record]) -> Iterator[Record]:
    """The same with `5` said by another or at another time as `5#2`; remembers every key."""
    seen: dict[str, tuple[str, Any]] = {}
    for record in records:
        yield rename(record, seen) if isinstance(record, Message) else record


def rename(message: Message, seen: dict[str, tuple[str, Any]]) -> Message:
    """`message` under the first key of its row that is free or already its own."""
    key, number = message.external_id, 1
    said = (message.author, message.sent_at)
    while seen.setdefault(key, said) != said:
        number += 1
        key = f"{message.external_id}#{number}"
    return message if number == 1 else replace(message, external_id=key)
