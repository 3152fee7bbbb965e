"""Stores one message: new, updated, or a duplicate."""

import hashlib
import json
from dataclasses import replace
from functools import lru_cache
from operator import attrgetter
from typing import Any

from memory.db import MESSAGE_COLUMNS, Database, to_stored
from memory.message import Message

COLUMNS = (*MESSAGE_COLUMNS, "ingested_at")
INSERT = (
    f"insert into messages ({', '.join(COLUMNS)}) values ({', '.join('?' * len(COLUMNS))})"
    " on conflict (source, external_id) do nothing"  # REPLACE would move rowids
)
CONTENT = ("subject", "text")  # a change of these is a new version
# A change of these updates the row; `path` is not among them: a mail's file is renamed with its
# flags, and one mail lies in several folders.
ABOUT = ("kind", "conversation", "author", "recipients", "sent_at", "reply_to", "origin")
STORED = ("id", *CONTENT, *ABOUT)


def store(
    db: Database,
    message: Message,
    now: str,
    *,
    rule: str = "update",
    file_time: str | None = None,
) -> str:
    """Insert or update a message inside a transaction: "messages", "updated" or "duplicates".

    What another message under a key that is there means is the source's `rule`:
    "update"   the same thing, edited: the row keeps its id, its former text goes to `versions`;
    "copy"     the same in another export: the later time stays, the conversation that sorts first;
    "relay"    an id used again, by another author or at another time: the later is `5#2`;
    "mail"     a Message-ID used again: another body is stored under the hash of the mail.
    `now` is ISO-8601. `file_time`, the file's mtime, never replaces a date already known.
    """
    row = stored_row(message)
    if db.conn.execute(INSERT, (*row, now)).rowcount:
        return "messages"
    values = dict(zip(MESSAGE_COLUMNS, row, strict=True))
    stored = _stored(db, values)
    if rule == "mail":
        return _settle_mail(db, message, stored, now)
    if rule == "relay" and _said(values) != _said(stored):
        stored = _settle_relay(db, message, now)
        if stored is None:
            return "messages"
    edited = values["text"] != stored["text"]
    if rule == "relay" and edited and _is_former(db, stored["id"], values["text"]):
        return "duplicates"  # a feed that holds both versions would swap them at each reading
    if rule == "copy":
        _keep_either(stored, values)
    return _update(db, stored, values, now, file_time)


def _keep_either(stored: dict[str, Any], values: dict[str, Any]) -> None:
    """What two copies say differently does not depend on which came first.

    A chat whose clock has no seconds begins with a minute's later messages where it was cut, and
    a session that was resumed repeats its lines under another name.
    """
    values["sent_at"] = max(filter(None, (stored["sent_at"], values["sent_at"])), default=None)
    values["conversation"] = min(stored["conversation"], values["conversation"])


def _values(message: Message) -> dict[str, Any]:
    return dict(zip(MESSAGE_COLUMNS, stored_row(message), strict=True))


def stored_row(message: Message) -> list[str | None]:
    """A message's values in the order of MESSAGE_COLUMNS, as SQLite holds them."""
    row = list(_fields(message))
    row[_RECIPIENTS] = _as_json(message.recipients)
    row[_SENT_AT] = to_stored(message.sent_at)
    return [value if value is None or value.isascii() else storable(value) for value in row]


_fields = attrgetter(*MESSAGE_COLUMNS)
_RECIPIENTS, _SENT_AT = map(MESSAGE_COLUMNS.index, ("recipients", "sent_at"))


@lru_cache(4096)
def _as_json(recipients: tuple[str, ...]) -> str:
    return json.dumps(recipients, ensure_ascii=False)


def storable(value: str | None) -> str | None:
    """Text as SQLite can hold it: a lone surrogate becomes U+FFFD."""
    if value is None or value.isascii():
        return value
    try:
        value.encode()
        return value
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _stored(db: Database, values: dict[str, Any]) -> dict[str, Any]:
    found = _look_up(db, values)
    assert found is not None, "its key was just found taken"
    return found


