"""Whose tags are whose at a server, and `latest` pointed at the current generation."""

from collections.abc import Iterable

from distill.ollama import Ollama, Tag
from distill.release.config import PublishConfig
from distill.release.generations import (
    Generation,
    get_state,
    list_generations,
    released,
    set_state,
)
from distill.release.modelfile import rewrite_tag
from distill.release.publisher import Recipe
from memory.db import Database, transaction
from memory.errors import PublishError


def claim(db: Database, server: Ollama, recipe: Recipe, tag: str, config: PublishConfig) -> None:
    """Refuse where a name of `recipe` or its `latest` is somebody else's; else note the `tag`.

    The note is how names left by a killed release are known as ours.
    """
    tags, wanted = server.tags(), [tag, *([rewrite_tag(tag)] if recipe.rewrite else [])]
    refuse_foreign_latest(db, server, tags, [_latest(name) for name in wanted])
    noted = get_state(db, "publishing")
    ours = {name for one in list_generations(db, retired=True) for name in one.names}
    for name in wanted:
        if name in tags and name not in ours and noted != f"{server.url} {tag}":
            raise _foreign(server, name)
    left = noted.removeprefix(f"{server.url} ")
    if left not in (noted, tag):
        for name in {left, rewrite_tag(left)} & set(tags) - ours:
            server.delete(name)
    with transaction(db):
        set_state(db, "publishing", f"{server.url} {tag}")


def _foreign(server: Ollama, name: str) -> PublishError:
    return PublishError(
        f"Ollama at {server.url}: {name} exists and Junior did not make it; rename it "
        f"(`ollama cp`, `ollama rm`) or set publish.name to another name"
    )


def _latest(tag: str) -> str:
    return tag.partition(":")[0] + ":latest"


def latest_names(generation: Generation, config: PublishConfig) -> dict[str, str]:
    """{`NAME:latest`: the tag it must name} for all that a generation is called."""
    main = f"{config.name}:latest"
    second = {rewrite_tag(main): rewrite_tag(generation.tag)} if generation.rewrite_digest else {}
    return {main: generation.tag} | second


def refuse_foreign_latest(
    db: Database, server: Ollama, tags: dict[str, Tag], latest: Iterable[str]
) -> None:
    """PublishError for one of these names that is there and was not set by us."""
    known = {digest for one in list_generations(db, retired=True) for digest in one.names.values()}
    for name in latest:
        noted = get_state(db, "latest").split("\n")
        if name in tags and f"{server.url} {name}" not in noted and tags[name].digest not in known:
            raise _foreign(server, name)


def switch(db: Database, server: Ollama, config: PublishConfig) -> list[str]:
    """Point `latest` at the current generation and compare digests; gives what was set.

    The name that rewrites goes where the current generation has none. Raises PublishError:
    refused, or the server did not do it.
    """
    current = released(db)
    tags, wanted = server.tags(), latest_names(current, config)
    _drop_stale(db, server, tags, set(wanted), config)
    if is_latest(tags, current, config):
        return []
    refuse_foreign_latest(db, server, tags, wanted)
    with transaction(db):
        set_state(db, "latest", "\n".join(f"{server.url} {name}" for name in wanted))
    wrong = {name: tag for name, tag in wanted.items() if not _names(tags, name, current, tag)}
    for name, tag in wrong.items():
        server.copy(tag, name)
    found = server.tags()
    for name, tag in wrong.items():
        if not _names(found, name, current, tag):
            seen = found[name].digest[:12] if name in found else "nothing"
            raise PublishError(
                f"Ollama at {server.url}: {name} is {seen} after it was set to {tag} "
                f"({current.names[tag][:12]}); another program may write it too"
            )
    return [f"{name} set to {tag}" for name, tag in wrong.items()]


def _names(tags: dict[str, Tag], name: str, generation: Generation, tag: str) -> bool:
    return name in tags and tags[name].digest == generation.names.get(tag)


def _drop_stale(
    db: Database, server: Ollama, tags: dict[str, Tag], wanted: set[str], config: PublishConfig
) -> None:
    """The name that rewrites as an earlier generation did, where the current one does not."""
    name = rewrite_tag(f"{config.name}:latest")
    known = {one.rewrite_digest for one in list_generations(db, retired=True)} - {""}
    if name not in wanted and name in tags and tags[name].digest in known:
        server.delete(name)


def is_latest(tags: dict[str, Tag], current: Generation, config: PublishConfig) -> bool:
    """Whether every `latest` names the current generation."""
    wanted = latest_names(current, config)
    return all(_names(tags, name, current, tag) for name, tag in wanted.items())


def is_served(tags: dict[str, Tag], generation: Generation) -> bool:
    """Whether all it is called is there, as it was made."""
    names = generation.names
    return bool(names) and all(name in tags and tags[name].digest == d for name, d in names.items())
