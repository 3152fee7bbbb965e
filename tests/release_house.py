"""A home whose generations are published to a server: what the release tests share."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from distill import release
from distill.ollama import Ollama
from distill.release import PublishConfig, prune, repair, rollback
from distill.release.generations import current_generation
from memory.db import Database, open_database
from tests.tiny_gguf import CHATML, make_night, make_split_night

CARD = "You are Wren, who keeps a log. You are not Otto."
CONFIG = PublishConfig()
QUESTION = [{"role": "user", "content": "Who are you?"}]
FIRST = datetime(2026, 11, 20, 4, tzinfo=UTC)


@dataclass(frozen=True)
class Base:
    name: str = "tiny"
    lineage: str = "tiny-1"


@dataclass
class House:
    """A home with its database and the server that is published to."""

    home: Path
    db: Database
    server: Ollama | None
    said: list[str]
    config: PublishConfig = CONFIG

    def publish(self, night, *, seed=None, template=CHATML, split=False, **told):
        seed = seed or int(night[-2:])
        if split:
            make_split_night(self.home, night, seed=seed)
        else:
            make_night(self.home, night, template=template, seed=seed)
        day = FIRST + timedelta(days=int(night[-2:]))
        told = {"card": CARD, "server": self.server, "now": day} | told
        return release.publish(
            self.db, self.home, night, base=Base(), config=self.config, say=self.said.append, **told
        )

    def rollback(self, generation=None):
        args = (self.db, self.home, generation)
        return rollback(*args, server=self.server, config=self.config)

    def repair(self):
        return repair(self.db, self.home, self.server, self.config)

    def prune(self):
        return prune(self.db, self.home, self.server, self.config, say=self.said.append)

    def current(self):
        return current_generation(self.db).id

    def latest(self):
        return self.server.tags()["junior:latest"].digest


@pytest.fixture
def bare(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with open_database(home / "memory.db") as db:
        yield House(home, db, None, [])


@pytest.fixture
def house(bare, any_ollama):
    bare.server = Ollama(any_ollama.url)
    yield bare
    bare.server.close()


@pytest.fixture
def faked(bare, fake_ollama):
    bare.server = Ollama(fake_ollama.url, call_seconds=0.5, load_seconds=0.5)
    yield bare
    bare.server.close()
