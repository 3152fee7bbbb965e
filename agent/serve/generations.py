"""Which junior a request is for, looked up at each request: a switch takes effect with the next."""

from dataclasses import dataclass
from pathlib import Path

from agent.config import Config
from agent.serve.errors import ApiError
from agent.stages import read_card
from distill.release import Generation, list_generations
from distill.release.generations import night_folder
from distill.release.modelfile import TAG_NAME
from distill.release.publisher import check_files, load_recipe, read_export
from memory.db import Database, open_database
from memory.errors import ModelFileError, NotReleasedError, UserError

BASE = "base"


@dataclass(frozen=True)
class Junior:
    """A model that can be asked: its generation's id, its tag ("" outside Ollama), its card."""

    id: str
    tag: str
    card: str
    current: bool = False


class Generations:
    """Reads SQLite when something was written to it, and remembers the cards.

    For one thread: the server's own.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._db: Database | None = None
        self._version = -1
        self._kept: list[Generation] = []
        self._cards: dict[str, str] = {}

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def kept(self) -> list[Generation]:
        """The kept generations, newest first."""
        if self._db is None:
            self._db = open_database(self.config.database_path)
        version = self._db.execute("pragma data_version").fetchone()[0]
        if version != self._version:
            self._kept = list_generations(self._db)
            self._version = version
        return self._kept

    def find(self, name: str = "") -> Junior:
        """The current junior, a generation by id, a night's candidate, or the base untouched.

        Raises NotReleasedError, and ApiError 404 for a name nobody knows.
        """
        if name == BASE:
            return Junior(BASE, "", "")
        for one in self.kept():
            if one.id == name or (not name and one.current):
                return Junior(one.id, one.tag, self._card(one.id), one.current)
        folder = night_folder(self.config.home, name) if TAG_NAME.fullmatch(name) else None
        if folder and (folder / "export.json").exists():
            return Junior(name, "", self._card(name))
        if name:
            told = f"there is no generation {name[:80]!r}"
            raise ApiError(404, told, "model_not_found", "model")
        raise NotReleasedError("no junior has been released yet: run `junior night` first")

    def _card(self, night: str) -> str:
        if night not in self._cards:
            folder = night_folder(self.config.home, night)
            try:
                self._cards[night] = load_recipe(folder).card
            except ModelFileError:
                self._cards[night] = read_card(folder)
        return self._cards[night]

    def file(self, name: str) -> Path:
        """The checked model file of a generation, of a candidate, or of the base. Any thread.

        Raises UserError.
        """
        if name == BASE:
            from distill.base import resolve_base
            from distill.gguf import base_gguf

            base = resolve_base(self.config.base.name, self.config.base.revision)
            return base_gguf(base, self.config.export)
        folder = night_folder(self.config.home, name)
        if not folder.is_dir():
            raise UserError(f"generation {name} has no model file any more")
        return check_files(folder, read_export(folder))[0]
