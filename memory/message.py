"""Message: one thing somebody said, with where it came from."""

from dataclasses import dataclass
from datetime import datetime

SELF = "self"  # the author where a format only says "me"; whose it is gets decided at curation

ORIGINS = ("spoken", "system", "generated", "translated", "junior")


@dataclass(frozen=True, slots=True)
class Message:
    """One record of a source, as the source has it.

    `source`       name of the configured source ("journals", "relay-2"); readers set the kind
    `kind`         what it is: journal poem essay letter note fiction mail relay chat document
    `external_id`  unique within the source; (source, external_id) is the key
    `conversation` thread, chat or topic it belongs to; "" if none
    `author`       as the source says it: name, "Name <address>", agent column; SELF for "me"
    `recipients`   as the source says them
    `sent_at`      aware, UTC; None when unknown
    `subject`      title or subject; repeats the title line of `text` where there is one
    `text`         the whole body: HTML converted, only a mail's head and parsed front matter out
    `reply_to`     external_id of what it answers; "" if none
    `origin`       what the source itself says: spoken system generated translated junior
    `path`         file, relative to the source's folder (the file name when it is one file)
    """

    source: str
    kind: str
    external_id: str
    conversation: str
    author: str
    recipients: tuple[str, ...]
    sent_at: datetime | None
    subject: str
    text: str
    reply_to: str
    origin: str
    path: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that could not be read: `path` (relative), `where` in it, plain `reason`."""

    path: str
    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record left out on purpose; `reason` is counted ("empty file", "system notice")."""

    path: str
    where: str
    reason: str
