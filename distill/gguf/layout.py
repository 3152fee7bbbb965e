"""Where things lie in a GGUF file: its keys as bytes, its tensors by name, shape and place."""

import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memory.errors import ModelFileError

# struct formats of GGUF's value types; 8 is a string, 9 an array
# (github.com/ggml-org/ggml/blob/master/docs/gguf.md).
NUMBERS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
STRING, ARRAY = 8, 9
ALIGNMENT = 32  # GGUF's default: every tensor starts at a multiple
MAGIC = b"GGUF"


@dataclass(frozen=True, slots=True)
class Placed:
    """A tensor: `shape` in GGUF's order, ggml's number of its type, `start` and `size` in bytes.

    `size` reaches to where the next tensor starts, so it holds the padding.
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A file's header: each key's value as the bytes of its type and value, and all tensors."""

    path: Path
    fields: dict[str, bytes]
    tensors: tuple[Placed, ...]

    def value(self, key: str) -> Any:
        """A key's value: a number, bytes, or a list of either; None where the file has no such."""
        raw = self.fields.get(key)
        return None if raw is None else _Reader(raw).value()


def read_layout(path: Path) -> Layout:
    """The header of a GGUF file; a vocabulary of 152k is read past in a moment.

    Raises ModelFileError for what is missing, cut short or of another format.
    """
    try:
        with open(path, "rb") as file:
            view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        with view:
            return _read(path, view)
    except (OSError, struct.error, UnicodeDecodeError, ValueError, IndexError) as error:
        raise ModelFileError(f"{path}: is not a whole GGUF ({error}); export it again") from error


def _read(path: Path, view: mmap.mmap) -> Layout:
    reader = _Reader(view)
    magic, version, tensors, count = reader.take("<4sIQQ")
    if magic != MAGIC or not 2 <= version <= 3:
        raise ValueError("its first bytes are another format's")
    fields = {}
    for _ in range(count):
        key, start = reader.text().decode("utf-8"), reader.at
        reader.skip_value()
        fields[key] = view[start : reader.at]
    infos = [reader.tensor() for _ in range(tensors)]
    start = padded(reader.at)
    places = [start + offset for *_, offset in infos]
    ends = [*places[1:], len(view)]
    if sorted(places) != places or ends[-1] < max(places, default=0):
        raise ValueError("its tensors do not follow each other within it")
    found = (
        Placed(name, shape, kind, place, end - place)
        for (name, shape, kind, _), place, end in zip(infos, places, ends, strict=True)
    )
    return Layout(path, fields, tuple(found))


def padded(size: int) -> int:
    """`size` up to the next multiple of the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


class _Reader:
    """A place in bytes that moves on with what is read."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self.data, self.at = data, 0

    def take(self, form: str) -> tuple:
        found = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return found

    def text(self) -> bytes:
        start = self.at + 8
        self.skip_text()
        return self.data[start : self.at]

    def skip_text(self) -> None:
        (length,) = self.take("<Q")
        self.at += length
        if self.at > len(self.data):
            raise ValueError("a text in its header is cut off")

    def tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        """name, shape, type, offset."""
        name = self.text().decode("utf-8")
        shape = self.take(f"<{self.take('<I')[0]}Q")
        return name, shape, *self.take("<IQ")

    def value(self) -> Any:
        (kind,) = self.take("<I")
        if kind != ARRAY:
            return self._item(kind)
        inner, length = self.take("<IQ")
        if inner in NUMBERS:
            return list(self.take(f"<{length}{NUMBERS[inner]}"))
        return [self._item(inner) for _ in range(length)]

    def _item(self, kind: int) -> Any:
        return self.text() if kind == STRING else self.take("<" + _number(kind))[0]

    def skip_value(self) -> None:
        (kind,) = self.take("<I")
        inner, length = self.take("<IQ") if kind == ARRAY else (kind, 1)
        if inner == STRING:
            for _ in range(length):
                self.skip_text()
        else:
            self.at += length * struct.calcsize("<" + _number(inner))
        if self.at > len(self.data):
            raise ValueError("a value in its header is cut off")


def _number(kind: int) -> str:
    if kind not in NUMBERS:
        raise ValueError(f"its header has a value of unknown kind {kind}")
    return NUMBERS[kind]


def header_bytes(fields: dict[str, bytes], tensors: Sequence[tuple[str, tuple, int, int]]) -> bytes:
    """A header of `fields` (as in Layout) and tensors (name, shape, type, size), padded."""
    parts = [struct.pack("<4sIQQ", MAGIC, 3, len(tensors), len(fields))]
    parts += [_packed(key) + raw for key, raw in fields.items()]
    offset = 0
    for name, shape, kind, size in tensors:
        parts.append(_packed(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape))
        parts.append(struct.pack("<IQ", kind, offset))
        offset += padded(size)
    whole = b"".join(parts)
    return whole + bytes(padded(len(whole)) - len(whole))


def _packed(text: str) -> bytes:
    data = text.encode("utf-8")
    return struct.pack("<Q", len(data)) + data
