"""An IMAP account is read on from where it was left, and not changed. Made-up mails."""

import pytest
from fake_imap import FakeImap

from memory.db import open_database
from memory.ingest import SourceConfig, ingest_source
from memory.sources import absolute, imap, read_messages


def mail(number: int, body: str = "It rained.") -> bytes:
    return (f"From: Mira Ost <mira@example.org>\r\nMessage-ID: <{number}@x>\r\n"
            f"Date: Sun, 1 Mar 2026 09:00:00 +0000\r\nSubject: Rain\r\n\r\n{body}\r\n"
            ).encode()  # fmt: skip


@pytest.fixture
def db(tmp_path):
    return open_database(tmp_path / "memory.db")


@pytest.fixture
def server(tmp_path):
    (tmp_path / "password").write_text("open sesame\n")
    (tmp_path / "password").chmod(0o600)
    fake = FakeImap({"INBOX": {3: mail(3), 5: mail(5)}, "Sent": {1: mail(1)}, "Spam": {1: mail(9)}})
    fake.flags["Spam"] = r"\Junk"
    with fake.serve():
        yield fake


def source(server, tmp_path, folder="INBOX"):
    path = f"imap://mira%40example.org@127.0.0.1:{server.port}/{folder}"
    return SourceConfig("imap", f"{path}#password_file={tmp_path / 'password'}")


def test_only_what_is_new_is_fetched(db, server, tmp_path):
    inbox = source(server, tmp_path)
    assert ingest_source(db, inbox).messages == 2
    assert ingest_source(db, inbox).skipped == {"no new mail": 1}
    server.folders["INBOX"][8] = mail(8)
    assert ingest_source(db, inbox, only_changed=True).messages == 1
    assert [row["external_id"] for row in db["messages"].rows] == ["<3@x>", "<5@x>", "<8@x>"]


def test_nothing_is_marked_or_changed_at_the_server(db, server, tmp_path):
    ingest_source(db, source(server, tmp_path))
    words = {command.split(" ")[0] for command in server.asked}
    assert words <= {"CAPABILITY", "LOGIN", "EXAMINE", "UID", "LOGOUT"}
    assert all("PEEK" in command for command in server.asked if "BODY" in command)


def test_without_a_folder_all_but_junk_are_read(db, server, tmp_path):
    assert ingest_source(db, source(server, tmp_path, "")).messages == 3
    assert {row["path"] for row in db["messages"].rows} == {"INBOX", "Sent"}


def test_a_server_that_numbers_anew_is_read_again_and_doubles_nothing(db, server, tmp_path):
    inbox = source(server, tmp_path)
    ingest_source(db, inbox)
    server.validity = 8
    counts = ingest_source(db, inbox)
    assert (counts.messages, counts.duplicates) == (0, 2)


def test_a_connection_that_breaks_goes_on_where_it_broke(db, server, tmp_path):
    server.folders["INBOX"] = {number: mail(number) for number in range(1, 151)}
    server.break_at = 120
    inbox = source(server, tmp_path)
    counts = ingest_source(db, inbox)
    assert (counts.messages, counts.rejects) == (100, 1)
    server.break_at = 0
    counts = ingest_source(db, inbox)
    assert (counts.read, counts.messages) == (50, 50)
    assert db["rejects"].count == 0


def test_a_wrong_password_is_a_reject_without_it(db, server, tmp_path):
    server.password = "another"
    assert ingest_source(db, source(server, tmp_path)).rejects == 1
    reason = next(db["rejects"].rows)["reason"]
    assert "could not be read" in reason
    assert "sesame" not in reason


def test_a_folder_that_is_not_there_is_a_reject(db, server, tmp_path):
    assert ingest_source(db, source(server, tmp_path, "Dreams")).rejects == 1


def test_a_server_that_is_not_there_is_a_reject(db, server, tmp_path):
    server.port = 1
    assert ingest_source(db, source(server, tmp_path)).rejects == 1


def test_every_mail_is_shown_without_storing(server, tmp_path):
    path = source(server, tmp_path).path
    assert len(list(read_messages("imap", path))) == 2


@pytest.mark.parametrize(
    ("path", "problem"),
    [("imaps://mira:secret@example.org/INBOX", "has a password in it"),
     ("imaps://example.org/INBOX", "no user or no host"),
     ("/home/mira/mail", "is no path like"),
     ("imaps://mira@example.org/INBOX#password_file=/nowhere", "cannot be read")],
)  # fmt: skip
def test_what_is_wrong_with_a_path_is_said(path, problem):
    assert problem in imap.find_problem(path)
    assert "secret" not in imap.find_problem(path)


def test_a_password_that_others_can_read_is_refused(server, tmp_path):
    (tmp_path / "password").chmod(0o644)
    assert "chmod 600" in imap.find_problem(source(server, tmp_path).path)


def test_a_path_outlives_being_made_absolute():
    path = "imaps://mira%40example.org@imap.example.org:994/Archive/2025"
    for mangled in (path, path.replace("//", "/"), f"/home/x/{path.replace('//', '/')}"):
        assert absolute("imap", mangled) == path
        account = imap.read_path(mangled)
    assert (account.tls, account.port, account.user) == (True, 994, "mira@example.org")
    assert account.folder == "Archive/2025"


def test_only_this_machine_is_spoken_to_in_the_clear():
    assert imap.is_loopback("127.0.0.1") and imap.is_loopback("localhost")
    assert not imap.is_loopback("imap.example.org") and not imap.is_loopback("10.0.0.1")
