"""Reads any table of a SQLite file: which columns are the text, the author and the time is said.

The path of the source may end in what is not to be guessed:
`memory.db?table=notes&text=body&author=who&time=at`. It knows `table`, `text`, `author`, `time`,
`id`, `topic`, `subject`, `to`, `reply` (names of columns) and `kind` (what the rows are: note,
journal, chat ...; note when it is left out).
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from memory.db import sqlite3
from memory.message import SELF, Message, Skipped, Unreadable
from memory.sources import folder, relay

Record = Message | Unreadable | Skipped

KINDS = ("note", "journal", "poem", "essay", "letter", "fiction", "mail", "relay", "chat",
         "document")  # fmt: skip
PATHS = ("path", "file", "filename", "file_path", "filepath", "file_name", "source_file", "uri",
         "source_path", "document_path")  # fmt: skip
TEXT = (*relay.TEXT, "note", "entry", "memory", "value", "description", "summary", "snippet",
        "chunk")  # fmt: skip
SHORTEST_CUT = 100  # characters; many rows of one length below it are chance
SHADOW = ("_fts", "_content", "_data", "_idx", "_docsize", "_config", "_segments", "_segdir")


def locate(path: Path) -> Path:
    """The file or folder that a path names which may end in "?table=...&text=..."."""
    return split_path(path)[0]


def split_path(path: Path) -> tuple[Path, dict[str, str]]:
    """(file or folder, what its path says of table and columns)."""
    place, mark, query = str(path).rpartition("?")
    if not mark or Path(path).exists():
        return Path(path), {}
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return Path(place), {unquote_plus(key).lower(): unquote_plus(value) for key, _, value in pairs}


def list_files(root: Path) -> Iterator[Path]:
    """The SQLite files; what the path says beyond the file goes with each of them."""
    place, said = split_path(root)
    query = f"?{str(root).rpartition('?')[2]}" if said else ""
    for file in relay.list_files(place):
        yield Path(f"{file}{query}")


def read_file(file: Path, root: Path) -> Iterator[Record]:
    """A record for each row of the one table that has a text, or that the path names.

    Without a column for the author the rows are SELF's. Texts cut at a fixed length beside a
    column of paths are snippets of files and are skipped: the files themselves are the source.
    """
    place, said = split_path(file)
    top = split_path(root)[0]
    path = folder.relative(place, top)
    start = folder.read_bytes(place, path, 2**63, first=16)
    if not isinstance(start, bytes):
        yield start
    elif not start:
        yield Skipped(path, "", "empty file")
    elif start != relay.SQLITE_MAGIC:
        yield Skipped(path, "", "not a SQLite file")
    else:
        yield from _read(place, path, said, f"{path}:" if place != top else "")


def _read(file: Path, path: str, said: dict[str, str], prefix: str) -> Iterator[Record]:
    try:
        with closing(relay.open_read_only(file)) as connection:
            tables = {name: _columns(connection, name) for name in _names(connection)}
            table, fields, problem = choose(tables, said)
            if problem:
                yield Unreadable(path, "", problem)
                return
            yield from _rows(connection, path, table, fields, said.get("kind", "note"), prefix)
    except sqlite3.DatabaseError as error:
        yield Unreadable(path, "", relay.reason_of(error))


def _names(connection: Any) -> list[str]:
    sql = "select name, sql from sqlite_master where type in ('table', 'view') order by name"
    rows = [(str(name), str(sql or "")) for name, sql in connection.execute(sql)]
    return [
        name
        for name, sql in rows
        if not name.startswith("sqlite_") and not sql.lower().startswith("create virtual")
    ]


def _columns(connection: Any, table: str) -> list[str]:
    rows = connection.execute(f"pragma table_info({relay.quoted(table)})")
    return [str(row[1]) for row in rows]


def choose(tables: dict[str, list[str]], said: dict[str, str]) -> tuple[str, dict[str, str], str]:
    """(table, {"text": column, ...}, "") or ("", {}, what must be said in the path)."""
    kind = said.get("kind", "note")
    if kind not in KINDS:
        return "", {}, f"kind {kind!r} is unknown; known: {', '.join(KINDS)}"
    unknown = sorted(said.keys() - {"table", "kind", *relay.FIELDS})
    if unknown:
        known = ", ".join(["table", "kind", *relay.FIELDS])
        return "", {}, f"{', '.join(unknown)} cannot be said in the path; known: {known}"
    fitting = {name: found for name, columns in tables.items()
               if "text" in (found := find_fields(columns, said))}  # fmt: skip
    if "table" in said:
        return _named(tables, fitting, said)
    fitting = {name: found for name, found in fitting.items() if not name.endswith(SHADOW)}
    if len(fitting) == 1:
        return *next(iter(fitting.items())), ""
    listing = "; ".join(f"{name} ({', '.join(columns)})" for name, columns in tables.items())
    which = "several tables have" if fitting else "no table has"
    return "", {}, (f"{which} a column for the text; say which, as in "
                    f"FILE?table=notes&text=body; tables found: {listing or 'none'}")  # fmt: skip


def _named(
    tables: dict[str, list[str]], fitting: dict[str, dict[str, str]], said: dict[str, str]
) -> tuple[str, dict[str, str], str]:
    table = said["table"]
    if table not in tables:
        return "", {}, f"no table {table!r}; tables found: {', '.join(tables) or 'none'}"
    missing = [said[key] for key in relay.FIELDS if key in said and said[key] not in tables[table]]
    if missing or table not in fitting:
        lacks = f"no column {', '.join(missing)}" if missing else "no column for the text"
        columns = ", ".join(tables[table])
        return "", {}, f"table {table!r} has {lacks}; columns: {columns}; say text=COLUMN"
    return table, fitting[table], ""


def find_fields(columns: list[str], said: dict[str, str]) -> dict[str, str]:
    """Which column plays which part: as it is said, else by its name."""
    found = relay.find_fields(columns)
    lowered = {name.lower(): name for name in reversed(columns)}
    if "text" not in found and (names := [lowered[name] for name in TEXT if name in lowered]):
        found["text"] = names[0]
    for part in relay.FIELDS:
        if part in said:
            found.pop(part, None)
            if said[part] in columns:
                found[part] = said[part]
    where = next((lowered[name] for name in PATHS if name in lowered), "")
    return found | ({"path": where} if where and where not in found.values() else {})


def _rows(
    connection: Any, path: str, table: str, fields: dict[str, str], kind: str, prefix: str
) -> Iterator[Record]:
    cut = _cut_length(connection, table, fields)
    identity = relay.quoted(fields["id"]) if "id" in fields else _row_number(connection, table)
    names = [name for name in fields if name != "id"]
    columns = ", ".join([identity, *(relay.quoted(fields[name]) for name in names)])
    found = False
    for row in connection.execute(f"select {columns} from {relay.quoted(table)} order by 1"):
        found = True
        values = dict(zip(["id", *names], row, strict=True))
        place = f"{table} row {values['id']}"
        text = relay.as_text(values["text"])
        if cut and values.get("path") and cut - 3 <= len(text) <= cut:
            yield Skipped(path, place, "snippet of a file")
            continue
        values.setdefault("author", SELF)
        record = relay.record_of(values, path, place, f"{prefix}{table}:")
        yield _of_kind(record, kind) if isinstance(record, Message) else record
    if not found:
        yield Skipped(path, table, "empty table")


def _of_kind(message: Message, kind: str) -> Message:
    author = message.author or SELF
    return replace(message, source="table", kind=kind, author=author)


def _row_number(connection: Any, table: str) -> str:
    """rowid, or "" (a key by content) where there is none: a view, a table without rowid."""
    try:
        connection.execute(f"select rowid from {relay.quoted(table)} limit 1")
    except sqlite3.OperationalError:
        return "''"
    return "rowid"


def _cut_length(connection: Any, table: str, fields: dict[str, str]) -> int:
    """The length at which texts beside a column of paths were cut; 0 where they were not."""
    if "path" not in fields:
        return 0
    text, name = relay.quoted(fields["text"]), relay.quoted(table)
    sql = f"select max(length({text})), count(*) from {name}"
    longest, count = connection.execute(sql).fetchone()
    if not isinstance(longest, int) or longest < SHORTEST_CUT:
        return 0
    sql = f"select count(*) from {name} where length({text}) between ? and ?"
    (full,) = connection.execute(sql, [longest - 3, longest]).fetchone()
    return longest if full >= 3 and full * 10 >= count else 0
