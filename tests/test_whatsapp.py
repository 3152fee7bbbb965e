"""A WhatsApp chat is read whatever phone, language and clock it was exported with."""

import json
import zipfile

import pytest

from memory.message import Message, Skipped
from memory.sources import read_messages
from memory.sources.whatsapp import chat_name, clean
from tests.fixtures import count, fixture_folder, records_of

# All people and words here are made up.


def read(tmp_path, text, name="WhatsApp Chat with Harbour.txt"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return list(read_messages("whatsapp", tmp_path / name))


LATE = [
    "30/12/21, 22:01 - Pell: rain",
    "12/30/21, 10:01\u202fPM - Pell: rain",
    "12/30/2021, 10:01 p. m. - Pell: rain",
    "[30.12.21, 22:01:00] Pell: rain",
    "\u200e[30/12/2021, 22:01:00] Pell: rain",
    "[12/30/21, 10:01:00\u202fPM] Pell: rain",
    "30.12.21, 22:01 – Pell: rain",
    "2021-12-30 22:01 - Pell: rain",
    "[2021/12/30 下午10:01:00] Pell: rain",
    "2021/12/30 22:01 - Pell: rain",
    "2021. 12. 30. 오후 10:01, Pell : rain",
    "2021년 12월 30일 오후 10:01, Pell : rain",
    "30.12.2021 klo 22.01 - Pell: rain",
    "30.12.21 22.01 - Pell: rain",
    "30.12.21 г., 22:01 ч. - Pell: rain",
    "30/12/2021 às 22:01 - Pell: rain",
    "30-12-2021 22:01 - Pell: rain",
    "30/12/2564 22:01 - Pell: rain",
    "٣٠/١٢/٢٠٢١، ٢٢:٠١ - Pell: rain",
    "2021-12-30 22 h 01 - Pell: rain",
    "[2021-12-30, 22 h 01 min 09 s] Pell: rain",
    "30/12/64 22:01 - Pell: rain",
    "[30/12/2564 BE 22:01:00] Pell: rain",
    "22:01, 30/12/2021 - Pell: rain",
    "[10:01 PM, 12/30/2021] Pell: rain",
    "2021-12-30, 10:01 nm. - Pell: rain",
    "३०/१२/२१, १०:०१ म.उ. - Pell: rain",
    "30/12/21, பிற்பகல் 10:01 - Pell: rain",
    "30/12/2021, 10:01 PTG - Pell: rain",
    "30.12.21, 10:01 e pasdites - Pell: rain",
    "30.12.21 во 22:01 - Pell: rain",
    "2021/12/30 傍晚10:01 - Pell: rain",
]


@pytest.mark.parametrize("line", LATE)
def test_the_same_moment_in_the_clocks_of_many_countries(tmp_path, line):
    (message,) = read(tmp_path, line + "\n")
    assert message.sent_at.isoformat()[:16] == "2021-12-30T22:01"
    assert (message.author, message.text) == ("Pell", "rain")


def test_the_order_of_day_and_month_is_the_whole_files(tmp_path):
    by_day, _ = read(tmp_path, "01/02/26, 09:00 - Pell: a\n13/02/26, 09:00 - Pell: b\n")
    by_month, _ = read(tmp_path, "01/02/26, 09:00 - Pell: a\n01/13/26, 09:00 - Pell: b\n")
    assert (by_day.sent_at.month, by_month.sent_at.month) == (2, 1)


def test_time_running_forwards_tells_the_order_too(tmp_path):
    first, *_ = read(tmp_path, "".join(f"{n}/3/26, 09:00 - Pell: a\n" for n in (9, 10, 11)))
    assert (first.sent_at.month, first.sent_at.day) == (3, 9)
    lines = ("3/9/26", "4/2/26", "5/1/26")
    first, *_ = read(tmp_path, "".join(f"{day}, 09:00 - Pell: a\n" for day in lines))
    assert (first.sent_at.month, first.sent_at.day) == (3, 9)


def test_the_key_does_not_depend_on_the_order_taken(tmp_path):
    ambiguous = read(tmp_path, "01/02/26, 09:00 - Pell: a\n")
    decided = read(tmp_path, "01/02/26, 09:00 - Pell: a\n01/13/26, 09:00 - Pell: b\n")
    assert ambiguous[0].external_id == decided[0].external_id


def test_lines_below_belong_to_the_message_dates_in_them_too(tmp_path):
    text = "[17.9.2026, 16:37:47] Pell: one\n[1.9.26, 00:00:00] Quill: two\n12/12/26: three\n"
    first, second = read(tmp_path, text + "[17.9.2026, 16:38:06] Pell: four\n")
    assert first.text.count("\n") == 2 and "Quill: two" in first.text
    assert second.text == "four"


def test_equal_messages_of_one_minute_are_numbered(tmp_path):
    first, second = read(tmp_path, "1/2/26, 09:00 - Pell: ha\n1/2/26, 09:00 - Pell: ha\n")
    assert second.external_id == first.external_id + "#2"


def test_two_overlapping_exports_share_their_keys(tmp_path):
    lines = [f"1/2/26, 09:{n:02} - Pell: number {n}\n" for n in range(20)]
    whole = {m.external_id for m in read(tmp_path, "".join(lines))}
    first = {m.external_id for m in read(tmp_path, "".join(lines[:12]))}
    second = {m.external_id for m in read(tmp_path, "".join(lines[8:]))}
    assert first | second == whole and len(first & second) == 4


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<Media omitted>", "media without words"),
        ("<Medien ausgeschlossen>", "media without words"),
        ("<省略多媒体文件>", "media without words"),
        ("\u200eimage omitted", "media without words"),
        ("Bild weggelassen", "media without words"),
        ("IMG-20260301-WA0001.jpg (file attached)", "media without words"),
        ("\u200e<attached: 00000012-PHOTO-2026-03-01.jpg>", "media without words"),
        ("This message was deleted.", "message taken back"),
        ("\u200eMessages and calls are end-to-end encrypted. No one can read.", "notice"),
        ("\u200eQuill changed the description", "notice"),
        ("Missed voice call", "notice"),
        ("Waiting for this message. This may take a while.", "notice"),
    ],
)
def test_what_nobody_wrote_is_skipped(text, reason):
    assert clean(text) == ("", reason)


