"""Servers for the protocol's tests: the fake in both contracts, and each real one that is named."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fake_ollama import FakeOllama

# JUNIOR_TEST_OLLAMA: colon-separated `ollama` binaries.
BINARIES = [binary for binary in os.environ.get("JUNIOR_TEST_OLLAMA", "").split(":") if binary]


@dataclass
class RealOllama:
    """A process with an empty store and a HOME of its own."""

    binary: str
    url: str
    folder: Path
    process: subprocess.Popen

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess:
        """The real command line, such as `run("list")`."""
        return subprocess.run(
            [self.binary, *arguments],
            env=self.environment,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )

    @property
    def environment(self) -> dict[str, str]:
        own = {"HOME": str(self.folder), "OLLAMA_MODELS": str(self.folder / "models")}
        return {"PATH": os.environ["PATH"], "OLLAMA_HOST": self.url} | own

    def start(self) -> None:
        """Serve (again, after `kill`) from the same store."""
        log = open(self.folder / "log", "a")  # noqa: SIM115 the process keeps it
        self.process = subprocess.Popen(
            [self.binary, "serve"],
            env=self.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        _wait_for(self.url)

    def kill(self) -> None:
        """kill -9 of the server and the runners it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _wait_for(url: str, seconds: float = 20) -> None:
    host, port = url.removeprefix("http://").split(":")
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@contextmanager
def real_ollama(binary: str, folder: Path) -> Iterator[RealOllama]:
    """Start `binary` on a free port; killed with its runners afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = RealOllama(binary, f"http://127.0.0.1:{port}", folder, None)
    server.start()
    try:
        yield server
    finally:
        server.kill()


KINDS = ["fake old", "fake new"] + [
    pytest.param(binary, marks=[pytest.mark.ollama, pytest.mark.slow], id=Path(binary).parts[-3])
    for binary in BINARIES
]


@pytest.fixture(params=KINDS)
def any_ollama(request, tmp_path) -> Iterator[FakeOllama | RealOllama]:
    """The same test against the fake in both contracts and every real server."""
    if request.param.startswith("fake"):
        with FakeOllama(contract=request.param.removeprefix("fake ")) as server:
            yield server
        return
    folder = tmp_path / "ollama"
    folder.mkdir()
    with real_ollama(request.param, folder) as server:
        yield server


@pytest.fixture(params=KINDS[2:] or [pytest.param("", marks=pytest.mark.ollama)])
def live_ollama(request, tmp_path) -> Iterator[RealOllama]:
    """Every real server; skipped where JUNIOR_TEST_OLLAMA names none."""
    if not request.param:
        pytest.skip("JUNIOR_TEST_OLLAMA names no server")
    folder = tmp_path / "ollama"
    folder.mkdir()
    with real_ollama(request.param, folder) as server:
        yield server


@pytest.fixture
def fake_ollama() -> Iterator[FakeOllama]:
    """The fake alone, for faults."""
    with FakeOllama() as server:
        yield server
