"""Whatever is done to a valid export, reading it raises nothing and accounts for every file."""

import json
import random
import time
import zipfile
from contextlib import closing
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory.db import open_database, sqlite3
from memory.ingest import SourceConfig, ingest_source
from memory.message import Message, Skipped, Unreadable
from memory.sources import SOURCES
from memory.sources.chat import BrokenJson, ContentKeys, walk

# All people and words here are made up.
WORDS = {"telegram": [{"id": 5, "type": "message", "date_unixtime": "1772355600", "from": "Pell",
                       "from_id": "user1", "text": ["a ", {"type": "bold", "text": "b"}]}],
         "facebook": [{"sender_name": "Zo\u00c3\u00ab", "timestamp_ms": 1772355600123,
                       "content": "d\u00c3\u00a9j\u00c3\u00a0", "reactions": []}],
         "google_chat": [{"creator": {"name": "Pell"}, "text": "a", "message_id": "s/t/t",
                          "created_date": "Sunday, March 1, 2026 at 9:00:00 AM UTC"}],
         "discord": [{"id": "5", "type": "Default", "timestamp": "2026-03-01T10:00:00+01:00",
                      "content": "a", "author": {"id": "1", "name": "pell"}}],
         "signal": [{"id": "m1", "conversationId": "c1", "type": "incoming", "body": "a",
                     "sent_at": 1772355600000}]}  # fmt: skip
NAMES = {"telegram": "result.json", "facebook": "message_1.json", "instagram": "message_1.json",
         "google_chat": "messages.json", "discord": "a.json", "signal": "a.json",
         "slack": "2026-03-01.json", "whatsapp": "_chat.txt", "imessage": "chat.db"}  # fmt: skip
CHAT = "[01/02/26, 9:{0:02}:00\u202fAM] Pell: number {0}\nand more\n"
ODD = ["", "x" * 99, "\ud800", 0, -1, 10**30, 1e308, True, None, [], {}, [[]], {"text": {}}]


@cache
def database() -> bytes:
    with TemporaryDirectory() as folder, closing(sqlite3.connect(f"{folder}/chat.db")) as db:
        db.execute("create table handle (id text)")
        db.execute("create table chat_message_join (message_id, chat_id)")
        db.execute("create table message (guid, text, attributedBody, handle_id, date)")
        rows = [(f"g{n}", f"number {n}", b"\x04\x0bstreamtyped", 1, n * 10**18) for n in range(9)]
        db.executemany("insert into message values (?, ?, ?, ?, ?)", rows)
        db.commit()
        return Path(folder, "chat.db").read_bytes()


def document(kind):
    """A valid export as a value for json; None for what is no JSON."""
    if kind == "slack":
        return [{"type": "message", "user": "U1", "ts": "1772355600.0001", "text": "a <@U1>"}] * 3
    messages = WORDS.get("facebook" if kind == "instagram" else kind)
    return {"name": "Harbour", "id": 7, "messages": messages * 3} if messages else None


def valid(kind) -> bytes:
    if kind == "whatsapp":
        return "".join(map(CHAT.format, range(9))).encode()
    return database() if kind == "imessage" else json.dumps(document(kind)).encode()


def damage(data: bytes, random) -> bytes:
    """Bytes changed, cut out, doubled and cut off at places chosen by `random`."""
    found = bytearray(data)
    for _ in range(random.randint(1, 8)):
        at, size = random.randrange(len(found) + 1), random.randint(0, 40)
        part = found[at : at + size]
        changed = random.choice([b"", part * 3, random.randbytes(size), b'"', b"\xff", b"[" * 99])
        found[at : at + size] = changed
    return bytes(found[: random.choice([len(found), random.randrange(len(found) + 1)])])


def confuse(value, random):
    """`value` with some of its parts, at any depth, of another type."""
    if random.random() < 0.12:
        return random.choice(ODD)
    if isinstance(value, dict):
        return {key: confuse(part, random) for key, part in value.items() if random.random() < 0.95}
    return [confuse(part, random) for part in value] if isinstance(value, list) else value


