"""Own messages with what of them is learnt, and the messages of others that they answer."""

import hashlib
import heapq
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from distill import perspective
from distill.curate.config import CurateConfig
from distill.curate.marked import Marked, merge
from distill.curate.near_duplicates import groups
from distill.curate.trust import Forgotten, Trust, read_recipients, registered, sender_key
from distill.identity.beings import WRITES_OWN_WORDS, Being, Identity
from distill.perspective.recogniser import open_recogniser
from memory.db import MESSAGE_COLUMNS, message_from_row
from memory.message import Message

DOCUMENTS = ("journal", "poem", "essay", "letter", "note", "fiction", "document")
TALK = ("relay", "chat")
AT_MOST_ANSWERED = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """An own message as it may be learnt: scrubbed text with loss spans, and what it answers."""

    id: int
    key: str
    source: str
    kind: str
    room: str
    to: str
    sent_at: datetime | None
    subject: str
    body: Marked
    answers: tuple[int, ...] = ()
    provenance: str = "own"

    @property
    def month(self) -> str:
        return self.sent_at.strftime("%Y-%m") if self.sent_at else ""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of somebody else, as far as pairing needs it."""

    id: int
    author: str
    sent_at: datetime | None
    to_agent: bool


@dataclass
class Template:
    """Own messages that are one text but for their digits."""

    example: str
    digits: bool
    messages: int = 0
    duplicates: int = 0
    learnt: int = 0


@dataclass
class Gathered:
    """Everything the rows are made of, and the counts for the manifest.

    `unknown` counts own messages by names in them that nobody in the registry has.
    """

    pieces: list[Piece] = field(default_factory=list)
    statements: list[tuple[str, str]] = field(default_factory=list)
    mentions: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    others: dict[str, list[str]] = field(default_factory=dict)
    unknown: Counter = field(default_factory=Counter)
    by_author: Counter = field(default_factory=Counter)
    by_provenance: Counter = field(default_factory=Counter)
    by_source: Counter = field(default_factory=Counter)
    dropped: Counter = field(default_factory=Counter)
    secrets: dict[str, dict[str, int]] = field(default_factory=dict)
    templates: dict[bytes, "Template"] = field(default_factory=dict)


def gather(
    db, identity: Identity, config: CurateConfig, *, own: dict[str, tuple[str, ...]], now: datetime
) -> Gathered:
    """Reads every message once, in an order that does not depend on the order of import.

    `own` are more names and addresses of the agent, by source.
    """
    return _Gather(db, identity, config, own, now).run()


class _Gather:
    """One pass over the messages; remembers of others only what the next own one may answer."""

    def __init__(self, db, identity, config, own, now) -> None:
        self.db, self.identity, self.config, self.own = db, identity, config, own
        self.trust = Trust(db, identity, config, now)
        self.forgotten = Forgotten(db, identity)
        self.out = Gathered()
        self.rooms: dict[str, deque[Heard]] = {}
        self.seen: set[bytes] = set()
        self.speakers: dict[tuple, perspective.Perspective] = {}
        self.call = _call_pattern(identity)
        self.recogniser = open_recogniser(config.named_entities)
        self.samples: dict[str, list[tuple[bytes, str]]] = {}

    def run(self) -> Gathered:
        self.trust.wrote_to(read_recipients(self.db, self._own_authors()))
        for id_, ingested_at, message in _messages(self.db):
            view = self._speaker(message)
            self.out.by_author[_author_name(message, view.author)] += 1
            self.out.by_source[message.source] += 1
            if self.forgotten.covers(id_, message):
                self.out.dropped["forgotten"] += 1
                continue
            if view.provenance == "own":
                self.out.unknown.update(view.unknown)
                self._own(id_, message, view)
            else:
                self.out.by_provenance[view.provenance] += 1
                self._other(id_, ingested_at, message, view)
        self.out.others = {
            name: sorted(Marked(text).scrubbed().text for _, text in heap)
            for name, heap in sorted(self.samples.items())
        }
        self._settle_templates()
        self.out.pieces = _without_file_times(self.out.pieces)
        self.out.pieces = _without_copies(self.out.pieces, self.config, self.out.dropped)
        self.out.pieces = _without_bursts(self.out.pieces, self.config, self.out.dropped)
        return self.out

    def _speaker(self, message: Message):
        """The whole perspective of an own message; of others only who they are, once a day each."""
        own = self.own.get(message.source, ())
        day = message.sent_at.date() if message.sent_at else None
        key = (message.source, message.author, message.kind, message.origin, day)
        if key not in self.speakers:
            bare = replace(message, text="")
            self.speakers[key] = perspective.read(bare, self.identity, own=own)
        view = self.speakers[key]
        if view.provenance != "own":
            return view
        return perspective.read(message, self.identity, own=own, recogniser=self.recogniser)

    def _own_authors(self) -> Iterator[tuple[str, str]]:
        for source, author in self.db.execute("select distinct source, author from messages"):
            being = self.identity.resolve(author)
            named = author in self.own.get(source, ())
            if named or (being is not None and being.kind in WRITES_OWN_WORDS):
                yield source, author

    def _other(self, id_: int, ingested_at: str, message: Message, view) -> None:
        if view.own or view.provenance not in ("other", "template"):
            self.out.dropped[view.provenance] += 1
            return
        being = registered(self.identity, message.author, message.sent_at)
        if not self.trust.knows(message.author, being, ingested_at):
            self.out.dropped["unknown sender, not yet known"] += 1
            return
        room = self.rooms.setdefault(_room(message), deque(maxlen=64))
        room.append(
            Heard(id_, sender_key(message.author), message.sent_at, self._is_called(message, view))
        )
        if being is not None:
            self._sample(being.name, message)

    def _is_called(self, message: Message, view) -> bool:
        """A human in the room is talking to the agent; a program only where it names it."""
        human = view.author is not None and view.author.kind == "human"
        return human or bool(self.call.search(message.text))

    def _sample(self, name: str, message: Message) -> None:
        """Keeps sixty sentences of each other being, the same ones in every order of import."""
        sentence = next(iter(re.findall(r"[A-Z][^\n.!?]{24,110}[.!?]", message.text)), None)
        if not sentence:
            return
        heap = self.samples.setdefault(name, [])
        item = (_digest(sentence), sentence)
        if item not in heap:
            (heapq.heappush if len(heap) < 60 else heapq.heappushpop)(heap, item)

    def _own(self, id_: int, message: Message, view) -> None:
        answers = self._answered(message)
        reason = self._why_not(message)
        self.out.by_provenance["template" if reason == "template" else "own"] += 1
        if reason:
            self.out.dropped[reason] += 1
            return
        seen: Counter = Counter()
        body = Marked(message.text, _loss(message, view, self.config)).scrubbed(seen).trimmed()
        if seen:
            self.out.secrets[f"{message.source}/{message.external_id}"] = dict(seen)
        if not body.loss_characters:
            fiction = message.kind == "fiction"
            self.out.dropped["fiction" if fiction else "no own words in it"] += 1
            return
        key = f"{message.source}/{message.external_id}"
        self.out.pieces.append(
            Piece(
                id_,
                key,
                message.source,
                message.kind,
                _room(message),
                self._recipient(message),
                message.sent_at,
                Marked(message.subject).scrubbed().text,
                body,
                answers,
                view.provenance,
            )
        )
        self._sentences(key, message, view)

    def _recipient(self, message: Message) -> str:
        for one in message.recipients:
            being = self.identity.resolve(one, message.sent_at)
            if being is not None and being.kind not in WRITES_OWN_WORDS:
                return being.name
        return ""

    def _why_not(self, message: Message) -> str:
        """ "" or the reason for which an own message is not learnt as a whole."""
        plain = " ".join(message.text.casefold().split())
        exact, mask = _digest(plain), re.sub(r"\d+(?:[.,:]\d+)*", "#", plain)
        template = self.out.templates.setdefault(
            _digest(mask), Template(" ".join(message.text.split())[:80], "#" in mask)
        )
        template.messages += 1
        if exact in self.seen:
            template.duplicates += 1
            return "duplicate"
        self.seen.add(exact)
        if template.learnt >= self.config.template_examples:
            return "template"
        template.learnt += 1
        return ""

    def _settle_templates(self) -> None:
        """Copies of what turned out to be a template are templates, not duplicates."""
        for one in self.out.templates.values():
            if one.digits and one.messages > self.config.template_examples:
                self._move(one.duplicates)

    def _move(self, n: int) -> None:
        for counter, source, target in (
            (self.out.dropped, "duplicate", "template"),
            (self.out.by_provenance, "own", "template"),
        ):
            counter[source] -= n
            counter[target] += n

    def _sentences(self, key: str, message: Message, view) -> None:
        """First-person statements, and sentences that open with another being's name."""
        for span in view.spans:
            text = message.text[span.start : span.end].strip()
            if not span.loss or not 24 <= len(text) <= 150 or "\n" in text:
                continue
            if text.startswith("I ") and "S1" in span.flags and text[-1] in ".!":
                self.out.statements.append((text, key))
            elif "O" in span.flags and "S1" not in span.flags and text[-1] == ".":
                being = self.identity.resolve(re.split(r"[\s,.:;'’]", text)[0], message.sent_at)
                if being is not None and being.kind not in WRITES_OWN_WORDS:
                    self.out.mentions.setdefault(being.name, []).append((text, key))

    def _answered(self, message: Message) -> tuple[int, ...]:
        """Ids of what an own message answers, oldest first; () when it speaks first."""
        room = self.rooms.get(_room(message))
        heard = list(room) if room else []
        target = self._target(message)
        if message.kind in TALK:
            heard = [one for one in heard if self._is_near(one, message)]
            if message.kind == "relay":
                heard = self._meant(heard, message)
        elif message.kind not in ("mail", "letter"):
            heard = []
        if room is not None and (message.kind != "relay" or heard):
            room.clear()
        ids = [one.id for one in heard if one.id != target][-AT_MOST_ANSWERED:]
        return (*ids, target) if target else tuple(ids)

    def _is_near(self, heard: Heard, message: Message) -> bool:
        if heard.sent_at is None or message.sent_at is None:
            return False
        minutes = self.config.reply_minutes
        if message.kind == "chat":
            minutes = self.config.silence_minutes
        return message.sent_at - heard.sent_at <= timedelta(minutes=minutes)

    def _meant(self, heard: list[Heard], message: Message) -> list[Heard]:
        """In a room of many: who spoke to the agent, and the last line of whom it addresses."""
        opening = message.text[:60]
        named = {name.casefold() for name in re.findall(r"@([\w-]+)", message.text)}
        named |= {m.casefold() for m in re.findall(r"^\s*([\w-]+(?: [\w-]+)?)\s*[:,—–]", opening)}
        last = {one.author: one for one in heard if one.author in named}
        return [one for one in heard if one.to_agent or last.get(one.author) is one]

    def _target(self, message: Message) -> int | None:
        """The message of somebody else that `reply_to` names, if its text may be used."""
        if not message.reply_to:
            return None
        for source in (message.source, *self._other_mail_sources(message)):
            row = self.db.execute(
                f"select id, ingested_at, {', '.join(MESSAGE_COLUMNS)} from messages"
                " where source = ? and external_id = ?",
                (source, message.reply_to),
            ).fetchone()
            if row:
                return self._usable(row)
        return None

    def _other_mail_sources(self, message: Message) -> list[str]:
        if message.kind != "mail":
            return []
        return [one for one in self.out.by_source if one != message.source]

    def _usable(self, row) -> int | None:
        message = message_from_row(tuple(row[2:]))
        view = self._speaker(message)
        being = registered(self.identity, message.author, message.sent_at)
        known = self.trust.knows(message.author, being, row[1])
        known = known and not self.forgotten.covers(row[0], message)
        return row[0] if view.provenance == "other" and known else None


