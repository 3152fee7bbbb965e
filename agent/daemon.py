"""The daemon: a clock tick, watchers and scans, and the night as a child process."""

import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from agent.config import Config, load_config
from agent.lock import Lock
from agent.nights import ask
from agent.status import set_state
from agent.watch import Watcher
from memory.db import open_database
from memory.errors import UserError
from memory.files import home_path, make_private_dir
from memory.ingest import SourceConfig, ingest_source

TICK_SECONDS = 60
DEBOUNCE_SECONDS = 0.7
STOP_SECONDS = 8  # systemd and the operator expect an end within ten
log = logging.getLogger("junior")


class Daemon:
    """What runs between start and SIGTERM: the scheduler, the watcher and at most one night."""

    def __init__(self, config: Config, clock: Callable[[], datetime]) -> None:
        self.config, self.clock = config, clock
        self.stopping = threading.Event()
        self.night: subprocess.Popen | None = None
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
            counts = ingest_source(db, source, only_changed=True)
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
        notify("WATCHDOG=1")
        if self.night is not None and self.night.poll() is not None:
            log.info("night ended with exit code %d", self.night.returncode)
            self.night = None
        try:
            is_due, why, _ = ask(self.config, self.clock())
        except UserError as error:
            log.error("tick: %s", error)
            return
        if is_due and self.night is None and not self.stopping.is_set():
            log.info("starting the night: %s", why)
            self.night = start_night(self.config)

    def run(self) -> None:
        """Until SIGTERM or SIGINT; then everything is ended within ten seconds."""
        self.scheduler.add_job(self.scan, "interval", seconds=self.config.schedule.scan_seconds)
        self.scheduler.add_job(self.tick, "interval", seconds=TICK_SECONDS)
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
        if self.night is not None and self.night.poll() is None:
            self.night.send_signal(signal.SIGTERM)
        self.watcher.stop()
        self.scheduler.shutdown(wait=True)
        if self.night is not None:
            try:
                self.night.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.night.kill()


def run_daemon(config: Config, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int:
    """Runs until SIGTERM; exit code 0. Raises BusyError when another daemon has this home."""
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO, stream=sys.stderr)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    make_private_dir(config.home)
    with Lock(config.home / "daemon.lock", "a daemon is running for this home"):
        _mark_first_seen(config, clock())
        daemon = Daemon(config, clock)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: daemon.stopping.set())
        daemon.run()
    return 0


def _mark_first_seen(config: Config, now: datetime) -> None:
    with open_database(config.database_path) as db:
        if not db.execute("select 1 from state where key = 'first_seen_at'").fetchone():
            set_state(db, "first_seen_at", now.isoformat(timespec="seconds"))


def start_night(config: Config) -> subprocess.Popen:
    """`junior night --if-due` as a child: it asks the same question of the same table."""
    return subprocess.Popen(
        [sys.executable, "-m", "agent.cli", "--home", str(config.home), "night", "--if-due"],
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
