"""Generations published, switched, repaired, rolled back, pruned: SQLite is the truth."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from distill.ollama import Ollama, Say, Tag
from distill.release.generations import (
    Generation,
    current_generation,
    find_generation,
    generation_files,
    get_state,
    list_generations,
    night_folder,
    pin,
    previous_generation,
    released,
    set_state,
)
from distill.release.modelfile import tag_name, write_modelfile
from distill.release.prompts import Render
from distill.release.publisher import (
    Recipe,
    check_files,
    load_recipe,
    make_recipe,
    publish_tag,
    save_recipe,
)
from memory.db import Database, to_stored, transaction
from memory.errors import NoServerError, NotReleasedError, PublishError
from memory.files import write_atomic

__all__ = [
    "Generation",
    "PublishConfig",
    "connect",
    "current_generation",
    "generation_files",
    "list_generations",
    "pin",
    "prune",
    "publish",
    "publish_current",
    "repair",
    "rollback",
    "switch",
    "write_modelfile",
]


def _doc(default: Any, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class PublishConfig:
    """Where the released junior is served, and how many are kept."""

    name: str = _doc("junior", "name of the model: `ollama run NAME`; two agents need two")
    ollama: str = _doc("auto", "auto: an Ollama that answers serves the junior; off: none is asked")
    host: str = _doc("", "its host:port; empty: OLLAMA_HOST, which must be this machine, or 11434")
    keep: int = _doc(7, "newest generations kept, besides the current, the one before, the pinned")
    num_ctx: int = _doc(4096, "tokens of context the server gives the model")
    max_tokens: int = _doc(2048, "longest answer, so that `ollama run` ends; 0: no limit")
    temperature: float = _doc(0.7, "sampling temperature where a program asks for none")


def connect(config: PublishConfig) -> Ollama | None:
    """The Ollama that serves, or None: none answers, or `publish.ollama` is off.

    Raises PublishError for a name or an address that must not be used.
    """
    tag_name(config.name, "latest")
    if config.ollama not in ("auto", "off"):
        raise PublishError(f"publish.ollama: {config.ollama!r} is neither auto nor off")
    if config.ollama == "off":
        return None
    server = Ollama(config.host)
    try:
        server.version()
    except NoServerError:
        server.close()
        return None
    return server


# Publishing


def publish(
    db: Database,
    home: Path,
    night: str,
    *,
    base: Any,
    card: str,
    config: PublishConfig,
    server: Ollama | None,
    render: Render | None = None,
    probes: list[dict[str, Any]] | None = None,
    say: Say | None = None,
    now: datetime | None = None,
) -> Generation:
    """Release the model in a night's folder: verified at `server`, then current, then `latest`.

    `base` has `name` and `lineage`, `card` is the system card its rows were built with; without a
    server the generation is registered with the tag "" and the embedded runner serves it. `render`
    and `probes` as in `publisher.make_recipe`; the report's `server_probes` where none are given.
    Raises ModelFileError or PublishError, and then nothing has changed: the current generation
    stays. Once SQLite has it, trouble at the server is only said: `repair` mends it.
    """
    say = say or _quiet
    folder, now = night_folder(home, night), now or datetime.now(UTC)
    tag = tag_name(config.name, night)
    recipe = make_recipe(
        folder,
        night=night,
        name=config.name,
        card=card,
        parameters=_parameters(config),
        render=render,
        probes=probes or _report(folder).get("server_probes"),
    )
    digest = ""
    if server is not None:
        _claim(db, server, tag, config)
        digest, recipe = _publish_noted(server, folder, recipe, tag, say)
    save_recipe(folder, recipe)
    row = (night, to_stored(now), base.name, base.lineage, json.dumps(recipe.files))
    row += (json.dumps(_scores(_report(folder))), tag if server else "", digest)
    _register(db, row)
    _settle(db, home, server, config, say)
    return find_generation(db, night)


def _parameters(config: PublishConfig) -> dict[str, Any]:
    limit = {"num_predict": config.max_tokens} if config.max_tokens else {}
    return {"num_ctx": config.num_ctx, "temperature": config.temperature} | limit


def _publish_noted(
    server: Ollama, folder: Path, recipe: Recipe, tag: str, say: Say
) -> tuple[str, Recipe]:
    """`publish_tag`, with what the server showed added to report.json where there is one."""
    try:
        digest, told = publish_tag(server, folder, recipe, tag, say)
    except PublishError as error:
        _note(folder, {"ok": False, "tag": tag, "reason": str(error)})
        raise
    _note(folder, {"ok": True, "tag": tag, "digest": digest, "server": server.version()})
    return digest, told


def _note(folder: Path, served: dict[str, Any]) -> None:
    if report := _report(folder):
        report["served"] = served
        text = json.dumps(report, indent=1, ensure_ascii=False)
        write_atomic(folder / "report.json", text)


def _register(db: Database, row: tuple) -> None:
    """The generation and that it is the current one, in one transaction."""
    current = current_generation(db)
    with transaction(db):
        if current is not None and current.id != row[0]:
            set_state(db, f"before {row[0]}", current.id)
        db.execute(
            "insert into generations (id, created_at, base, lineage, files, scores, tag, digest)"
            " values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (id) do update set"
            " files = excluded.files, scores = excluded.scores,"
            " tag = excluded.tag, digest = excluded.digest, retired_at = null",
            row,
        )
        set_state(db, "current_generation", row[0])
        set_state(db, "publishing", "")


def _settle(
    db: Database, home: Path, server: Ollama | None, config: PublishConfig, say: Say
) -> None:
    """After a release: `latest`, then prune; trouble is said, since the release itself holds."""
    try:
        if server is not None:
            switch(db, server, config)
        prune(db, home, server, config, say=say)
    except (PublishError, OSError) as error:
        say(f"{error} (the release itself is done; the next tick or `junior publish` mends this)")


def _quiet(_: str) -> None:
    return None


def _report(folder: Path) -> dict[str, Any]:
    """The night's report; {} where there is none."""
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}


