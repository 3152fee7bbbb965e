"""Base weights and an adapter -> one quantised GGUF file, in one pass."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from distill.gguf.metadata import write_metadata, write_provenance
from distill.gguf.quantise import QUANTISATIONS, quantise_file, tensor_types
from distill.gguf.shards import (
    changed_by,
    is_attention_only,
    join_shards,
    link_unchanged,
    mark_shard,
    shard_name,
)
from distill.gguf.tensors import FAMILIES, IMPORTANCE, Tensor, plan_tensors, read_config, read_json
from distill.gguf.writing import (
    GgufFile,
    Progress,
    data_bytes,
    one_thread_a_product,
    seal,
    stream,
    whole,
    write_tensors,
)
from memory.errors import ModelFileError, UserError
from memory.files import make_private_dir, sha256_file, write_atomic
from memory.settings import key

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType

    from distill.base import Base

__all__ = [
    "ExportConfig",
    "GgufFile",
    "base_gguf",
    "export",
    "finished",
    "join_shards",
    "make_again",
    "write_gguf",
]

FORMAT = 1  # raised when the same input would give another file: cached base files are made anew
HEADER_BYTES = 32 << 20  # more than any vocabulary needs: only for the estimate of disk space


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """`[export]` of config.toml."""

    quantisation: str = key("Q4_K_M", "Q4_K_M, Q5_K_M, Q6_K, Q8_0 or F16")
    one_pass: bool = key(True, "quantise while merging; false: by way of a 16-bit file, on disk")
    threads: int = key(0, "0: one for each usable core, 8 at most")
    spare_gb: float = key(0.5, "disk space that must stay free")

    def __post_init__(self) -> None:
        """Raises ValueError for a quantisation that nobody knows."""
        if self.quantisation not in QUANTISATIONS:
            known = ", ".join(QUANTISATIONS)
            raise ValueError(f"quantisation must be one of {known}, found {self.quantisation!r}")


def export(
    base: "Base",
    adapter: Path | None,
    folder: Path,
    *,
    name: str,
    config: ExportConfig,
    provenance: Mapping,
    split: bool = False,
    progress: Progress | None = None,
) -> list[GgufFile]:
    """Writes `folder`/`name`.gguf (base with `adapter` added) and, last, `folder`/export.json.

    With `split`, where the adapter changes attention alone, two files instead: what never changes,
    linked to one kept beside the base, and what the adapter changes. When export.json is there,
    was made from the same inputs, and its files hash to what it says, nothing is done. `progress`
    gets {"step", "steps", "unit": "bytes"} as the file grows. Raises UserError (no room, base and
    adapter do not fit), ModelFileError (damaged input), StageError (failed writing).
    """
    one_thread_a_product()
    started = time.monotonic()
    inputs = _inputs(base, adapter, name, config, provenance) | ({"split": True} if split else {})
    if done := finished(folder, inputs):
        return done
    make_private_dir(folder)
    told = (config, provenance, progress or (lambda _: None))
    if split and config.one_pass and is_attention_only(_plan(base, adapter)):
        files = _write_split(base, adapter, folder, name, *told)
    else:
        files = [write_gguf(base, adapter, folder / f"{name}.gguf", *told)]
    record = {
        "files": [asdict(file) for file in files],
        "inputs": inputs,
        "seconds": round(time.monotonic() - started, 3),
    }
    write_atomic(folder / "export.json", json.dumps(record, indent=1) + "\n")
    return files


def make_again(folder: Path, base: "Base") -> list[GgufFile]:
    """The files of an export whose adapter alone was kept, from the same inputs.

    Raises ModelFileError where export.json does not say them, or the adapter is another one.
    """
    path = folder / "export.json"
    record = read_json(path)
    try:
        inputs, known = record["inputs"], [GgufFile(**entry) for entry in record["files"]]
        split = len(known) > 1
        name = inputs["name"]
        config = ExportConfig(quantisation=inputs["quantisation"])
        wanted, said = inputs["adapter"], inputs["provenance"]
    except (KeyError, TypeError) as error:
        raise ModelFileError(f"{path}: does not say what it was made from; run a night") from error
    adapter = folder / "adapter" if wanted else None
    made = _inputs(base, adapter, name, config, said)
    if made["adapter"] != wanted or made["base"] != inputs["base"]:
        raise ModelFileError(
            f"{adapter}: is not the adapter, or {base.name} not the base, that was released"
            f" ({inputs['base']}); restore it from a backup, or run a night"
        )
    return export(base, adapter, folder, name=name, config=config, provenance=said, split=split)


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
    path = base.path / f"base-{config.quantisation}.gguf"
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
    one_thread_a_product()
    settings = read_config(base.path)
    tensors = _plan(base, adapter)
    plans = [_types(tensors, settings, config.quantisation)]
    if not config.one_pass and config.quantisation != "F16":
        plans.insert(0, _types(tensors, settings, "F16"))
    _check_room(path, sum(data_bytes(tensors, types) for types in plans), config.spare_gb)
    writer = _writer(base, settings, title or path.stem, provenance)
    threads = _threads(config)
    if len(plans) == 2:
        return _in_two_passes(path, writer, config.quantisation, tensors, plans, threads, progress)
    told = (config.quantisation, tensors, plans[0], threads, progress)
    return stream(path, lambda file: write_tensors(file, writer, *told))


def _in_two_passes(path: Path, writer, quantisation, tensors, plans, threads, progress) -> GgufFile:
    """By way of a 16-bit file that llama.cpp quantises."""
    half = path.with_name(f"{path.name}.f16")
    weights = {t.name: t.importance for t in tensors if t.importance is not None}
    try:
        told = ("F16", tensors, plans[0], threads, progress)
        stream(half, lambda file: write_tensors(file, writer, *told))
        with whole(path) as temporary:
            quantise_file(half, temporary, quantisation, threads, weights)
            digest = seal(temporary)
    finally:
        half.unlink(missing_ok=True)
    return GgufFile(path.name, digest, path.stat().st_size)


def _write_split(base, adapter, folder: Path, name: str, config, provenance, progress):
    """[the shard that stays, the shard the adapter changes]; importance is for the latter alone.

    The first must be the same bytes every night, so the night is named in the second.
    """
    one_thread_a_product()
    import gguf

    settings, tensors = read_config(base.path), _plan(base, adapter)
    types, threads = _types(tensors, settings, config.quantisation), _threads(config)
    stays, changes = changed_by(tensors)
    stays = [replace(tensor, importance=None) for tensor in stays]
    paths = [folder / shard_name(name, number) for number in (1, 2)]
    told = (config.quantisation, types, threads)

    def write(path: Path) -> GgufFile:
        _check_room(path, data_bytes(tensors, types), config.spare_gb)
        writer = _writer(base, settings, base.name, {})
        mark_shard(writer, 0, len(tensors))
        return stream(path, lambda file: _shard(file, writer, stays, *told, progress))

    inputs = {"format": FORMAT, "revision": str(base.revision), "quantisation": told[0]}
    inputs["changes"] = [tensor.name for tensor in changes]
    first = link_unchanged(base.path, inputs, paths[0], write)
    _check_room(paths[1], data_bytes(changes, types), config.spare_gb)
    writer = gguf.GGUFWriter(None, FAMILIES[settings["architectures"][0]])
    write_provenance(writer, name, base, provenance)
    mark_shard(writer, 1, len(tensors))
    return [first, stream(paths[1], lambda file: _shard(file, writer, changes, *told, progress))]


def _shard(file, writer, tensors, quantisation, types, threads, progress) -> None:
    write_tensors(file, writer, quantisation, tensors, types, threads, progress)


def _plan(base, adapter: Path | None) -> list[Tensor]:
    return plan_tensors(base.path, read_config(base.path), adapter)


def _threads(config: ExportConfig) -> int:
    return config.threads or min(8, len(os.sched_getaffinity(0)))


def _inputs(base, adapter: Path | None, name: str, config: ExportConfig, provenance) -> dict:
    """What the file depends on: a finished export counts only for the same."""
    weighed = sha256_file(adapter / IMPORTANCE) if adapter and _weighs(adapter) else ""
    return {
        "format": FORMAT,
        "base": f"{base.name}@{base.revision}",
        "adapter": checked_adapter(adapter) if adapter else "",
        "name": name,
        "quantisation": config.quantisation,
        "provenance": {str(key): str(value) for key, value in provenance.items()},
    } | ({"importance": weighed} if weighed else {})


def _weighs(adapter: Path) -> bool:
    return (adapter / IMPORTANCE).is_file()


def checked_adapter(folder: Path) -> str:
    """The sha256 of an adapter's weights; ModelFileError where `train` wrote down another."""
    weights, record = folder / "adapter_model.safetensors", folder.parent / "train.json"
    if not weights.is_file():
        raise ModelFileError(f"{weights}: no such file")
    found = sha256_file(weights)
    written = read_json(record).get("adapter_sha256", found) if record.is_file() else found
    if found != written:
        raise ModelFileError(
            f"{weights}: is damaged (sha256 {found[:12]}..., written as {written[:12]}...);"
            " it is not exported; run the night's train stage again"
        )
    return found


def _types(
    tensors: list[Tensor], settings: Mapping, quantisation: str
) -> "dict[str, GGMLQuantizationType]":
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    return tensor_types(shapes, quantisation, settings["num_hidden_layers"])


def _check_room(path: Path, size: int, spare_gb: float) -> None:
    free = shutil.disk_usage(path.parent).free
    needed = size + HEADER_BYTES + int(spare_gb * 1e9)
    if needed > free:
        raise UserError(
            f"{path.parent}: {needed:,} bytes are needed for {path.name} and {free:,} are free"
            f" ({spare_gb} GB of it to stay free, [export] spare_gb): make room"
        )


def _writer(base, settings: Mapping, title: str, provenance: Mapping):
    """The library's writer with every key but the file type; it writes header and names only."""
    import gguf

    writer = gguf.GGUFWriter(None, FAMILIES[settings["architectures"][0]])
    write_provenance(writer, title, base, provenance)
    write_metadata(writer, base.path, settings)
    return writer
