"""A Maildir is read where it lies, and stays as it was."""

from memory.sources import read_messages

MAIL = "From: ada@example.org\nMessage-ID: <{0}@x>\n\nMail {0}\n"


def make_maildir(root, *places):
    for number, place in enumerate(places):
        file = root / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(MAIL.format(number))


def test_mails_of_new_cur_and_subfolders_are_read(tmp_path):
    make_maildir(tmp_path, "cur/1:2,S", "new/2", ".Sent/cur/3:2,S", "Archive/2025/cur/4")
    assert [record.path for record in read_messages("maildir", tmp_path)] == [
        ".Sent/cur/3:2,S",
        "Archive/2025/cur/4",
        "cur/1:2,S",
        "new/2",
    ]


def test_unfinished_mails_and_other_files_are_left(tmp_path):
    make_maildir(tmp_path, "tmp/1", "dovecot.index", "cur/.lock", ".Sent/maildirfolder")
    assert list(read_messages("maildir", tmp_path)) == []


def test_reading_moves_and_changes_nothing(tmp_path):
    make_maildir(tmp_path, "new/1")
    before = (tmp_path / "new/1").stat()
    list(read_messages("maildir", tmp_path))
    after = (tmp_path / "new/1").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_one_mail_in_two_folders_has_one_key(tmp_path):
    make_maildir(tmp_path, "cur/1")
    make_maildir(tmp_path / ".All", "cur/9")
    assert len({record.external_id for record in read_messages("maildir", tmp_path)}) == 1
