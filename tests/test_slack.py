"""A Slack export gives names for ids and leaves its tokens behind."""

import json
import zipfile

import pytest

from memory.message import Message, Unreadable
from memory.sources import read_messages
from tests.fixtures import count, fixture_folder, records_of

# All people, ids and words here are made up.
USERS = [{"id": "U1", "name": "pell", "profile": {"display_name": "Pell"}},
         {"id": "U2", "name": "quill", "profile": {"real_name": "Quill Q."}}]  # fmt: skip
ONE = {"type": "message", "user": "U1", "ts": "1772355600.000100", "text": "It rains."}


def export(tmp_path, *messages, packed=False):
    files = {"users.json": USERS, "channels.json": [{"id": "C1", "name": "harbour"}],
             "harbour/2026-03-01.json": list(messages)}  # fmt: skip
    if packed:
        with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
            for name, value in files.items():
                archive.writestr(name, json.dumps(value))
        return list(read_messages("slack", tmp_path / "export.zip"))
    (tmp_path / "harbour").mkdir(exist_ok=True)
    for name, value in files.items():
        (tmp_path / name).write_text(json.dumps(value))
    records = list(read_messages("slack", tmp_path))
    return [one for one in records if getattr(one, "reason", "") != "not a Slack day of messages"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_and_a_zip_give_the_same(tmp_path, packed):
    (message,) = export(tmp_path, ONE, packed=packed)
    assert (message.author, message.conversation) == ("Pell", "harbour")
    assert message.external_id == "C1:1772355600.000100"
    assert message.sent_at.isoformat() == "2026-03-01T09:00:00+00:00"


def test_marks_become_what_a_reader_sees(tmp_path):
    text = "<@U2> see <#C1|harbour>, <https://example.org|this> &amp; <!here> &lt;b&gt;"
    (message,) = export(tmp_path, {**ONE, "text": text})
    assert message.text == "@Quill Q. see #harbour, this & @here <b>"


def test_tokens_are_left_out(tmp_path):
    address = "https://files.slack.com/files-pri/T1-F1/a.png?t=xoxe-1234567890-abc"
    (message,) = export(tmp_path, {**ONE, "text": f"<{address}> and xoxb-1234567890-abcdef"})
    assert message.text == "https://files.slack.com/files-pri/T1-F1/a.png and [token]"


def test_a_reply_answers_its_thread(tmp_path):
    reply = {**ONE, "ts": "1772355601.000100", "thread_ts": ONE["ts"]}
    first, second = export(tmp_path, {**ONE, "thread_ts": ONE["ts"]}, reply)
    assert (first.reply_to, second.reply_to) == ("", first.external_id)


def test_joins_and_files_without_words_are_skipped(tmp_path):
    records = export(tmp_path, {**ONE, "subtype": "channel_join"}, {**ONE, "text": ""})
    assert [one.reason for one in records] == ["notice", "files without words"]


def test_a_program_speaks_by_its_name_and_attachments(tmp_path):
    said = {"type": "message", "subtype": "bot_message", "username": "Tide", "ts": "1772355600.1",
            "text": "", "attachments": [{"fallback": "High tide at 9."}]}  # fmt: skip
    (message,) = export(tmp_path, said)
    assert (message.author, message.text) == ("Tide", "High tide at 9.")


def test_what_has_no_time_is_a_reject(tmp_path):
    (record,) = export(tmp_path, {"text": "hello"})
    assert isinstance(record, Unreadable) and record.where == "message 1"


def test_the_sample_has_the_messages_it_has():
    records = records_of("slack", fixture_folder("slack/langchain"))
    assert count(records) == {"messages": 4, "notice": 1}
    assert {m.author for m in records if isinstance(m, Message)} == {"Example User"}


def test_words_that_stand_in_blocks_alone_are_read(tmp_path):
    part = {"type": "rich_text_section", "elements": [{"type": "text", "text": "It rains."}]}
    blocks = [{"type": "rich_text", "elements": [part]}]
    (message,) = export(tmp_path, {**ONE, "text": "", "blocks": blocks})
    assert message.text == "It rains."


def test_the_words_of_a_block_are_read_with_its_marks(tmp_path):
    parts = [
        {"type": "user", "user_id": "U2"},
        {"type": "text", "text": " rain "},
        {"type": "emoji", "name": "umbrella"},
        {"type": "link", "url": "https://x.example"},
    ]
    section = {"type": "rich_text_section", "elements": parts}
    blocks = [{"type": "rich_text", "elements": [section]}]
    (message,) = export(tmp_path, {**ONE, "text": "", "blocks": blocks})
    assert message.text == "@Quill Q. rain :umbrella:https://x.example"


def test_what_somebody_shares_is_not_what_they_say(tmp_path):
    shared = {**ONE, "text": "", "attachments": [{"is_share": True, "text": "I am Quill."}]}
    assert [one.reason for one in export(tmp_path, shared)] == ["files without words"]


def test_slackdumps_file_of_a_channel_holds_its_threads(tmp_path):
    reply = {**ONE, "ts": "1772355601.000100", "thread_ts": ONE["ts"]}
    dump = {"channel_id": "C012345678", "messages": [ONE | {"slackdump_thread_replies": [reply]}]}
    (tmp_path / "C012345678.json").write_text(json.dumps(dump))
    first, second = read_messages("slack", tmp_path / "C012345678.json")
    assert second.reply_to == first.external_id
