"""Nights killed with -9 at random and at every named point; ten invariants after each kill.

    .venv/bin/python -m benchmarks.torture --kills 30 [--seed N] [--random-only] [--recovery]

A home of ten messages, 20 training steps on a base of two steps, and a server that keeps what it
is sent (tests/fake_ollama.py). First a kill at every named point of memory/crash.py, in the order
in which a night comes by them, then kills at random moments; after each the home is looked at, then
the night is gone on with. Of the later nights a third have a gate that says no. Every process is
forked off one that has the training libraries loaded (benchmarks/warm.py).
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import tomlkit

from agent.backup import find_damage
from agent.config import Config, load_config
from agent.night import VERDICTS
from benchmarks.warm import Warm
from distill import release
from distill.release.publisher import load_recipe
from memory.crash import POINTS
from memory.db import Database, open_database
from memory.errors import JuniorError
from memory.files import clear_temporary
from memory.ingest import log_message
from tests.bases import quick_tiny_base
from tests.fake_ollama import FakeOllama
from tests.homes import ROOT, junior, let_pass

SETTINGS = {
    "JUNIOR_TRAIN_MAX_TOKENS": "2000",
    "JUNIOR_TRAIN_TOKENS_PER_UPDATE": "100",
    "JUNIOR_TRAIN_MIN_UPDATES": "1",
    "JUNIOR_TRAIN_CHECKPOINT_STEPS": "4",
    "JUNIOR_TRAIN_HELD_OUT_POINTS": "1",
    "JUNIOR_TRAIN_THREADS": "1",
    "JUNIOR_GATE_GENERAL_TEXTS": "2",
    "JUNIOR_SCHEDULE_MIN_FREE_GB": "0.2",
    "JUNIOR_PUBLISH_KEEP": "2",
    "OMP_NUM_THREADS": "1",
}
DAY = 86_400
WRITER_SECONDS = 0.5  # about what `junior log` takes as a fork
LEGAL = (*VERDICTS, "running")


class Store(dict):
    """The server's blobs; counts those that were sent although they were there."""

    twice = 0

    def __setitem__(self, name: str, body: bytes) -> None:
        Store.twice += name in self
        super().__setitem__(name, body)


class Server(FakeOllama):
    """Says what the gate measured on the file; keeps counting after models were deleted."""

    home = Path()

    def generate(self, asked: dict) -> tuple:
        status, said = super().generate(asked)
        for report in self.home.glob("nights/*/report.json"):
            for probe in json.loads(report.read_text()).get("server_probes") or []:
                if probe["prompt"] == asked["prompt"]:
                    one = {"token": probe["token"], "logprob": probe["log_probability"]}
                    said["logprobs"] = [one | {"top_logprobs": [one]}]
        return status, said

    def delete(self, asked: dict) -> tuple:
        answer = super().delete(asked)
        self.blobs = Store(self.blobs)
        return answer


