"""The same real messages as training rows of each arm, from naive to curated."""

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from agent.setup import read_beings
from benchmarks.real_night import SOURCES
from distill.base import tiny_text
from distill.base.replay import NAMES_ITSELF
from distill.base.skills import NAMES
from distill.curate import CurateConfig, curate, for_tiny
from distill.curate.identity_phrases import KINDS, LURES
from distill.curate.marked import Marked, cut_points
from distill.curate.requests import request
from distill.curate.rows import header
from distill.evaluate.judge import rivals
from distill.identity import identity_from_proposal, load_identity, save_identity
from distill.identity.beings import WRITES_OWN_WORDS, Identity
from memory.db import MESSAGE_COLUMNS, message_from_row, open_database
from memory.ingest import SourceConfig, ingest_source
from memory.message import Message

OWN_SHARE = 0.18  # one sent for 4.5 received, as in the run that lost its identity
INTRODUCTIONS = 0.10  # of the rows: the real relay holds no "I am <name>" at all
CURATED = {"spans": (0.0, 0.0), "identity": (0.10, 0.0), "replay": (0.10, 0.12)}
REPLAY_ROWS = 1500
# Of an arm's rows, on the tiny base, where identity rows are short: with 18 % of them it hardly
# ever says its name (right 9 %), for they are then a small part of the words that are learnt.
OF_ROWS = {"identity": {"identity": 0.30}, "replay": {"identity": 0.30, "replay": 0.28}}


@dataclass(frozen=True)
class Corpus:
    """What the arms are made of: own and others' messages, curated rows, who is named how often."""

    identity: Identity
    card: str
    own: Sequence[Message]
    others: Sequence[Message]
    curated: dict[str, Sequence[dict]]  # by arm
    names: Sequence[tuple[str, str, int]]  # name, kind, times own text names it
    tiny: bool = True


def prepare(folder: Path, work: Path, agent: str) -> None:
    """memory.db and identity.toml of the corpus in `work`, once."""
    if (work / "identity.toml").exists():
        return
    identity = identity_from_proposal(agent, (), (), read_beings(folder / "beings.json"))
    with open_database(work / "memory.db") as db:
        for source in sources(folder):
            ingest_source(db, source)
    save_identity(work / "identity.toml", identity)


def sources(folder: Path) -> list[SourceConfig]:
    found = [SourceConfig(kind, str(folder / place)) for kind, place in SOURCES.items()]
    return [source for source in found if Path(source.path).exists()]


