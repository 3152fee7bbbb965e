"""The bytes of a mail become a Message, however broken they are."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.machine_mail import judge
from memory.message import Message, Skipped, Unreadable
from memory.sources import read_messages
from memory.sources.html import html_to_text
from memory.sources.mail import read_mail

FIXTURES = Path(__file__).parents[2] / "shared/fixtures"
HEAD = "From: Ada <ada@example.org>\nDate: Sun, 1 Mar 2026 10:00:00 +0100\n"


def read(text: str | bytes) -> Message:
    data = text if isinstance(text, bytes) else text.encode()
    message = read_mail(data, "a.eml")
    assert isinstance(message, Message)
    return message


def test_a_plain_mail_is_read():
    head = "To: Bo <bo@example.org>, cy@example.org\nSubject: Re: Rain\nMessage-ID: <2@x>\n"
    message = read(HEAD + head + "In-Reply-To: <1@x>\nReferences: <0@x> <1@x>\n\nIt rains.\n")
    assert (message.external_id, message.reply_to, message.conversation) == (
        "<2@x>",
        "<1@x>",
        "<0@x>",
    )
    assert message.author == "Ada <ada@example.org>"
    assert message.recipients == ("Bo <bo@example.org>", "cy@example.org")
    assert message.sent_at == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert (message.text, message.origin) == ("It rains.", "spoken")


def test_encoded_words_become_words():
    message = read("From: =?utf-8?q?J=C3=B6rn?= <j@x.org>\nSubject: =?gb2312?B?1tDOxA==?=\n\nx")
    assert (message.author, message.subject) == ("Jörn <j@x.org>", "中文")


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("ada at example.org (Ada Lovelace)", "Ada Lovelace <ada@example.org>"),
        ('"Lovelace, Ada" <ada@example.org>', "Lovelace, Ada <ada@example.org>"),
        ("Ada Lovelace ada@example.org", "Ada Lovelace <ada@example.org>"),
        ("<ada@example.org>", "ada@example.org"),
        ("Ada", "Ada"),
    ],
)
def test_senders_are_written_one_way(written, read_as):
    assert read(f"From: {written}\n\nx").author == read_as


def test_quotations_and_signatures_stay():
    body = "Yes.\n\n> Does it rain?\n\n-- \nAda"
    assert read(f"{HEAD}\n{body}\n").text == body


def test_plain_text_is_preferred_and_attachments_are_left_out():
    parts = ["text/html\n\n<p>H</p>", "text/plain\n\nP", "text/plain; name=a.txt\n\nattached"]
    body = "".join(f"--B\nContent-Type: {part}\n" for part in parts)
    assert read(f"{HEAD}Content-Type: multipart/mixed; boundary=B\n\n{body}--B--\n").text == "P"


def test_html_is_converted_where_there_is_nothing_else():
    mail = HEAD + "Content-Type: text/html; charset=utf-8\n\n<p>Dear <b>Bo</b>,</p>it rains."
    assert read(mail).text == "Dear Bo,\n\nit rains."


def test_an_unquoted_boundary_with_equal_signs_is_found():
    head = HEAD + "Content-Type: multipart/alternative; boundary=----=_Part_1\n\n"
    assert read(head + "------=_Part_1\nContent-Type: text/plain\n\nWords\n").text == "Words"


@pytest.mark.parametrize("charset", ["nonsense", "us-ascii", "utf-8", "iso-8859-1"])
def test_a_wrong_charset_loses_no_words(charset):
    head = f"{HEAD}Content-Type: text/plain; charset={charset}\n\n".encode()
    assert read(head + b"Gr\xfc\xdfe, Bo").text == "Grüße, Bo"


@pytest.mark.parametrize("date", ["", "soon", "Mon, 30 Feb 2026 99:99:99 +9999", "Sun, 1 Mar 0000"])
def test_a_broken_date_is_no_date(date):
    assert read(f"From: ada@x.org\nDate: {date}\n\nx").sent_at is None


def test_without_an_id_the_key_is_the_content():
    one, two, other = (read(f"{HEAD}Subject: {s}\n\nx").external_id for s in ("a", "a", "b"))
    assert one == two != other


def test_what_is_no_mail_is_a_reject():
    assert isinstance(read_mail(b"just words\n\nand more", "a.eml"), Unreadable)
    assert isinstance(read_mail(b" \n", "a.eml"), Skipped)


@pytest.mark.parametrize(
    "sign",
    ["Auto-Submitted: auto-replied", "Precedence: auto_reply", "X-Autoreply: yes",
     "Content-Type: multipart/report; boundary=B", "Subject: Out of Office: rain",
     "Subject: Automatische Antwort: Regen", "Sender: MAILER-DAEMON@x.org", "Return-Path: <>"],
)  # fmt: skip
def test_machine_mail_is_told_by_any_strong_sign(sign):
    assert read(f"From: ada@x.org\n{sign}\n\nx").origin == "system"


@pytest.mark.parametrize(
    "sender", ["no-reply", "noreply", "do-not-reply", "DoNotReply", "postmaster"]
)
def test_machine_mail_is_told_by_its_sender(sender):
    assert read(f"From: Shop <{sender}@x.org>\n\nx").origin == "system"


@pytest.mark.parametrize(
    "sign",
    ["Auto-Submitted: no", "Precedence: bulk", "List-Id: <ada.x.org>",
     "Subject: Re: Out of office", "Reply-To: notorious@x.org"],
)  # fmt: skip
def test_people_on_lists_are_no_machines(sign):
    assert read(f"From: norbert@x.org\n{sign}\n\nx").origin == "spoken"


def test_addresses_and_depth_survive_html():
    deep = "<div>" * 600 + "Ask <ada@example.org>" + "</div>" * 600
    assert html_to_text(deep) == "Ask <ada@example.org>"


def test_html_nested_to_stop_a_parser_takes_no_time():
    start = time.perf_counter()
    assert "words" in html_to_text("<div>" * 50_000 + "words")
    assert time.perf_counter() - start < 2


def test_html_blocks_become_lines():
    html = "<p>One<br>two</p><ol><li>a<li>b</ol><blockquote>Old</blockquote><pre>x\n  y</pre>End"
    assert html_to_text(html) == "One\ntwo\n\n1. a\n2. b\n\n> Old\n\nx\n  y\n\nEnd"


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="needs the shared fixtures")
@pytest.mark.parametrize("folder", ["email_mime", "email_automated", "email_reply"])
def test_no_real_mail_raises_or_takes_long(folder):
    for file in filter(Path.is_file, sorted((FIXTURES / folder).rglob("*"))):
        start = time.perf_counter()
        assert len(list(read_messages("eml", file))) == 1
        assert time.perf_counter() - start < 1


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="needs the shared fixtures")
def test_every_real_bounce_is_told_from_a_letter():
    records = list(read_messages("eml", FIXTURES / "email_automated"))
    assert {record.origin for record in records} == {"system"}
    assert len(records) == 16


@pytest.mark.parametrize(
    "head",
    [
        "From: a.noreply@example.org",
        "From: Mail Delivery System <MAILER-DAEMON@example.org>",
        "Subject: Out of Office: Re: Rain",
        "Subject: Abwesenheitsnotiz: Regen",
        "Subject: 自动答复: 雨",
        "Subject: Mail System Error - Returned Mail",
        "Content-Type: multipart/report; boundary=x",
    ],
)
def test_a_machine_wrote_it(head):
    assert read(f"{head}\nX-Date: none\nTo: ada@example.org\n\nx").origin == "system"


@pytest.mark.parametrize(
    "head",
    [
        "Subject: Re: Out of office",
        "Subject: Out of office next week",
        "Subject: Abwesenheit im Juli",
        "List-Id: <rain.example.org>\nPrecedence: bulk",
        "Auto-Submitted: no",
        "From: Norbert Eply <norbert.eply@example.org>",
    ],
)
def test_a_human_wrote_it(head):
    assert read(f"{head}\nTo: ada@example.org\n\nx").origin == "spoken"


def test_machine_mail_of_peers_is_seen_and_no_human_mail_of_lists_is():
    if not FIXTURES.is_dir():
        pytest.skip("the fixtures are not here")
    machine = [m for m in read_messages("eml", FIXTURES / "email_automated")]
    human = [m for m in read_messages("mbox", FIXTURES / "mbox") if isinstance(m, Message)]
    assert [m.origin for m in machine] == ["system"] * 16
    assert len(human) > 270 and not [m for m in human if m.origin == "system"]


NESTED = b"".join(
    b"Content-Type: multipart/mixed; boundary=B%d\n\n--B%d\n" % (n, n) for n in range(400)
)
SLOW = {
    "parameters": b"Content-Type: text/plain; " + b"a=b; " * 400_000 + b"\n\nx",
    "nested": NESTED + b"--x\n" * 500_000,
    "parts": b"Content-Type: multipart/mixed; boundary=B\n\n" + b"--B\n\n" * 400_000,
    "tags": b"Content-Type: text/html\n\n" + b"<p>a" * 500_000,
    "heads": b"a: b\n" * 400_000,
}


@pytest.mark.parametrize("name", SLOW)
def test_two_megabytes_of_nothing_but_trouble_take_no_time(name):
    start = time.process_time()
    assert read(b"From: ada@example.org\n" + SLOW[name])
    assert time.process_time() - start < 1.5


def test_a_mail_with_a_large_attachment_keeps_its_words():
    head = b"From: ada@example.org\nContent-Type: multipart/mixed; boundary=B\n\n"
    text = b"--B\n\nIt rains.\n--B\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\n"
    assert read(head + text + b"QUJDREVG\n" * 2_000_000 + b"--B--\n").text == "It rains."


def test_a_mail_of_apple_mail_ends_where_its_first_line_says(tmp_path):
    mail = b"From: ada@example.org\n\nIt rains.\n"
    (tmp_path / "7.emlx").write_bytes(b"%d  \n" % len(mail) + mail + b"<?xml version=1?><plist/>")
    (message,) = read_messages("eml", tmp_path)
    assert message.text == "It rains."


@pytest.mark.parametrize("file", ["first.mbox", "second.mbox", "third.mbox"])
def test_made_up_mails_after_the_documentation_of_senders_are_told_apart(file):
    judged = judge(Path(__file__).parent / "data/mails" / file)
    missed = [what for kind, what, taken in judged if kind == "machine" and not taken]
    lost = [what for kind, what, taken in judged if kind == "human" and taken]
    assert lost == [] and len(missed) <= 0.03 * len(judged)


def test_a_subject_of_signs_alone_takes_no_time():
    start = time.process_time()
    read(f"From: ada@x.org\nSubject: {'<>' * 30_000}\n\nx")
    assert time.process_time() - start < 1
