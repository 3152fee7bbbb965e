"""Opens the files of an export, whether it is a folder, one file, or a zip left packed."""

import io
import lzma
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from memory.message import Message, Skipped, Unreadable
from memory.sources import folder

Record = Message | Unreadable | Skipped

ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
# What a zip may unpack to: chats pack 5 to 50 times smaller, a bomb 1,000 times and more.
FREE_BYTES, LARGEST_RATIO = 64 * 2**20, 300
LARGEST_DIRECTORY_BYTES = 32 * 2**20  # zipfile holds the whole list of names in memory
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError,
              LookupError, NotImplementedError, struct.error, OverflowError)  # fmt: skip


class ArchiveError(OSError):
    """A zip, or a file in one, that cannot be read; says why in plain words."""

    def __init__(self, reason: str) -> None:
        super().__init__(0, reason)

    def __str__(self) -> str:
        return self.strerror


@dataclass(frozen=True, slots=True)
class Place:
    """Where records come from: a file's `path` (relative), and its `member` where it is a zip."""

    path: str
    member: str = ""

    @property
    def name(self) -> str:
        """The path of a message: "export.zip/chats/7.json"."""
        return f"{self.path}/{self.member}" if self.member else self.path

    def unreadable(self, where: str, reason: str) -> Unreadable:
        """An Unreadable here; `where` in the member."""
        return Unreadable(self.path, self._within(where), reason)

    def skipped(self, where: str, reason: str) -> Skipped:
        """A Skipped here; `where` in the member."""
        return Skipped(self.path, self._within(where), reason)

    def _within(self, where: str) -> str:
        return ": ".join(part for part in (self.member, where) if part)


def is_zip(file: Path) -> bool:
    """Whether a regular file begins as a zip does, whatever its name."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return False
        with open(file, "rb") as opened:
            return opened.read(4) in ZIP_STARTS
    except OSError:
        return False


def open_members(path: Path, pattern: str) -> Iterator[tuple[str, BinaryIO]]:
    """(name, binary stream) of each file whose name `pattern` is found in (a regular expression,
    case ignored), in the order of names with their numbers counted: message_2 before message_10.

    Names are relative, "/" between, and only names: nothing is unpacked to disk. A single file
    that is no zip is given under its own name, whatever that is. Streams can be rewound
    (`seek(0)`) and are closed when the next is asked for. Raises ArchiveError (an OSError) for a
    zip that cannot be read; a stream raises it where its member is damaged, encrypted, or unpacks
    to more than LARGEST_RATIO times the archive.
    """
    matches = re.compile(pattern, re.IGNORECASE).search
    if is_zip(path):
        yield from _open_zip(path, matches)
    elif path.is_dir():
        files = {folder.relative(file, path): file for file in folder.list_files(path)}
        for name in sorted(filter(matches, files), key=natural):
            with open(files[name], "rb") as stream:
                yield name, stream
    else:
        with open(path, "rb") as stream:
            yield path.name, stream


def read_members(
    file: Path,
    root: Path,
    pattern: str,
    read: Callable[[BinaryIO, Place], Iterator[Record]],
    what: str,
) -> Iterator[Record]:
    """Every record `read(stream, place)` finds in a file, or in the fitting members of a zip.

    A source's `read_file` in one line: nothing raises, and there is at least one record. A file
    found in a folder is read only where its name fits; what does not is skipped "not WHAT".
    """
    path = folder.relative(file, root)
    looked = folder.read_bytes(file, path, 2**63, first=1)
    if not isinstance(looked, bytes):
        yield looked
        return
    packed = is_zip(file)
    if not packed and file != root and not re.search(pattern, path, re.IGNORECASE):
        yield Skipped(path, "", f"not {what}")
        return
    yield from _read_all(file, path, pattern, read, what, packed)


def _read_all(
    file: Path,
    path: str,
    pattern: str,
    read: Callable[[BinaryIO, Place], Iterator[Record]],
    what: str,
    packed: bool,
) -> Iterator[Record]:
    found = False
    try:
        for name, stream in open_members(file, pattern):
            found = True
            yield from _read_one(stream, Place(path, label(name) if packed else ""), read)
    except OSError as error:
        yield Unreadable(path, "", _reason(error, "cannot be read"))
        return
    if not found:
        yield Skipped(path, "", f"not {what}")


def _read_one(
    stream: BinaryIO, place: Place, read: Callable[[BinaryIO, Place], Iterator[Record]]
) -> Iterator[Record]:
    nothing = True
    try:
        for record in read(stream, place):
            nothing = False
            yield record
    except OSError as error:
        yield place.unreadable("", _reason(error, "cannot be read to its end"))
        return
    if nothing:
        yield place.skipped("", "no messages in the file")


def _reason(error: OSError, what: str) -> str:
    if isinstance(error, ArchiveError):
        return str(error)
    return f"{what}: {error.strerror or error}"


def label(name: str) -> str:
    """A member's name as it can be stored and shown; never a path to open."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")[:500]