def test_words_beside_a_file_stay():
    assert clean("IMG-20260301-WA0001.jpg (file attached)\nthe harbour") == ("the harbour", "")
    assert clean("the harbour \u200e<attached: 12-PHOTO.jpg>") == ("the harbour", "")
    assert clean("well said\u200e <This message was edited>")[0].startswith("well said")
    assert clean("I <3 rain") == ("I <3 rain", "")


def test_notices_without_an_author_are_skipped(tmp_path):
    text = "1/2/26, 09:00 - Quill added Pell\n1/2/26, 09:01 - Pell: hello\n"
    notice, message = read(tmp_path, text)
    assert isinstance(notice, Skipped) and notice.reason == "notice"
    assert message.conversation == "Harbour"


def test_a_zip_is_read_and_names_its_chat(tmp_path):
    with zipfile.ZipFile(tmp_path / "WhatsApp Chat - Harbour.zip", "w") as archive:
        archive.writestr("_chat.txt", "[01.02.26, 09:00:00] ~\u202fPell: hello\r\n")
        archive.writestr("photo.jpg", b"x")
    (message,) = read_messages("whatsapp", tmp_path)
    assert (message.author, message.conversation) == ("Pell", "Harbour")
    assert chat_name("Chat de WhatsApp con Quill (1).txt") == "Quill"


def test_any_other_text_is_skipped(tmp_path):
    assert read(tmp_path, "A letter.\n", "a.txt") == [Skipped("a.txt", "", "not a WhatsApp chat")]


def test_the_peers_expectations_hold():
    folder = fixture_folder("whatsapp/chat_miner")
    expected = json.loads((folder / "target.json").read_text())
    for file in sorted(folder.glob("*.txt")):
        found = [one for one in records_of("whatsapp", file) if isinstance(one, Message)]
        rows = [{"timestamp": m.sent_at.isoformat()[:19], "author": m.author,
                 "message": m.text.replace("\n", " ")} for m in reversed(found)]  # fmt: skip
        assert rows == expected, file.name


def test_the_samples_have_the_messages_they_have():
    found = count(records_of("whatsapp", fixture_folder("whatsapp/chatistics")))
    assert found == {"messages": 36, "notice": 3}


def test_years_of_persia_are_counted_into_ours(tmp_path):
    days = ("۱۴۰۲/۱۲/۲۲", "۱۴۰۳/۰۱/۰۱", "۱۴۰۳/۱۲/۳۰")
    text = "".join(f"{day}،\u200f ۲۱:۱۵ - Pell: سلام\n" for day in days)
    found = [m.sent_at.date().isoformat() for m in read(tmp_path, text)]
    assert found == ["2024-03-12", "2024-03-20", "2025-03-20"]


def test_messages_of_one_minute_keep_their_order(tmp_path):
    text = "".join(f"1/2/26, 09:00 - Pell: {word}\n" for word in ("one", "two", "three"))
    assert [m.sent_at.second for m in read(tmp_path, text)] == [0, 1, 2]


GONE = ("Bu mesaj silindi", "このメッセージは削除されました", "삭제된 메시지입니다.",
        "تم حذف هذه الرسالة", "Pesan ini telah dihapus", "Detta meddelande raderades",
        "Вы удалили данное сообщение", "此訊息已刪除")  # fmt: skip


@pytest.mark.parametrize("text", GONE)
def test_messages_taken_back_in_more_languages(text):
    assert clean(text) == ("", "message taken back")


def test_an_edited_mark_of_an_android_goes_and_the_words_stay():
    assert clean("rain <Diese Nachricht wurde bearbeitet.>") == ("rain", "")
    assert clean("это сообщение <3") == ("это сообщение <3", "")


def test_a_notice_that_quotes_a_colon_is_nobodys_message(tmp_path):
    line = '30/12/21, 22:01 - Pell changed the group name from "Rain: 2021" to "Sun: 2022"\n'
    assert [record.reason for record in read(tmp_path, line)] == ["notice"]
