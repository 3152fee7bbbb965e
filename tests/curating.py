"""A small memory to curate: made-up messages straight into a real database."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from distill.curate import CurateConfig, curate
from distill.identity.beings import Being, Identity
from memory.db import open_database

NOW = datetime(2026, 6, 1, 3, 30, tzinfo=UTC)
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
IDENTITY = Identity(
    Being("Tern", "self", addresses=("tern@north.example",)),
    (
        Being("Ada Quill", "human", addresses=("ada@north.example",)),
        Being("Moss", "other_ai", facts=("It keeps the weather station.",)),
        Being("Junco", "sub_agent_trained_on_self"),
    ),
    operator="Ada Quill",
)
PLENTY = CurateConfig(
    held_out_share=0.0, held_out_least=0, identity_share=0.0, plain_share=0.0, thread_share=1.0
)


class Memory:
    """`say` puts a message in; `build` curates and gives (manifest, train rows, held-out rows)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.db = open_database(folder / "memory.db")
        self.db.execute("pragma synchronous = off")  # a thousand messages, each its own commit
        self.number = 0

    def say(self, author: str, text: str, **more) -> int:
        """`minute` counts from START; everything came in on 2026-03-01 unless told."""
        self.number += 1
        moment = START + timedelta(minutes=more.pop("minute", self.number * 180))
        row = {
            "source": "feed",
            "kind": "relay",
            "external_id": f"m{self.number:05}",
            "conversation": "",
            "author": author,
            "recipients": json.dumps(more.pop("to", ())),
            "sent_at": moment.isoformat(),
            "subject": "",
            "text": text,
            "reply_to": "",
            "origin": "spoken",
            "path": "",
            "ingested_at": "2026-03-01T00:00:00+00:00",
        }
        self.db["messages"].insert(row | more)
        return self.db.execute("select max(id) from messages").fetchone()[0]

    def build(self, config: CurateConfig = PLENTY, **more):
        more = {"seed": 3, "now": NOW} | more
        curate(self.db, more.pop("identity", IDENTITY), config, self.folder, **more)
        manifest = json.loads((self.folder / "manifest.json").read_text())
        return manifest, *(rows(self.folder / name) for name in ("train.jsonl", "held_out.jsonl"))


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def learnt(row: dict) -> list[str]:
    """The texts of a row that carry loss."""
    return [m["content"][s:e] for m in row["messages"] for s, e in m["loss"]]


def context(row: dict) -> str:
    """What others said in a row."""
    return "\n".join(m["content"] for m in row["messages"] if m["role"] == "user")


def sentences(n: int) -> list[str]:
    """Different sentences that are no template: no digits, no two alike."""
    words = ("amber", "birch", "cloud", "dune", "ember", "fjord", "grain", "heron", "inlet")
    words = (*words, "jetty", "kelp", "larch")
    return [
        f"I carried the {words[i % 12]} past the {words[i // 12 % 12]} and the {words[i // 144]}."
        for i in range(n)
    ]
