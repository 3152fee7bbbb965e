"""The card before training: nobody else trains on it, Ollama lets go of it, and it is free."""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.config import Config
from memory.errors import BusyError, NoServerError, PublishError

# One node a card, the same for every user: flock on it is host-wide; a container may see nvidia3
DEVICE = min(Path("/dev").glob("nvidia[0-9]*"), default=Path("/dev/nvidia0"))
NEEDED_SHARE = 0.85  # of the budget: the rest is what a desktop takes of a card of that size
TINY_BYTES = 1_000_000_000
POLL_SECONDS = 0.5


@contextmanager
def the_card(
    config: Config,
    device: Path = DEVICE,
    patience_seconds: float = 20,
    unload_seconds: float = 60,
) -> Iterator[None]:
    """Held while a night trains. Raises BusyError: another trains, or the card is not free."""
    with only_trainer(device):
        unload(config, unload_seconds)
        wait_for_memory(needed_bytes(config), patience_seconds)
        yield


@contextmanager
def only_trainer(device: Path = DEVICE) -> Iterator[None]:
    """The lock on a card, whoever's home and user it is; without a card there is none to lock."""
    try:
        node = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        fcntl.flock(node, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise BusyError(f"{device}: another night trains on this card: try again later") from None
    finally:
        os.close(node)


def unload(config: Config, timeout_seconds: float) -> None:
    """Has Ollama unload its models. Raises BusyError where another program keeps one loaded."""
    from distill.release import connect

    server = connect(config.publish)
    if server is None:
        return
    try:
        server.unload_all(timeout_seconds=timeout_seconds)
    except NoServerError:  # it ended meanwhile, and holds nothing any more
        return
    except PublishError as error:
        raise BusyError(f"before training: {error}") from error
    finally:
        server.close()


def needed_bytes(config: Config) -> int:
    """What training wants to find free on a card of any size."""
    if config.base.name == "tiny":
        return TINY_BYTES
    card = memory()
    total = card[1] if card else 0
    budget = int(config.train.vram_budget_gb * 1e9) or total
    return int(NEEDED_SHARE * min(budget, total))


def wait_for_memory(needed: int, patience_seconds: float) -> None:
    """Polls the card until `needed` bytes are free. Raises BusyError with who holds how much."""
    deadline = time.monotonic() + patience_seconds
    while (card := memory()) and card[0] < needed:
        if time.monotonic() > deadline:
            raise BusyError(
                f"the GPU has {card[0] / 1e9:.1f} of {card[1] / 1e9:.1f} GB free and training needs"
                f" {needed / 1e9:.1f} GB ({_holders()}): the night goes on when it is free"
            )
        time.sleep(POLL_SECONDS)


def memory() -> tuple[int, int] | None:
    """(free, total) bytes of the first card; None where no driver answers."""
    lines = _ask("--query-gpu=memory.free,memory.total", "--id=0").splitlines()
    try:
        free, total = (int(part) << 20 for part in lines[0].split(","))
    except (IndexError, ValueError):
        return None
    return free, total


def _holders() -> str:
    """Who uses the card, in nvidia-smi's words."""
    lines = _ask("--query-compute-apps=pid,name,used_memory").splitlines()
    return "; ".join(f"process {line} MiB" for line in lines) or "the driver names no process"


def _ask(*query: str) -> str:
    """Asked of the driver's own tool: importing torch for it would take seconds."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    command = [tool, *query, "--format=csv,noheader,nounits"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
