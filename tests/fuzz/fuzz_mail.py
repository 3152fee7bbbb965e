"""Fuzzes the reading of mail: `python tests/fuzz/fuzz_mail.py -runs=10000`."""

import sys

import atheris

with atheris.instrument_imports(include=["memory", "distill"]):
    from distill.perspective.replies import quoted_parts
    from memory.message import Message, Skipped, Unreadable
    from memory.sources.mail import read_mail
    from memory.sources.mbox import split
    from memory.store import stored_row


def read(data: bytes) -> None:
    """One mail, and the same bytes as an mbox: a record each, whose parts lie in its text."""
    mails = [data, *(mail for _, mail in split(data.splitlines(keepends=True)))]
    for mail in mails:
        record = read_mail(mail, "fuzz.eml")
        assert isinstance(record, Message | Skipped | Unreadable)
        if isinstance(record, Message):
            stored_row(record)
            parts = quoted_parts(record.text, record.kind)
            assert all(0 <= one.start <= one.end <= len(record.text) for one in parts)


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
