"""One action again and again, its n-th file operation failing, until it comes through clean.

    LD_PRELOAD=failing.so FAIL_UNDER=FOLDER python -m tests.faults.run_failing ACTION ERROR FOLDER

Prints {"runs", "failed", "problems"}; a problem is what no operator should meet: another exception
than a plain one, a damaged memory, a message that is lost or there twice, a half release.
"""

import ctypes
import errno
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from agent.backup import find_damage
from distill import release
from distill.ollama import Ollama
from memory.db import open_database
from memory.errors import JuniorError
from memory.ingest import SourceConfig, ingest_source
from tests.fake_ollama import FakeOllama
from tests.release_house import CARD, CONFIG, Base
from tests.tiny_gguf import make_night

LASTING = ("ENOSPC", "EROFS")  # a full or read-only disk stays so; the others are a moment's
KINDS = {"ENOSPC": 1 | 8, "EIO": 1 | 8, "EMFILE": 2, "EROFS": 2 | 4}  # as in failing.c
JOURNALS = 12


def prepare_ingest(folder: Path) -> None:
    (folder / "home").mkdir(parents=True)
    (folder / "journals").mkdir()
    for number in range(JOURNALS):
        text = f"# Day {number}\n\nI counted {number * 7} boats and went home.\n"
        (folder / "journals" / f"2026-03-{number + 1:02}.md").write_text(text)


def ingest(folder: Path) -> None:
    source = SourceConfig(kind="journals", path=str(folder / "journals"), name="journals")
    with open_database(folder / "home" / "memory.db") as db:
        ingest_source(db, source)


def check_ingest(folder: Path, done: bool) -> str:
    """All or none; a file that could not be opened is a reject, and read the next time."""
    with open_database(folder / "home" / "memory.db") as db:
        found = db["messages"].count + db["rejects"].count
        fine = found == JOURNALS or (not done and found == 0)
        return find_damage(db) or ("" if fine else f"{found} messages and rejects")


def _rejects(folder: Path) -> int:
    with open_database(folder / "home" / "memory.db") as db:
        return db["rejects"].count


def prepare_publish(folder: Path) -> None:
    (folder / "home").mkdir(parents=True)
    make_night(folder / "home", "2026-11-20", seed=20)
    make_night(folder / "home", "2026-11-21", seed=21)
    _publish(folder, "2026-11-20")


def publish(folder: Path) -> None:
    _publish(folder, "2026-11-21")


def _publish(folder: Path, night: str) -> None:
    home = folder / "home"
    with open_database(home / "memory.db") as db:
        told = {"base": Base(), "card": CARD, "config": CONFIG, "server": Ollama(SERVER.url)}
        release.publish(db, home, night, **told)


def check_publish(folder: Path, done: bool) -> str:
    home = folder / "home"
    with open_database(home / "memory.db") as db:
        current = release.current_generation(db)
        if current is None or (done and current.id != "2026-11-21"):
            return f"current is {current and current.id}"
        release.generation_files(home, current)
        release.repair(db, home, Ollama(SERVER.url), CONFIG)
        current = release.current_generation(db)
        latest = SERVER.models["junior:latest"].digest
        return find_damage(db) or ("" if latest == current.digest else "latest is another")


ACTIONS: dict[str, tuple[Callable, Callable, Callable]] = {
    "ingest": (prepare_ingest, ingest, check_ingest),
    "publish": (prepare_publish, publish, check_publish),
}


def run(action: str, error: str, folder: Path) -> dict:
    fail_at = ctypes.CDLL(None).fail_at
    prepare, act, check = ACTIONS[action]
    n, failed, problems = 0, 0, []
    while n < 2000:
        n += 1
        place = folder / str(n)
        SERVER.models.clear()
        prepare(place)
        fail_at(n, getattr(errno, error), KINDS[error], error in LASTING)
        try:
            act(place)
            fine = True
        except (JuniorError, OSError):
            fine = False
        except Exception as found:  # whatever else comes out is what this looks for
            fine = False
            problems.append(f"{n}: {type(found).__name__}: {found}")
        counted = fail_at(0, 0, 0, 0)
        failed += not fine
        if found := check(place, fine):
            problems.append(f"{n}: after the fault: {found}")
        act(place)
        if action == "ingest" and _rejects(place):
            problems.append(f"{n}: done again: still rejects")
        if found := check(place, True):
            problems.append(f"{n}: done again: {found}")
        problems += [f"{n}: left {path.name}" for path in place.rglob("*.tmp")]
        shutil.rmtree(place)
        if fine and counted < n:
            break
    return {"runs": n, "failed": failed, "problems": problems}


if __name__ == "__main__":
    with FakeOllama() as SERVER:
        print(json.dumps(run(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
