"""Claims that the README says what is: commands, stages, sources, keys, and the tree."""

import dataclasses
import re
from pathlib import Path

import typer.main

from agent.cli import app
from agent.config import SECTIONS
from agent.night import STAGES
from memory.sources import SOURCES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def command_names() -> list[str]:
    group = typer.main.get_command(app)
    names = []
    for name, command in group.commands.items():
        children = getattr(command, "commands", None)
        names += [f"{name} {child}" for child in children] if children else [name]
    return names


def test_every_command_is_in_the_readme():
    assert [name for name in command_names() if f"`junior {name}" not in README] == []


def test_every_stage_and_source_is_in_the_readme():
    assert [name for name in STAGES if f"`{name}`" not in README] == []
    assert [kind for kind in SOURCES if f"`{kind}`" not in README] == []


def test_every_config_key_is_in_the_readme():
    missing = []
    for section, cls in SECTIONS.items():
        for field in dataclasses.fields(cls):
            if f"`{section}.{field.name}`" not in README:
                missing.append(f"{section}.{field.name}")
    assert missing == []


def test_the_readmes_tree_is_the_tree():
    """Every file line of the tree names a file that is there, and none is left out."""
    tree = README.split("<!-- tree -->")[1]
    kinds = "py|service|timer|rules|j2|css|js|gotmpl|Modelfile"
    named = set(re.findall(rf"^\s*([\w/.@-]+\.(?:{kinds}))", tree, re.M))
    there = {
        str(path.relative_to(ROOT))
        for room in ("agent", "distill", "memory", "modelfiles", "systemd", "benchmarks")
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.name != "__init__.py" and "__pycache__" not in str(path)
    }
    assert {Path(name).name for name in named} == {Path(name).name for name in there}
