"""Whatever the bytes, a mail or a text is one record at least, and nothing is raised."""

from hypothesis import given, settings
from hypothesis import strategies as st

from memory.message import Message, Skipped, Unreadable
from memory.sources import SOURCES
from memory.sources.mail import read_mail
from memory.sources.mbox import split
from memory.store import stored_row

HEADERS = ("From", "To", "Date", "Subject", "Message-ID", "References", "Content-Type",
           "Content-Transfer-Encoding", "Auto-Submitted", "Received")  # fmt: skip
VALUES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([
        b"multipart/mixed; boundary=B", b"text/html; charset=x-none", b"message/rfc822", b"base64",
        b"=?utf-8?b?////?=", b"=?utf-7?q?+AAA?=", b"Ada <ada@example.org>", b"<a@b>, <<>,,",
        b"Mon, 99 Foo 0000 99:99:99 +9999", b"multipart/report", b"text/plain; charset*=utf-8''%FF",
    ]),
)  # fmt: skip
BODIES = st.binary(max_size=300) | st.sampled_from([b"--B\n\n--B\nContent-Type: text/html\n\n<p"])
HEADS = st.lists(st.tuples(st.sampled_from(HEADERS), VALUES), max_size=8)
LINES = ["---", "title: x", "title: [", "# Day", "### [2026-03-01 09:00]", "**2026-03-01**", "\0",
         "generated: true", "From: a", "\ud800", "今天", "\x1b[31m", "\ufeff",
         "> x", "2026-99-99"]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(HEADS, BODIES)
def test_any_mail_is_one_record(heads, body):
    head = b"".join(name.encode() + b": " + value + b"\n" for name, value in heads)
    record = read_mail(head + b"\n" + body, "a.eml")
    assert isinstance(record, Message | Skipped | Unreadable)
    if isinstance(record, Message):
        assert all(value is None or value.encode() is not None for value in stored_row(record))


@given(st.lists(st.sampled_from([b"From a\n", b"\n", b"To: b\n", b"x\n", b"From "]), max_size=30))
def test_an_mbox_loses_no_line(lines):
    mails = [piece for envelope, mail in split(lines) for piece in (envelope, mail)]
    start = b"".join(lines).find(b"".join(mails)) if mails else 0
    assert start >= 0 and (not mails or b"".join(lines).endswith(b"".join(mails)))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(LINES) | st.text(max_size=30), max_size=20), st.sampled_from(
    ("journals", "poems", "letters", "fiction", "relay", "mbox")))  # fmt: skip
def test_any_text_is_one_record_at_least(tmp_path_factory, lines, kind):
    file = tmp_path_factory.getbasetemp() / "hostile.md"
    file.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    records = list(SOURCES[kind].read_file(file, file))
    assert records
    for record in records:
        if isinstance(record, Message):
            assert all(value is None or value.encode() is not None for value in stored_row(record))
