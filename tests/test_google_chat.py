"""A Takeout's Chat, Hangouts and Keep, dates in the account's language."""

import json
from pathlib import Path

import pytest

from memory.message import SELF, Message
from memory.sources import read_messages
from memory.sources.google_chat import read_date
from tests.fixtures import count, fixture_folder, records_of

# All people and words here are made up.
CREATOR = {"name": "Pell", "email": "pell@example.org", "user_type": "Human"}
ONE = {"creator": CREATOR, "created_date": "Sunday, March 1, 2026 at 9:00:00\u202fAM UTC",
       "text": "It rains.", "message_id": "s/t1/t1"}  # fmt: skip


def read(tmp_path, document, name="Takeout/Google Chat/Groups/DM 7/messages.json"):
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document))
    return list(read_messages("google_chat", tmp_path))


DATES = [
    "Friday, January 17, 2020 at 8:49:00\u202fPM UTC",
    "Freitag, 17. Januar 2020 um 20:49:00 UTC",
    "vendredi 17 janvier 2020 à 20:49:00 UTC",
    "viernes, 17 de enero de 2020, 20:49:00 UTC",
    "venerdì 17 gennaio 2020 alle ore 20:49:00 UTC",
    "sexta-feira, 17 de janeiro de 2020 às 20:49:00 UTC",
    "vrijdag 17 januari 2020 om 20:49:00 UTC",
    "fredag 17 januari 2020 kl. 20:49:00 UTC",
    "piątek, 17 stycznia 2020 20:49:00 UTC",
    "пятница, 17 января 2020 г. в 20:49:00 UTC",
    "17 Ocak 2020 Cuma 20:49:00 UTC",
    "शुक्रवार, 17 जनवरी 2020 को 8:49:00 pm UTC बजे",
    "الجمعة، ١٧ يناير ٢٠٢٠ في ٨:٤٩:٠٠ م UTC",
    "Thứ Sáu, 17 tháng 1, 2020 lúc 20:49:00 UTC",
    "Jumat, 17 Januari 2020 pukul 20.49.00 UTC",
    "יום שישי, 17 בינואר 2020 בשעה 20:49:00 UTC",
    "วันศุกร์ที่ 17 มกราคม 2020 เวลา 20:49:00 UTC",
    "Παρασκευή 17 Ιανουαρίου 2020 στις 8:49:00 μ.μ. UTC",
    "2020年1月17日星期五 UTC 20:49:00",
    "2020年1月17日金曜日 20時49分00秒 UTC",
    "2020년 1월 17일 금요일 오후 8시 49분 0초 UTC",
    "Friday, 17 January 2020 at 22:49:00 UTC+2",
    "2020-01-17T20:49:00Z",
]


@pytest.mark.parametrize("text", DATES)
def test_a_date_is_read_in_the_language_of_the_account(text):
    assert read_date(text).isoformat() == "2020-01-17T20:49:00+00:00"


def test_nonsense_is_no_date():
    assert read_date("yesterday") is None
    assert read_date("February 31, 2020 at 9:00:00 AM UTC") is None
    assert read_date("martes, 3 de marzo de 2020, 9:00:00 UTC").month == 3


def test_chat_messages_keep_googles_ids_and_their_thread(tmp_path):
    reply = {**ONE, "message_id": "s/t1/m2"}
    first, second = read(tmp_path, {"messages": [ONE, reply]})
    assert (first.external_id, first.reply_to, second.reply_to) == ("s/t1/t1", "", "s/t1/t1")
    assert (first.author, first.conversation) == ("Pell <pell@example.org>", "DM 7")
    assert first.sent_at.hour == 9


def test_deleted_messages_have_no_creator(tmp_path):
    gone = {"message_id": "s/t1/t1", "message_state": "DELETED"}
    (record,) = read(tmp_path, {"messages": [gone]})
    assert record.reason == "deleted message"


def test_hangouts_are_read_by_segments_and_names(tmp_path):
    people = [{"id": {"gaia_id": "1"}, "fallback_name": "Pell"}]
    said = {"message_content": {"segment": [{"type": "TEXT", "text": "It"}, {"type": "LINE_BREAK"},
                                            {"type": "TEXT", "text": "rains."}]}}  # fmt: skip
    event = {"conversation_id": {"id": "c"}, "sender_id": {"gaia_id": "1"}, "event_id": "e",
             "timestamp": "1772355600000000", "chat_message": said}  # fmt: skip
    talk = {"conversation": {"conversation": {"participant_data": people}},
            "events": [event, {**event, "chat_message": None, "event_type": "CALL"}]}  # fmt: skip
    message, call = read(tmp_path, {"conversations": [talk]}, "Hangouts.json")
    assert (message.author, message.text, message.external_id) == ("Pell", "It\nrains.", "e")
    assert message.sent_at.isoformat() == "2026-03-01T09:00:00+00:00"
    assert call.reason == "notice"


def test_notes_are_the_owners_and_lists_keep_their_boxes(tmp_path):
    note = {"title": "Buy", "createdTimestampUsec": 1772355600000000,
            "listContent": [{"text": "rope", "isChecked": True}, {"text": "tar"}]}  # fmt: skip
    (message,) = read(tmp_path, note, "Keep/Buy.json")
    assert (message.kind, message.author, message.subject) == ("note", SELF, "Buy")
    assert message.text == "- [x] rope\n- [ ] tar"


def test_other_services_json_is_skipped_unread(tmp_path):
    records = read(tmp_path, {"locations": [{"at": n} for n in range(9_000)]}, "Records.json")
    assert [one.reason for one in records] == ["no messages in the file"]


def test_the_samples_have_the_notes_they_have():
    folder = fixture_folder("google_takeout")
    records = records_of("google_chat", folder)
    found = count(records)
    assert (found["messages"], found["rejects"], found["note in the bin"]) == (13, 1, 1)
    for note in (one for one in records if isinstance(one, Message) and "notes/" in one.path):
        name = note.path.rpartition("/")[2].removesuffix(".json")
        expected = next(iter(folder.rglob(f"expected/{name[:9]}*/*.md"))).read_text()
        assert note.text.split()[-1] in expected


SENTENCES = json.loads((Path(__file__).parent / "data/sentence_dates.json").read_text("utf-8"))


@pytest.mark.parametrize("language", SENTENCES)
def test_a_date_is_read_in_the_words_of_its_language(language):
    """Made up after CLDR's full dates with long times; all say 20:49 on 17 January 2020."""
    assert read_date(SENTENCES[language]).isoformat()[:16] == "2020-01-17T20:49"


def test_the_croatian_october_is_not_the_polish_november():
    assert read_date("petak, 2. listopada 2020. u 20:49:00 UTC").month == 10
    assert read_date("piątek, 2 listopada 2020 20:49:00 UTC").month == 11
