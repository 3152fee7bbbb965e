"""Where files lie, and how they are written whole and private."""

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path

from memory.crash import reach

PRIVATE_FILE = 0o600
PRIVATE_DIR = 0o700


def home_path() -> Path:
    """The home: `$JUNIOR_HOME`, else `~/.junior`. Not created here."""
    return Path(os.environ.get("JUNIOR_HOME") or "~/.junior").expanduser()


def cache_path() -> Path:
    """What can be made anew: `$XDG_CACHE_HOME/junior`, else `~/.cache/junior`. Not created here."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "junior"


def make_private_dir(path: Path) -> Path:
    """Make `path` and its parents, `path` itself 0700 whatever the umask; gives it back.

    Raises OSError where the system refuses.
    """
    path = Path(path)
    path.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(PRIVATE_DIR)
    return path


def write_atomic(path: Path, data: bytes | str, mode: int = PRIVATE_FILE) -> Path:
    """Write `data` (text as UTF-8) so that `path` is the old file or the whole new one.

    A temporary `.NAME.*.tmp` in the same folder, fsync, rename, fsync of the folder.
    Raises OSError (full disk, no folder, not allowed); the temporary file is gone then.
    """
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    with contextlib.ExitStack() as undo:
        undo.callback(Path(temporary).unlink, missing_ok=True)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data.encode("utf-8") if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        reach(f"{path.name}.half")
        os.replace(temporary, path)
        undo.pop_all()
    sync_dir(path.parent)
    reach(f"{path.name}.whole")
    return path


def clear_temporary(folder: Path, older_than: float = 86_400) -> list[Path]:
    """Remove the `*.tmp` that killed processes left under `folder`, if older than these seconds."""
    limit, gone = time.time() - older_than, []
    for path in folder.rglob("*.tmp"):
        with contextlib.suppress(OSError):  # another process did it, or may not be touched
            if path.lstat().st_mtime < limit:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                gone.append(path)
    return gone


def sync_dir(path: Path) -> None:
    """fsync a folder, so that a rename in it outlives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes as 64 hex digits, read in pieces. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