def natural(name: str) -> list[tuple[int, str]]:
    """Sorts names as people count: message_2 before message_10."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(int(part[:18]), "") if part[0].isdecimal() else (0, part) for part in parts]


# --- zip --------------------------------------------------------------------------------------


def _open_zip(path: Path, matches: Callable[[str], object]) -> Iterator[tuple[str, BinaryIO]]:
    with open(path, "rb") as file:
        try:
            _check_directory(file)
            archive = zipfile.ZipFile(file)
        except ZIP_ERRORS as error:
            raise ArchiveError(f"is no whole zip archive ({error})") from error
        with archive:
            budget = _Budget(FREE_BYTES + LARGEST_RATIO * os.fstat(file.fileno()).st_size)
            members = {info.filename: info for info in archive.infolist() if info.filename}
            for name in sorted(members, key=natural):
                if _is_visible(name) and not name.endswith("/") and matches(name):
                    with io.BufferedReader(_Member(archive, members[name], budget)) as stream:
                        yield name, stream


def _is_visible(name: str) -> bool:
    """Not macOS's own files beside the real ones, nor hidden ones."""
    parts = name.split("/")
    return parts[0] != "__MACOSX" and not folder.PASSED_OVER.fullmatch(parts[-1])


def _check_directory(file: BinaryIO) -> None:
    """Refuse a list of names too long to hold, before zipfile reads it whole.

    Layout: APPNOTE.TXT 4.3.14 (zip64, size at byte 40) and 4.3.16 (size at byte 12).
    """
    file.seek(max(file.seek(0, os.SEEK_END) - 70_000, 0))
    tail = file.read()
    sizes = [0]
    for mark, at, form in ((b"PK\x05\x06", 12, "<L"), (b"PK\x06\x06", 40, "<Q")):
        start = tail.rfind(mark)
        if start >= 0:
            sizes += struct.unpack_from(form, tail.ljust(start + 64, b"\0"), start + at)
    if max(size for size in sizes if size != 0xFFFFFFFF) > LARGEST_DIRECTORY_BYTES:
        raise ArchiveError("lists more files than an export has; unpack it first")
    file.seek(0)


@dataclass
class _Budget:
    """Bytes an archive may still unpack to."""

    left: int


class _Member(io.RawIOBase):
    """One file of a zip; opened at its first byte, so that its errors are its own."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: _Budget) -> None:
        self.archive, self.info, self.budget = archive, info, budget
        self.stream: BinaryIO | None = None

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes, by unpacking once more."""
        return True

    def readinto(self, buffer: bytearray) -> int:
        """Unpack up to `len(buffer)` bytes; raises ArchiveError."""
        data = self._guarded(lambda: self._open().read(len(buffer)))
        self.budget.left -= len(data)
        if self.budget.left < 0:
            raise ArchiveError("unpacks to far more than its size; unpack it first if it is yours")
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a byte of the unpacked file."""
        return self._guarded(lambda: self._open().seek(offset, whence))

    def close(self) -> None:
        """Let go of the member; the archive stays open."""
        if self.stream is not None:
            self.stream.close()
        super().close()

    def _open(self) -> BinaryIO:
        if self.stream is None:
            if self.info.flag_bits & 1:
                raise ArchiveError("is encrypted; unpack it with its password first")
            self.stream = self.archive.open(self.info)
        return self.stream

    def _guarded(self, act: Callable[[], int | bytes]) -> int | bytes:
        try:
            return act()
        except ZIP_ERRORS as error:
            raise ArchiveError(f"is damaged in its zip ({error})") from error
