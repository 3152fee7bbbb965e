"""Whole or in overlapping halves, in any order: the same rows, the same hits, the same dataset."""

import json
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distill.curate import CurateConfig, curate
from distill.identity.beings import Being, Identity
from memory.db import MESSAGE_COLUMNS, open_database
from memory.ingest import SourceConfig, ingest_source
from memory.search import search
from tests.curating import NOW

pytestmark = pytest.mark.slow

# All people and words here are made up. Several of a minute, and some of those alike.
WORDS = ("It rains.", "It rains.", "Does it?", "It does, at the harbour.", "ha", "ha", "Sun now.")
SAID = [(n, n // 4, ("Pell", "Quill")[n % 3 // 2], WORDS[n % 7]) for n in range(24)]
HOUR = 1_772_355_600  # 2026-03-01T09:00:00Z


def iso(number):
    return f"2026-03-01T09:{number // 4:02}:{number % 4 * 10:02}+00:00"


def as_json(rows, shape, head=None, name="messages"):
    messages = [shape(*row) for row in rows]
    return json.dumps(messages if head is None else head | {name: messages})


def as_lines(rows, shape):
    return "".join(json.dumps(shape(*row)) + "\n" for row in rows)


def telegram(n, minute, who, text):
    return {"id": n, "type": "message", "date_unixtime": str(HOUR + minute * 60), "from": who,
            "from_id": f"user{who}", "text": text, "reply_to_message_id": n - 1}  # fmt: skip


def facebook(n, minute, who, text):
    return {"sender_name": who, "timestamp_ms": (HOUR + n) * 1000, "content": text}


def google_chat(n, minute, who, text):
    return {"creator": {"name": who}, "text": text, "message_id": f"s/t{minute}/m{n}",
            "created_date": f"Sunday, March 1, 2026 at 9:{minute:02}:00 AM UTC"}  # fmt: skip


def slack(n, minute, who, text):
    return {"type": "message", "user": who, "ts": f"{HOUR + n}.0001", "text": text,
            "thread_ts": f"{HOUR + n // 4}.0001"}  # fmt: skip


def discord(n, minute, who, text):
    return {"id": str(n), "type": "Default", "timestamp": iso(n), "content": text,
            "author": {"id": who, "name": who}}  # fmt: skip


def signal(n, minute, who, text):
    return {"sender": who, "date": iso(n)[:16].replace("T", " "), "body": text}


def relay(n, minute, who, text):
    return {"id": n, "agent": who, "timestamp": iso(n), "message": text, "in_reply_to": n - 1}


def log(n, minute, who, text):
    return {"id": f"c{n}", "messages": [{"role": "user", "content": f"{text} {n}"}]}


def chatgpt(n, minute, who, text):
    said = {"author": {"role": "user"}, "content": {"parts": [text]}, "create_time": HOUR + n}
    return {"id": f"c{n}", "title": who, "mapping": {"a": {"message": said}}, "current_node": "a"}


def claude_ai(n, minute, who, text):
    turn = {"uuid": f"m{n}", "sender": "human", "text": text, "created_at": iso(n)}
    return {"uuid": f"c{n}", "name": who, "created_at": iso(n), "chat_messages": [turn]}


def claude_code(n, minute, who, text):
    role = "assistant" if who == "Pell" else "user"
    return {"type": role, "uuid": f"u{n}", "parentUuid": f"u{n - 1}" if n else None,
            "sessionId": "s", "timestamp": iso(n), "message": {"content": text}}  # fmt: skip


def whatsapp(rows):
    return "".join(f"1/3/26, 09:{minute:02} - {who}: {text}\n" for _, minute, who, text in rows)


def markdown(rows):
    return "".join(
        f"[2026-03-01 09:{minute:02}] {who}: {text}\n\n" for _, minute, who, text in rows
    )


def mbox(rows):
    return "".join(
        f"From x Sun Mar  1 09:00:00 2026\nFrom: {who}@example.org\n"
        f"Date: Sun, 1 Mar 2026 09:00:{n:02} +0000\n"
        f"Subject: Rain\nMessage-ID: <{n // 2}@example.org>\n\n{text}\n\n"
        for n, _, who, text in rows
    )


def journal(rows):
    return "".join(f"## {iso(n)[:19]}\n\n{text} {n}\n\n" for n, _, _, text in rows)


def csv(rows):
    return "AuthorID,Author,Date,Content,Attachments,Reactions\n" + "".join(
        f'{who},{who},{iso(n)[:16]},"{text}",,\n' for n, _, who, text in rows
    )


EXPORTS = {  # (kind, file): the text of an export that holds these rows
    ("telegram", "result.json"): partial(as_json, shape=telegram, head={"name": "North", "id": 1}),
    ("whatsapp", "WhatsApp Chat with Quill.txt"): whatsapp,
    ("facebook", "inbox/north_1/message_1.json"): partial(as_json, shape=facebook, head={}),
    ("instagram", "inbox/north_1/message_1.json"): partial(as_json, shape=facebook, head={}),
    ("google_chat", "Groups/North/messages.json"): partial(as_json, shape=google_chat, head={}),
    ("slack", "north/2026-03-01.json"): partial(as_json, shape=slack),
    ("discord", "north.json"): partial(as_json, shape=discord, head={"channel": {"name": "North"}}),
    ("discord", "north.csv"): csv,
    ("signal", "Quill/data.json"): partial(as_lines, shape=signal),
    ("signal", "Quill/chat.md"): markdown,
    ("relay", "relay.jsonl"): partial(as_lines, shape=relay),
    ("relay", "relay.json"): partial(as_json, shape=relay, head={}),
    ("chatgpt", "conversations.json"): partial(as_json, shape=chatgpt),
    ("chatgpt", "log.jsonl"): partial(as_lines, shape=log),
    ("claude_ai", "conversations.json"): partial(as_json, shape=claude_ai),
    ("claude_code", "s.jsonl"): partial(as_lines, shape=claude_code),
    ("mbox", "rain.mbox"): mbox,
    ("journals", "days.md"): journal,
}


def write(folder, name, text):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return folder


def rows_of(db):
    """Every row but for its id and the time it came in."""
    names = ", ".join(MESSAGE_COLUMNS)
    return sorted(map(tuple, db.execute(f"select {names} from messages").fetchall()), key=repr)


def imported(tmp_path, kind, name, export, parts):
    """(rows, what a search finds) of a memory that took these parts in, one after the other."""
    with open_database(tmp_path / f"{len(list(tmp_path.iterdir()))}.db") as db:
        for part in parts:
            place = tmp_path / f"{len(list(tmp_path.iterdir()))}"
            ingest_source(db, SourceConfig(kind, str(write(place, name, export(part)))))
        hits = [(hit.author, hit.sent_at, hit.snippet) for hit in search(db, "rains", limit=50)]
        return rows_of(db), sorted(hits, key=repr)


@pytest.mark.parametrize(("kind", "name"), EXPORTS)
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(cuts=st.tuples(st.integers(1, 22), st.integers(1, 22)))
def test_overlapping_halves_in_any_order_are_the_whole(kind, name, cuts, tmp_path_factory):
    start, end = sorted(cuts)
    first, second = SAID[: min(24, end + 4)], SAID[start:]  # a minute of four in common at least
    tmp_path, export = tmp_path_factory.mktemp("halves"), EXPORTS[kind, name]
    whole = imported(tmp_path, kind, name, export, [SAID])
    assert len(whole[0]) >= 12
    for parts in ([first, second], [second, first], [SAID, first, second]):
        assert imported(tmp_path, kind, name, export, parts) == whole


FIRST, SECOND = SAID[:14], SAID[10:]  # a minute of four in common


def dataset_hash(tmp_path, imports):
    """The hash of the dataset of a memory that took in `imports`: (kind, file, rows), in order."""
    identity = Identity(Being("Pell", "self"), (Being("Quill", "human"),))
    tmp_path.mkdir()
    with open_database(tmp_path / "memory.db") as db:
        for number, ((kind, name), rows) in enumerate(imports):
            place = write(tmp_path / str(number), name, EXPORTS[kind, name](rows))
            ingest_source(db, SourceConfig(kind, str(place), name=f"{kind} {name}"))
        (tmp_path / "night").mkdir()
        built = curate(db, identity, CurateConfig(), tmp_path / "night", seed=3, now=NOW)
    assert built.examples > 0
    return built.dataset_hash


def test_overlapping_halves_and_any_order_give_the_same_dataset(tmp_path):
    whole = [(export, SAID) for export in EXPORTS]
    halves = [(export, rows) for export in EXPORTS for rows in (FIRST, SECOND)]
    mixed = [(export, FIRST) for export in EXPORTS] + [(export, SECOND) for export in EXPORTS]
    orders = (whole, whole[::-1], halves, halves[::-1], mixed, [*whole, *halves])
    hashes = [dataset_hash(tmp_path / str(n), order) for n, order in enumerate(orders)]
    assert len(set(hashes)) == 1