def _messages(db) -> Iterator[tuple[int, str, Message]]:
    columns = ", ".join(("id", "ingested_at", *MESSAGE_COLUMNS))
    for row in db.execute(f"select {columns} from messages order by sent_at, source, external_id"):
        yield row[0], row[1], message_from_row(tuple(row[2:]))


def _loss(message: Message, view, config: CurateConfig):
    """The spans of an own message that carry loss; in fiction only by `fiction = "voice"`."""
    if message.kind == "fiction":
        if config.fiction == "off":
            return ()
        spans = [s for s in view.spans if (s.loss or s.why == "fiction") and "O1" not in s.flags]
    else:
        spans = [span for span in view.spans if span.loss]
    return merge(((span.start, span.end) for span in spans), message.text)


def _room(message: Message) -> str:
    """Where one talks: a mail thread, a whole relay, one chat."""
    if message.kind == "relay":
        return f"relay {message.source}"
    if message.kind in ("mail", "letter"):
        return f"mail {message.conversation or message.external_id}"
    return f"{message.kind} {message.source} {message.conversation or message.external_id}"


def _author_name(message: Message, being: Being | None) -> str:
    return being.name if being is not None else message.author or "(nobody)"


def _call_pattern(identity: Identity) -> re.Pattern[str]:
    """The agent addressed: "@Name", or "Name:" at the start."""
    names = [re.escape(alias.name) for alias in identity.agent.names() if not alias.use]
    either = "|".join(names)
    return re.compile(rf"@(?:{either})\b|^\s*(?:{either})\s*[:,—–]", re.IGNORECASE)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=12).digest()


