"""Signal in the shapes people have it: its own export, signal-export's, JSON, and text."""

import json
import time

from memory.message import SELF
from memory.sources import read_messages
from tests.fixtures import fixture_folder, records_of

# All people and words here are made up.
MOMENT = "2026-03-01T09:00:00+00:00"


def read(tmp_path, text, name="harbour/data.json"):
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return list(read_messages("signal", tmp_path))


def in_lines(*values):
    return "".join(json.dumps(value) + "\n" for value in values)


def test_signals_own_export(tmp_path):
    said = {"chatId": "3", "authorId": "2", "dateSent": "1772355600000", "incoming": {},
            "standardMessage": {"text": {"body": "It rains."}}}  # fmt: skip
    answer = {"chatId": "3", "authorId": "1", "dateSent": "1772355601000", "outgoing": {},
              "standardMessage": {"text": {"body": "It does."},
                                  "quote": {"targetSentTimestamp": "1772355600000",
                                            "authorId": "2"}}}  # fmt: skip
    first, second, update = read(
        tmp_path,
        in_lines(
            {"version": "1"},
            {"recipient": {"id": "1", "self": {}}},
            {"recipient": {"id": "2", "contact": {"profileGivenName": "Pell"}}},
            {"chat": {"id": "3", "recipientId": "2"}},
            {"chatItem": said},
            {"chatItem": answer},
            {"chatItem": {**said, "standardMessage": None, "updateMessage": {}}},
        ),
        "main.jsonl",
    )
    assert (first.author, first.conversation, first.text) == ("Pell", "Pell", "It rains.")
    assert first.sent_at.isoformat() == MOMENT
    assert (second.author, second.reply_to) == (SELF, first.external_id)
    assert update.reason == "notice"


def test_signal_exports_lines_and_text_say_me(tmp_path):
    said = {"date": "2026-03-01T09:00:00", "sender": "Me", "body": "It rains."}
    (message,) = read(tmp_path / "a", in_lines(said))
    (same,) = read(tmp_path / "b", "[2026-03-01 09:00:00] Me: It rains.\n", "harbour/chat.md")
    for one in (message, same):
        assert (one.author, one.text, one.conversation) == (SELF, "It rains.", "harbour")
        assert one.sent_at.isoformat() == MOMENT


def test_json_of_messages_and_conversations(tmp_path):
    said = {"id": "m1", "conversationId": "c1", "type": "incoming", "body": "It rains.",
            "sent_at": 1772355600000}  # fmt: skip
    document = {"conversations": [{"id": "c1", "name": "Pell"}],
                "messages": [said, {**said, "id": "m2", "type": "outgoing"},
                             {**said, "type": "call-history"}, {**said, "body": None}]}  # fmt: skip
    records = read(tmp_path, json.dumps(document, indent=1))
    assert [one.author for one in records[:2]] == ["Pell", SELF]
    assert records[0].sent_at.isoformat() == MOMENT
    assert [one.reason for one in records[2:]] == ["notice", "media without words"]


def test_a_broken_line_is_one_reject(tmp_path):
    said = {"date": "2026-03-01T09:00:00", "sender": "Pell", "body": "It rains."}
    message, reject = read(tmp_path, in_lines(said) + '{"sender": "Pe')
    assert message.author == "Pell"
    assert (reject.where, reject.reason) == ("line 2", "is no JSON")


def test_the_peers_expectation_holds():
    folder = fixture_folder("signal/chat_miner")
    expected = json.loads((folder / "target.json").read_text())
    rows = [{"timestamp": m.sent_at.isoformat()[:19], "author": m.author,
             "message": m.text.replace("\n", " ")}
            for m in records_of("signal", folder / "test_export.txt")]  # fmt: skip
    assert rows[::-1] == expected


SIGTOP = """Conversation: Pell (+4912345678)

From: Pell (+4912345678)
Type: incoming
Sent: Sun, 1 Mar 2026 10:00:00 +0100
Received: Sun, 1 Mar 2026 10:00:01 +0100

It rains.

From: the harbour

From: You
Type: outgoing
Sent: Sun, 1 Mar 2026 10:00:02 +0100
Edited: 2 versions

| Version: 2
| Sent: Sun, 1 Mar 2026 10:01:00 +0100
|
| It does.
|
| Version: 1
| Sent: Sun, 1 Mar 2026 10:00:02 +0100
|
| It doesn't.

Type: keychange
Sent: Sun, 1 Mar 2026 10:00:03 +0100

"""


def test_the_text_of_sigtop_is_read_by_its_fields(tmp_path):
    first, second, notice = read(tmp_path, SIGTOP, "Pell (+4912345678).txt")
    assert (first.author, first.text) == ("Pell", "It rains.\n\nFrom: the harbour")
    assert (second.author, second.text) == (SELF, "It does.")
    assert (first.conversation, first.sent_at.isoformat()) == ("Pell", MOMENT)
    assert notice.reason == "notice"


def test_the_short_text_of_sigtop_is_read_without_its_details(tmp_path):
    said, answer, notice = read(
        tmp_path,
        "2026-03-01 09:00 Pell: It rains.\nMuch.\n"
        "2026-03-01 09:01 You: [reply to Pell on 2026-03-01 09:00, edited] It does.\n"
        "2026-03-01 09:02 Pell: [keychange message]\n",
        "Pell.txt",
    )
    assert (said.author, said.text) == ("Pell", "It rains.\nMuch.")
    assert (answer.author, answer.text) == (SELF, "It does.")
    assert notice.reason == "notice"


def test_quotations_and_reactions_of_markdown_are_no_words(tmp_path):
    text = "[2026-03-01 09:00] Me: Yes.\n>\n> Rain?\n>\n(- Pell: x -)\n\n"
    text += "[2026-03-01 09:01] Pell: No.\n"
    first, second = read(tmp_path, text, "Pell/chat.md")
    assert (first.author, first.text, second.text) == (SELF, "Yes.", "No.")


def test_marks_that_are_never_closed_take_no_time(tmp_path):
    start = time.process_time()
    read(tmp_path, "[2026-03-01 09:00] Pell: " + "[x](media/" * 50_000, "Pell/chat.md")
    assert time.process_time() - start < 1


def test_what_signal_cli_received_and_the_owner_sent(tmp_path):
    got = {"sourceName": "Quill", "timestamp": 1772355600000,
           "dataMessage": {"timestamp": 1772355600000, "message": "rain"}}  # fmt: skip
    sent = {"destination": "Quill", "timestamp": 1772355601000, "message": "sun"}
    lines = [{"envelope": got}, {"envelope": {"syncMessage": {"sentMessage": sent}}},
             {"envelope": {"sourceName": "Quill", "typingMessage": {}}}]  # fmt: skip
    (tmp_path / "cli.jsonl").write_text("\n".join(map(json.dumps, lines)))
    first, second, notice = read_messages("signal", tmp_path)
    assert (first.author, second.author, notice.reason) == ("Quill", SELF, "notice")
    assert first.conversation == second.conversation == "Quill"
