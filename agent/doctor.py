"""What could stop tonight's night, each with what to do about it."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from agent.config import Config, load_config
from memory.errors import JuniorError, UserError

SAFE_SQLITE = (3, 51, 3)
Check = dict[str, object]


def examine(home: Path) -> list[Check]:
    """[{name, ok, found, advice}]; a check that cannot be made is one that failed."""
    if not home.is_dir():
        return [_check("home", False, f"there is no folder {home}", "run `junior init`")]
    try:
        config = load_config(home)
    except UserError as error:
        return [_check("configuration", False, str(error), f"mend {home}/config.toml")]
    checks = [_check("configuration", True, str(config.config_path), "")]
    for name, look in CHECKS.items():
        try:
            checks += list(look(config))
        except (JuniorError, OSError) as error:
            checks.append(_check(name, False, str(error), "see the message"))
    return checks


def _check(name: str, ok: bool, found: str, advice: str) -> Check:
    return {"name": name, "ok": ok, "found": found, "advice": "" if ok else advice}


def _identity(config: Config) -> Iterator[Check]:
    from distill.identity import load_identity

    if not config.identity_path.exists():
        yield _check("identity", False, "no identity.toml", "run `junior init`")
        return
    identity = load_identity(config.identity_path)
    found = f"{identity.agent.name} and {len(identity.beings)} other entries"
    yield _check("identity", True, found, "")


def _sqlite(config: Config) -> Iterator[Check]:
    from memory.db import open_database, sqlite3

    version = sqlite3.sqlite_version
    ok = tuple(map(int, version.split("."))) >= SAFE_SQLITE
    yield _check("SQLite", ok, version, "versions before 3.51.3 can damage a WAL file: "
                 "install the pysqlite3 wheel")  # fmt: skip
    with open_database(config.database_path) as db:
        good = db.execute("pragma quick_check").fetchone()[0]
        rejects = list(db.query("select source, path, reason from rejects limit 5"))
        total = db["rejects"].count
    yield _check("memory.db", good == "ok", good, "restore a backup of memory.db")
    first = "; ".join(f"{r['source']}/{r['path']}: {r['reason']}" for r in rejects)
    yield _check(
        "rejects", True, f"{total} records not readable{': ' + first if total else ''}", ""
    )


def _disk(config: Config) -> Iterator[Check]:
    free, needed = shutil.disk_usage(config.home).free, config.schedule.min_free_gb * 1e9
    yield _check("disk", free >= needed, f"{free / 1e9:.1f} GB free",
                 f"a night needs {needed / 1e9:.1f} GB: free some space")  # fmt: skip


def _gpu(config: Config) -> Iterator[Check]:
    """What the GPU is, which path each part of training takes on it, and what its memory buys.

    Asked of the driver's own tool: importing torch for it would take seconds.
    """
    from distill.train.paths import memory_plan, paths

    name, total, capability, gpus = _ask_driver()
    if capability is None:
        tiny = config.base.name == "tiny"
        yield _check("GPU", tiny, name,
                     "a 3B wants an 8 GB NVIDIA GPU; --base tiny needs none")  # fmt: skip
    else:
        yield _check("GPU", True, f"{name}, {total / 1e9:.1f} GB, compute {capability}", "")
    for part, path in paths(capability).items():
        yield _check(f"training: {part}", True, path, "")
    try:
        plan = memory_plan(config.base.name, config.base.revision, config.train, total, gpus)
        yield _check("training: memory", True, plan, "")
    except UserError as error:
        advice = "set train.vram_budget_gb, or take a smaller base (`junior base list`)"
        yield _check("training: memory", False, str(error), advice)


def _ask_driver() -> tuple[str, float, tuple[int, int] | None, int]:
    """(name or why there is none, its bytes, its compute capability, how many) of the GPUs."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "none (no NVIDIA driver)", 0.0, None, 1
    query = ["--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"]
    answer = subprocess.run([tool, *query], capture_output=True, text=True, timeout=20)
    try:
        cards = answer.stdout.splitlines()
        name, total, capability = cards[0].split(", ")
        major, minor = capability.split(".")
        return name, float(total) * 2**20, (int(major), int(minor)), len(cards)
    except (IndexError, ValueError):
        said = (answer.stderr or answer.stdout).strip().splitlines()[:1]
        return f"the driver does not answer: {said[0] if said else 'no word'}", 0.0, None, 1


def _base(config: Config) -> Iterator[Check]:
    from distill.base import resolve_base

    name = config.base.name
    try:
        found = resolve_base(name, config.base.revision)
        yield _check("base", True, f"{name} {found.revision[:12]}", "")
    except UserError as error:
        made = name == "tiny"
        note = "tiny, made in the first night" if made else str(error)
        yield _check("base", made, note, f"run `junior base fetch {name}`")


def _ollama(config: Config) -> Iterator[Check]:
    from distill.release import connect

    if config.publish.ollama == "off":
        yield _check("Ollama", True, "off by configuration; the embedded runner serves", "")
        return
    server = connect(config.publish)
    found = f"version {server.version()}" if server else "none answers; the embedded runner serves"
    yield _check("Ollama", True, found, "")


def _sources(config: Config) -> Iterator[Check]:
    from memory.sources import SOURCES, imap

    if not config.sources:
        yield _check("sources", False, "none", f"add [[sources]] to {config.config_path}")
    for source in config.sources:
        if SOURCES[source.kind].read_batches is not None:
            problem = imap.find_problem(source.path)
            yield _check(f"source {source.name}", not problem, source.path, problem)
            continue
        place = SOURCES[source.kind].locate(Path(source.path))
        there = place.exists() and os.access(place, os.R_OK)
        yield _check(f"source {source.name}", there, source.path,
                     "not there or not readable: mend the path or its permissions")  # fmt: skip


def _permissions(config: Config) -> Iterator[Check]:
    open_ones = [
        path
        for path in (config.home, config.database_path, config.identity_path, config.config_path)
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    names = ", ".join(str(path) for path in open_ones)
    yield _check("permissions", not open_ones, names or "private",
                 f"others can read these: chmod go-rwx {names}")  # fmt: skip


def _clock(config: Config) -> Iterator[Check]:
    from memory.db import open_database

    now = datetime.now(UTC)
    with open_database(config.database_path) as db:
        row = db.execute("select value from state where key = 'last_tick_at'").fetchone()
    ahead = bool(row) and datetime.fromisoformat(row[0]) > now
    yield _check("clock", not ahead, now.isoformat(timespec="seconds"),
                 f"Junior has seen a later time ({row and row[0]}): set the clock")  # fmt: skip


def _python(config: Config) -> Iterator[Check]:
    yield _check("Python", sys.version_info >= (3, 11), sys.version.split()[0], "3.11 or newer")


CHECKS: dict[str, Callable[[Config], Iterator[Check]]] = {
    "Python": _python,
    "identity": _identity,
    "SQLite": _sqlite,
    "disk": _disk,
    "GPU": _gpu,
    "base": _base,
    "Ollama": _ollama,
    "sources": _sources,
    "permissions": _permissions,
    "clock": _clock,
}
