"""Base weights and an adapter -> one quantised GGUF file, in one pass."""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from distill.gguf.metadata import write_metadata, write_provenance
from distill.gguf.quantise import (
    Quantiser,
    check_quantisation,
    file_type,
    quantise_file,
    tensor_bytes,
    tensor_types,
)
from distill.gguf.tensors import Tensor, plan_tensors, read_config, read_json
from memory.errors import ModelFileError, StageError, UserError
from memory.files import PRIVATE_FILE, make_private_dir, sha256_file, sync_dir, write_atomic

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType

    from distill.base import Base

FORMAT = 1  # raised when the same input would give another file: cached base files are made anew
ALIGNMENT = 32  # GGUF's default: every tensor starts at a multiple (docs/gguf.md of ggml)
HEADER_BYTES = 32 << 20  # more than any vocabulary needs: only for the estimate of disk space

Progress = Callable[[dict], None]


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """`[export]` of config.toml."""

    quantisation: str = field(
        default="Q4_K_M", metadata={"doc": "Q4_K_M, Q5_K_M, Q6_K, Q8_0 or F16"}
    )
    one_pass: bool = field(
        default=True,
        metadata={"doc": "quantise while merging; false: by way of a 16-bit file, on disk"},
    )
    threads: int = field(default=0, metadata={"doc": "0: one for each usable core, 8 at most"})
    spare_gb: float = field(default=0.5, metadata={"doc": "disk space that must stay free"})


@dataclass(frozen=True, slots=True)
class GgufFile:
    """A finished file: its `name` in the night's folder, `sha256` in hex, size in bytes."""

    name: str
    sha256: str
    bytes: int


def export(
    base: "Base",
    adapter: Path | None,
    folder: Path,
    *,
    name: str,
    config: ExportConfig,
    provenance: Mapping,
    progress: Progress | None = None,
) -> list[GgufFile]:
    """Writes `folder`/`name`.gguf (base with `adapter` added) and, last, `folder`/export.json.

    When export.json is there, was made from the same inputs, and its files hash to what it says,
    nothing is done. `progress` gets {"step", "steps", "unit": "bytes"} as the file grows. Raises
    UserError (no room, base and adapter do not fit), ModelFileError (damaged input), StageError
    (failed writing).
    """
    started = time.monotonic()
    inputs = _inputs(base, adapter, name, config, provenance)
    if done := finished(folder, inputs):
        return done
    make_private_dir(folder)
    file = write_gguf(
        base, adapter, folder / f"{name}.gguf", config, provenance, progress or (lambda _: None)
    )
    record = {
        "files": [asdict(file)],
        "inputs": inputs,
        "seconds": round(time.monotonic() - started, 3),
    }
    write_atomic(folder / "export.json", json.dumps(record, indent=1) + "\n")
    return [file]


def finished(folder: Path, inputs: Mapping | None = None) -> list[GgufFile]:
    """The files of a finished export whose hashes agree with export.json; [] when there is none."""
    if not (folder / "export.json").is_file():
        return []
    try:
        record = read_json(folder / "export.json")
        files = [GgufFile(**entry) for entry in record["files"]]
        same = inputs is None or record["inputs"] == inputs
    except (ModelFileError, KeyError, TypeError):
        return []
    whole = all(
        (folder / f.name).is_file() and sha256_file(folder / f.name) == f.sha256 for f in files
    )
    return files if same and whole else []


