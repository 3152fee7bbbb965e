"""Claims about who may read what the program writes: nobody else, whatever the umask."""

import os
import stat
from pathlib import Path

import pytest

from tests.homes import ROOT, here


def open_to_others(folder: Path) -> list[str]:
    """Every file and folder under `folder` with a right for anybody else."""
    return [
        f"{stat.filemode(path.lstat().st_mode)} {path.relative_to(folder)}"
        for path in folder.rglob("*")
        if not path.is_symlink() and path.lstat().st_mode & 0o077
    ]


@pytest.mark.parametrize("umask", [0o022, 0o000])
def test_every_file_of_a_home_is_private(tmp_path, umask):
    home, life = tmp_path / "home", ROOT / "demo" / "life"
    before = os.umask(umask)
    try:
        source = f"journals={life / 'journals'}"
        here(home, "init", "--yes", "--name", "Pell", "--base", "tiny", "--source", source,
             "--beings", str(ROOT / "demo" / "beings.json"))  # fmt: skip
        for command in (["ingest"], ["log", "journal", "It rained."], ["backup"], ["dataset"],
                        ["night", "--stage", "ingest"], ["pause"], ["status"],
                        ["export", "--output", str(home / "rows.jsonl")]):  # fmt: skip
            here(home, *command, XDG_CACHE_HOME=str(tmp_path / "cache"))
    finally:
        os.umask(before)
    assert len(list(home.rglob("*"))) > 6
    assert open_to_others(home) == [] and home.stat().st_mode & 0o077 == 0
    assert open_to_others(tmp_path / "cache" / "junior") == []