def check(kind, folder, name, data):
    file = folder / name
    file.write_bytes(data)
    before = time.process_time()
    records = list(SOURCES[kind].read_file(file, folder))
    assert time.process_time() - before < 1
    assert records and all(isinstance(one, Message | Skipped | Unreadable) for one in records)
    assert all(one.reason for one in records if not isinstance(one, Message))


@pytest.mark.parametrize("kind", NAMES)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False))
def test_damaged_bytes_raise_nothing(kind, tmp_path, random):
    check(kind, tmp_path, NAMES[kind], damage(valid(kind), random))


@pytest.mark.parametrize("kind", [kind for kind in NAMES if document(kind)])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False))
def test_values_of_other_types_raise_nothing(kind, tmp_path, random):
    confused = json.dumps(confuse(document(kind), random)).encode()
    check(kind, tmp_path, NAMES[kind], confused)


@pytest.mark.parametrize("kind", [kind for kind in NAMES if kind != "imessage"])
def test_damaged_zips_raise_nothing(kind, tmp_path):
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"a/{NAMES[kind]}", valid(kind))
    for seed in range(40):
        check(kind, tmp_path, "a.zip", damage(packed.getvalue(), random.Random(seed)))


@pytest.mark.parametrize("kind", NAMES)
def test_importing_twice_adds_nothing(kind, tmp_path):
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / NAMES[kind]).write_bytes(valid(kind))
    db = open_database(tmp_path / "memory.db")
    source = SourceConfig(kind, str(tmp_path / "export"))
    first, second = ingest_source(db, source), ingest_source(db, source)
    assert first.messages and not second.messages and not second.updated
    for counts in (first, second):
        parts = (counts.messages, counts.updated, counts.duplicates, counts.rejects)
        assert counts.read == sum(parts) + sum(counts.skipped.values())


def test_walking_tells_paths_and_gives_whole_values():
    data = b'\xef\xbb\xbf{"a": {"b": [1, {"c": [2]}]}, "d": null}'
    found = list(walk(BytesIO(data), frozenset(["a.b[]"])))
    assert found == [("", None), ("a", None), ("a.b[]", 1), ("a.b[]", {"c": [2]}), ("d", None)]


HOSTILE = [b"[" * 10**6, b'{"a":' * 10**5, b'"' + b"x" * 20 * 2**20, b"1" * 10**7]


@pytest.mark.parametrize("data", HOSTILE, ids=lambda data: data[:1].decode())
def test_hostile_json_ends_soon(data):
    before = time.process_time()
    with pytest.raises(BrokenJson):
        list(walk(BytesIO(data), frozenset(["messages[]"])))
    assert time.process_time() - before < 1


TEXTS = [" " * 2**21, "<a: " * 2**19, "a." * 2**20, "[01/02/26, 9:00:00] " * 2**16, "x" * 2**23]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:4])
def test_hostile_text_ends_soon(tmp_path, text):
    for head in ("", "01/02/26, 09:00 - Pell: "):
        check("whatsapp", tmp_path, "_chat.txt", (head + text + "\n").encode())


@pytest.mark.parametrize("kind", ["telegram", "facebook"])
def test_hostile_pages_end_soon(tmp_path, kind):
    check(kind, tmp_path, "messages.html", b"<div class=message>" * 50_000)


def test_utf16_and_bad_utf8_are_read():
    text = '{"messages": ["é"]}'
    for data in (text.encode("utf-16"), text.encode()):
        assert ("messages[]", "é") in list(walk(BytesIO(data), frozenset()))
    assert list(walk(BytesIO(b'["\xff"]'), frozenset())) == [("[]", "\ufffd")]


def test_keys_sort_by_time_and_count_what_is_alike():
    keys = ContentKeys()
    first, second = keys.key("1", "a"), keys.key("1", "a")
    assert second == f"{first}#2" and keys.key("1", "b") != first
