"""How long `junior --help` takes, and how much memory the idle daemon holds.

    .venv/bin/python -m benchmarks.start [--runs N]

Prints both sides of each claim: this program against a bare Python that imports nothing.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def seconds(command: list[str], runs: int) -> float:
    """Median wall seconds of a command, after one run to warm the cache."""
    taken = []
    for _ in range(runs + 1):
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken[1:])


def resident_mb(pid: int) -> float:
    """Resident memory of a process in 1e6 bytes (proc_pid_status(5), VmRSS)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError(f"process {pid} has no VmRSS")


def idle_daemon_mb(junior: str, settle_seconds: float) -> float:
    with tempfile.TemporaryDirectory() as folder:
        home, journals = Path(folder, "home"), Path(folder, "journals")
        journals.mkdir()
        init = ["init", "--yes", "--name", "Pell", "--source", f"journals={journals}"]
        environment = os.environ | {"JUNIOR_HOME": str(home)}
        subprocess.run([junior, *init], check=True, env=environment, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)  # fmt: skip
        daemon = subprocess.Popen([junior, "run"], env=environment, stderr=subprocess.DEVNULL)
        time.sleep(settle_seconds)
        try:
            return resident_mb(daemon.pid)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(15)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--settle", type=float, default=10.0)
    options = parser.parse_args()
    junior = str(Path(sys.executable).with_name("junior"))
    help_seconds = seconds([junior, "--help"], options.runs)
    bare_seconds = seconds([sys.executable, "-c", "pass"], options.runs)
    daemon = idle_daemon_mb(junior, options.settle)
    print(f"junior --help {help_seconds:.3f} s, bare Python {bare_seconds:.3f} s "
          f"(median of {options.runs})")  # fmt: skip
    print(f"idle daemon {daemon:.1f} MB resident")
    figures = {
        "help_seconds": round(help_seconds, 3),
        "bare_seconds": round(bare_seconds, 3),
        "help_ratio": round(help_seconds / bare_seconds, 2),
        "daemon_mb": round(daemon, 1),
        "n": options.runs,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
