"""Files that were valid once: whatever became of them, nothing raises and each yields a record."""

import json
import shutil
import tempfile
import time
from pathlib import Path

import pytest
import test_chatgpt
import test_claude_ai
import test_claude_code
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory.db import open_database, sqlite3
from memory.ingest import SourceConfig, ingest_source
from memory.message import Message
from memory.sources import SOURCES

SECONDS = 1.0  # a file
CODE = [
    test_claude_code.line("user", "Hi <system-reminder>x</system-reminder>", "a"),
    test_claude_code.line("assistant", test_claude_code.blocks("text", "thinking"), "b", "a"),
]
LOG = {
    "messages": [
        {"role": "user", "content": "Rain?"},
        {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]},
    ]
}
RELAY = [{"id": 1, "agent": "Nova", "message": "Hi", "timestamp": "2026-03-01T09:00:00Z"}]
JSON = {  # (kind, file name): a valid document
    ("chatgpt", "conversations.json"): [test_chatgpt.EDITED],
    ("chatgpt", "log.json"): LOG,
    ("claude_ai", "conversations.json"): [test_claude_ai.CONVERSATION],
    ("claude_code", "s.jsonl"): CODE,
    ("relay", "r.json"): RELAY,
    ("relay", "wrapped.json"): {"messages": RELAY},
    ("corpus", "c.jsonl"): {"text": "It rained."},
}  # fmt: skip
TEXTS = {
    ("transcript", "c.vtt"): "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Mira>It <i>rains</i>\n\n"
    "00:02.000 --> 00:03.000\nTolo: So it does\n",
    ("transcript", "c.srt"): "1\n00:00:01,000 --> 00:00:02,000\nMira: Hello\n\n2\n00:00:02,000 "
    "--> 00:00:03,000\nMira: Again\n",
    ("transcript", "c.txt"): "## AI Summary\nRain.\n\nTranscript\nSpeaker 1 00:00:01\nIt rains.\n",
    ("blog", "2026-03-01-a.md"): "---\ntitle: Rain\ndate: 2026-03-01\n---\n{% include x %} ![a](b)"
    " `code` {: .c}\n```\nx\n```\n{% raw %}{{ y }}{% endraw %}<!-- n -->" + "It rained. " * 20,
    ("corpus", "c.txt"): "# Rain\n\n" + "It rained. " * 30 + "\n\n\n\nCHAPTER 2\n\nSnow.\n",
    ("eml", "a.eml"): "From: Mira <mira@example.org>\nSubject: =?utf-8?q?Rain?=\nDate: Sun, 1 Mar "
    "2026 09:00:00 +0000\nContent-Type: text/plain; charset=utf-8\n\nIt rains.\n",
}
JUNK = st.sampled_from(
    [None, True, -1, 1e308, 10**30, "", "x", "\ud800", "2026-02-30", [], [[]], {}, {"a": None}]
)
EDITS = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0, 40),
              st.one_of(st.binary(max_size=8), st.sampled_from(
                  [b"\0", b"\xff\xfe", b"\n", b"{", b"[" * 500, b'"', b"-->", b"{%", b"`" * 9]))),
    min_size=1, max_size=4,
)  # fmt: skip
FAST = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def edited(data: bytes, edits) -> bytes:
    """`data` with bytes taken out and put in."""
    for start, length, new in edits:
        start %= len(data) + 1
        data = data[:start] + new + data[start + length :]
    return data


def spoiled(value, picks: list[int], junk: list):
    """`value` with some of what is in it replaced by junk."""
    copy = json.loads(json.dumps(value))
    for pick, new in zip(picks, junk, strict=False):
        places = list(_places(copy))
        holder, key = places[pick % len(places)]
        holder[key] = json.loads(json.dumps(new))
    return copy


def _places(value):
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def check(kind: str, name: str, data: bytes) -> None:
    """At least one record, nothing raised, no message without words, in time."""
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / name).write_bytes(data)
        begun = time.process_time()
        records = list(SOURCES[kind].read_file(folder / name, folder))
        assert records
        assert time.process_time() - begun < SECONDS
        assert all(record.text.strip() for record in records
                   if isinstance(record, Message) and kind != "eml")  # fmt: skip
    finally:
        shutil.rmtree(folder)


def as_bytes(name: str, value) -> bytes:
    if name.endswith(".jsonl") and isinstance(value, list):
        return "\n".join(map(json.dumps, value)).encode()
    return json.dumps(value).encode()


@pytest.mark.parametrize(("kind", "name"), JSON)
@FAST
@given(edits=EDITS)
def test_json_with_other_bytes_in_it(kind, name, edits):
    check(kind, name, edited(as_bytes(name, JSON[kind, name]), edits))


@pytest.mark.parametrize(("kind", "name"), JSON)
@FAST
@given(picks=st.lists(st.integers(0, 500), min_size=1, max_size=4),
       junk=st.lists(JUNK, min_size=4, max_size=4))  # fmt: skip
def test_json_with_other_values_in_it(kind, name, picks, junk):
    check(kind, name, as_bytes(name, spoiled(JSON[kind, name], picks, junk)))


@pytest.mark.parametrize(("kind", "name"), TEXTS)
@FAST
@given(edits=EDITS)
def test_texts_with_other_bytes_in_them(kind, name, edits):
    check(kind, name, edited(TEXTS[kind, name].encode(), edits))


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("database") / "life.db"
    with sqlite3.connect(str(path)) as connection:
        connection.execute("create table notes (id integer primary key, author, text, path)")
        rows = [(None, "Nova", "rain " * 60, "a.md")] * 40
        connection.executemany("insert into notes values (?, ?, ?, ?)", rows)
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["table", "relay"])
@FAST
@given(edits=EDITS)
def test_a_database_with_other_bytes_in_it(kind, database, edits):
    check(kind, "life.db", edited(database, edits))


@pytest.mark.parametrize(
    ("kind", "name", "piece"),
    [("transcript", "a.txt", "Speaker 1 00:00:0"), ("transcript", "a.vtt", "00:01.000 --> "),
     ("transcript", "b.txt", "[" * 40), ("blog", "a.md", "{{" * 20), ("blog", "b.md", "[![" * 20),
     ("corpus", "a.txt", "# x "), ("chatgpt", "a.json", '[{"mapping":'),
     ("claude_code", "a.jsonl", '{"a":'), ("relay", "a.json", '{"messages":['),
     ("transcript", "c.txt", " \t"), ("blog", "c.md", "<script " * 10)],
)  # fmt: skip
def test_one_line_of_nothing_but_beginnings_takes_no_time(kind, name, piece):
    check(kind, name, (piece * (200_000 // len(piece))).encode())


def test_everything_read_is_accounted_for_and_twice_is_once(tmp_path):
    with open_database(tmp_path / "memory.db") as db:
        for number, ((kind, name), value) in enumerate([*JSON.items(), *TEXTS.items()]):
            data = value.encode() if isinstance(value, str) else as_bytes(name, value)
            (tmp_path / f"{number}-{name}").write_bytes(data)
            source = SourceConfig(kind, str(tmp_path / f"{number}-{name}"), name=f"{number}")
            first, second = ingest_source(db, source), ingest_source(db, source)
            assert first.messages and not first.rejects
            assert first.read == first.messages + sum(first.skipped.values())
            assert (second.duplicates, second.messages, second.updated) == (first.messages, 0, 0)
