"""The daemon: a clock tick, watchers and scans, and the night as a child process."""

import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from agent.config import Config, load_config
from agent.lock import Lock
from agent.nights import ask
from agent.served import is_served
from agent.status import CLOCK_SLACK, is_backup_due, note_clock, set_state
from agent.watch import Watcher, remote_sources
from memory.db import open_database
from memory.errors import UserError
from memory.files import clear_temporary, home_path, make_private_dir
from memory.ingest import SourceConfig, ingest_source

TICK_SECONDS = 60
DEBOUNCE_SECONDS = 0.7
POLL_SECONDS = 60  # of a source that no event tells of
MEND_SECONDS = 3600
STOP_SECONDS = 8  # systemd and the operator expect an end within ten
log = logging.getLogger("junior")


class Daemon:
    """What runs between start and SIGTERM: the scheduler, the watcher and at most one night."""

    def __init__(self, config: Config, clock: Callable[[], datetime]) -> None:
        self.config, self.clock = config, clock
        self.stopping = threading.Event()
        self.children: dict[str, subprocess.Popen] = {}
        self._seen: tuple[datetime, float] | None = None
        self._mended_at = -MEND_SECONDS
        self._ingesting = threading.Lock()
        self._complained: set[str] = set()
        self.scheduler = BackgroundScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self.watcher = Watcher(config.sources, self.hint)

    def hint(self, name: str) -> None:
        """Something changed at a source: it is read shortly, once for a burst of changes."""
        if not self.stopping.is_set():
            self.scheduler.add_job(
                self.read,
                "date",
                args=[name],
                id=f"ingest-{name}",
                run_date=datetime.now(UTC) + timedelta(seconds=DEBOUNCE_SECONDS),
                replace_existing=True,
            )

    def read(self, name: str) -> None:
        """Ingests one source. Sources are read one at a time: SQLite has one writer."""
        source = next(source for source in self.config.sources if source.name == name)
        with self._ingesting:
            try:
                self._read(source)
            except UserError as error:
                log.warning("ingest %s: %s", name, error)

    def _read(self, source: SourceConfig) -> None:
        with open_database(self.config.database_path) as db:
            counts = ingest_source(db, source, only_changed=True, wait=True)
        if counts.messages or counts.updated:
            log.info("ingest %s: %d new, %d updated", source.name, counts.messages, counts.updated)
        if counts.rejects and source.name not in self._complained:
            log.warning("ingest %s: %d records not readable", source.name, counts.rejects)
        (self._complained.add if counts.rejects else self._complained.discard)(source.name)

    def scan(self) -> None:
        """Every source, events or not; and new watches where a folder came or was replaced."""
        self.watcher.renew()
        for source in self.config.sources:
            if self.stopping.is_set():
                return
            self.read(source.name)
        ctypes.CDLL(None).malloc_trim(0)  # what a scan took goes back to the system

    def tick(self) -> None:
        """Once a minute: is a night due? The answer is the table's."""
        self._reap()
        try:
            self._tick(self.clock())
        except UserError as error:  # a full disk, a locked or damaged memory: said, and asked again
            log.error("tick: %s", error)
            notify(f"STATUS={error}")
        else:
            notify("STATUS=")
            if self.watcher.alive:
                notify("WATCHDOG=1")  # only where the memory took the tick and events are heard

    def _tick(self, now: datetime) -> None:
        self._look_at_clock(now)
        is_due, why, _ = ask(self.config, now)
        if self.stopping.is_set() or self.children.get("night"):
            return
        if is_due:
            log.info("starting the night: %s", why)
            self.children["night"] = start_child(self.config, "night", "--if-due")
        elif not self.children.get("backup") and is_backup_due(self.config, now):
            self.children["backup"] = start_child(self.config, "backup", "--if-due")
        elif not self.children.get("publish") and self._wants_mending():
            log.info("Ollama does not serve the current junior: mending")
            self.children["publish"] = start_child(self.config, "publish")

    def _reap(self) -> None:
        for name, child in list(self.children.items()):
            if child.poll() is not None:
                log.info("%s ended with exit code %d", name, child.returncode)
                if name == "publish" and child.returncode == 0:
                    self._mended_at = -MEND_SECONDS  # what breaks again is mended at the next tick
                del self.children[name]

    def _look_at_clock(self, now: datetime) -> None:
        """A jump against the clock that counts sleep too; suspend is none (clock_gettime(2))."""
        since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
        if self._seen is not None:
            expected = self._seen[0] + timedelta(seconds=since_boot - self._seen[1])
            if abs(now - expected) > CLOCK_SLACK:
                log.warning("the clock went from %s to %s at once", expected, now)
                with open_database(self.config.database_path) as db:
                    note_clock(db, expected, now)
        self._seen = (now, since_boot)

    def _wants_mending(self) -> bool:
        """What could not be mended is tried again after an hour, not every minute."""
        if time.monotonic() - self._mended_at < MEND_SECONDS or is_served(self.config):
            return False
        self._mended_at = time.monotonic()
        return True

    def run(self) -> None:
        """Until SIGTERM or SIGINT; then everything is ended within ten seconds."""
        self.scheduler.add_job(self.scan, "interval", seconds=self.config.schedule.scan_seconds)
        self.scheduler.add_job(self.tick, "interval", seconds=TICK_SECONDS)
        for name in remote_sources(self.config.sources):
            log.info("%s lies on another machine: looked at every %d s", name, POLL_SECONDS)
            self.scheduler.add_job(self.read, "interval", args=[name], seconds=POLL_SECONDS)
        self.scheduler.start()
        self.watcher.start()
        self.scheduler.add_job(self.scan, "date", run_date=datetime.now(UTC))
        self.scheduler.add_job(self.tick, "date", run_date=datetime.now(UTC))
        log.info("watching %d sources for %s", len(self.config.sources), self.config.home)
        notify("READY=1")
        self.stopping.wait()
        notify("STOPPING=1")
        self._end()

    def _end(self) -> None:
        for child in self.children.values():
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        self.watcher.stop()
        self.scheduler.shutdown(wait=True)
        for child in self.children.values():
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()


