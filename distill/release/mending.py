"""What Ollama lost is made again from our files, and an older generation made the current one."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from distill.ollama import Ollama, Say
from distill.release.config import PublishConfig
from distill.release.generations import (
    Generation,
    current_generation,
    find_generation,
    night_folder,
    one_at_a_time,
    previous_generation,
    released,
    set_state,
)
from distill.release.modelfile import tag_name
from distill.release.publisher import check_files, load_recipe, save_recipe
from distill.release.rewriting import publish_names
from distill.release.switching import (
    claim,
    is_served,
    latest_names,
    refuse_foreign_latest,
    switch,
)
from memory.db import Database, transaction
from memory.errors import ModelFileError, NoServerError, NotReleasedError


def publish_current(
    db: Database,
    home: Path,
    server: Ollama | None,
    config: PublishConfig,
    *,
    say: Say | None = None,
) -> list[str]:
    """Bring an Ollama up to date with the current generation; gives what was done, a line each.

    Raises NotReleasedError with nothing released, NoServerError with no server.
    """
    released(db)
    if server is None:
        why = "publish.ollama is off" if config.ollama == "off" else "no Ollama answers"
        raise NoServerError(f"{why}: `junior chat` answers from the file without one")
    return repair(db, home, server, config, say=say)


def repair(
    db: Database,
    home: Path,
    server: Ollama | None,
    config: PublishConfig,
    *,
    say: Say | None = None,
) -> list[str]:
    """Make Ollama agree with SQLite: the current generation there, and `latest` naming it.

    Cheap where all is well (one call). Never while a night holds the lock. Gives what was done.
    Raises PublishError, ModelFileError (a damaged file is not sent).
    """
    if server is None:
        return []
    with one_at_a_time(home):
        current, done = current_generation(db), []
        if current is None:
            return []
        if not is_served(server.tags(), current):
            current = _serve_again(db, home, server, current, config, say or _say_nothing)
            done.append(f"{current.tag} made again from its file")
        return done + switch(db, server, config)


def warm(db: Database, server: Ollama | None, config: PublishConfig) -> str:
    """Loads the current junior, so that the first question does not wait; gives its tag or ""."""
    current = current_generation(db)
    if server is None or current is None or not current.tag:
        return ""
    server.load(f"{config.name}:latest")
    return current.tag


def _say_nothing(_: str) -> None:
    return None


def _serve_again(
    db: Database,
    home: Path,
    server: Ollama,
    generation: Generation,
    config: PublishConfig,
    say: Callable[[str], None],
) -> Generation:
    """Create a generation's tag from its own files, which are checked first."""
    generation = with_files(db, home, generation, say)
    folder = night_folder(home, generation.id)
    tag = generation.tag or tag_name(config.name, generation.id)
    recipe = load_recipe(folder)
    claim(db, server, recipe, tag, config)
    *digests, recipe = publish_names(db, server, folder, recipe, tag, say)
    save_recipe(folder, recipe)
    with transaction(db):
        sql = "update generations set tag = ?, digest = ?, rewrite_digest = ?, files = ?"
        values = (tag, *digests, json.dumps(recipe.files), generation.id)
        db.execute(f"{sql} where id = ?", values)
        set_state(db, "publishing", "")
    return find_generation(db, generation.id, retired=True)


def with_files(
    db: Database, home: Path, generation: Generation, say: Callable[[str], None]
) -> Generation:
    """The generation with its model files whole: made again from its adapter where they are not.

    Raises ModelFileError where the adapter is gone or damaged as well.
    """
    folder = night_folder(home, generation.id)
    try:
        check_files(folder, generation.files)
        return generation
    except ModelFileError as error:
        if not (folder / "adapter").is_dir():
            raise
        say(f"{error}; making it again from its adapter")
    files = _make_again(folder)
    recipe = replace(load_recipe(folder), files=files)
    save_recipe(folder, recipe)
    with transaction(db):
        sql = "update generations set files = ? where id = ?"
        db.execute(sql, (json.dumps(files), generation.id))
    return replace(generation, files=files)


def _make_again(folder: Path) -> list[dict[str, Any]]:
    """The export of a night, once more: the same input gives the same bytes."""
    from distill.base import resolve_base
    from distill.gguf import make_again
    from distill.gguf.tensors import read_json

    name, _, revision = str(read_json(folder / "export.json")["inputs"]["base"]).rpartition("@")
    return [asdict(file) for file in make_again(folder, resolve_base(name, revision))]


def rollback(
    db: Database,
    home: Path,
    generation: str | None = None,
    *,
    server: Ollama | None,
    config: PublishConfig,
    say: Say | None = None,
) -> dict[str, Any]:
    """Make a kept generation the current one, without training: {"from", "to", "seconds"}.

    The one released before the current by default. Raises NotReleasedError, ModelFileError,
    PublishError; before SQLite is written nothing has changed, after it `repair` mends the rest.
    """
    started = time.monotonic()
    with one_at_a_time(home):
        current = released(db)
        target = previous_generation(db, current)
        if generation:
            target = find_generation(db, generation, retired=True)
        if target is None:
            raise NotReleasedError(
                f"{current.id}: is the oldest generation kept; none is before it"
            )
        _switch_to(db, home, target, server, config, say or _say_nothing)
    seconds = round(time.monotonic() - started, 3)
    return {"from": current.id, "to": target.id, "seconds": seconds}


def _switch_to(db, home: Path, target: Generation, server, config: PublishConfig, say) -> None:
    if server is None:
        with_files(db, home, target, say)
    elif not is_served(server.tags(), target):
        _serve_again(db, home, server, target, config, say)
    if server is not None:
        refuse_foreign_latest(db, server, server.tags(), latest_names(target, config))
    with transaction(db):
        db.execute("update generations set retired_at = null where id = ?", (target.id,))
        set_state(db, "current_generation", target.id)
    if server is not None:
        switch(db, server, config)