def _without_file_times(pieces: list[Piece]) -> list[Piece]:
    """Undated files that were copied or checked out together have no date, and are no burst.

    Nobody writes more than twenty texts with less than five seconds between one and the next; a
    date without a time (a runaway loop's 1,201 poems of one day) is a date.
    """
    timed = [one for one in pieces if one.kind in DOCUMENTS and one.sent_at and one.sent_at.second]
    runs: list[list[Piece]] = []
    for piece in sorted(timed, key=lambda one: one.sent_at):
        if runs and piece.sent_at - runs[-1][-1].sent_at < timedelta(seconds=5):
            runs[-1].append(piece)
        else:
            runs.append([piece])
    copied = {piece.key for run in runs if len(run) > 20 for piece in run}
    return [replace(one, sent_at=None) if one.key in copied else one for one in pieces]


def _without_copies(pieces: list[Piece], config: CurateConfig, dropped: Counter) -> list[Piece]:
    """Of texts that are nearly the same, as drafts are, only the last is learnt."""
    if config.near_duplicate >= 1:
        return pieces
    found = groups([piece.body.text for piece in pieces], config.near_duplicate)
    copies = {index for group in found for index in group[:-1]}
    dropped["near duplicate"] += len(copies)
    return [piece for index, piece in enumerate(pieces) if index not in copies]


def _without_bursts(pieces: Iterable[Piece], config: CurateConfig, dropped: Counter) -> list[Piece]:
    """A runaway loop's documents are cut down to the caps, the same ones in every order."""
    kept: list[Piece] = list(pieces)
    for limit, stamp in (
        (config.burst_per_hour, "%Y-%m-%d %H"),
        (config.burst_per_day, "%Y-%m-%d"),
    ):
        groups: dict[tuple[str, str], list[Piece]] = {}
        for piece in kept:
            if piece.kind in DOCUMENTS and piece.sent_at:
                groups.setdefault((piece.kind, piece.sent_at.strftime(stamp)), []).append(piece)
        over = {
            piece.key
            for group in groups.values()
            for piece in sorted(group, key=lambda one: _digest(one.key))[limit:]
        }
        dropped["burst"] += len(over)
        kept = [piece for piece in kept if piece.key not in over]
    return kept
