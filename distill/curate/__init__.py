"""Messages -> examples with loss spans: train.jsonl, held_out.jsonl, manifest.json."""

import hashlib
import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from distill.curate.audience import for_audience, for_readers
from distill.curate.config import CurateConfig, for_tiny
from distill.curate.identity_rows import Material, identity_rows
from distill.curate.manifest import VERSION, build_manifest
from distill.curate.marked import Marked
from distill.curate.pieces import Gathered, Piece, gather
from distill.curate.rewrite_rows import PlainBy, corpus_habits, rewrite_rows
from distill.curate.rows import Exchange, Row, Said, Turn, document_rows, exchanges, turn_rows
from distill.curate.split import cap_pairs, cap_rows, draw, split
from distill.curate.system_turns import system_card, system_turn
from distill.curate.trust import registered
from distill.identity.beings import Identity, split_author
from distill.rewrite.habits import save_habits
from distill.rewrite.rewriter import is_request, rewriting_card
from memory.db import MESSAGE_COLUMNS, message_from_row
from memory.errors import JuniorError, UserError
from memory.files import write_atomic

__all__ = [
    "CurateConfig",
    "CurateSummary",
    "curate",
    "dataset_fingerprint",
    "for_tiny",
    "json_lines",
]

LONGEST_CONTEXT = 20_000


class ForeignLossError(JuniorError):
    """A row was built that teaches somebody else's words: a bug, never written out."""


@dataclass(frozen=True, slots=True)
class CurateSummary:
    """What a night's dataset holds; lengths in characters, `new` since the last finished night."""

    examples: int
    new: int
    held_out: int
    loss_characters: int
    foreign_loss_characters: int
    dataset_hash: str

    def __str__(self) -> str:
        return (
            f"curate: {self.examples:,} examples ({self.new:,} new, {self.held_out:,} held out), "
            f"{self.loss_characters:,} loss characters, {self.foreign_loss_characters} foreign"
        )


def curate(
    db,
    identity: Identity,
    config: CurateConfig,
    folder: Path,
    *,
    sources: Sequence = (),
    seed: int,
    now: datetime,
    replay: Sequence[dict] = (),
    plain_by: PlainBy | None = None,
    request_by: PlainBy | None = None,
) -> CurateSummary:
    """Builds the dataset of `identity` out of `db` and writes it into `folder`, manifest last.

    `sources` are the configured SourceConfigs (their `own` names), `replay` what the
    base answers: {"messages": [...]}, with a "kind" where it is a graded item; `now` aware;
    `plain_by` as in `rewrite_rows`, `request_by` as in `document_rows`.
    Raises UserError where nothing of the agent's own is found; ForeignLossError never, one hopes.
    """
    own = {(one.name or one.kind): one.own for one in sources}
    found = gather(db, identity, config, own=own, now=now)
    if not found.pieces:
        raise UserError(_nothing_own(identity, found))
    rows = _own_rows(db, identity, found, config, seed, request_by)
    rows = cap_rows(rows, config, seed, found.dropped)
    train, held_out = split(rows, config, seed)
    own_characters = sum(row.loss_characters for row in train)
    material = _material(found, train)
    habits = corpus_habits(train, config)
    left = 1 - config.identity_share - config.replay_share
    rewriting = round(own_characters * config.rewrite_share / (left - config.rewrite_share))
    rewrites = rewrite_rows(train, config, characters=rewriting, seed=seed, plain_by=plain_by)
    total = (own_characters + sum(row.loss_characters for row in rewrites)) / left
    train += rewrites
    shown = for_audience(identity, config)
    train += identity_rows(
        shown, material, config, characters=round(config.identity_share * total), seed=seed
    )
    train += _replay_rows(replay, round(config.replay_share * total), config, seed)
    train = for_readers(train, identity, config, found.dropped)
    held_out = for_readers(held_out, identity, config, found.dropped)
    train.sort(key=lambda row: draw(seed, row.key))
    held_out.sort(key=lambda row: row.order)
    card = system_card(shown, config)
    finish = _Finish(shown, config, card, seed, {piece.key: piece for piece in found.pieces})
    examples, judged = [finish(row) for row in train], [finish(row) for row in held_out]
    _check_split(train, held_out)
    manifest = build_manifest(db, examples, judged, found, finish.agent, card, config)
    write_atomic(folder / "train.jsonl", json_lines(examples))
    write_atomic(folder / "held_out.jsonl", json_lines(judged))
    save_habits(folder, habits)
    write_atomic(folder / "manifest.json", json.dumps(manifest, indent=1, ensure_ascii=False))
    return CurateSummary(
        *(manifest[name] for name in CurateSummary.__dataclass_fields__)  # same names, same order
    )


