"""A change under a source's folder becomes a hint; the reconcile scan is the truth."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from memory.ingest import SourceConfig

CHANGES = [DirCreatedEvent, DirMovedEvent, FileCreatedEvent, FileModifiedEvent, FileMovedEvent]
# opened and closed are left out: they fire on our own reads


class _Hints(FileSystemEventHandler):
    """Passes the source's name on. Nothing here may raise: it would end watchdog's thread."""

    def __init__(self, name: str, hint: Callable[[str], None]) -> None:
        self.name, self.hint = name, hint

    def on_any_event(self, event: FileSystemEvent) -> None:
        self.hint(self.name)


class Watcher:
    """Watches each source's folder (a file's parent), and again when the folder was replaced."""

    def __init__(self, sources: Iterable[SourceConfig], hint: Callable[[str], None]) -> None:
        self._sources = {source.name: source for source in sources}
        self._hint = hint
        self._observer = Observer()
        self._watched: dict[str, tuple[int, int]] = {}
        self._watches: dict[str, object] = {}

    def start(self) -> None:
        self._observer.start()
        self.renew()

    def renew(self) -> list[str]:
        """Watches what is new or was replaced by another folder; the names it watched anew.

        An exception in a handler ends watchdog's thread without a word: then all are.
        """
        renewed = []
        if not self._observer.is_alive():
            self._observer = Observer()
            self._observer.start()
            self._watched, self._watches = {}, {}
        for name, source in self._sources.items():
            root = _root(Path(source.path))
            place = _place(root)
            if place == self._watched.get(name):
                continue
            if name in self._watches:
                self._observer.unschedule(self._watches.pop(name))
                del self._watched[name]
            if place is not None and self._watch(name, root, Path(source.path)):
                self._watched[name] = place
                renewed.append(name)
        return renewed

    def _watch(self, name: str, root: Path, source: Path) -> bool:
        """Everything below a folder; of a file's folder only what lies directly in it."""
        handler = _Hints(name, self._hint)
        try:
            self._watches[name] = self._observer.schedule(
                handler, str(root), recursive=root == source, event_filter=CHANGES
            )
        except OSError:  # no inotify watches left, or the folder went away: the scan still sees it
            return False
        return True

    @property
    def alive(self) -> bool:
        return self._observer.is_alive()

    def stop(self) -> None:
        self._observer.stop()
        self._observer.join(5)


NETWORK = ("nfs", "cifs", "smb", "fuse", "9p", "afs", "ceph", "virtiofs", "vboxsf", "davfs")


def is_remote(path: Path, mounts: str) -> bool:
    """Whether a path lies where another machine's changes make no events here.

    `mounts` is the text of /proc/self/mountinfo (proc_pid_mountinfo(5): the fifth field is the
    mount point, the first after " - " the file system's type).
    """
    place, best = os.path.realpath(path), ("", "")
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if len(fields) < 5 or not kind:
            continue
        mount = fields[4].replace("\\040", " ")
        inside = place == mount or place.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best[0]):
            best = (mount, kind[0])
    return best[1].startswith(NETWORK)


def remote_sources(sources: Iterable[SourceConfig]) -> list[str]:
    """Names of the sources that must be polled, since no event tells of them."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text()
    except OSError:
        return []
    return [source.name for source in sources if is_remote(Path(source.path), mounts)]


def _root(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _place(root: Path) -> tuple[int, int] | None:
    """(device, inode) of the folder, None when it is not there."""
    try:
        found = os.stat(root)
    except OSError:
        return None
    return found.st_dev, found.st_ino
