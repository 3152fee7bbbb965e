"""A Telegram export gives each message once, by who wrote it, and nothing of the service's."""

import json

from memory.message import SELF, Message, Skipped
from memory.sources import read_messages
from memory.sources.telegram import read_text
from tests.fixtures import count, fixture_folder, records_of

# All people and words here are made up.
ONE = {"id": 5, "type": "message", "date": "2026-03-01T09:00:00", "date_unixtime": "1772355600",
       "from": "Pell", "from_id": "user1", "text": "It rains."}  # fmt: skip


def read(tmp_path, *messages, **chat):
    document = {"name": "Harbour", "id": 77, **chat, "messages": list(messages)}
    (tmp_path / "result.json").write_text(json.dumps(document))
    return list(read_messages("telegram", tmp_path))


def test_the_key_is_the_chat_and_the_message(tmp_path):
    answer = {**ONE, "id": 6, "reply_to_message_id": 5}
    first, second = read(tmp_path, ONE, answer)
    assert (first.external_id, second.reply_to) == ("77:5", "77:5")
    assert first.sent_at.isoformat() == "2026-03-01T09:00:00+00:00"
    assert (first.author, first.conversation) == ("Pell", "Harbour")


def test_entities_are_preferred_to_text_and_lists_are_joined():
    pieces = ["see ", {"type": "bold", "text": "this"}, "!"]
    assert read_text({"text": pieces}) == "see this!"
    assert read_text({"text": "old", "text_entities": [{"type": "plain", "text": "new"}]}) == "new"


def test_service_messages_and_media_are_skipped_by_name(tmp_path):
    records = read(tmp_path, {"id": 1, "type": "service"}, {**ONE, "text": ""})
    assert [one.reason for one in records] == ["service message", "media without words"]


def test_a_deleted_account_has_its_id_and_a_forward_its_writer(tmp_path):
    forward = {**ONE, "forwarded_from": "Somebody Else"}
    gone, passed_on = read(tmp_path, {**ONE, "from": None}, forward)
    assert (gone.author, passed_on.author) == ("user1", "Somebody Else")


def test_the_owner_of_a_whole_account_is_self_by_id(tmp_path):
    chats = [
        {"name": "Harbour", "id": 77, "messages": [ONE]},
        {"id": 78, "messages": [{**ONE, "from_id": "user2"}]},
    ]
    account = {"personal_information": {"user_id": 1}, "chats": {"list": chats}}
    (tmp_path / "result.json").write_text(json.dumps(account))
    own, other = read_messages("telegram", tmp_path / "result.json")
    assert (own.author, own.external_id) == (SELF, "77:5")
    assert (other.author, other.external_id, other.conversation) == ("Pell", "78:5", "78")


def test_a_cut_off_file_gives_what_it_has_and_one_reject(tmp_path):
    text = json.dumps({"id": 77, "messages": [ONE, {**ONE, "id": 6}]})
    (tmp_path / "result.json").write_text(text[:-40])
    message, reject = read_messages("telegram", tmp_path / "result.json")
    assert message.external_id == "77:5"
    assert reject.reason == "ends in the middle of its JSON"


def test_an_object_without_end_is_no_message_and_costs_no_memory(tmp_path):
    huge = {**ONE, "extra": list(range(300_000))}
    reject, message = read(tmp_path, huge, ONE)
    assert "too large" in reject.reason and isinstance(message, Message)


def test_json_and_html_of_one_chat_say_the_same():
    folder = fixture_folder("telegram/langchain")
    messages = [one for one in records_of("telegram", folder) if isinstance(one, Message)]
    said = {path: [(m.author, m.text) for m in messages if m.path.endswith(path)]
            for path in ("html", "json")}  # fmt: skip
    assert said["html"] == said["json"] and len(said["json"]) == 4
    assert said["json"][0][1] == "i refuse to converse with you"


def test_the_peers_expectation_holds():
    folder = fixture_folder("telegram/chat_miner")
    expected = json.loads((folder / "target.json").read_text())
    for name in ("test_single_export.json", "test_batch_export.json"):
        found = records_of("telegram", folder / name)
        assert [{"timestamp": m.sent_at.isoformat()[:19], "author": m.author, "message": m.text}
                for m in found] == expected  # fmt: skip
    assert count(records_of("telegram", folder))["messages"] == 4


def test_other_json_is_skipped(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1}')
    records = list(read_messages("telegram", tmp_path))
    assert records == [Skipped("a.json", "", "no messages in the file")]
