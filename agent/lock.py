"""A lock file held by flock: one night, one daemon a home."""

import fcntl
import os
from pathlib import Path

from memory.errors import BusyError, UserError


class Lock:
    """Held while open; a child that inherits the descriptor holds it too. Raises BusyError."""

    def __init__(self, path: Path, what: str) -> None:
        self.path, self.what, self._fd = path, what, -1

    def __enter__(self) -> "Lock":
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode(errors="replace").strip()
            os.close(self._fd)
            raise BusyError(
                f"{self.what} (process {holder or 'unknown'}, {self.path}): try again later"
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, str(os.getpid()).encode(), 0)
        return self

    def __exit__(self, *exc) -> None:
        os.close(self._fd)

    def fileno(self) -> int:
        return self._fd
