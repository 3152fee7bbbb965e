"""Reads Maildir folders, subfolders included, without moving a mail."""

import os
from collections.abc import Iterator
from pathlib import Path

from memory.sources.folder import identity

# read_file is a mail's: one file is one mail
from memory.sources.mail import read_file as read_file

LETTER_BOXES = ("cur", "new")


def list_files(root: Path) -> Iterator[Path]:
    """The mails in cur/ and new/ of `root` and of every folder under it (.Sent, Archive/2025).

    tmp/ holds mails still being written. A folder that cannot be opened is yielded itself.
    """
    yield from _walk(root, set()) if root.is_dir() else [root]


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        yield folder
        return
    in_box = folder.name in LETTER_BOXES
    for name in names:
        path = folder / name
        if not path.is_dir():
            if in_box and not name.startswith("."):
                yield path
        elif not in_box and name != "tmp" and (inode := identity(path)) not in seen:
            seen.add(inode)
            yield from _walk(path, seen)
