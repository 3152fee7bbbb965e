"""Reads folders of an IMAP account: what is new since the last time, without marking it as read.

The path of the source is `imaps://user@host/FOLDER` (a user's own @ written %40; without a folder
every one but junk, bin and drafts). The password is never in it: it is in the environment as
JUNIOR_IMAP_PASSWORD, or in a private file (0600) that the path names: `...#password_file=~/.imap`.
`imap://` begins in the clear and must change to TLS before anything is said, but on this machine.
"""

import ipaddress
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from memory.message import Message, Skipped, Unreadable
from memory.sources.mail import LARGEST_MAIL_BYTES, read_mail

Record = Message | Unreadable | Skipped
Cursor = tuple[int, int, int, int]  # UIDVALIDITY, 0, highest UID read, 0

PASSWORD = "JUNIOR_IMAP_PASSWORD"
TIMEOUT_SECONDS = 60.0
BATCH_MAILS, BATCH_BYTES = 100, 16 * 2**20
LEFT_OUT = (r"\junk", r"\trash", r"\drafts", r"\all", r"\noselect", r"\nonexistent")
SIZE = re.compile(
    rb"UID (\d+)\b.*?RFC822\.SIZE (\d+)|RFC822\.SIZE (\d+)\b.*?UID (\d+)", re.I | re.S
)
UID = re.compile(rb"UID (\d+)", re.I)


