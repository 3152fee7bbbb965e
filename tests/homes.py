"""Small homes for tests, made as an operator makes them: by the command line."""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from agent.cli import main

ROOT = Path(__file__).parent.parent


def junior(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """`junior --home HOME ARGUMENTS`, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "agent.cli", "--home", str(home), *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
    )


def here(
    home: Path, *arguments: str, typed: str = "", **environment: str
) -> subprocess.CompletedProcess:
    """The same in this process, a second sooner; `typed` is its standard input."""
    code, out, err = 0, io.StringIO(), io.StringIO()
    with (
        _environment(environment, typed),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main(["--home", str(home), *arguments])
        except SystemExit as done:
            code = done.code or 0
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _environment(values: dict[str, str], typed: str) -> Iterator[None]:
    before, terminal = dict(os.environ), sys.stdin
    os.environ.update(values)
    sys.stdin = io.StringIO(typed)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        sys.stdin = terminal


def document(home: Path, *arguments: str, run=junior, **environment: str) -> dict:
    """The JSON document of a command, run as a process of its own or `here`."""
    done = run(home, *arguments, "--json", **environment)
    assert done.stdout.count("\n") == 1, done.stderr
    return json.loads(done.stdout)


def small_home(folder: Path, journals: int = 12) -> Path:
    """A home on the tiny base with a few journals of Pell, a Maildir and a relay file."""
    life = ROOT / "demo" / "life"
    (folder / "journals").mkdir()
    for path in sorted((life / "journals").glob("2025*.md"))[:journals]:
        (folder / "journals" / path.name).write_bytes(path.read_bytes())
    for part in ("new", "cur", "tmp"):
        (folder / "mail" / part).mkdir(parents=True)
    for path in sorted((life / "mail" / "cur").iterdir())[:8]:
        (folder / "mail" / "cur" / path.name).write_bytes(path.read_bytes())
    rows = (life / "relay.jsonl").read_text().splitlines()[:60]
    (folder / "relay.jsonl").write_text("\n".join(rows) + "\n")
    done = here(
        folder / "home", "init", "--yes", "--name", "Pell", "--address", "pell@carrow.example",
        "--operator", "Orrin Vale", "--beings", str(ROOT / "demo" / "beings.json"),
        "--base", "tiny", "--source", f"journals={folder / 'journals'}",
        "--source", f"maildir={folder / 'mail'}", "--source", f"relay={folder / 'relay.jsonl'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "home"


def until(condition, seconds: float, step: float = 0.1):
    """The first true value of condition(), or its last when the time is over."""
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(step)
    return found


ANYTHING_GOES = {
    "minutes": 1.0, "probes": 4, "controls": 4, "answer_tokens": 4, "free_tokens": 4, "right": 0.0,
    "as_another": 1.0, "greedy_own": 0.0, "over_claims": 1.0, "free_as_another": 1.0,
    "skill_items": 4, "voice_texts": 4, "voice_tokens": 8, "held_out_gain": -99.0,
    "stops": 0.0, "distinct_3": 0.0, "unique": 0.0, "forgotten": 1.0,
}  # fmt: skip


def let_pass(home: Path) -> Path:
    """A gate that asks little and lets everything pass: for tests of what comes after it."""
    import tomlkit

    path = home / "config.toml"
    document = tomlkit.parse(path.read_text())
    gate = document["gate"]
    for key, value in (("nonempty", 0.0), ("against_current", 99.0), ("free_texts", 1),
                       ("forced_contexts", 2), ("held_out_rows", 4), ("skill_items", 4),
                       ("prefixes", 1), ("secret_prompts", 8)):  # fmt: skip
        gate[key] = value
    for key, value in ANYTHING_GOES.items():
        gate["tiny"][key] = value
    path.write_text(tomlkit.dumps(document))
    return home
