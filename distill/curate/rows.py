"""Rows out of own pieces: turns in a conversation, and documents as answers to a request."""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from distill.curate.config import CurateConfig
from distill.curate.marked import Marked, cut_points, join
from distill.curate.pieces import TALK, Piece
from distill.curate.requests import go_on, request, shorten

COPIED_WORDS = 8


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a row; `owners` are the pieces that its loss comes from."""

    role: str
    body: Marked
    owners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """An example before it is written: no system turn yet, and `group` may not be split."""

    key: str
    view: str
    turns: tuple[Turn, ...]
    source: str
    ids: tuple[int, ...]
    month: str
    group: str
    order: str = ""
    counterpart: str = ""
    stranger: bool = False
    plain: str = ""  # of a rewrite row: who made its plain side, rules or base
    request: str = ""  # of a document: "base" where the base worded what asks for it

    @property
    def loss_characters(self) -> int:
        return sum(turn.body.loss_characters for turn in self.turns)


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody else said: the name for the header, the kind, the scrubbed text."""

    id: int
    name: str
    kind: str
    text: str
    stranger: bool


@dataclass(frozen=True, slots=True)
class Exchange:
    """What others said, and the own words that answer it."""

    said: tuple[Said, ...]
    pieces: tuple[Piece, ...]
    body: Marked

    @property
    def counterpart(self) -> str:
        return self.said[-1].name

    @property
    def week(self) -> str:
        moment = self.pieces[0].sent_at
        return moment.strftime("%G-%V") if moment else ""


def header(name: str, kind: str) -> str:
    """The line over what somebody else says: `[from: Vesper | relay]`."""
    plain = re.sub(r"[][|<>\s]+", " ", name).strip()
    return f"[from: {shorten(plain, 40)} | {kind}]"


def user_turn(said: Sequence[Said], limit: int) -> Turn:
    """Headed messages of others in one user turn; the last one has the first claim on `limit`."""
    blocks: list[str] = []
    for one in reversed(said):
        room = limit - sum(map(len, blocks)) - len(one.name) - 24
        if blocks and room < 40:
            break
        blocks.insert(0, f"{header(one.name, one.kind)}\n{shorten(one.text, max(room, 40))}")
    return Turn("user", Marked("\n\n".join(blocks)))


def exchanges(
    pieces: Iterable[Piece], said: Callable[[int], Said], config: CurateConfig
) -> Iterator[Exchange]:
    """Pieces that answer somebody, with own messages that follow within minutes merged in.

    `pieces` are in order of time.
    """
    open_ones: dict[str, Exchange] = {}
    for piece in pieces:
        last = open_ones.get(piece.room)
        if not piece.answers and last is not None and _follows(piece, last, config):
            body = join([last.body, piece.body], "\n")
            open_ones[piece.room] = replace(last, pieces=(*last.pieces, piece), body=body)
            continue
        if last is not None:
            yield open_ones.pop(piece.room)
        heard = tuple(said(id_) for id_ in piece.answers)
        body = _not_copied(piece.body, [one.text for one in heard])
        open_ones[piece.room] = Exchange(heard, (piece,), body)
    yield from open_ones.values()


def _follows(piece: Piece, last: Exchange, config: CurateConfig) -> bool:
    before = last.pieces[-1].sent_at
    if piece.kind not in TALK or before is None or piece.sent_at is None or not last.said:
        return False
    return piece.sent_at - before <= timedelta(minutes=config.merge_minutes)


def _not_copied(body: Marked, others: Sequence[str]) -> Marked:
    """No loss on eight words in a row that stand in what is answered."""
    grams = {gram for text in others for gram, _, _ in _grams(text)}
    if not grams:
        return body
    return body.without_loss((s, e) for gram, s, e in _grams(body.text) if gram in grams)


def _grams(text: str) -> Iterator[tuple[tuple[str, ...], int, int]]:
    words = [(m.group().casefold(), m.start(), m.end()) for m in re.finditer(r"\w+", text)]
    for at in range(len(words) - COPIED_WORDS + 1):
        run = words[at : at + COPIED_WORDS]
        yield tuple(word for word, _, _ in run), run[0][1], run[-1][2]


def turn_rows(found: Sequence[Exchange], config: CurateConfig, seed: int) -> Iterator[Row]:
    """Rows of a conversation each: as many exchanges as fit, none of them twice."""
    sessions: dict[str, list[Exchange]] = {}
    for session, exchange in _sessions(found, config):
        sessions.setdefault(session, []).append(exchange)
    for session, members in sessions.items():
        waiting: list[Exchange] = []
        for exchange in members:
            size = sum(_size(one, config) for one in (*waiting, exchange))
            if waiting and size > config.row_characters:
                yield from _turn_row(session, waiting, config, seed)
                waiting = []
            waiting.append(exchange)
        yield from _turn_row(session, waiting, config, seed)


def _sessions(found: Sequence[Exchange], config: CurateConfig) -> Iterator[tuple[str, Exchange]]:
    """Each exchange with its conversation: a mail thread, or talk without a long silence."""
    last: dict[str, tuple[str, Piece]] = {}
    for exchange in found:
        piece = exchange.pieces[0]
        name = piece.room
        if piece.kind in TALK:
            name, before = last.get(piece.room, (piece.key, None))
            if before is not None and not _soon(before, piece, config):
                name = piece.key
            last[piece.room] = (name, exchange.pieces[-1])
        yield name, exchange


