"""Discord's exports: the exporter's JSON and CSV, and the package of one's own words."""

import json

from memory.message import SELF
from memory.sources import read_messages
from tests.fixtures import count, fixture_folder, records_of

# All people and words here are made up.
PELL = {"id": "1", "name": "pell", "nickname": "Pell"}
ONE = {"id": "5", "type": "Default", "timestamp": "2026-03-01T10:00:00+01:00",
       "content": "It rains.", "author": PELL}  # fmt: skip


def read(tmp_path, text, name="harbour.json"):
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text if isinstance(text, str) else json.dumps(text))
    return list(read_messages("discord", tmp_path))


def test_the_exporters_json(tmp_path):
    answer = {**ONE, "id": "6", "type": "Reply", "reference": {"messageId": "5"}}
    head = {"guild": {"name": "Coast"}, "channel": {"id": "7", "name": "harbour"}}
    first, second = read(tmp_path, {**head, "messages": [ONE, answer]})
    assert (first.author, first.external_id, second.reply_to) == ("Pell", "5", "5")
    assert first.conversation == "Coast / harbour"
    assert first.sent_at.isoformat() == "2026-03-01T09:00:00+00:00"


def test_notices_and_media_are_skipped(tmp_path):
    joined, sticker = {**ONE, "type": "GuildMemberJoin"}, {**ONE, "content": ""}
    records = read(tmp_path, {"messages": [joined, sticker]})
    assert [one.reason for one in records] == ["notice", "media without words"]


def test_signed_addresses_lose_their_signature(tmp_path):
    address = "https://cdn.discordapp.com/attachments/1/2/a.png"
    (message,) = read(tmp_path, {"messages": [{**ONE, "content": f"{address}?ex=1&is=2&hm=3 ok"}]})
    assert message.text == f"{address} ok"


def test_the_package_holds_the_owners_words(tmp_path):
    said = [{"ID": 9, "Timestamp": "2026-03-01 09:00:00", "Contents": "hi", "Attachments": ""}]
    (message,) = read(tmp_path, said, "messages/c123/messages.json")
    assert (message.author, message.external_id, message.conversation) == (SELF, "9", "123")
    table = "ID,Timestamp,Contents,Attachments\n9,2026-03-01 09:00:00,hi,\n"
    (again,) = read(tmp_path / "old", table, "messages/c123/messages.csv")
    assert (again.external_id, again.sent_at) == (message.external_id, message.sent_at)


def test_the_exporters_csv_has_keys_by_content(tmp_path):
    table = 'AuthorID,Author,Date,Content\n1,Pell,2026-03-01T09:00:00Z,"two\nlines"\n'
    (message,) = read(tmp_path, table + "1,Pell,2026-03-01T09:00:00Z,\n", "a.csv")[:1]
    assert (message.author, message.text) == ("Pell", "two\nlines")


def test_any_other_table_is_skipped(tmp_path):
    assert read(tmp_path, "a,b\n1,2\n", "a.csv")[0].reason == "not a Discord export"


def test_the_samples_have_the_messages_they_have():
    found = count(records_of("discord", fixture_folder("discord/chatpack")))
    assert found == {"messages": 5, "media without words": 1}


def test_folders_of_the_package_that_hold_no_messages_stay_unread(tmp_path):
    (record,) = read(tmp_path, '{"a": 1}\n{"a": 2}\n', "package/activity/analytics/e.json")
    assert record.reason == "not a Discord export"


def test_the_clock_of_older_exporters_is_read(tmp_path):
    head = "AuthorID,Author,Date,Content,Attachments,Reactions\n"
    (message,) = read(tmp_path, head + "1,pell,03/01/2026 09:00 AM,It rains.,,\n", "harbour.csv")
    assert message.sent_at.isoformat() == "2026-03-01T09:00:00+00:00"
