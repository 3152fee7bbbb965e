"""The kept juniors: listed, switched, published, pinned and talked to."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.config import Config
from agent.nights import find_night
from agent.stages import read_card
from distill import release
from distill.release.publisher import check_files, read_export
from memory.db import open_database
from memory.errors import UserError


def generation_rows(config: Config) -> list[dict]:
    """`junior generations`: the newest first."""
    with open_database(config.database_path) as db:
        return [generation.as_json() for generation in release.list_generations(db)]


def rollback(config: Config, generation: str) -> dict:
    """{"from", "to", "seconds"}."""
    with open_database(config.database_path) as db:
        return release.rollback(
            db,
            config.home,
            generation or None,
            config=config.publish,
            server=release.connect(config.publish),
        )


def publish(config: Config) -> dict:
    """Ollama brought up to date; with nothing released, `generation` is None."""
    with open_database(config.database_path) as db:
        current = release.current_generation(db)
        if current is None:
            print("junior: nothing has been released yet, so nothing is published", file=sys.stderr)
            return {"generation": None, "tag": None}
        server = release.connect(config.publish)
        for line in release.publish_current(db, config.home, server, config.publish):
            print(f"junior: {line}", file=sys.stderr)
        found = release.current_generation(db)
    return {"generation": found.id, "tag": found.tag}


def pin(config: Config, generation: str, pinned: bool) -> dict:
    """Keeps a generation whatever is pruned, or lets it go."""
    with open_database(config.database_path) as db:
        release.pin(db, generation, pinned=pinned)
    return {"generation": generation, "pinned": pinned}


@dataclass
class Junior:
    """A junior to talk to: its name, its card, and the runner behind it."""

    generation: str
    card: str
    runner: object
    temperature: float

    def ask(self, prompt: str, max_tokens: int = 300) -> dict:
        """`text, tokens_per_second, generation` of one answer."""
        reply = self.runner.chat(
            self._messages([{"role": "user", "content": prompt}]),
            max_tokens=max_tokens,
            temperature=0.0,
        )
        rate = reply.tokens / reply.seconds if reply.seconds else 0.0
        return {
            "text": reply.text.strip(),
            "tokens_per_second": round(rate, 1),
            "generation": self.generation,
        }

    def stream(self, history: list[dict]) -> Iterator[str]:
        return self.runner.stream(
            self._messages(history), max_tokens=600, temperature=self.temperature
        )

    def _messages(self, history: list[dict]) -> list[dict]:
        return [{"role": "system", "content": self.card}, *history]


@contextmanager
def open_junior(config: Config, name: str) -> Iterator[Junior]:
    """The current junior, a generation, or a rejected night's candidate, by the embedded runner."""
    from distill.embedded import Embedded

    folder = junior_folder(config, name)
    paths = check_files(folder, read_export(folder))  # a damaged file is never served
    runner = Embedded(paths[0])
    try:
        yield Junior(folder.name, read_card(folder), runner, config.publish.temperature)
    finally:
        runner.close()


def junior_folder(config: Config, name: str) -> Path:
    """The night folder the junior lies in. Raises UserError when it has no GGUF."""
    if not name:
        with open_database(config.database_path) as db:
            current = release.current_generation(db)
        if current is None:
            raise UserError(
                "no junior has been released yet: run `junior night`, or talk to a rejected "
                "candidate with `junior chat --generation NIGHT`"
            )
        name = current.id
    folder = find_night(config, name)
    if not (folder / "export.json").exists() or not list(folder.glob("*.gguf")):
        raise UserError(f"night {name} has no model file: it ended before its export, or is pruned")
    return folder


def converse(junior: Junior) -> None:
    """A conversation on the terminal: /card, /again, /generation, /quit."""
    print(f"{junior.generation}; /card /again /generation, end with /quit or Ctrl-D")
    history: list[dict] = []
    while True:
        try:
            line = input("> ").strip()
        except EOFError:
            return print()
        if line == "/quit":
            return None
        if line in ("/card", "/generation"):
            print(junior.card if line == "/card" else junior.generation)
            continue
        if line == "/again":
            history = history[:-1]
        elif line:
            history.append({"role": "user", "content": line})
        if history and history[-1]["role"] == "user":
            history.append({"role": "assistant", "content": _print_stream(junior, history)})


def _print_stream(junior: Junior, history: list[dict]) -> str:
    said = []
    for piece in junior.stream(history):
        said.append(piece)
        print(piece, end="", flush=True)
    print()
    return "".join(said)