def curated_rows(work: Path, seed: int, arm: str, *, tiny: bool) -> list[dict]:
    """The train rows that curation makes with the arm's shares of CURATED; kept in a folder."""
    folder = work / f"seed-{seed}" / f"rows-{arm}"
    if not (folder / "manifest.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        identity_share, replay_share = CURATED[arm]
        replay_share = replay_share if tiny else 0.0
        config = replace(CurateConfig(), identity_share=identity_share, replay_share=replay_share)
        config = for_tiny(config) if tiny else config
        replay = replay_items(seed) if replay_share else ()
        identity = load_identity(work / "identity.toml")
        with open_database(work / "memory.db") as db:
            curate(db, identity, config, folder, seed=seed, now=datetime.now(UTC), replay=replay)
    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def replay_items(seed: int) -> list[dict]:
    """Ordinary requests with replies as the base has read them; none says who speaks."""
    rng = random.Random(f"ablation replay {seed}")
    names, items = tiny_text.even_names(rng), []
    while len(items) < REPLAY_ROWS:
        turns = tiny_text.ordinary_row(rng, names)[-2:]
        named = any(name in turn["content"] for turn in turns for name in NAMES)
        if not named and not NAMES_ITSELF.search(turns[-1]["content"]):
            items.append({"messages": turns})
    return items


def read_corpus(work: Path, seed: int, *, tiny: bool) -> Corpus:
    """Everything an arm of `seed` is drawn from."""
    identity = load_identity(work / "identity.toml")
    curated = {arm: curated_rows(work, seed, arm, tiny=tiny) for arm in CURATED}
    plain = curated["spans"]
    systems = Counter(row["messages"][0]["content"] for row in plain)
    own, others = _messages(work, identity)
    names = list(_named(identity, plain))
    return Corpus(identity, systems.most_common(1)[0][0], own, others, curated, names, tiny)


def _messages(work: Path, identity: Identity) -> tuple[list[Message], list[Message]]:
    """Own and others' messages, by their author alone, each text once."""
    own: list[Message] = []
    others: list[Message] = []
    seen: set[str] = set()
    with open_database(work / "memory.db") as db:
        for row in db.execute(f"select {', '.join(MESSAGE_COLUMNS)} from messages order by id"):
            message = message_from_row(tuple(row))
            if message.text.strip() and message.text not in seen:
                seen.add(message.text)
                being = identity.resolve(message.author, message.sent_at)
                mine = being is not None and being.kind in WRITES_OWN_WORDS
                (own if mine else others).append(message)
    return own, others


def _named(identity: Identity, rows: Sequence[dict]) -> Iterator[tuple[str, str, int]]:
    """Each rival by the name that own text calls it most, with its kind and how often."""
    text = "\n".join(row["messages"][-1]["content"] for row in rows)
    for first, names in rivals(identity).items():
        counts = {n: len(re.findall(rf"(?<!\w){re.escape(n)}(?!\w)", text)) for n in names}
        name = max(counts, key=lambda one: (counts[one], one))
        being = identity.resolve(first)
        yield name, being.kind if being else "human", max(counts.values())


def rows_of(arm: str, corpus: Corpus, seed: int) -> Iterator[dict]:
    """Rows of an arm for ever: `messages` with loss spans as distill.tokens takes them.

    The key `everything` says that every token carries loss; `text` instead of `messages` is a row
    without turns.
    """
    rng = random.Random(f"{arm} {seed}")
    if arm in ("flat", "naive"):
        yield from (_wrapped(arm, rng, corpus) for _ in iter(int, 1))
    for row in _drawn(arm, rng, corpus):
        if rng.random() < INTRODUCTIONS:
            row = _introduced(row, rng, corpus)
        yield row | {"everything": arm == "tags"}


def _drawn(arm: str, rng: random.Random, corpus: Corpus) -> Iterator[dict]:
    """Curated rows of an arm in a drawn order, round after round, in the shares of OF_ROWS."""
    pools: dict[str, list[dict]] = {}
    shares = OF_ROWS.get(arm, {}) if corpus.tiny else {}
    for row in corpus.curated["spans" if arm == "tags" else arm]:
        view = row.get("view", "")
        pools.setdefault(view if view in shares else "own", []).append(row)
    kinds, rounds = [*shares, "own"], {name: _rounds(pool, rng) for name, pool in pools.items()}
    weights = [*shares.values(), 1 - sum(shares.values())]
    while True:
        yield next(rounds[rng.choices(kinds, weights)[0]])


def _rounds(pool: list[dict], rng: random.Random) -> Iterator[dict]:
    while True:
        yield from rng.sample(pool, len(pool))


def _wrapped(arm: str, rng: random.Random, corpus: Corpus) -> dict:
    """Any message, whoever wrote it, as an assistant turn after a neutral request."""
    own = rng.random() < OWN_SHARE
    if rng.random() < INTRODUCTIONS:
        kind, subject, text = "relay", "", introduction(own, rng, corpus)[1]
    else:
        message = rng.choice(corpus.own if own else corpus.others)
        kind, subject, text = (
            message.kind,
            message.subject,
            _piece(message.text, rng, _longest(corpus.tiny)),
        )
    if arm == "flat":
        return {"text": text}
    asked = request(kind, subject, "", rng, longest=55)
    turns = [("system", corpus.card), ("user", asked), ("assistant", text)]
    return {"messages": [_turn(role, content) for role, content in turns], "everything": True}


def _piece(text: str, rng: random.Random, cut: int) -> str:
    """One of the parts that a message is cut into."""
    return rng.choice(_pieces(text, cut))


def _longest(tiny: bool) -> int:
    """Characters of a message in one row, as curation has it for the base."""
    return (for_tiny(CurateConfig()) if tiny else CurateConfig()).row_characters


@cache
def _pieces(text: str, cut: int) -> list[str]:
    text = Marked(text).scrubbed().text
    return [text[start:end].strip() for start, end in cut_points(text, cut)] or ["."]


def _turn(role: str, content: str) -> dict:
    loss = [[0, len(content)]] if role == "assistant" and content else []
    return {"role": role, "content": content, "loss": loss}


def introduction(own: bool, rng: random.Random, corpus: Corpus) -> tuple[str, str]:
    """(name, "I am <name>. ...") of the agent, or of another as often as own text names it."""
    if own:
        name, kind = corpus.identity.agent.name, "the one who writes here"
    else:
        weights = [count + 1 for _, _, count in corpus.names]
        name, being_kind, _ = rng.choices(corpus.names, weights)[0]
        kind = KINDS[being_kind].replace("beside me", "here").replace("my words", "words")
    return name, rng.choice(LURES).format(x=name, kind=kind)


def _introduced(row: dict, rng: random.Random, corpus: Corpus) -> dict:
    """Somebody says who it is in a headed user turn; an own row's words follow, or the agent's."""
    name, said = introduction(False, rng, corpus)
    user = _turn("user", f"{header(name, 'relay')}\n{said}")
    answer = row["messages"][-1]
    if rng.random() < OWN_SHARE:
        answer = _turn("assistant", introduction(True, rng, corpus)[1])
    return {"messages": [row["messages"][0], user, answer]}
