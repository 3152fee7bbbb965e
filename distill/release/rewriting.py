"""The second name that rewrites: a system text of its own over the layers of the first."""

import json
from dataclasses import replace
from pathlib import Path

from distill.ollama import Ollama, Say
from distill.release.config import PublishConfig
from distill.release.modelfile import rewrite_tag, tag_name
from distill.release.prompts import Render, expected_prompts, read_chat_template
from distill.release.publisher import Recipe, publish_tag, remove_tag
from distill.release.shards import publish_as_taken
from distill.rewrite.rewriter import rewriting_card
from memory.db import Database
from memory.errors import PublishError


def with_rewriting(
    recipe: Recipe, folder: Path, config: PublishConfig, render: Render | None = None
) -> Recipe:
    """The recipe with the second name's system text, where `config` or the night wants one.

    Raises PublishError where that name could not be one.
    """
    wanted = config.rewrite == "on" or (config.rewrite == "auto" and _learnt(folder))
    if not wanted:
        return recipe
    tag_name(f"{recipe.name}-rewrite", recipe.night)
    render = render or read_chat_template(folder / recipe.files[0]["name"]).render
    card = rewriting_card(recipe.card)
    return replace(recipe, rewrite=card, rewrite_prompts=expected_prompts(render, card))


def _learnt(folder: Path) -> bool:
    """Whether rewrite rows were among the night's."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return bool(manifest["by_view"]["rewrite"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def publish_names(
    db: Database, server: Ollama, folder: Path, recipe: Recipe, tag: str, say: Say
) -> tuple[str, str, Recipe]:
    """Both names created and verified: their digests ("" where nothing rewrites), the recipe told.

    Raises PublishError, with both removed.
    """
    digest, told = publish_as_taken(db, server, folder, recipe, tag, say)
    if not told.rewrite:
        return digest, "", told
    prompts = told.rewrite_prompts or []
    second = replace(told, card=told.rewrite, prompts=prompts, probes=None)
    try:
        rewrites, _ = publish_tag(server, folder, second, rewrite_tag(tag), say)
    except PublishError:
        remove_tag(server, tag)
        raise
    return digest, rewrites, told
