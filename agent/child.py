"""A stage as a process of its own: started, heard, ended at its limit."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from agent import stages
from agent.config import load_config
from agent.status import STOPPED_BY_HAND
from memory.errors import JuniorError, StageError

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
    command = [sys.executable, "-m", "agent.child", name, str(folder.parent.parent), folder.name]
    with (folder / f"{name}.log").open("ab") as log:
        os.chmod(log.name, 0o600)
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=_environment(),
            start_new_session=True,
            pass_fds=(keep_open,),
            cwd=folder,
        )
        summary: list[str] = []
        reader = threading.Thread(target=_read_lines, args=(child, name, progress, summary))
        reader.start()
        _wait(child, name, seconds, stop)
        reader.join(10)
    if child.returncode == 0 and summary:
        return summary[-1]
    raise StageError(_why(folder, name, child.returncode))


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


def _read_lines(child: subprocess.Popen, name: str, progress: Progress, summary: list[str]) -> None:
    for line in child.stdout:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "summary" in event:
            summary.append(event["summary"])
        elif isinstance(event, dict):
            progress({"stage": name} | event)


def _wait(child: subprocess.Popen, name: str, seconds: float, stop: threading.Event) -> None:
    """Waits for the end; ends the child's whole group at the limit, on SIGTERM and on Ctrl-C."""
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
        _end_group(child)


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
    """A stage as a child process: `python -m agent.child STAGE HOME NIGHT`."""
    name, home, night_id = argv
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: no orphan holds the GPU
    folder = Path(home) / "nights" / night_id
    config = load_config(Path(home), frozen=folder / "config.json")

    def tell(event: dict) -> None:
        print(json.dumps(event), flush=True)

    try:
        tell({"summary": stages.RUN[name](config, folder, tell)})
        return 0
    except JuniorError as error:
        print(str(error).replace("\n", " "), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
