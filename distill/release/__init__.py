"""Generations published, switched, repaired, rolled back, pruned: SQLite is the truth."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from distill.ollama import Ollama, Say, Spoken
from distill.release.config import PublishConfig, connect
from distill.release.generations import (
    Generation,
    current_generation,
    find_generation,
    generation_files,
    list_generations,
    night_folder,
    one_at_a_time,
    pin,
    set_state,
)
from distill.release.mending import publish_current, repair, rollback, warm, with_files
from distill.release.modelfile import tag_name, write_modelfile
from distill.release.prompts import Render
from distill.release.pruning import check_room, prune, stored_bytes
from distill.release.publisher import Recipe, make_recipe, save_recipe
from distill.release.rewriting import publish_names, with_rewriting
from distill.release.shards import wants_split
from distill.release.switching import claim, switch
from memory.crash import reach
from memory.db import Database, to_stored, transaction
from memory.errors import PublishError
from memory.files import write_atomic

__all__ = [
    "Generation",
    "Ollama",
    "PublishConfig",
    "Spoken",
    "check_room",
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
    "stored_bytes",
    "switch",
    "wants_split",
    "warm",
    "with_files",
    "write_modelfile",
]


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
    recipe = make_recipe(
        folder,
        night=night,
        name=config.name,
        card=card,
        parameters=_parameters(config),
        render=render,
        probes=probes or _report(folder).get("server_probes"),
    )
    recipe = with_rewriting(recipe, folder, config, render)
    with one_at_a_time(home):
        tag, digests = tag_name(config.name, night), ["", ""]
        if server is not None:
            claim(db, server, recipe, tag, config)
            *digests, recipe = _publish_noted(db, server, folder, recipe, tag, say)
        save_recipe(folder, recipe)
        row = (night, to_stored(now), base.name, base.lineage, json.dumps(recipe.files))
        row += (json.dumps(_scores(_report(folder))), tag if server else "", *digests)
        row += (_read(folder / "train.json").get("recipe_hash", ""),)
        reach("release.unregistered")
        _register(db, row)
        reach("release.registered")
        _settle(db, home, server, config, say)
    return find_generation(db, night)


def _parameters(config: PublishConfig) -> dict[str, Any]:
    limit = {"num_predict": config.max_tokens} if config.max_tokens else {}
    return {"num_ctx": config.num_ctx, "temperature": config.temperature} | limit


def _publish_noted(
    db: Database, server: Ollama, folder: Path, recipe: Recipe, tag: str, say: Say
) -> tuple[str, str, Recipe]:
    """Published, with what the server showed added to report.json where there is one."""
    try:
        digest, second, told = publish_names(db, server, folder, recipe, tag, say)
    except PublishError as error:
        _note(folder, {"ok": False, "tag": tag, "reason": str(error)})
        raise
    _note(folder, {"ok": True, "tag": tag, "digest": digest, "server": server.version()})
    return digest, second, told


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
            "insert into generations"
            " (id, created_at, base, lineage, files, scores, tag, digest, rewrite_digest, recipe)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (id) do update set"
            " files = excluded.files, scores = excluded.scores, recipe = excluded.recipe,"
            " tag = excluded.tag, digest = excluded.digest,"
            " rewrite_digest = excluded.rewrite_digest, retired_at = null",
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
        reach("release.switched")
        prune(db, home, server, config, say=say)
    except (PublishError, OSError) as error:
        say(f"{error} (the release itself is done; the next tick or `junior publish` mends this)")


def _quiet(_: str) -> None:
    return None


def _report(folder: Path) -> dict[str, Any]:
    """The night's report; {} where there is none."""
    return _read(folder / "report.json")


def _read(path: Path) -> dict[str, Any]:
    """A file's JSON object; {} where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _scores(report: dict[str, Any]) -> dict[str, Any]:
    """The report's numbers, for `generations`."""
    checks = {check["name"]: check["value"] for check in report.get("checks", [])}
    named = ("verdict", "sentence", "base_loss", "junior_loss")
    return {name: report[name] for name in named if name in report} | {"checks": checks}
