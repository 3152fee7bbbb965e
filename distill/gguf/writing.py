"""One GGUF file written as a stream: header by the library, rows block by block, one hash."""

import hashlib
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from distill.gguf.layout import padded
from distill.gguf.quantise import Quantiser, file_type, tensor_bytes
from distill.gguf.tensors import Tensor
from memory.errors import StageError
from memory.files import PRIVATE_FILE, sha256_file, sync_dir

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType, GGUFWriter

Progress = Callable[[dict], None]
Types = Mapping[str, "GGMLQuantizationType"]


@dataclass(frozen=True, slots=True)
class GgufFile:
    """A finished file: its `name` in the night's folder, `sha256` in hex, size in bytes."""

    name: str
    sha256: str
    bytes: int


class HashingFile:
    """A file that is only appended to, and hashed on the way."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._size, self.sha256 = file, 0, hashlib.sha256()

    def write(self, data) -> int:
        self.sha256.update(data)
        self._size += len(data)
        return self._file.write(data)

    def pad(self) -> None:
        """Zeros up to the next multiple of the alignment."""
        self.write(bytes(padded(self._size) - self._size))

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        self._file.flush()


def one_thread_a_product() -> None:
    """Keeps numpy's matrix library to one thread a product; call before numpy is imported.

    Its threads wait for each other under ours: a 0.5B took 22 processor seconds instead of 9.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def stream(path: Path, write: Callable[[HashingFile], None]) -> GgufFile:
    """What `write` writes, whole or not at all. Raises StageError as `whole`."""
    with whole(path) as temporary, open(temporary, "wb", opener=private) as raw:
        file = HashingFile(raw)
        write(file)
        raw.flush()
        os.fsync(raw.fileno())
    return GgufFile(path.name, file.sha256.hexdigest(), file.tell())


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A name beside `path` (`.tmp`) that becomes it where all went well, and is gone otherwise.

    Raises StageError where the disk does not take it.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        yield temporary
        temporary.replace(path)
        sync_dir(path.parent)
    except OSError as error:
        free = shutil.disk_usage(path.parent).free
        raise StageError(
            f"{path}: writing failed: {error.strerror} ({free >> 20} MiB are free there):"
            " make room, then run the night again with --resume"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def private(path: str, flags: int) -> int:
    """An opener for files that only their owner reads."""
    return os.open(path, flags, PRIVATE_FILE)


def seal(path: Path) -> str:
    """Syncs a file that llama.cpp wrote, makes it private, and gives its sha256."""
    path.chmod(PRIVATE_FILE)
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    return sha256_file(path)


def write_tensors(
    file: HashingFile,
    writer: "GGUFWriter",
    quantisation: str,
    tensors: list[Tensor],
    types: Types,
    threads: int,
    progress: Progress,
) -> None:
    """Header and names by the library's `writer`, rows by us, into `file`."""
    import gguf
    import numpy as np

    writer.add_file_type(file_type(quantisation))
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for tensor in tensors:
        kind = types[tensor.name]
        size = tensor_bytes(tensor.shape, kind)
        writer.add_tensor_info(tensor.name, tensor.shape, np.float16, size, raw_dtype=kind)
    total = data_bytes(tensors, types)
    writer.fout, writer.state = [file], gguf.gguf_writer.WriterState.EMPTY
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    file.pad()
    start = file.tell()
    for data in _converted(tensors, types, threads):
        if data is None:
            file.pad()
            progress({"step": file.tell() - start, "steps": total, "unit": "bytes"})
        else:
            file.write(data)


def data_bytes(tensors: Iterable[Tensor], types: Types) -> int:
    """What the tensors take in a file."""
    return sum(padded(tensor_bytes(tensor.shape, types[tensor.name])) for tensor in tensors)


def _converted(
    tensors: Iterable[Tensor], types: Types, threads: int
) -> "Iterator[memoryview | None]":
    """The bytes of every block of rows in order, None after each tensor's last one.

    ggml and numpy let go of the interpreter's lock, so threads do the work; only `threads` + 1
    blocks are in the air at a time, which bounds the memory.
    """
    from concurrent.futures import ThreadPoolExecutor

    quantiser = Quantiser()

    def work(tensor: Tensor, start: int, stop: int):
        rows = tensor.read(start, stop)
        return quantiser.convert(tensor.name, rows, types[tensor.name], tensor.importance)

    waiting: deque = deque()
    with ThreadPoolExecutor(threads) as pool:
        for tensor in tensors:
            for start, stop in tensor.blocks():
                waiting.append(pool.submit(work, tensor, start, stop))
                while len(waiting) > threads and waiting[0] is not None:
                    yield waiting.popleft().result().data
                while waiting and waiting[0] is None:
                    yield waiting.popleft()
            waiting.append(None)
        while waiting:
            item = waiting.popleft()
            yield item if item is None else item.result().data