def _scores(report: dict[str, Any]) -> dict[str, Any]:
    """The report's numbers, for `generations`."""
    checks = {check["name"]: check["value"] for check in report.get("checks", [])}
    named = ("verdict", "sentence", "base_loss", "junior_loss")
    return {name: report[name] for name in named if name in report} | {"checks": checks}


def _claim(db: Database, server: Ollama, tag: str, config: PublishConfig) -> None:
    """Refuse where `tag` or `latest` is somebody else's; else note that `tag` is being made.

    The note is how a tag left by a killed release is known as ours.
    """
    tags = server.tags()
    _refuse_foreign_latest(db, server, tags, config)
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


def _refuse_foreign_latest(
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
    _refuse_foreign_latest(db, server, tags, config)
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


# Mending and going back


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
    current = current_generation(db)
    if current is None or server is None:
        return []
    done = []
    if not _is_served(server.tags(), current):
        current = _serve_again(db, home, server, current, config, say or _quiet)
        done.append(f"{current.tag} made again from its file")
    if switch(db, server, config):
        done.append(f"{config.name}:latest set to {current.tag}")
    return done


def _is_served(tags: dict[str, Tag], generation: Generation) -> bool:
    tag = tags.get(generation.tag)
    return tag is not None and tag.digest == generation.digest


def _serve_again(
    db: Database,
    home: Path,
    server: Ollama,
    generation: Generation,
    config: PublishConfig,
    say: Callable[[str], None],
) -> Generation:
    """Create a generation's tag from its own files, which are checked first."""
    folder = night_folder(home, generation.id)
    check_files(folder, generation.files)
    tag = generation.tag or tag_name(config.name, generation.id)
    _claim(db, server, tag, config)
    digest, recipe = publish_tag(server, folder, load_recipe(folder), tag, say)
    save_recipe(folder, recipe)
    with transaction(db):
        sql = "update generations set tag = ?, digest = ? where id = ?"
        db.execute(sql, (tag, digest, generation.id))
        set_state(db, "publishing", "")
    return find_generation(db, generation.id)


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
    started, current = time.monotonic(), released(db)
    target = find_generation(db, generation) if generation else previous_generation(db, current)
    if target is None:
        raise NotReleasedError(f"{current.id}: is the oldest generation kept; none is before it")
    if server is None:
        generation_files(home, target)
    elif not _is_served(server.tags(), target):
        target = _serve_again(db, home, server, target, config, say or _quiet)
    if server is not None:
        _refuse_foreign_latest(db, server, server.tags(), config)
    with transaction(db):
        set_state(db, "current_generation", target.id)
    if server is not None:
        switch(db, server, config)
    return {
        "from": current.id,
        "to": target.id,
        "seconds": round(time.monotonic() - started, 3),
    }


def prune(
    db: Database,
    home: Path,
    server: Ollama | None,
    config: PublishConfig,
    *,
    say: Say | None = None,
    now: datetime | None = None,
) -> list[str]:
    """Let old generations go: their tags and GGUF files, not their adapters and reports; gives ids.

    Kept are the current, the one before it, the newest `config.keep` and the pinned. Only once
    `latest` is verified; a tag that is not as we made it stays, and that is said.
    """
    current = current_generation(db)
    if current is None:
        return []
    tags = server.tags() if server is not None else {}
    latest = tags.get(f"{config.name}:latest")
    if server is not None and (latest is None or latest.digest != current.digest):
        raise PublishError(f"{config.name}:latest is not {current.tag}: nothing was pruned")
    kept = _kept(db, current, config)
    gone = []
    for generation in list_generations(db, retired=True):
        left = generation.retired_at is None or (generation.tag and server is not None)
        if generation.id not in kept and left:
            _retire(db, home, server, tags, generation, say or _quiet, now)
            if generation.retired_at is None:
                gone.append(generation.id)
    return gone


def _kept(db: Database, current: Generation, config: PublishConfig) -> set[str]:
    there = list_generations(db)
    before = previous_generation(db, current)
    kept = {current.id} | ({before.id} if before else set())
    kept |= {generation.id for generation in there[: max(config.keep, 0)]}
    return kept | {generation.id for generation in there if generation.pinned}


def _retire(
    db: Database,
    home: Path,
    server: Ollama | None,
    tags: dict[str, Tag],
    generation: Generation,
    say: Say,
    now: datetime | None,
) -> None:
    """Tag, then files, then the row: killed in between, it is done again and harms nothing."""
    tag = generation.tag
    if server is not None and tag in tags:
        if tags[tag].digest == generation.digest:
            server.delete(tag)
        else:
            say(f"{tag} is not as Junior made it; it stays in Ollama")
    for file in generation.files:
        (night_folder(home, generation.id) / file["name"]).unlink(missing_ok=True)
    with transaction(db):
        sql = "update generations set retired_at = coalesce(retired_at, ?), tag = ? where id = ?"
        left = tag if server is None else ""
        db.execute(sql, (to_stored(now or datetime.now(UTC)), left, generation.id))
