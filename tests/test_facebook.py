"""Messenger's and Instagram's exports: mojibake undone, keys shared by overlapping exports."""

import json

import pytest

from memory.message import Message, Unreadable
from memory.sources import read_messages
from memory.sources.facebook import repair
from tests.fixtures import count, fixture_folder, records_of

# All people and words here are made up.
ONE = {"sender_name": "Zo\u00c3\u00ab", "timestamp_ms": 1772355600123,
       "content": "d\u00c3\u00a9j\u00c3\u00a0"}  # fmt: skip


def read(tmp_path, *messages, kind="facebook", name="inbox/harbour_7/message_1.json"):
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"participants": [], "messages": messages, "title": "Harbour"}))
    return list(read_messages(kind, tmp_path))


def test_every_string_is_read_as_the_utf8_it_was():
    assert repair("d\u00c3\u00a9j\u00c3\u00a0") == "déjà"
    assert repair("\u00f0\u009f\u0091\u008d") == "👍"
    assert repair("déjà vu") == "déjà vu"  # was right already
    assert repair("公园") == "公园"


@pytest.mark.parametrize("kind", ["facebook", "instagram"])
def test_author_words_and_time_of_a_message(tmp_path, kind):
    (message,) = read(tmp_path, ONE, kind=kind)
    assert (message.source, message.author, message.text) == (kind, "Zoë", "déjà")
    assert message.sent_at.isoformat() == "2026-03-01T09:00:00+00:00"
    assert message.conversation == "harbour_7"


def test_a_message_has_the_same_key_in_whatever_file_it_is(tmp_path):
    (first,) = read(tmp_path / "a", ONE)
    (second,) = read(tmp_path / "b", ONE, name="inbox/harbour_7/message_2.json")
    assert first.external_id == second.external_id
    assert first.external_id.startswith("1772355600123-")


def test_reactions_calls_and_photos_are_no_words(tmp_path):
    records = read(
        tmp_path,
        {**ONE, "content": "Reacted \u00e2\u009d\u00a4 to your message "},
        {**ONE, "content": "Quill called you.", "call_duration": 9},
        {**ONE, "content": None, "photos": [{"uri": "x.jpg"}]},
        {**ONE, "is_unsent": True},
        {**ONE, "content": "Hat auf deine Nachricht mit \u00e2\u009d\u00a4 reagiert "},
        {**ONE, "sender_name": "Pell", "content": "Pell named the group Harbour."},
        {**ONE, "sender_name": "Pell Ost", "content": "Pell Ost ha cambiado el tema."},
        {**ONE, "sender_name": "Pell", "content": "Pell is a good name."},
        {**ONE, "reactions": [{"reaction": "x", "actor": "Quill"}]},
    )
    reasons = [getattr(one, "reason", "said") for one in records]
    wanted = ["reaction", "notice", "media without words", "message taken back", "reaction",
              "notice", "notice", "said", "said"]  # fmt: skip
    assert reasons == wanted


def test_a_message_without_time_is_a_reject(tmp_path):
    (record,) = read(tmp_path, {"sender_name": "Pell", "content": "hello"})
    assert isinstance(record, Unreadable) and record.where == "message 1"


def test_the_newer_shape_of_end_to_end_exports(tmp_path):
    said = {"senderName": "Zoë", "text": "déjà", "timestamp": 1772355600123, "type": "text"}
    (message,) = read(tmp_path, said)
    assert (message.author, message.text) == ("Zoë", "déjà")


def test_a_file_out_of_its_folder_says_its_own_title(tmp_path):
    (message,) = read(tmp_path, ONE, name="chat.json")
    assert message.conversation == "Harbour"


def test_the_pages_of_2017_are_read():
    folder = fixture_folder("facebook/fbchat_archive_parser")
    messages = [one for one in records_of("facebook", folder) if isinstance(one, Message)]
    assert len(messages) == 20 and all(m.sent_at and m.author for m in messages)
    assert len({m.external_id for m in messages}) == 20
    assert messages[0].conversation == "First User 一, Second User 二"


def test_the_samples_have_the_messages_they_have():
    found = count(records_of("facebook", fixture_folder("facebook/langchain")))
    assert found == {"messages": 10, "media without words": 1}
    folder = fixture_folder("instagram/chat_miner")
    expected = json.loads((folder / "target.json").read_text())
    rows = [{"timestamp": m.sent_at.isoformat()[:19], "author": m.author, "message": m.text}
            for m in records_of("instagram", folder / "test_export.json")]  # fmt: skip
    assert rows == expected


def test_pages_of_today_name_their_chat_and_leave_reactions_out(tmp_path):
    said = (
        '<div class="_a6-h">Pell</div><div class="_a6-p"><div>It rains.</div>'
        '<ul class="_a6-q"><li>x Quill</li></ul></div><div class="_a6-o">Mar 01, 2026 9:00 am</div>'
    )
    file = tmp_path / "your_instagram_activity/messages/inbox/harbour_7/message_1.html"
    file.parent.mkdir(parents=True)
    file.write_text(f"<title>Pell</title><div class='pam _a6-g'>{said}</div>")
    (message,) = read_messages("instagram", tmp_path)
    assert (message.author, message.text, message.conversation) == (
        "Pell",
        "It rains.",
        "harbour_7",
    )
    assert message.sent_at.isoformat() == "2026-03-01T09:00:00+00:00"


def test_the_text_of_a_post_that_was_shared_is_not_its_sharers(tmp_path):
    share = {"link": "https://x.example", "share_text": "Words of others."}
    records = read(tmp_path, {**ONE, "content": None, "share": share})
    assert [record.reason for record in records] == ["media without words"]


def test_files_are_sent_in_the_accounts_language(tmp_path):
    records = read(tmp_path, {**ONE, "content": "Quill hat einen Anhang gesendet."})
    assert [record.reason for record in records] == ["media without words"]
