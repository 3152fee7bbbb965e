"""Claims about the house itself: imports run one way, and heavy packages stay in their stages."""

import ast
import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {"memory": {"memory"}, "distill": {"distill", "memory", "modelfiles"},
         "agent": {"agent", "distill", "memory", "systemd"}}  # fmt: skip
OURS = {"agent", "distill", "memory", "modelfiles", "systemd", "benchmarks", "demo", "tests"}
HEAVY = {"torch", "transformers", "peft", "trl", "bitsandbytes", "datasets", "llama_cpp", "gguf",
         "numpy", "pandas"}  # fmt: skip
# the daemon holds these off too: the ollama client alone adds 17 MB
NOT_IN_DAEMON = {*HEAVY, "ollama", "httpx", "pydantic", "rich", "jinja2"}

MODULES = sorted(
    path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "__pycache__" not in str(path)
)


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.AST, top_level_only: bool = False) -> set[str]:
    """Top-level package names a module imports."""
    nodes = tree.body if top_level_only else ast.walk(tree)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way_and_heavy_ones_stay_inside_functions(path):
    tree = parsed(path)
    room = path.relative_to(ROOT).parts[0]
    assert imported(tree) & OURS <= ROOMS[room]
    assert not imported(tree, top_level_only=True) & HEAVY


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_opens_with_one_sentence(path):
    docstring = ast.get_docstring(parsed(path))
    assert docstring and docstring.splitlines()[0].rstrip().endswith((".", ":"))
    assert len(docstring.splitlines()[0]) <= 97


def loaded_after(statement: str) -> set[str]:
    """Top-level packages in sys.modules after a statement, in a fresh interpreter."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return {name.split(".")[0] for name in json.loads(run.stdout.splitlines()[-1])}


def test_the_command_line_starts_without_heavy_packages():
    assert not loaded_after("import agent.cli, agent.config") & {*HEAVY, "ollama", "httpx"}


def test_the_daemon_runs_without_heavy_packages():
    statement = "import agent.daemon, memory.ingest, memory.sources.mail"
    assert not loaded_after(statement) & NOT_IN_DAEMON


def test_nothing_names_a_package_index():
    """Lock files hold hashes, never where to download from."""
    for path in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in path.read_text() and "--index" not in path.read_text()
