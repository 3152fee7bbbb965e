"""Whether a server serves a model in shards: asked once for each version, by a chat."""

import json
from dataclasses import asdict, replace
from pathlib import Path

from distill.gguf.shards import join_shards
from distill.gguf.tensors import read_json
from distill.ollama import Ollama, Say
from distill.release.config import PublishConfig
from distill.release.generations import get_state, set_state
from distill.release.publisher import Recipe, check_files, create_tag, publish_tag, remove_tag
from memory.db import Database, transaction
from memory.errors import NoServerError, PublishError
from memory.files import write_atomic

TAKEN, REFUSED = "taken", "refused"


def wants_split(db: Database, config: PublishConfig) -> bool:
    """Whether tonight's export is to be in shards, where its adapter lets it be.

    Not with a server that was seen to refuse them, until it is another version.
    """
    return config.split == "auto" and not get_state(db, "shards").endswith(REFUSED)


def publish_as_taken(
    db: Database, server: Ollama, folder: Path, recipe: Recipe, tag: str, say: Say
) -> tuple[str, Recipe]:
    """`publish_tag` in shards where this version serves them, else joined to one file."""
    version = server.version()
    known = get_state(db, "shards")
    if known and not known.startswith(f"{version} "):
        known = _remember(db, "")
    if len(recipe.files) == 1:
        return publish_tag(server, folder, recipe, tag, say)
    if not known and _answers(server, folder, recipe, tag):
        known = _remember(db, f"{version} {TAKEN}")
    if known.endswith(TAKEN):
        return publish_tag(server, folder, recipe, tag, say)
    say(f"Ollama {version} does not serve a model in shards: they are joined to one file")
    joined = join(folder, recipe)
    made = publish_tag(server, folder, joined, tag, say)
    _remember(db, f"{version} {REFUSED}")
    return made


def _remember(db: Database, known: str) -> str:
    with transaction(db):
        set_state(db, "shards", known)
    return known


def _answers(server: Ollama, folder: Path, recipe: Recipe, tag: str) -> bool:
    """Whether a chat with the shards is answered; a server that died meanwhile raises."""
    check_files(folder, recipe.files)
    try:
        for file in recipe.files:
            server.upload_blob(folder / file["name"], file["sha256"])
        create_tag(server, recipe, tag)
        return bool(server.chat(tag, recipe.prompts[0]["messages"], max_tokens=2).tokens)
    except NoServerError:
        raise
    except PublishError:
        server.version()
        remove_tag(server, tag)
        return False


def join(folder: Path, recipe: Recipe) -> Recipe:
    """The recipe with one file in place of its shards, which go; export.json says so as well."""
    names = [file["name"] for file in recipe.files]
    file = asdict(join_shards(folder, names, names[0].partition("-00001-of-")[0]))
    record = read_json(folder / "export.json") | {"files": [file]}
    write_atomic(folder / "export.json", json.dumps(record, indent=1) + "\n")
    for name in names:
        (folder / name).unlink()
    return replace(recipe, files=[file])