@dataclass
class Torture:
    """One home under torture, and what it must not have lost."""

    home: Path
    server: FakeOllama
    warm: Warm
    random: random.Random
    acknowledged: dict[str, str] = field(default_factory=dict)
    unsure: dict[str, str] = field(default_factory=dict)
    before: tuple[str | None, str | None] = (None, None)
    strict: bool = False
    orderly: bool = True
    trainers: int = 0
    points: list[str] = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    @property
    def config(self) -> Config:
        return load_config(self.home)

    def deliver(self, n: int = 1) -> None:
        """The agent writes: a message counts as acknowledged once the call is back."""
        for _ in range(n):
            key, text = self._words()
            with open_database(self.home / "memory.db") as db:
                now = datetime.now(UTC)
                log_message(db, "journal", text, key=key, author="Pell", now=now)
            self.acknowledged[key] = text

    def _words(self) -> tuple[str, str]:
        key = f"m{len(self.acknowledged) + len(self.unsure)}"
        boats = self.random.randrange(900)
        return key, f"I counted {boats} boats past the {key} buoy before dusk."

    def kill_writer(self) -> None:
        """`junior log` beside the night, killed: what it said it had, it must have."""
        key, text = self._words()
        writer = self._junior("log", "journal", text, "--key", key)
        time.sleep(self.random.uniform(0, WRITER_SECONDS))
        os.killpg(writer.pid, signal.SIGKILL)
        said = writer.communicate()[0]
        (self.acknowledged if b"is in memory" in said else self.unsure)[key] = text
        self.counts["writers killed"] += writer.returncode != 0

    def gate(self) -> None:
        """Before a new night: does its gate let anything pass, or nothing?"""
        self.strict = self.orderly is False and self.random.random() < 0.33
        path = self.home / "config.toml"
        document = tomlkit.parse(path.read_text())
        document["gate"]["tiny"]["right"] = 2.0 if self.strict else 0.0
        path.write_text(tomlkit.dumps(document))
        self.before = self.current()

    def current(self) -> tuple[str | None, str | None]:
        """The generation SQLite names, and what the server's `latest` is."""
        with open_database(self.home / "memory.db") as db:
            generation = release.current_generation(db)
        latest = self.server.models.get("junior:latest")
        return generation.id if generation else None, latest.digest if latest else None

    def unfinished(self) -> bool:
        with open_database(self.home / "memory.db") as db:
            sql = "select 1 from nights where verdict in ('running', 'interrupted', 'failed')"
            return db.execute(sql).fetchone() is not None

    def start(self, point: str = "") -> subprocess.Popen:
        """`junior night`, or its going on, in a group that can be killed as one."""
        resume = ["--resume"] if self.unfinished() else []
        if not resume:
            self.deliver()
            self.gate()
        return self._junior("night", *resume, **({"JUNIOR_CRASH_AT": point} if point else {}))

    def _junior(self, *words: str, **told: str) -> subprocess.Popen:
        return subprocess.Popen(
            [self.warm.python, "-m", "agent.cli", "--home", str(self.home), *words],
            cwd=ROOT,
            env=os.environ | told,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if words[0] == "log" else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill_at_random(self, longest: float) -> bool:
        """Whether the night was still there to be killed; gone on with, it gets ever further."""
        night, wait = self.start(), self.random.uniform(0, longest / 2)
        deadline = time.monotonic() + wait
        self.kill_writer()
        while time.monotonic() < deadline and night.poll() is None:
            time.sleep(0.01)
        killed = night.poll() is None
        if killed:
            os.killpg(night.pid, signal.SIGKILL)
        self.end(night)
        return killed

    def kill_at_point(self, point: str) -> bool:
        """Whether the night came by it; gone on with, it comes by the next one soon."""
        night = self.end(self.start(point))
        hit = night.returncode == -signal.SIGKILL or self._stage_was_killed()
        if hit:
            self.points.append(point)
        return hit

    def end(self, night: subprocess.Popen) -> subprocess.Popen:
        """Once it and every stage of it is dead."""
        night.wait()
        self.warm.wait()
        return night

    def _stage_was_killed(self) -> bool:
        with open_database(self.home / "memory.db") as db:
            sql = "select reason from nights where verdict = 'failed' order by rowid desc"
            row = db.execute(sql).fetchone()
        return bool(row) and "killed by the system" in (row[0] or "")

    def watch_trainers(self, done: threading.Event) -> None:
        """The most trainers of this home that were ever seen at once."""
        while not done.wait(0.5):
            self.trainers = max(self.trainers, len(list(trainers(self.home))))

    def check(self) -> None:
        """Adds what is violated, by the number of the invariant."""
        with open_database(self.home / "memory.db") as db:
            found = list(self._violated(db))
        self.violations += found
        for line in found:
            print(f"VIOLATION {line}", file=sys.stderr, flush=True)

    def so_far(self) -> dict:
        """What has been done to the home, and what came of it."""
        with open_database(self.home / "memory.db") as db:
            ended = Counter(row[0] for row in db.execute("select verdict from nights"))
        return {
            "kills": self.counts["kills"],
            "at_points": len(self.points),
            "points_not_hit": sorted(set(POINTS) - set(self.points)),
            "violations": len(self.violations),
            "nights": dict(ended),
            "writers_killed": self.counts["writers killed"],
            "messages": len(self.acknowledged),
        }

    def _violated(self, db: Database):
        rows = db.execute("select external_id, text from messages where source = 'log'").fetchall()
        there = Counter(rows)
        wanted = {(f"journal:{key}", text) for key, text in self.acknowledged.items()}
        possible = wanted | {(f"journal:{key}", text) for key, text in self.unsure.items()}
        if any(there[row] != 1 for row in wanted) or set(there.values()) != {1}:
            yield f"1 messages: {len(rows)} there, {len(wanted)} acknowledged"
        if strange := set(there) - possible:
            yield f"1 messages that nobody wrote: {strange}"
        if damage := find_damage(db):
            yield f"2 database: {damage}"
        for night, verdict in db.execute("select id, verdict from nights"):
            if verdict not in LEGAL:
                yield f"3 night {night} is {verdict}"
        sql = ("select night, name from stages where status = 'done'"
               " group by night, name having count(*) > 1")  # fmt: skip
        for night, name in db.execute(sql):
            yield f"3 stage {name} of {night} was done twice"
        for generation in release.list_generations(db):
            try:
                release.generation_files(self.home, generation)
                load_recipe(self.home / "nights" / generation.id)
            except JuniorError as error:
                yield f"4/6 generation {generation.id}: {error}"
        yield from self._served(db)
        yield from self._left_over()
        if Store.twice:
            yield f"8 sent twice: {Store.twice}"
        if self.trainers > 1:
            yield f"9 {self.trainers} trainers at once"
        if self.strict and self.current() != self.before:
            yield f"10 a failed gate changed {self.before} to {self.current()}"

    def _served(self, db: Database):
        """What a tick of the daemon does where `latest` is not the current generation."""
        client = release.connect(self.config.publish)
        try:
            release.repair(db, self.home, client, self.config.publish)
        except JuniorError as error:
            yield f"5 latest cannot be mended: {error}"
        finally:
            client.close()
        current = release.current_generation(db)
        latest = self.server.models.get("junior:latest")
        if current and (latest is None or latest.digest != current.digest):
            yield f"5 latest is not {current.id}"

    def _left_over(self):
        """Temporary files are let grow old; what cleans a home at each night must take them."""
        for path in self.home.rglob("*.tmp"):
            os.utime(path, (time.time() - 2 * DAY,) * 2)
        clear_temporary(self.home)
        for path in self.home.rglob("*.tmp"):
            yield f"7 {path} is older than a day"


def trainers(home: Path):
    """Process ids of stages `train` of this home."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "agent.child" in words and "train" in words and str(home) in words:
            yield int(entry.parent.name)


def make_home(folder: Path) -> Path:
    """A home as `junior init` makes it, on a base of two steps."""
    quick_tiny_base()
    beings = ROOT / "demo" / "beings.json"
    (folder / "journals").mkdir()
    (folder / "journals" / "2026-03-01.md").write_text("I rang the bell and it rained.\n")
    junior(folder / "home", "init", "--yes", "--name", "Pell", "--beings", str(beings),
           "--base", "tiny", "--source", f"journals={folder / 'journals'}")  # fmt: skip
    return let_pass(folder / "home")


def torture(folder: Path, kills: int, seed: int, minutes: float = 1e6, points=POINTS) -> dict:
    """{"kills", "violations", ...} of one home; the environment is this process's."""
    deadline = time.monotonic() + 60 * minutes
    with Warm(folder) as warm, Server(blobs=Store()) as server:
        os.environ["OLLAMA_HOST"] = server.url.removeprefix("http://")
        server.home = make_home(folder)
        case = Torture(server.home, server, warm, random.Random(seed))
        case.deliver(9)
        begin = time.monotonic()
        case.end(case.start())
        longest = time.monotonic() - begin
        print(f"seed {seed}: a night of ten messages takes {longest:.1f} s", file=sys.stderr)
        case.check()
        done, todo = threading.Event(), list(points)
        threading.Thread(target=case.watch_trainers, args=(done,), daemon=True).start()
        while case.counts["kills"] < kills and time.monotonic() < deadline:
            case.orderly = bool(todo)
            killed = case.kill_at_point(todo.pop(0)) if todo else case.kill_at_random(longest)
            case.counts["kills" if killed else "not there to be killed"] += 1
            case.check()
            if killed and case.counts["kills"] % 10 == 0:
                print(case.so_far(), file=sys.stderr, flush=True)
        if case.unfinished():
            case.end(case.start())
        case.check()
        done.set()
    return case.so_far() | {"seed": seed, "night_seconds": round(longest, 1)}


def recovery_seconds(folder: Path, messages: int = 100_000) -> float:
    """From `junior run` to READY=1 after a writer of 100,000 messages was killed."""
    import socket

    home = make_home(folder)
    code = f"""
import os, signal
from memory.db import open_database, transaction
from memory.fulltext import index_new
from pathlib import Path
with open_database(Path({str(home / "memory.db")!r})) as db:
    insert = "insert into messages (source, kind, external_id, author, text, ingested_at) values"
    def put(first, n):
        for i in range(first, first + n):
            db.execute(insert + " ('log', 'journal', ?, 'Pell', ?, '2026-11-20T03:30:00+00:00')",
                       [str(i), f"I counted {{i}} boats and {{i * 7 % 1009}} gulls before dusk."])
    with transaction(db):
        put(0, {messages})
        index_new(db)
    db.execute("begin immediate")
    put({messages}, 20000)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ)
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(folder / "notify"))
    heard.settimeout(60)
    begin = time.monotonic()
    daemon = subprocess.Popen(
        [sys.executable, "-m", "agent.cli", "--home", str(home), "run"],
        cwd=ROOT,
        env=os.environ | {"NOTIFY_SOCKET": str(folder / "notify")},
        stderr=subprocess.DEVNULL,
    )
    while b"READY=1" not in heard.recv(512):
        continue
    seconds = time.monotonic() - begin
    daemon.terminate()
    daemon.wait(15)
    with open_database(home / "memory.db") as db:
        kept = db["messages"].count_where("source = 'log'")
        if kept != messages or find_damage(db):
            sys.exit("messages are missing after the kill")
    return round(seconds, 2)


def _tortured(folder: Path, options: argparse.Namespace) -> dict:
    if not options.kills:
        return {}
    points = () if options.random_only else POINTS
    return torture(folder, options.kills, options.seed, options.minutes, points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--minutes", type=float, default=1e6, help="stop after so long")
    parser.add_argument("--random-only", action="store_true", help="no kills at named points")
    parser.add_argument("--recovery", action="store_true", help="time the start after a kill too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= SETTINGS | {"XDG_CACHE_HOME": str(Path(folder, "cache"))}
        figures = _tortured(Path(folder), options)
        if options.recovery:
            (Path(folder) / "large").mkdir()
            figures["recovery_seconds"] = recovery_seconds(Path(folder) / "large")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