def dataset_fingerprint(db, identity: Identity, config: CurateConfig, *, extra: str = "") -> str:
    """Changes when a message, a text, the registry, the configuration or `extra` does.

    Or what is forgotten. Looks at counts and highest ids alone: milliseconds on a million messages.
    """
    counts = [
        tuple(db.execute(f"select count(*), max(id) from {table}").fetchone())
        for table in ("messages", "versions", "forgotten")
    ]
    parts = (VERSION, counts, identity, config, extra)
    return hashlib.sha256("\n".join(map(repr, parts)).encode()).hexdigest()


def _nothing_own(identity: Identity, found: Gathered) -> str:
    name = identity.agent.name
    if not found.by_author:
        return "memory holds no message yet: configure a source and run `junior ingest`"
    most = ", ".join(f"{author} ({n:,})" for author, n in found.by_author.most_common(8))
    left = ", ".join(f"{reason}: {n:,}" for reason, n in found.dropped.most_common(5) if n)
    return (
        f"nothing of {name}'s own to learn in {found.by_author.total():,} messages."
        f" Authors: {most}."
        + (f" Left out: {left}." if left else "")
        + f" If one of them is {name}, add the name to `aliases` (or the address to `addresses`) of"
        " [agent] in identity.toml, or to `own` of the source in config.toml"
    )


def _own_rows(
    db,
    identity: Identity,
    found: Gathered,
    config: CurateConfig,
    seed: int,
    request_by: PlainBy | None,
) -> list[Row]:
    heard = _Heard(db, identity)
    operator = identity.resolve(identity.operator) if identity.operator else None
    name = operator.name if operator else identity.operator
    talk = list(exchanges(found.pieces, heard, config))
    answering: list[Exchange] = cap_pairs(
        [one for one in talk if one.said], config, seed, name, found.dropped
    )
    rows = list(turn_rows(answering, config, seed))
    for piece in (piece for one in talk if not one.said for piece in one.pieces):
        plain = int.from_bytes(draw(seed, f"plain {piece.key}")) < config.plain_share * 2**64
        rows += document_rows(piece, config, seed, plain=plain, request_by=request_by)
    return rows


class _Heard:
    """Fetches what others said by message id, made safe for a user turn."""

    def __init__(self, db, identity: Identity) -> None:
        self.db, self.identity = db, identity

    def __call__(self, id_: int) -> Said:
        row = self.db.execute(
            f"select {', '.join(MESSAGE_COLUMNS)} from messages where id = ?", (id_,)
        ).fetchone()
        message = message_from_row(tuple(row))
        being = registered(self.identity, message.author, message.sent_at)
        name, address = split_author(message.author)
        shown = being.name if being else name or address.partition("@")[0]
        text = Marked(_unquoted(message.text[:LONGEST_CONTEXT])).scrubbed().text
        return Said(id_, shown or "unknown", message.kind, text, being is None)


def _unquoted(text: str) -> str:
    """What a mail says itself: no lines of an earlier one, and no header of ours forged."""
    text = re.sub(r"(?m)^(?:>.*\n?)+", "", text)
    return re.sub(r"\[(?=\s*from\s*:)", "(", text, flags=re.IGNORECASE).strip()


def _material(found: Gathered, train: Iterable[Row]) -> Material:
    """What identity rows may be made of: words of train rows, never of held-out ones."""
    keys = {key for row in train for turn in row.turns for key in turn.owners}
    pieces = {piece.key: piece for piece in found.pieces if piece.key in keys}
    controls: dict[str, list[tuple[str, str]]] = {}
    for key, piece in pieces.items():
        opening = _opening(piece)
        if opening:
            controls.setdefault(piece.kind, []).append((opening, key))
    return Material(
        statements=_inside(found.statements, pieces),
        controls=controls,
        mentions={name: _inside(pairs, pieces) for name, pairs in found.mentions.items()},
        others=found.others,
        ids={key: piece.id for key, piece in pieces.items()},
    )


def _inside(pairs: Iterable[tuple[str, str]], pieces: dict[str, Piece]) -> list[tuple[str, str]]:
    return [(text, key) for text, key in pairs if key in pieces and text in pieces[key].body.text]