class ImapError(ValueError):
    """What is wrong with a path, a password or an answer, in plain words."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where to connect; `folder` "" is all of them; `password_file` "" is the environment."""

    tls: bool
    host: str
    port: int
    user: str
    folder: str
    password_file: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one folder read together, and how far the folder has been read with them."""

    path: str
    records: list[Record]
    cursor: Cursor | None


def read_path(path: str) -> Account:
    """The account a path names; a shell or pathlib may have put a folder before it. ImapError."""
    hit = re.search(r"(imaps?):/{1,2}([^/].*)", path)
    if not hit:
        raise ImapError("is no path like imaps://user@host/FOLDER")
    authority, slash, rest = hit[2].partition("/")
    user, _, host = authority.rpartition("@")
    url = urlsplit(f"{hit[1]}://{quote(user, safe='%:')}@{host}{slash}{rest}")
    if url.password is not None:
        raise ImapError(f"has a password in it; put that into {PASSWORD} or a file")
    try:
        port = url.port or (993 if hit[1] == "imaps" else 143)
    except ValueError as error:
        raise ImapError("has no number for its port") from error
    if not url.username or not url.hostname:
        raise ImapError("has no user or no host; it is imaps://user@host/FOLDER")
    named = parse_qs(url.fragment).get("password_file", [""])[0]
    folder = unquote(url.path).strip("/")
    return Account(hit[1] == "imaps", url.hostname, port, unquote(url.username), folder, named)


def normal(path: str) -> str:
    """A path as the configuration keeps it, whatever pathlib made of it."""
    return re.sub(r"^.*?(imaps?):/+", r"\1://", path, count=1)


def find_problem(path: str) -> str:
    """What keeps a path from being read, told without connecting; "" if nothing does."""
    try:
        password_of(read_path(path))
    except ImapError as error:
        return str(error)
    return ""


def password_of(account: Account) -> str:
    """The password, from the file or the environment. ImapError where it is not to be had."""
    if account.password_file:
        file = Path(account.password_file).expanduser()
        try:
            if file.stat().st_mode & 0o077:
                raise ImapError(f"{file} can be read by others; chmod 600 it")
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise ImapError(f"{file} cannot be read: {error.strerror}") from error
    if not (word := os.environ.get(PASSWORD, "")):
        raise ImapError(f"there is no password: set {PASSWORD} or name a #password_file=")
    return word


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or number alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def connect(account: Account) -> Iterator[Any]:
    """A logged-in connection (imap-tools' MailBox), closed at the end. Raises what breaks() names.

    Certificates are checked: imaplib on its own does not.
    """
    import ssl

    import imap_tools

    context = ssl.create_default_context()
    secret = password_of(account)
    place = {"host": account.host, "port": account.port, "timeout": TIMEOUT_SECONDS}
    if account.tls:
        mailbox = imap_tools.MailBox(**place, ssl_context=context)
    elif is_loopback(account.host):
        mailbox = imap_tools.MailBoxUnencrypted(**place)
    else:
        mailbox = imap_tools.MailBoxStartTls(**place, ssl_context=context)
    try:
        mailbox.login(account.user, secret, initial_folder=None)
        yield mailbox
    finally:
        try:
            mailbox.client.logout()
        except breaks():
            mailbox.client.shutdown()


def breaks() -> tuple[type[Exception], ...]:
    """What a connection, or the library that reads it, raises."""
    import imaplib

    import imap_tools

    return (OSError, ValueError, EOFError, imaplib.IMAP4.error, imap_tools.ImapToolsError)


def read_batches(path: str, known: dict[str, Cursor]) -> Iterator[Batch]:
    """What is new in each folder, in batches a transaction can take; raises nothing.

    `known` is how far each folder was read. Another UIDVALIDITY than then means that the server
    numbered anew (RFC 3501 2.3.1.1): the folder is read from its beginning, and what is there
    already is a duplicate. A connection that breaks ends in a reject; the next run goes on there.
    """
    place = ""
    try:
        account = read_path(path)
        with connect(account) as mailbox:
            for place in [account.folder] if account.folder else _folders(mailbox):
                yield from _read_folder(mailbox, place, known.get(place))
    except breaks() as error:
        yield Batch(place, [Unreadable(place, "", _plain(error))], None)


def _plain(error: Exception) -> str:
    """The error in words; a server's answer does not say the password, and none of ours does."""
    if isinstance(error, ImapError):
        return str(error)
    words = " ".join(str(error).split())[:200]
    return f"the mail server could not be read: {words or type(error).__name__}"


def _folders(mailbox: Any) -> list[str]:
    found = mailbox.folder.list()
    return [one.name for one in found if not {flag.lower() for flag in one.flags} & {*LEFT_OUT}]


def _read_folder(mailbox: Any, place: str, known: Cursor | None) -> Iterator[Batch]:
    mailbox.folder.set(place, readonly=True)
    validity = _validity(mailbox)
    last = known[2] if known and known[0] == validity else 0
    sizes = _sizes(mailbox, last)
    if not sizes:
        yield Batch(place, [Skipped(place, "", "no new mail")], (validity, 0, last, 0))
    for uids in _batched(sizes):
        records = list(_fetch(mailbox, place, uids, sizes))
        last = max(last, *uids)
        yield Batch(place, records, (validity, 0, last, 0))


def _validity(mailbox: Any) -> int:
    _, values = mailbox.client.response("UIDVALIDITY")
    try:
        return int(values[0])
    except (TypeError, ValueError, IndexError) as error:
        raise ImapError("the mail server names no UIDVALIDITY") from error


def _sizes(mailbox: Any, last: int) -> dict[int, int]:
    """{UID: bytes} of the mails after `last`; `n:*` names the last mail even when n is past it."""
    _, answers = mailbox.client.uid("FETCH", f"{last + 1}:*", "(UID RFC822.SIZE)")
    found = {}
    for answer in answers or ():
        data = b" ".join(answer) if isinstance(answer, tuple) else answer or b""
        if hit := SIZE.search(data):
            uid, size = (hit[1], hit[2]) if hit[1] else (hit[4], hit[3])
            found[int(uid)] = int(size)
    return {uid: found[uid] for uid in sorted(found) if uid > last}


def _batched(sizes: dict[int, int]) -> Iterator[list[int]]:
    batch: list[int] = []
    total = 0
    for uid, size in sizes.items():
        if batch and (len(batch) >= BATCH_MAILS or total + size > BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(uid)
        total += size
    if batch:
        yield batch


def _fetch(mailbox: Any, place: str, uids: list[int], sizes: dict[int, int]) -> Iterator[Record]:
    large = any(sizes[uid] > LARGEST_MAIL_BYTES for uid in uids)  # such a one is fetched alone
    part = f"<0.{LARGEST_MAIL_BYTES}>" if large else ""
    _, answers = mailbox.client.uid("FETCH", ",".join(map(str, uids)), f"(UID BODY.PEEK[]{part})")
    got = set()
    for number, answer in enumerate(answers or ()):
        if not isinstance(answer, tuple):
            continue
        after = answers[number + 1] if number + 1 < len(answers) else b""
        hit = UID.search(answer[0]) or UID.search(after if isinstance(after, bytes) else b"")
        uid = int(hit[1]) if hit else 0
        got.add(uid)
        yield read_mail(bytes(answer[1]), place, f"UID {uid}")
    for uid in uids:
        if uid not in got:
            yield Skipped(place, f"UID {uid}", "mail is gone from the server")


# --- as any source ----------------------------------------------------------------------------


def list_files(root: Path) -> Iterator[Path]:
    """The account itself: it has no files."""
    yield root


def read_file(file: Path, root: Path) -> Iterator[Record]:
    """Every mail of the account or folder, from the beginning."""
    for batch in read_batches(str(file), {}):
        yield from batch.records
