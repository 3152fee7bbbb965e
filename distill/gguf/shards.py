"""A GGUF in two files, what never changes and what the adapter changes, and such files joined."""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING

from distill.gguf.layout import Layout, Placed, header_bytes, padded, read_layout
from distill.gguf.tensors import Tensor, file_order, read_json
from distill.gguf.writing import GgufFile, stream
from memory.errors import ModelFileError
from memory.files import sha256_file, sync_dir, write_atomic

if TYPE_CHECKING:
    from collections.abc import Callable

    from gguf import GGUFWriter

COUNT = 2
COPY_BYTES = 1 << 20


def shard_name(name: str, number: int, count: int = COUNT) -> str:
    """llama.cpp finds the shards of a model by these names alone (llama_split_path)."""
    return f"{name}-{number:05}-of-{count:05}.gguf"


def changed_by(tensors: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """(what stays, what an adapter changes), each in the order of the file."""
    stays = [tensor for tensor in tensors if tensor.lora is None]
    return stays, [tensor for tensor in tensors if tensor.lora is not None]


def is_attention_only(tensors: Sequence[Tensor]) -> bool:
    """Whether an adapter changes attention's matrices and nothing else: then a split pays."""
    _, changed = changed_by(tensors)
    return bool(changed) and all(re.match(r"blk\.\d+\.attn_", tensor.name) for tensor in changed)


def mark_shard(writer: "GGUFWriter", number: int, tensors: int) -> None:
    """Adds the keys that make a file shard `number` (from 0) of a model of `tensors` tensors."""
    writer.add_uint16("split.no", number)
    writer.add_uint16("split.count", COUNT)
    writer.add_int32("split.tensors.count", tensors)


def link_unchanged(
    cache: Path, inputs: Mapping, target: Path, write: "Callable[[Path], GgufFile]"
) -> GgufFile:
    """`target` becomes the shard that stays, made by `write` where `cache` has no whole one.

    It is linked, so that a second night writes nothing; copied where it cannot be. One made from
    other `inputs` (base, types, what is changed) is replaced; a damaged one is made again.
    """
    key = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:12]
    path = cache / f"unchanged-{key}.gguf"
    with open(cache / "unchanged.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two homes share the cache
        made = _cached(path)
        if made is None:
            for old in cache.glob("unchanged-*"):
                old.unlink()
            made = write(path)
            write_atomic(path.with_suffix(".json"), json.dumps(asdict(made)) + "\n")
        target.unlink(missing_ok=True)
        try:
            os.link(path, target)
        except OSError:  # another disk
            shutil.copyfile(path, target)
    sync_dir(target.parent)
    return GgufFile(target.name, made.sha256, made.bytes)


def _cached(path: Path) -> GgufFile | None:
    record = path.with_suffix(".json")
    if not (path.is_file() and record.is_file()):
        return None
    try:
        made = GgufFile(**read_json(record))
    except (ModelFileError, TypeError):
        return None
    return made if sha256_file(path) == made.sha256 else None


def join_shards(folder: Path, names: Sequence[str], name: str) -> GgufFile:
    """Writes `folder`/`name`.gguf with every tensor of the shards `names`, byte for byte.

    Raises ModelFileError for shards that are damaged or not all there.
    """
    layouts = [read_layout(folder / one) for one in names]
    tensors = [(layout, placed) for layout in layouts for placed in layout.tensors]
    tensors.sort(key=lambda found: file_order(found[1].name))
    if layouts[0].value("split.tensors.count") != len(tensors):
        raise ModelFileError(f"{folder / names[0]}: its other shards are not all there")
    fields = {k: raw for one in reversed(layouts) for k, raw in one.fields.items()}
    fields = {k: raw for k, raw in fields.items() if not k.startswith("split.")}
    infos = [(p.name, p.shape, p.kind, p.size) for _, p in tensors]

    def write(file: IO[bytes]) -> None:
        file.write(header_bytes(_architecture_first(fields), infos))
        for layout, placed in tensors:
            _copy(layout, placed, file)

    return stream(folder / f"{name}.gguf", write)


def _architecture_first(fields: dict[str, bytes]) -> dict[str, bytes]:
    first = "general.architecture"
    return {first: fields[first]} | fields


def _copy(layout: Layout, placed: Placed, file: IO[bytes]) -> None:
    with open(layout.path, "rb") as source:
        source.seek(placed.start)
        left = placed.size
        while left and (block := source.read(min(COPY_BYTES, left))):
            file.write(block)
            left -= len(block)
    file.write(bytes(left + padded(placed.size) - placed.size))