def _look_up(db: Database, values: dict[str, Any]) -> dict[str, Any] | None:
    sql = f"select {', '.join(STORED)} from messages where source = ? and external_id = ?"
    row = db.execute(sql, [values["source"], values["external_id"]]).fetchone()
    return dict(zip(STORED, row, strict=True)) if row else None


def _is_former(db: Database, number: int, text: str) -> bool:
    sql = "select 1 from versions where message_id = ? and text = ?"
    return db.execute(sql, [number, text]).fetchone() is not None


def _update(
    db: Database, stored: dict[str, Any], values: dict[str, Any], now: str, file_time: str | None
) -> str:
    changed = {name: values[name] for name in ABOUT + CONTENT if values[name] != stored[name]}
    if stored["sent_at"] and changed.get("sent_at", "") in (None, file_time):
        del changed["sent_at"]
    if not changed:
        return "duplicates"
    if not changed.keys().isdisjoint(CONTENT):
        sql = "insert into versions (message_id, subject, text, replaced_at) values (?, ?, ?, ?)"
        db.execute(sql, [stored["id"], stored["subject"], stored["text"], now])
    _set(db, stored["id"], changed)
    return "updated"


def _set(db: Database, number: int, changed: dict[str, Any]) -> int:
    columns = ", ".join(f"{name} = ?" for name in changed)
    sql = f"update or ignore messages set {columns} where id = ?"
    return db.execute(sql, [*changed.values(), number]).rowcount


# --- relay ------------------------------------------------------------------------------------


def _said(values: dict[str, Any]) -> tuple[str, str]:
    return values["sent_at"] or "", values["author"]


def _settle_relay(db: Database, message: Message, now: str) -> dict[str, Any] | None:
    """The row that says this already; None after it was stored as the one of its id it is by time.

    Those of one id are 5, 5#2, 5#3 in the order of their times, whichever came in first.
    """
    key, chain = message.external_id, []
    values = _values(message)
    while row := _look_up(db, values | {"external_id": _numbered(key, len(chain))}):
        chain.append(row)
    same = next((row for row in chain if _said(row) == _said(values)), None)
    if same is None:
        place = sum(_said(row) < _said(values) for row in chain)
        for number in reversed(range(place, len(chain))):
            _set(db, chain[number]["id"], {"external_id": _numbered(key, number + 1)})
        row = stored_row(replace(message, external_id=_numbered(key, place)))
        db.conn.execute(INSERT, (*row, now))
    return same


def _numbered(key: str, place: int) -> str:
    return f"{key}#{place + 1}" if place else key


# --- mail -------------------------------------------------------------------------------------


def mail_key(sent_at: str, author: str, subject: str, text: str) -> str:
    """The key of a mail by what it says, for one whose Message-ID is missing or another's."""
    content = "\0".join((sent_at, author, subject, text))
    return "sha256:" + hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()


def _settle_mail(db: Database, message: Message, stored: dict[str, Any], now: str) -> str:
    """Of several mails under one Message-ID the least hash has it, whatever came first."""
    values = _values(message)
    ours, theirs = (
        mail_key(mail["sent_at"] or "", mail["author"], mail["subject"], mail["text"])
        for mail in (values, stored)
    )
    if ours == theirs:  # its thread, which its words do not tell, is that of the least copy
        if [values[name] for name in ABOUT] < [stored[name] for name in ABOUT]:
            _set(db, stored["id"], {name: values[name] for name in ABOUT})
        return "duplicates"
    if values["text"] == stored["text"]:  # a copy through a list, with its mark in the subject
        if ours < theirs:
            _set(db, stored["id"], {name: values[name] for name in ABOUT + CONTENT})
        return "duplicates"
    if ours < theirs and _set(db, stored["id"], {"external_id": theirs}):
        return store(db, message, now)
    return store(db, replace(message, external_id=ours), now, rule="mail")
