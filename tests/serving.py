"""A served home for tests: the real application on a free port, in a thread of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from agent.config import Config, load_config
from agent.serve.app import address, build_app, listening, new_server
from agent.serve.doors import Codes, read_token
from agent.setup import Answers, init_home
from distill.release import PublishConfig, publish
from memory.db import open_database
from tests.release_house import CARD, Base
from tests.tiny_gguf import make_night


@dataclass(frozen=True)
class Served:
    """Where it listens, the token that opens it, and the codes for browsers."""

    url: str
    token: str
    codes: Codes
    config: Config

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def wren_home(folder: Path, nights: tuple[str, ...] = ("2026-11-20",), **serve: object) -> Config:
    """The home of Wren, who is made up, with released nights of 100 kB each and no Ollama."""
    home = folder / "home"
    init_home(home, Answers(name="Wren", operator="Otto", base="tiny"))
    (home / "nights").mkdir(exist_ok=True)
    config = load_config(home, {"publish.ollama": "off"})
    for night in nights:
        release(config, night)
    return replace(config, serve=replace(config.serve, **({"port": 0} | serve)))


def release(config: Config, night: str) -> None:
    """A night's junior becomes the current one, as at the end of a night without Ollama."""
    make_night(config.home, night, seed=int(night[-2:]))
    now = datetime.fromisoformat(f"{night}T04:00:00").replace(tzinfo=UTC)
    with open_database(config.database_path) as db:
        publish(
            db, config.home, night, base=Base(), card=CARD,
            config=PublishConfig(ollama="off"), server=None, now=now,
        )  # fmt: skip


@contextmanager
def served(config: Config) -> Iterator[Served]:
    """The application of `junior serve`, listening until the block ends."""
    app, codes = build_app(config)
    bound = listening(config)
    server = new_server(app)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])))
    thread.start()
    try:
        yield Served(address(config, bound), read_token(config.home), codes, config)
    finally:
        server.should_exit = True
        thread.join(15)
        bound.close()
