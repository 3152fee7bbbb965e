"""The kept juniors: listed, switched, published, pinned and talked to."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from agent.config import Config
from agent.nights import find_night
from agent.served import is_served
from agent.stages import read_card
from distill import release
from distill.release.prompts import composes
from distill.release.publisher import check_files, read_export
from memory.db import open_database
from memory.errors import UserError


def generation_rows(config: Config) -> list[dict]:
    """`junior generations`: the newest first; `kept` is "model", or "adapter" where that is all."""
    rows = []
    with open_database(config.database_path) as db:
        for one in release.list_generations(db, retired=True):
            kept = "model" if one.retired_at is None else "adapter"
            if kept == "model" or (config.nights_path / one.id / "adapter").is_dir():
                rows.append(one.as_json() | {"kept": kept})
    return rows


def rollback(config: Config, generation: str) -> dict:
    """{"from", "to", "seconds"}."""
    with open_database(config.database_path) as db:
        return release.rollback(
            db,
            config.home,
            generation or None,
            config=config.publish,
            server=release.connect(config.publish),
            say=_say,
        )


def _say(line: str) -> None:
    print(f"junior: {line}", file=sys.stderr)


def publish(config: Config) -> dict:
    """Ollama brought up to date; with nothing released, `generation` is None."""
    with open_database(config.database_path) as db:
        current = release.current_generation(db)
        if current is None:
            print("junior: nothing has been released yet, so nothing is published", file=sys.stderr)
            return {"generation": None, "tag": None}
        server = release.connect(config.publish)
        for line in release.publish_current(db, config.home, server, config.publish):
            _say(line)
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

    def stream(self, history: list[dict], seed: int = 0) -> Iterator[str]:
        """The answer piece by piece; another `seed` draws another one."""
        return self.runner.stream(
            self._messages(history), max_tokens=600, temperature=self.temperature, seed=seed
        )

    def _messages(self, history: list[dict]) -> list[dict]:
        return [{"role": "system", "content": self.card}, *history]


@contextmanager
def open_junior(config: Config, name: str) -> Iterator[Junior]:
    """The current junior by the Ollama that serves it; else, and any other, the embedded runner.

    A generation whose adapter alone was kept is made again first; a damaged file is never served.
    """
    folder = junior_folder(config, name)
    runner = None if name else _served(config, folder)
    if runner is None:
        from distill.embedded import Embedded

        runner = Embedded(check_files(folder, read_export(folder)))
    try:
        yield Junior(folder.name, read_card(folder), runner, config.publish.temperature)
    finally:
        runner.close()


class Served:
    """The current junior at an Ollama, asked as the embedded runner is.

    Text is brought to NFC where the base's tokenizer does that: the server does not.
    """

    def __init__(self, server: release.Ollama, tag: str, composed: bool) -> None:
        self._server, self._tag, self._composed = server, tag, composed

    def chat(self, messages: list[dict], **how) -> release.Spoken:
        return self._server.chat(self._tag, self._compose(messages), **how)

    def stream(self, messages: list[dict], **how) -> Iterator[str]:
        return self._server.stream(self._tag, self._compose(messages), **how)

    def close(self) -> None:
        self._server.close()

    def _compose(self, messages: list[dict]) -> list[dict]:
        if not self._composed:
            return messages
        return [turn | {"content": normalize("NFC", turn["content"])} for turn in messages]


def _served(config: Config, folder: Path) -> Served | None:
    """The Ollama that serves exactly the current generation, if there is one."""
    if not is_served(config):
        return None
    server = release.connect(config.publish)
    if server is None:
        return None
    tag = f"{config.publish.name}:latest"
    if tag not in server.tags():
        server.close()
        return None
    return Served(server, tag, composes(folder / read_export(folder)[0]["name"]))


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
    _make_again(config, name)
    if not (folder / "export.json").exists() or not list(folder.glob("*.gguf")):
        raise UserError(f"night {name} has no model file: it ended before its export, or is pruned")
    return folder


def _make_again(config: Config, name: str) -> None:
    """The files of a released junior of which the adapter alone is kept."""
    with open_database(config.database_path) as db:
        for one in release.list_generations(db, retired=True):
            if (
                one.id == name
                and one.retired_at
                and (config.nights_path / name / "adapter").is_dir()
            ):
                release.with_files(db, config.home, one, _say)


def converse(junior: Junior) -> None:
    """A conversation on the terminal: /card, /again, /generation, /quit."""
    commands = "/card /again /generation, end with /quit or Ctrl-D"
    print(f"{junior.generation}; {commands}")
    history: list[dict] = []
    seed = 0
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
            history, seed = history[:-1], seed + 1
        elif line.startswith("/"):
            print(f"{line} is no command; {commands}")
        elif line:
            history.append({"role": "user", "content": line})
        if history and history[-1]["role"] == "user":
            said = _print_stream(junior, history, seed)
            if said:
                history.append({"role": "assistant", "content": said})
            else:
                history.pop()


def _print_stream(junior: Junior, history: list[dict], seed: int) -> str:
    """What was said: all of it, up to Ctrl-C, or nothing where the runner failed, which is told."""
    said = []
    try:
        for piece in junior.stream(history, seed):
            said.append(piece)
            print(piece, end="", flush=True)
    except KeyboardInterrupt:
        print(" ...", end="")
    except UserError as error:
        said = []
        print(f"\njunior: {error}", file=sys.stderr)
    print()
    return "".join(said)
