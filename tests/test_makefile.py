"""Claims about `make setup` where something is missing: one sentence, before any work."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = ("sh", "test", "touch", "dirname")  # what a recipe runs besides python3 and the compilers


@pytest.fixture
def machine(tmp_path):
    """A folder to run make in, and a bin/ that is its whole PATH."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    return tmp_path


def put(machine, name, script):
    path = machine / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def setup(machine):
    plain = {k: v for k, v in os.environ.items() if k not in ("CC", "CXX", "MAKEFLAGS", "PYTHON")}
    done = subprocess.run(
        [shutil.which("make"), "setup"],
        cwd=machine,
        env=plain | {"PATH": str(machine / "bin")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and not (machine / ".venv").exists()
    return done.stdout


def test_a_python_that_is_missing_or_old_is_said(machine):
    assert "Python 3.11 or newer" in setup(machine)
    put(machine, "python3", "exit 1")
    assert "Python 3.11 or newer" in setup(machine)


def test_a_python_without_venv_is_said(machine):
    real = f'exec {sys.executable} "$@"'
    put(machine, "python3", f'case "$2" in *ensurepip*) exit 1;; esac\n{real}')
    assert "install python3-venv" in setup(machine)


def test_a_missing_compiler_is_said(machine):
    put(machine, "python3", f'exec {sys.executable} "$@"')
    assert "no C and C++ compiler (cc)" in setup(machine)
    put(machine, "cc", "exit 0")
    assert "no C and C++ compiler (c++)" in setup(machine)
