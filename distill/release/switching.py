"""Whose tags are whose at a server, and `latest` pointed at the current generation."""

from distill.ollama import Ollama, Tag
from distill.release.config import PublishConfig
from distill.release.generations import (
    Generation,
    get_state,
    list_generations,
    released,
    set_state,
)
from memory.db import Database, transaction
from memory.errors import PublishError


def claim(db: Database, server: Ollama, tag: str, config: PublishConfig) -> None:
    """Refuse where `tag` or `latest` is somebody else's; else note that `tag` is being made.

    The note is how a tag left by a killed release is known as ours.
    """
    tags = server.tags()
    refuse_foreign_latest(db, server, tags, config)
    noted = get_state(db, "publishing")
    ours = {generation.tag for generation in list_generations(db, retired=True)}
    if tag in tags and tag not in ours and noted != f"{server.url} {tag}":
        raise PublishError(
            f"Ollama at {server.url}: {tag} exists and Junior did not make it; rename it "
            f"(`ollama cp`, `ollama rm`) or set publish.name to another name"
        )
    left = noted.removeprefix(f"{server.url} ")
    if left != noted and left in tags and left not in ours and left != tag:
        server.delete(left)
    with transaction(db):
        set_state(db, "publishing", f"{server.url} {tag}")


def refuse_foreign_latest(
    db: Database, server: Ollama, tags: dict[str, Tag], config: PublishConfig
) -> None:
    latest = f"{config.name}:latest"
    if latest not in tags or get_state(db, "latest") == f"{server.url} {latest}":
        return
    digests = {generation.digest for generation in list_generations(db, retired=True)}
    if tags[latest].digest not in digests:
        raise PublishError(
            f"Ollama at {server.url}: {latest} exists and Junior did not make it; rename it "
            f"(`ollama cp`, `ollama rm`) or set publish.name to another name"
        )


def switch(db: Database, server: Ollama, config: PublishConfig) -> bool:
    """Point `latest` at the current generation and compare digests; False where it was so already.

    Raises PublishError: refused, or the server did not do it.
    """
    current, latest = released(db), f"{config.name}:latest"
    tags = server.tags()
    if latest in tags and tags[latest].digest == current.digest:
        return False
    refuse_foreign_latest(db, server, tags, config)
    with transaction(db):
        set_state(db, "latest", f"{server.url} {latest}")
    server.copy(current.tag, latest)
    found = server.tags().get(latest)
    if found is None or found.digest != current.digest:
        seen = found.digest[:12] if found else "nothing"
        raise PublishError(
            f"Ollama at {server.url}: {latest} is {seen} after it was set to {current.tag} "
            f"({current.digest[:12]}); another program may write it too"
        )
    return True


def is_served(tags: dict[str, Tag], generation: Generation) -> bool:
    tag = tags.get(generation.tag)
    return tag is not None and tag.digest == generation.digest
