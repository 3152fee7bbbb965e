"""Lists the files of a folder, and reads one as text, without ever touching them."""

import codecs
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from memory.message import Skipped, Unreadable

LARGEST_TEXT_BYTES = 16 * 2**20  # more is no text somebody wrote in one piece

# Hidden files, editors' backups and locks, half-written files: never listed, never counted.
PASSED_OVER = re.compile(
    r"\..*|.*~|#.*#|.*\.(?:sw[a-px]|tmp|part|crdownload|bak|lock)|4913|~\$.*|Thumbs\.db",
    re.IGNORECASE,
)
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f]")


def list_files(root: Path) -> Iterator[Path]:
    """Every visible file under `root` (or `root`, if a file), in the order of names.

    A folder that cannot be opened is yielded itself, so that reading it says why. Linked folders
    are followed once.
    """
    if not root.is_dir():
        yield root
        return
    yield from _walk(root, {identity(root)})


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        yield folder
        return
    for name in names:
        path = folder / name
        if PASSED_OVER.fullmatch(name):
            continue
        if not path.is_dir():
            yield path
        elif (inode := identity(path)) not in seen:
            seen.add(inode)
            yield from _walk(path, seen)


def identity(folder: Path) -> tuple[int, int]:
    """What makes a folder the same one under another name: device and inode."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def relative(file: Path, root: Path) -> str:
    """`file` as a message's path: relative to `root`, "/" between; its name when it is the root.

    Bytes that are no UTF-8 are spelled out, since SQLite and JSON cannot hold them.
    """
    name = file.name if file == root else file.relative_to(root).as_posix()
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def read_bytes(
    file: Path, path: str, largest: int, first: int = -1
) -> bytes | Unreadable | Skipped:
    """A regular file's bytes (or its `first` ones), or in plain words why not."""
    try:
        status = file.stat()
        if stat.S_ISDIR(status.st_mode):
            os.listdir(file)  # only a folder that cannot be listed comes here
            return Skipped(path, "", "folder")
        if not stat.S_ISREG(status.st_mode):
            return Skipped(path, "", "neither a file nor a folder")
        if status.st_size > largest:
            return Unreadable(path, "", f"is larger than {largest >> 20} MiB; split it")
        with open(file, "rb") as opened:
            return opened.read(first)
    except FileNotFoundError:
        gone = "link to nothing" if file.is_symlink() else "file is gone"
        return Skipped(path, "", gone)
    except OSError as error:
        return Unreadable(path, "", f"cannot be read: {error.strerror or error}")


def read_text(file: Path, path: str) -> str | Unreadable | Skipped:
    """A file's text with "\\n" line ends and no byte order mark, or why there is none."""
    data = read_bytes(file, path, LARGEST_TEXT_BYTES)
    if not isinstance(data, bytes):
        return data
    text = decode(data)
    if text is None:
        return Skipped(path, "", "not a text file")
    if not text.strip():
        return Skipped(path, "", "empty file")
    return text


def decode(data: bytes) -> str | None:
    """Bytes of unknown encoding as text with "\\n" line ends; None if they are no text."""
    text = _decode(data)
    if text is None or len(CONTROLS.findall(text)) > len(text) // 200:
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decode(data: bytes) -> str | None:
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    lenient = data.decode("utf-8", "replace")
    foreign = sum(character > "\x7f" for character in lenient)
    if lenient.count("\ufffd") * 10 <= foreign:  # UTF-8 with a damaged spot
        return lenient
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")
