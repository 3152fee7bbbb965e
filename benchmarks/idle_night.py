"""A night with nothing new: how long it takes over a million messages, and what it writes.

    .venv/bin/python -m benchmarks.idle_night [--messages 1000000]

The other side is the same night over a memory of ten messages.
"""

import argparse
import json
import os
import sqlite3
import tempfile
import time
from pathlib import Path

SOURCE = "journals"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="junior-idle-") as folder:
        small = idle_night(Path(folder) / "small", 10)
        large = idle_night(Path(folder) / "large", options.messages)
    print("  messages  check s  night s    CPU s  files written  verdict")
    for found in (small, large):
        print(
            f"{found['messages']:10,} {found['check_seconds']:8.3f} {found['night_seconds']:8.3f}"
            f" {found['night_cpu_seconds']:8.3f}"
            f" {found['files_written']:14}  {found['verdict']}"
        )
    print(json.dumps(large | {"ratio": round(large["night_seconds"] / small["night_seconds"], 2)}))


def idle_night(home: Path, messages: int) -> dict:
    """The second of two nights without news: its seconds, its verdict, and what changed on disk."""
    from agent import stages
    from agent.night import run_night

    config = make_home(home, messages)
    remember_last_night(config)
    before = listing(home)
    begin = time.perf_counter()
    assert stages.is_unchanged(config)
    checked = time.perf_counter() - begin
    begin, cpu = time.perf_counter(), cpu_seconds()
    result = run_night(config)
    seconds, cpu = time.perf_counter() - begin, cpu_seconds() - cpu
    written = sorted(set(listing(home)) ^ set(before))
    return {
        "messages": messages,
        "verdict": result.verdict,
        "check_seconds": round(checked, 4),
        "night_seconds": round(seconds, 3),
        "night_cpu_seconds": round(cpu, 3),
        "files_written": len(written),
    }


def cpu_seconds() -> float:
    """Of this process and the children it has waited for: the same on a busy machine."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def make_home(home: Path, messages: int):
    """A home whose memory holds so many made-up messages of one agent, and no source."""
    from agent.config import load_config, write_config
    from memory.db import open_database

    home.mkdir(parents=True)
    write_config(home, {"base": {"name": "tiny"}}, ())
    (home / "identity.toml").write_text('[agent]\nname = "Pell"\n')
    config = load_config(home)
    open_database(config.database_path).close()
    with sqlite3.connect(config.database_path) as db:
        columns = [row[1] for row in db.execute("pragma table_info(messages)")]
        fill(db, columns, messages)
    db.close()
    return config


def fill(db, columns: list[str], messages: int) -> None:
    """Rows straight into the table: ingesting a million would measure something else."""
    given = {
        "source": SOURCE,
        "kind": SOURCE,
        "author": "Pell",
        "conversation": "c",
        "text": "I write at night, and the lamp is lit.",
        "origin": "spoken",
        "ingested_at": "2020-01-01T00:00:00+00:00",
    }
    names = [name for name in columns if name in given]
    db.execute("drop trigger if exists messages_fts_insert")
    db.executemany(
        f"insert into messages (external_id, {', '.join(names)}) values (?{', ?' * len(names)})",
        ((str(n), *(given[name] for name in names)) for n in range(messages)),
    )


def remember_last_night(config) -> None:
    """A finished night of exactly what is there now."""
    from agent import stages
    from memory.db import open_database

    with open_database(config.database_path) as db:
        db["nights"].insert(
            {
                "id": "2020-01-01",
                "period_key": "2020-01-01",
                "trigger": "hand",
                "started_at": "2020-01-01T03:30:00+00:00",
                "verdict": "released",
                "base": "tiny",
                "dataset_hash": stages.fingerprint(config),
            }
        )


def listing(home: Path) -> list[str]:
    """Every file of the home but SQLite's own and the lock."""
    return [
        str(p)
        for p in home.rglob("*")
        if p.is_file() and not p.name.startswith("memory.db") and p.name != "night.lock"
    ]


if __name__ == "__main__":
    main()