def base_gguf(base: "Base", config: ExportConfig, progress: Progress | None = None) -> Path:
    """The base alone at the same quantisation, made once and kept in the base's folder.

    Its record (`.json`) is written last; raises as `export`.
    """
    path = base.path / f"base-{check_quantisation(config.quantisation)}.gguf"
    with open(path.with_suffix(".lock"), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two homes share the cache
        return _base_gguf(base, path, config, progress or (lambda _: None))


def _base_gguf(base: "Base", path: Path, config: ExportConfig, progress: Progress) -> Path:
    record, inputs = path.with_suffix(".json"), {"format": FORMAT, "revision": str(base.revision)}
    if path.is_file() and record.is_file():
        found = read_json(record)
        if found.get("inputs") == inputs and found.get("bytes") == path.stat().st_size:
            return path
    title = f"{base.name} (base)"
    file = write_gguf(base, None, path, config, {"base": base.name}, progress, title=title)
    write_atomic(record, json.dumps(asdict(file) | {"inputs": inputs}) + "\n")
    return path


def write_gguf(
    base: "Base",
    adapter: Path | None,
    path: Path,
    config: ExportConfig,
    provenance: Mapping,
    progress: Progress,
    title: str = "",
) -> GgufFile:
    """One GGUF file, whole: written beside as `.tmp`, synced, renamed. Raises as `export`."""
    settings = read_config(base.path)
    tensors = plan_tensors(base.path, settings, adapter)
    threads = config.threads or min(8, len(os.sched_getaffinity(0)))
    plans = [_types(tensors, settings, check_quantisation(config.quantisation))]
    if not config.one_pass and config.quantisation != "F16":
        plans.insert(0, _types(tensors, settings, "F16"))
    _check_room(path, sum(_size(tensors, types) for types in plans), config.spare_gb)
    temporary = path.with_name(f"{path.name}.tmp")
    half = path.with_name(f"{path.name}.f16.tmp")
    try:
        first = temporary if len(plans) == 1 else half
        writer = _writer(base, settings, title or path.stem, provenance)
        kind = config.quantisation if len(plans) == 1 else "F16"
        digest = _write(first, writer, kind, tensors, plans[0], threads, progress)
        if len(plans) == 2:
            quantise_file(half, temporary, config.quantisation, threads)
            digest = _seal(temporary)
        temporary.replace(path)
        sync_dir(path.parent)
    except OSError as error:
        raise StageError(
            f"{path}: writing failed: {error.strerror} ({_free(path) >> 20} MiB are free there):"
            " make room, then run the night again with --resume"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
        half.unlink(missing_ok=True)
    return GgufFile(path.name, digest, path.stat().st_size)


def _inputs(base, adapter: Path | None, name: str, config: ExportConfig, provenance) -> dict:
    """What the file depends on: a finished export counts only for the same."""
    weights = adapter / "adapter_model.safetensors" if adapter else None
    if weights is not None and not weights.is_file():
        raise ModelFileError(f"{weights}: no such file")
    return {
        "format": FORMAT,
        "base": f"{base.name}@{base.revision}",
        "adapter": sha256_file(weights) if weights else "",
        "name": name,
        "quantisation": config.quantisation,
        "provenance": {str(key): str(value) for key, value in provenance.items()},
    }


def _types(
    tensors: list[Tensor], settings: Mapping, quantisation: str
) -> "dict[str, GGMLQuantizationType]":
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    return tensor_types(shapes, quantisation, settings["num_hidden_layers"])


def _size(tensors: list[Tensor], types: Mapping) -> int:
    padded = (-(-tensor_bytes(t.shape, types[t.name]) // ALIGNMENT) * ALIGNMENT for t in tensors)
    return sum(padded)


def _check_room(path: Path, data_bytes: int, spare_gb: float) -> None:
    needed, free = data_bytes + HEADER_BYTES + int(spare_gb * 1e9), _free(path)
    if needed > free:
        raise UserError(
            f"{path.parent}: {needed:,} bytes are needed for {path.name} and {free:,} are free"
            f" ({spare_gb} GB of it to stay free, [export] spare_gb): make room"
        )


def _free(path: Path) -> int:
    return shutil.disk_usage(path.parent).free


def _writer(base, settings: Mapping, title: str, provenance: Mapping):
    """The library's writer with every key but the file type; it writes header and names only."""
    import gguf

    from distill.gguf.tensors import FAMILIES

    writer = gguf.GGUFWriter(None, FAMILIES[settings["architectures"][0]])
    write_provenance(writer, title, base, provenance)
    write_metadata(writer, base.path, settings)
    return writer


def _write(
    path: Path,
    writer,
    quantisation: str,
    tensors: list[Tensor],
    types: "Mapping[str, GGMLQuantizationType]",
    threads: int,
    progress: Progress,
) -> str:
    """Header by the library, rows by us, all through one hash: the file's sha256."""
    import gguf
    import numpy as np

    writer.add_file_type(file_type(quantisation))
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for tensor in tensors:
        kind = types[tensor.name]
        size = tensor_bytes(tensor.shape, kind)
        writer.add_tensor_info(tensor.name, tensor.shape, np.float16, size, raw_dtype=kind)
    total = _size(tensors, types)
    with open(path, "wb", opener=_private) as raw:
        file = HashingFile(raw)
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
        raw.flush()
        os.fsync(raw.fileno())
    return file.sha256.hexdigest()


def _converted(
    tensors: Iterable[Tensor], types: "Mapping[str, GGMLQuantizationType]", threads: int
) -> "Iterator[memoryview | None]":
    """The bytes of every block of rows in order, None after each tensor's last one.

    ggml and numpy let go of the interpreter's lock, so threads do the work; only `threads` + 1
    blocks are in the air at a time, which bounds the memory.
    """
    from concurrent.futures import ThreadPoolExecutor

    quantiser = Quantiser()

    def work(tensor: Tensor, start: int, stop: int):
        return quantiser.convert(tensor.name, tensor.read(start, stop), types[tensor.name])

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
        self.write(bytes(-self._size % ALIGNMENT))

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        self._file.flush()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE_FILE)


def _seal(path: Path) -> str:
    """Syncs a file that llama.cpp wrote, and hashes it."""
    path.chmod(PRIVATE_FILE)
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    return sha256_file(path)