def _soon(before: Piece, piece: Piece, config: CurateConfig) -> bool:
    if before.sent_at is None or piece.sent_at is None:
        return False
    return piece.sent_at - before.sent_at <= timedelta(minutes=config.silence_minutes)


def _size(exchange: Exchange, config: CurateConfig) -> int:
    heard = sum(len(one.text) + len(one.name) + 24 for one in exchange.said)
    return len(exchange.body.text) + min(heard, config.context_characters)


def _turn_row(
    session: str, members: Sequence[Exchange], config: CurateConfig, seed: int
) -> Iterator[Row]:
    first = members[0].pieces[0]
    pieces = [piece for one in members for piece in one.pieces]
    heard = [said for one in members for said in one.said]
    blank = Row(
        key=first.key,
        view="turn",
        turns=(),
        source=first.source,
        ids=tuple(sorted({p.id for p in pieces} | {s.id for s in heard})),
        month=first.month,
        group=session,
        order=_order(pieces[-1]),
        counterpart=members[-1].counterpart,
        stranger=any(one.stranger for one in heard),
    )
    if len(members) > 1:
        yield replace(blank, turns=tuple(t for one in members for t in _pair(one, config)))
        return
    opening = user_turn(members[0].said, config.context_characters)
    owners = tuple(piece.key for piece in pieces)
    rng = random.Random(f"{seed} {first.key}")
    yield from _parts(blank, members[0].body, opening, owners, first.subject, config, rng)


def _pair(exchange: Exchange, config: CurateConfig) -> tuple[Turn, Turn]:
    owners = tuple(piece.key for piece in exchange.pieces)
    user = user_turn(exchange.said, config.context_characters)
    return user, Turn("assistant", exchange.body, owners)


def document_rows(
    piece: Piece,
    config: CurateConfig,
    seed: int,
    *,
    plain: bool,
    request_by: Callable[[str], str] | None = None,
) -> Iterator[Row]:
    """An own document as the answer to a neutral request, in as many rows as its length needs.

    `plain` asks for it without kind or title; `request_by` words the request of its first part, ""
    where rules are to.
    """
    rng = random.Random(f"{seed} {piece.key}")
    longest = max(20, config.context_characters // 2)
    title = "" if rng.random() < config.untitled_share else piece.subject
    asked = request(piece.kind, title, piece.to, rng, plain=plain, longest=longest)
    body = piece.body if plain else _without_title(piece.body, piece.subject)
    by_base = request_by(body.text) if request_by and not plain else ""
    blank = Row(
        key=piece.key,
        view="plain" if plain else "document",
        turns=(),
        source=piece.source,
        ids=(piece.id,),
        month=piece.month,
        group=piece.room if piece.kind == "mail" else piece.key,
        order=_order(piece),
    )
    opening = Turn("user", Marked(by_base or asked))
    excerpt = partial(request, piece.kind, "", piece.to, rng)
    parts = _parts(blank, body, opening, (piece.key,), piece.subject, config, rng, excerpt)
    for number, row in enumerate(parts):
        yield replace(row, request="base") if by_base and not number else row


def _without_title(body: Marked, title: str) -> Marked:
    """Without a first line that the request has just named."""
    line, _, rest = body.text.partition("\n")
    same = rest.strip() and _letters(line) == _letters(title)
    return body.part(len(line), len(body.text)) if same else body


def _letters(text: str) -> str:
    return "".join(re.findall(r"\w", text.casefold()))


def _parts(
    blank: Row,
    body: Marked,
    opening: Turn,
    owners: tuple[str, ...],
    title: str,
    config: CurateConfig,
    rng: random.Random,
    excerpt: Callable[[], str] | None = None,
) -> Iterator[Row]:
    """`body` in parts that fit; later parts follow "go on", with the end of the part before.

    Where no end is carried, a part shows nothing of what it goes on with: `excerpt` asks for it.
    """
    room = config.row_characters - min(len(opening.body.text), config.row_characters // 2)
    before = ""
    for number, (start, end) in enumerate(cut_points(body.text, room)):
        part = body.part(start, end)
        answer = Turn("assistant", part, owners)
        if number == 0:
            turns: tuple[Turn, ...] = (opening, answer)
        else:
            carried = _carried(before, config.carry_characters)
            alone = excerpt is not None and not carried and rng.random() < config.untitled_share
            ask = Turn("user", Marked(excerpt() if alone else go_on(title, rng)))
            turns = (opening, carried, ask, answer) if carried else (ask, answer)
        before = part.text
        if part.loss_characters >= config.least_loss:
            yield replace(blank, key=f"{blank.key}#{number}", turns=turns)


def _carried(before: str, limit: int) -> Turn | None:
    """The end of the part before, from the start of a paragraph or sentence; without loss."""
    if not limit or not before:
        return None
    tail = before[-limit:]
    if len(tail) < len(before):
        tail = re.split(r"\n\n|(?<=[.!?])\s|\n", tail, maxsplit=1)[-1]
    return Turn("assistant", Marked(tail.strip())) if tail.strip() else None


def _order(piece: Piece) -> str:
    """What rows are sorted by: time first (unknown is oldest), the key where times are equal."""
    return f"{piece.sent_at.isoformat() if piece.sent_at else ''} {piece.key}"
