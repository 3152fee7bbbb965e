"""A Python that is there at once: processes forked off one that has the libraries loaded.

    with Warm(folder) as warm:
        subprocess.Popen([warm.python, "-m", "agent.cli", "night"])

For what starts thousands of processes, since importing the training libraries takes longer than a
small night. `warm.python` is a command as `python -m` is one: it hands its arguments, environment,
folder and open files to the server, which forks; the fork runs the module as `__main__`, with
`warm.python` as its own `sys.executable`. The command ends as the fork ends, by the same signal or
code; killed, or its parent killed, it takes the fork with it.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

LIBRARIES = (
    "agent.backup", "agent.child", "agent.cli", "agent.doctor", "agent.gpu", "agent.night",
    "agent.nights", "distill.base.replay", "distill.base.tiny", "distill.curate",
    "distill.embedded", "distill.embedded.llama", "distill.evaluate", "distill.evaluate.others",
    "distill.gguf", "distill.gguf.quantise", "distill.gguf.writing", "distill.release",
    "distill.train", "distill.train.adapter", "distill.train.attention",
    "distill.train.importance", "distill.train.packing", "distill.train.parity",
    "distill.train.precision", "distill.train.trainer", "accelerate", "bitsandbytes",
    "datasets", "gguf", "jinja2.sandbox", "llama_cpp", "numpy", "ollama", "peft", "rensa",
    "safetensors.torch", "scipy.optimize", "scipy.stats", "torch", "transformers",
    "transformers.models.qwen2.modeling_qwen2", "transformers.integrations.sdpa_attention",
    "trl.trainer.sft_trainer", "trl.kernels",
)  # fmt: skip
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")  # read at their import
MOST = 1 << 20  # bytes of a request


class Warm:
    """The server, and the command that asks it for processes."""

    def __init__(self, folder: Path) -> None:
        self.door, self.python = folder / "warm.socket", folder / "python"
        self._server: subprocess.Popen | None = None

    def __enter__(self) -> "Warm":
        script = f'#!/bin/sh\nexec {sys.executable} -IS {__file__} {self.door} "$@"\n'
        self.python.write_text(script)
        self.python.chmod(0o700)
        command = [sys.executable, "-m", "benchmarks.warm", str(self.door)]
        root = Path(__file__).parent.parent
        environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"} | dict.fromkeys(OFFLINE, "1")
        self._server = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE)
        if self._server.stdout.readline() != b"ready\n":
            raise RuntimeError(f"the warm Python ended with {self._server.wait()}")
        return self

    def __exit__(self, *exc) -> None:
        self._server.terminate()
        self._server.wait()
        self._server.stdout.close()

    def forks(self) -> list[int]:
        """Process ids of what it has forked and not yet seen end (proc_pid_children(5))."""
        pid = self._server.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def wait(self) -> None:
        """Until nothing it has forked is left: what was killed is dead now."""
        while self.forks():
            time.sleep(0.002)


def _die_with_parent() -> None:
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def ask(door: str, *argv: str) -> None:
    """The command: asks for a fork, and ends as that ends."""
    _die_with_parent()
    numbers = [int(name) for name in os.listdir("/proc/self/fd") if _is_open(int(name))]
    told = {"argv": argv, "environment": dict(os.environ), "folder": os.getcwd(),
            "numbers": numbers, "python": str(Path(door).with_name("python"))}  # fmt: skip
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as channel:
        channel.connect(door)
        socket.send_fds(channel, [json.dumps(told).encode()], numbers)
        status = int(channel.recv(64))
    if os.WIFSIGNALED(status):
        with contextlib.suppress(OSError):  # of SIGKILL
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:  # the listing's own
        return False
    return True


def serve(door: str) -> None:
    """Forks for whoever asks, until it is ended."""
    import gc
    import importlib
    import selectors

    _die_with_parent()
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a fork would copy every page
    waiting = selectors.DefaultSelector()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as entrance:
        entrance.bind(door)
        entrance.listen(64)
        waiting.register(entrance, selectors.EVENT_READ, None)
        print("ready", flush=True)
        while True:
            for key, _ in waiting.select()[:1]:  # what one event ends, the next may be about
                if key.data is None:
                    _let_in(entrance, waiting)
                elif key.fileobj is key.data[1]:  # whoever asked is gone
                    waiting.unregister(key.fileobj)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(key.data[0], signal.SIGKILL)
                else:
                    _see_out(key, waiting)


def _let_in(entrance: socket.socket, waiting) -> None:
    channel, _ = entrance.accept()
    message, files, _, _ = socket.recv_fds(channel, MOST, 250)
    if not message:  # killed before it could ask
        return channel.close()
    pid = os.fork()
    if not pid:
        ours = [key.fd for key in waiting.get_map().values()] + [channel.fileno(), waiting.fileno()]
        _become(json.loads(message), files, ours)
    for file in files:
        os.close(file)
    ended = os.pidfd_open(pid)
    waiting.register(channel, 1, (pid, channel))
    waiting.register(ended, 1, (pid, channel))


def _see_out(key, waiting) -> None:
    pid, channel = key.data
    status = os.waitpid(pid, 0)[1]
    waiting.unregister(key.fileobj)
    os.close(key.fileobj)
    with contextlib.suppress(KeyError):
        waiting.unregister(channel)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        channel.send(str(status).encode())
    channel.close()


def _become(told: dict, files: list[int], ours: list[int]) -> None:
    """In the fork: everything as whoever asked has it, then `python -m MODULE ARGUMENTS`."""
    import atexit
    import fcntl
    import runpy
    import traceback

    for file in ours:
        os.close(file)
    high = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 1000) for file in files]
    for file in files:
        os.close(file)
    for file, number in zip(high, told["numbers"], strict=True):
        os.dup2(file, number)
        os.close(file)
    os.chdir(told["folder"])
    os.environ.clear()
    os.environ.update(told["environment"])
    sys.executable = told["python"]
    _, module, *rest = told["argv"]
    sys.argv = [module, *rest]
    code = 1
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    (ask if len(sys.argv) > 2 else serve)(*sys.argv[1:])
