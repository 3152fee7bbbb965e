"""A stage as a process of its own: started, heard, ended at its limit."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from agent import stages
from agent.config import load_config
from agent.status import STOPPED_BY_HAND
from memory.db import open_database
from memory.errors import JuniorError, StageError

UNIT_STAGES = ("train", "export", "evaluate", "canaries")  # what gets the GPU and no network
Progress = Callable[[dict], None]


class Interrupted(JuniorError):
    """SIGTERM (a shutdown), Ctrl-C or `night --stop` (by hand) ended it; it can be resumed."""


def run_child(
    name: str,
    folder: Path,
    *,
    seconds: float,
    stop: threading.Event,
    keep_open: int,
    progress: Progress,
) -> str:
    """Runs stage `name` of the night in `folder`; gives its last line, the summary.

    Progress comes as JSON lines on its standard output, everything else goes into its log. The
    child holds the descriptor `keep_open`, the lock, too. Raises StageError (failed, killed, past
    its limit of `seconds`), Interrupted when `stop` is set or on Ctrl-C.
    """
    scope = os.environ.get("JUNIOR_STAGE_UNITS", "")
    with (folder / f"{name}.log").open("ab") as log:
        os.chmod(log.name, 0o600)
        if scope in ("system", "user") and name in UNIT_STAGES:
            child, lines, end = _start_unit(name, folder, scope, log)
        else:
            child = _start_process(name, folder, keep_open, log)
            lines, end = child.stdout, _end_group
        summary: list[str] = []
        reader = threading.Thread(target=_read_lines, args=(lines, name, progress, summary))
        reader.start()
        _wait(child, name, seconds, stop, end)
        reader.join(10)
    if child.returncode == 0 and summary:
        return summary[-1]
    raise StageError(_why(folder, name, child.returncode))


def _start_process(name: str, folder: Path, keep_open: int, log: IO[bytes]) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "agent.child", name, str(folder.parent.parent), folder.name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        env=_environment(),
        start_new_session=True,
        pass_fds=(keep_open,),
        cwd=folder,
    )


def _start_unit(name: str, folder: Path, scope: str, log: IO[bytes]) -> tuple:
    """The stage as systemd's child, with the rights of its own unit: (waiter, lines, end).

    `systemctl start` of a oneshot unit comes back when it has ended.
    """
    unit = f"junior-stage@{name}.service"
    systemctl = ["systemctl", *(["--user"] if scope == "user" else [])]
    told = folder / f"{name}.out"
    told.unlink(missing_ok=True)
    waiter = subprocess.Popen(
        [*systemctl, "start", unit], stdin=subprocess.DEVNULL, stdout=log, stderr=log
    )

    def end(child: subprocess.Popen) -> None:
        if child.poll() is None:
            subprocess.run([*systemctl, "stop", unit], stdout=log, stderr=log, timeout=30)
            child.wait(30)

    return waiter, _follow(told, waiter), end


def _follow(path: Path, waiter: subprocess.Popen) -> Iterator[str]:
    """Whole lines of a file as they are written, until the waiter has ended."""
    at = 0
    while True:
        ended = waiter.poll() is not None
        text = path.read_bytes()[at:] if path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        at += len(whole)
        yield from whole.decode(errors="replace").splitlines()
        if ended:
            return
        time.sleep(0.2)


def _environment() -> dict[str, str]:
    """No network libraries at night, and threads that do not spin against each other."""
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
    return os.environ | {
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_WAIT_POLICY": "PASSIVE",
    }


def _read_lines(
    lines: Iterable[str | bytes], name: str, progress: Progress, summary: list[str]
) -> None:
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "summary" in event:
            summary.append(event["summary"])
        elif isinstance(event, dict):
            progress({"stage": name} | event)


def _wait(
    child: subprocess.Popen,
    name: str,
    seconds: float,
    stop: threading.Event,
    end: Callable[[subprocess.Popen], None],
) -> None:
    """Waits for it; ends it and all its children at the limit, on SIGTERM and on Ctrl-C."""
    deadline = time.monotonic() + seconds
    try:
        while child.poll() is None:
            if stop.wait(0.1):
                raise Interrupted(f"shut down in {name}; `junior night --resume` goes on")
            if time.monotonic() > deadline:
                raise StageError(f"{name}: ran past its limit of {seconds / 60:.0f} minutes")
    except KeyboardInterrupt:
        words = f"{STOPPED_BY_HAND} in {name}; `junior night --resume` goes on"
        raise Interrupted(words) from None
    finally:
        end(child)


def _end_group(child: subprocess.Popen) -> None:
    if child.poll() is not None:
        return
    os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(6)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _why(folder: Path, name: str, code: int) -> str:
    """The child's own last word, or what its exit code means."""
    log = folder / f"{name}.log"
    last = [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-1:]
    if code == -signal.SIGKILL:
        return f"{name}: killed by the system (out of memory?); see {log}"
    if code < 0:
        return f"{name}: ended by signal {-code}; see {log}"
    return f"{name}: {last[0] if last else f'ended with exit code {code}'}"


def main(argv: list[str]) -> int:
    """`python -m agent.child STAGE HOME NIGHT`; as a unit without NIGHT: the one that runs."""
    name, home = argv[:2]
    os.umask(0o077)  # the trainer's checkpoints would be for others to read
    if len(argv) > 2:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: no orphan holds the GPU
        folder = Path(home) / "nights" / argv[2]
    else:
        folder = _running_night(Path(home))
        _write_into(folder, name)
    config = load_config(Path(home), frozen=folder / "config.json")

    def tell(event: dict) -> None:
        print(json.dumps(event), flush=True)

    try:
        tell({"summary": stages.RUN[name](config, folder, tell)})
        return 0
    except JuniorError as error:
        print(str(error).replace("\n", " "), file=sys.stderr)
        return 1


def _running_night(home: Path) -> Path:
    with open_database(home / "memory.db") as db:
        row = db.execute("select id from nights where verdict = 'running'").fetchone()
    if row is None:
        raise SystemExit("junior: no night is running: this unit is started by one")
    return home / "nights" / row[0]


def _write_into(folder: Path, name: str) -> None:
    """Standard output and error of this process go where the night reads them."""
    for number, suffix, how in ((1, "out", os.O_TRUNC), (2, "log", os.O_APPEND)):
        file = os.open(folder / f"{name}.{suffix}", os.O_WRONLY | os.O_CREAT | how, 0o600)
        os.dup2(file, number)
        os.close(file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