def run_daemon(config: Config, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int:
    """Runs until SIGTERM; exit code 0. Raises BusyError when another daemon has this home."""
    _start_log()
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    make_private_dir(config.home)
    with Lock(config.home / "daemon.lock", "a daemon is running for this home"):
        clear_temporary(config.home)
        _mark_first_seen(config, clock())
        daemon = Daemon(config, clock)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: daemon.stopping.set())
        daemon.run()
    return 0


def _start_log() -> None:
    """To standard error; under systemd each line begins with its priority (sd-daemon(3))."""
    for level, priority in ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6)):
        if "JOURNAL_STREAM" in os.environ:
            logging.addLevelName(level, f"<{priority}>")
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO, stream=sys.stderr)


def _mark_first_seen(config: Config, now: datetime) -> None:
    with open_database(config.database_path) as db:
        if not db.execute("select 1 from state where key = 'first_seen_at'").fetchone():
            set_state(db, "first_seen_at", now.isoformat(timespec="seconds"))


def start_child(config: Config, *command: str) -> subprocess.Popen:
    """A command such as `junior night --if-due`: it asks the same question of the same table."""
    return subprocess.Popen(
        [sys.executable, "-m", "agent.cli", "--home", str(config.home), *command],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def notify(state: str) -> None:
    """Tells systemd (sd_notify(3)): one datagram to $NOTIFY_SOCKET, if there is one."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        try:
            channel.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)
        except OSError as error:
            log.warning("sd_notify: %s", error.strerror)


def start_daemon() -> None:
    """Becomes the daemon: the same process, without what the command line has imported (10 MB)."""
    environment = os.environ | {"MALLOC_ARENA_MAX": "1", "JUNIOR_HOME": str(home_path())}
    path = os.pathsep.join(p for p in sys.path if p)
    arguments = [sys.executable, "-m", "agent.daemon"]
    os.execve(sys.executable, arguments, environment | {"PYTHONPATH": path})


def main() -> int:
    """`python -m agent.daemon`: the home is $JUNIOR_HOME."""
    try:
        return run_daemon(load_config(home_path()))
    except UserError as error:
        print(f"junior: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
