"""A lock file held by flock: one night, one daemon a home."""

import fcntl
import os
import time
from pathlib import Path

from memory.errors import BusyError, UserError

DYING_SECONDS = 5.0  # a killed night's stage holds the lock until the kernel has ended it too


class Lock:
    """Held while open; a child that inherits the descriptor holds it too. Raises BusyError."""

    def __init__(self, path: Path, what: str) -> None:
        self.path, self.what, self._fd = path, what, -1

    def __enter__(self) -> "Lock":
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be opened: {error.strerror}") from error
        deadline = time.monotonic() + DYING_SECONDS
        while not self._taken():
            holder = os.pread(self._fd, 32, 0).decode(errors="replace").strip()
            if _is_alive(holder) or time.monotonic() > deadline:
                os.close(self._fd)
                raise BusyError(
                    f"{self.what} (process {holder or 'unknown'}, {self.path}): try again later"
                )
            time.sleep(0.05)
        self._sign()
        return self

    def _sign(self) -> None:
        """Who holds it, for whom it keeps out."""
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, str(os.getpid()).encode(), 0)
        except OSError as error:  # a full disk
            os.close(self._fd)
            raise UserError(f"{self.path}: cannot be written: {error.strerror}") from error

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __exit__(self, *exc) -> None:
        os.close(self._fd)

    def fileno(self) -> int:
        return self._fd


def holder(path: Path) -> int | None:
    """Process id of who holds the lock at `path`; None where nobody does."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return int(os.pread(file, 32, 0) or 0) or None
    finally:
        os.close(file)


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