def _opening(piece: Piece) -> str:
    """The first one or two own sentences of a piece, at most 160 characters."""
    start, end = piece.body.loss[0]
    text = piece.body.text[start : min(end, start + 400)].strip()
    text = re.sub(r"^#.*\n+", "", text).split("\n\n")[0].strip()
    short = re.match(r"[^\n]{12,160}?[.!?](?=\s|$)", text)
    return short.group() if short else ""


def _replay_rows(
    items: Sequence[dict], characters: int, config: CurateConfig, seed: int
) -> Iterator[Row]:
    """Rows the base answered, up to the share, in a drawn order.

    Each round has every graded item once (one time is not enough to keep it) and half as many
    of the other answers, so that an ordinary request stays an ordinary request.
    """
    graded = [item for item in items if "kind" in item]
    others = sorted((i for i in items if "kind" not in i), key=lambda i: draw(seed, repr(i)))
    some = len(graded) // 2 or len(others)
    done = 0
    for again in range(config.replay_repeats):
        others = others[some:] + others[:some]
        turn = graded + others[:some]
        for index in sorted(range(len(turn)), key=lambda i: draw(seed, f"{again} {i}")):
            if done >= characters:
                return
            row = _replay_row(turn[index], f"replay {again} {index}")
            done += row.loss_characters
            yield row


def _replay_row(item: dict, key: str) -> Row:
    turns = tuple(
        Turn(one["role"], _marked(one)) for one in item["messages"] if one["role"] != "system"
    )
    return Row(key, "replay", turns, "replay", (), "", "replay")


def _marked(message: dict) -> Marked:
    text = message["content"]
    return Marked(text, ((0, len(text)),) if message["role"] == "assistant" and text else ())


class _Finish:
    """Row -> what is written: system turn first, scrubbed once more, every loss span checked."""

    def __init__(self, identity, config, card: str, seed: int, pieces: dict[str, Piece]) -> None:
        self.identity, self.config, self.card, self.seed = identity, config, card, seed
        self.pieces = pieces
        self.agent = identity.agent.name

    def __call__(self, row: Row) -> dict:
        rng = random.Random(f"{self.seed} system {row.key}")
        card = system_turn(self.identity, self.config, self.card, rng)
        if row.view == "rewrite" and not is_request(row.turns[0].body.text):
            card = rewriting_card(card)
        turns = [Turn("system", Marked(card))]
        turns += [replace(turn, body=turn.body.scrubbed()) for turn in row.turns]
        foreign = sum(self.foreign(row, turn) for turn in turns)
        if foreign or turns[1].role != "user":
            raise ForeignLossError(f"row {row.key} ({row.view}): {foreign} foreign loss characters")
        return {
            "messages": [
                {"role": t.role, "content": t.body.text, "loss": [list(s) for s in t.body.loss]}
                for t in turns
            ],
            "view": row.view,
            "author": self.agent if row.view != "replay" else "base",
            "source": row.source,
            "ids": list(row.ids),
            "month": row.month,
        } | {k: v for k, v in (("plain", row.plain), ("request", row.request)) if v}

    def foreign(self, row: Row, turn: Turn) -> int:
        """Loss characters of a turn that no own piece, and no text of ours, accounts for."""
        if turn.role != "assistant":
            return turn.body.loss_characters
        if any(self.pieces[key].provenance != "own" for key in turn.owners):
            return turn.body.loss_characters
        if row.view in ("identity", "replay"):
            return 0
        own = [
            piece.body.text[s:e]
            for piece in (self.pieces[key] for key in turn.owners)
            for s, e in piece.body.loss
        ]
        spans = (turn.body.text[s:e] for s, e in turn.body.loss)
        return sum(len(span) for span in spans if not any(span in text for text in own))


def _check_split(train: Iterable[Row], held_out: Iterable[Row]) -> None:
    """No thread or document on both sides."""
    shared = {row.group for row in train} & {row.group for row in held_out}
    if shared:
        raise JuniorError(f"held-out threads are in train too: {sorted(shared)[:5]}")


def json_lines(rows: Iterable[dict]) -> str:
    """A line of JSON for each row, whole for readers that end lines where Unicode does, too."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return re.sub("[\x85\u2028\u2029]", lambda hit: f"\\u{ord(hit[0]):04x}", text)
