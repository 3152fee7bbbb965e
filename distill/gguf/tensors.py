"""A base's weights with an adapter added, as named tensors that give their rows block by block."""

import json
import mmap
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from memory.errors import ModelFileError, UserError

if TYPE_CHECKING:
    import numpy as np

BLOCK_ELEMENTS = 1 << 19  # a block of rows: 2 MiB in fp32, so a handful of threads stay small
IMPORTANCE = "importance.safetensors"  # beside an adapter: module -> mean square of its inputs
STORED = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}  # safetensors' names -> what lies in the file
FAMILIES = {"Qwen2ForCausalLM": "qwen2", "Qwen3ForCausalLM": "qwen3", "LlamaForCausalLM": "llama"}


@dataclass(frozen=True, slots=True)
class Stored:
    """One tensor of a safetensors file: `data` is mapped, in the file's own type."""

    shape: tuple[int, ...]
    dtype: str
    data: "np.ndarray"

    def rows(self, index) -> "np.ndarray":
        """The rows `index` (slice or integer array) as fp32, a copy."""
        import numpy as np

        part = self.data[index]
        if self.dtype == "BF16":
            return (part.astype(np.uint32) << 16).view(np.float32)
        return part.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Lora:
    """What an adapter adds to one matrix: scale * up @ down, fp32; DoRA's row norms if it has any.

    `down` (A) is (r, in), `up` (B) is (out, r), `magnitude` (out,). LoRA: arXiv 2106.09685,
    DoRA: arXiv 2402.09353; names and scaling as in PEFT.
    """

    down: "np.ndarray"
    up: "np.ndarray"
    scale: float
    magnitude: "np.ndarray | None"

    def add(self, rows: "np.ndarray", index) -> None:
        """Adds the rows `index` of this adapter to `rows` (fp32, n x in) in place."""
        import numpy as np

        delta = self.up[index] @ self.down
        delta *= np.float32(self.scale)
        rows += delta
        if self.magnitude is not None:
            norm = np.sqrt(np.einsum("ij,ij->i", rows, rows))
            rows *= (self.magnitude[index] / norm)[:, None]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the GGUF file: `name` is its name there, `shape` in the order of numpy.

    `permutation` gives, for each row, the row of the base it comes from (llama's q and k);
    `importance` how much each column matters when the rows are rounded, (columns,) fp32.
    """

    name: str
    shape: tuple[int, ...]
    stored: Stored
    lora: Lora | None = None
    permutation: "np.ndarray | None" = None
    importance: "np.ndarray | None" = None

    @property
    def rows_per_block(self) -> int:
        """Fixed by the shape alone, so that every path computes the same bytes."""
        return max(1, BLOCK_ELEMENTS // self.shape[-1])

    def blocks(self) -> Iterator[tuple[int, int]]:
        """(first row, row after the last) of each block; a vector is one row."""
        count = self.shape[0] if len(self.shape) == 2 else 1
        for start in range(0, count, self.rows_per_block):
            yield start, min(count, start + self.rows_per_block)

    def read(self, start: int, stop: int) -> "np.ndarray":
        """Rows `start` to `stop` as fp32, (rows, columns), with the adapter added."""
        if len(self.shape) == 1:
            everything = slice(None) if self.permutation is None else self.permutation
            return self.stored.rows(everything)[None, :]
        whole = self.permutation is None
        index = slice(start, stop) if whole else self.permutation[start:stop]
        rows = self.stored.rows(index)
        if self.lora is not None:
            self.lora.add(rows, index)
        return rows


def read_config(folder: Path) -> dict:
    """`config.json` of a base. Raises UserError for a model that cannot be exported."""
    config = read_json(folder / "config.json")
    name = (config.get("architectures") or ["?"])[0]
    if name not in FAMILIES:
        raise UserError(
            f"{folder}: a model of kind {name} cannot be exported; {', '.join(FAMILIES)} can"
        )
    if config.get("use_sliding_window") or "sliding_attention" in (config.get("layer_types") or ()):
        raise UserError(f"{folder}: sliding-window attention cannot be exported to GGUF here")
    return config


def plan_tensors(folder: Path, config: Mapping, adapter: Path | None) -> list[Tensor]:
    """Every tensor of the GGUF file in llama.cpp's order, each with what the adapter adds to it.

    `folder` holds config.json and safetensors, `adapter` what PEFT saved. Raises UserError where
    the two do not fit together, ModelFileError for a damaged file.
    """
    import gguf

    family = FAMILIES[config["architectures"][0]]
    layers, heads = config["num_hidden_layers"], config["num_attention_heads"]
    names = gguf.get_tensor_name_map(getattr(gguf.MODEL_ARCH, family.upper()), layers)
    loras = read_adapter(adapter) if adapter else {}
    importance = read_importance(adapter) if adapter else {}
    tensors = []
    for source, stored in open_tensors(folder).items():
        if _left_out(source, config):
            continue
        name = names.get_name(source, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise UserError(f"{folder}: {source} has no place in a GGUF file of kind {family}")
        rows = None
        if family == "llama" and re.search(r"\.[qk]_proj\.(weight|bias)$", source):
            grouped = config.get("num_key_value_heads") or heads
            rows = permutation(stored.shape[0], heads if ".q_proj." in source else grouped)
        module = source.removesuffix(".weight")
        lora = loras.pop(module, None) if source.endswith(".weight") else None
        if lora is not None and (lora.up.shape[0], lora.down.shape[1]) != stored.shape:
            raise UserError(f"{adapter}: its {module} does not have the base's shape")
        tensors.append(Tensor(name, stored.shape, stored, lora, rows, importance.get(module)))
    if loras:
        raise UserError(
            f"{adapter}: it changes {', '.join(sorted(loras)[:3])}, which the base at {folder} does"
            " not have of its own: train on the layers' projections only"
        )
    return sorted(tensors + _rope_frequencies(config, family), key=lambda one: file_order(one.name))


def permutation(rows: int, heads: int) -> "np.ndarray":
    """llama.cpp turns pairs of neighbours where transformers turns halves: row i comes from [i]."""
    import numpy as np

    return np.arange(rows).reshape(heads, 2, rows // heads // 2).swapaxes(1, 2).reshape(-1)


def open_tensors(folder: Path) -> dict[str, Stored]:
    """All tensors of `model.safetensors`, or of the shards its index names, mapped, not read."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return open_safetensors(folder / "model.safetensors")
    shards = sorted(set(read_json(index)["weight_map"].values()))
    return {name: t for shard in shards for name, t in open_safetensors(folder / shard).items()}


def open_safetensors(path: Path) -> dict[str, Stored]:
    """The tensors of one safetensors file, mapped. Raises ModelFileError for a damaged one.

    Format: 8 bytes length of the JSON header (little endian), header, data
    (https://huggingface.co/docs/safetensors, "Format").
    """
    import numpy as np

    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length < 1 << 28 else None
            view = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
        header.pop("__metadata__", None)
        return {name: _stored(view[8 + length :], entry) for name, entry in header.items()}
    except FileNotFoundError as error:
        raise ModelFileError(f"{path}: no such file") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelFileError(
            f"{path}: damaged or cut short ({path.stat().st_size} bytes): fetch or train it again"
        ) from error


def read_adapter(folder: Path) -> dict[str, Lora]:
    """PEFT's adapter by module name ("model.layers.0.self_attn.q_proj").

    Raises UserError for anything but LoRA and DoRA on matrices (whole modules saved, adapters on
    the embedding, biases): it would be lost in silence.
    """
    config = read_json(folder / "adapter_config.json")
    if config.get("peft_type") != "LORA" or config.get("fan_in_fan_out"):
        raise UserError(f"{folder}: only LoRA and DoRA adapters can be exported")
    parts: dict[str, dict[str, Stored]] = {}
    for name, stored in open_safetensors(folder / "adapter_model.safetensors").items():
        found = re.fullmatch(
            r"base_model\.model\.(.+)\.(lora_A|lora_B|lora_magnitude_vector)(?:\.weight)?", name
        )
        if not found:
            raise UserError(f"{folder}: {name} cannot be added to the base: only LoRA and DoRA can")
        parts.setdefault(found[1], {})[found[2]] = stored
    return {module: _lora(module, part, config) for module, part in parts.items()}


def read_importance(folder: Path) -> "dict[str, np.ndarray]":
    """The importance of each matrix's columns as training saw it, by module; {} without any."""
    path = folder / IMPORTANCE
    if not path.is_file():
        return {}
    return {name: stored.rows(slice(None)) for name, stored in open_safetensors(path).items()}


def _lora(module: str, part: Mapping[str, Stored], config: Mapping) -> Lora:
    down, up = part["lora_A"].rows(slice(None)), part["lora_B"].rows(slice(None))
    alpha, rank = config["lora_alpha"], down.shape[0]
    for pattern, value in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            alpha = value
    magnitude = part.get("lora_magnitude_vector")
    scale = alpha / (rank**0.5 if config.get("use_rslora") else rank)
    return Lora(down, up, scale, None if magnitude is None else magnitude.rows(slice(None)))


def _stored(data: "np.ndarray", entry: Mapping) -> Stored:
    """One header entry as a view on the mapped file. Raises ValueError where it does not fit."""
    import numpy as np

    start, stop = entry["data_offsets"]
    if entry["dtype"] not in STORED or stop > len(data):
        raise ValueError("outside the file, or not a floating-point type")
    shape = tuple(entry["shape"])
    raw = np.frombuffer(data[start:stop].data, np.dtype(STORED[entry["dtype"]]))
    return Stored(shape, entry["dtype"], raw.reshape(shape))


def _left_out(name: str, config: Mapping) -> bool:
    """A tied output is the embedding; rotary tables are computed by llama.cpp."""
    tied = config.get("tie_word_embeddings", False) and name == "lm_head.weight"
    return tied or name.endswith("rotary_emb.inv_freq")


def _rope_frequencies(config: Mapping, family: str) -> list[Tensor]:
    """Llama 3's frequency factors, which GGUF keeps as a tensor (as convert_hf_to_gguf does)."""
    import numpy as np

    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if family != "llama" or (rope.get("rope_type") or rope.get("type")) != "llama3":
        return []
    size = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    theta = rope.get("rope_theta") or config.get("rope_theta", 10000.0)
    waves = 2 * np.pi * theta ** (np.arange(0, size, 2, dtype=np.float64) / size)
    old, factor = rope["original_max_position_embeddings"], rope["factor"]
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    smooth = np.clip((old / waves - low) / (high - low), 0, 1)
    factors = (1 / ((1 - smooth) / factor + smooth)).astype(np.float32)
    return [Tensor("rope_freqs.weight", factors.shape, Stored(factors.shape, "F32", factors))]


def file_order(name: str) -> tuple[int, str]:
    """llama.cpp's own: by layer, then by name; what belongs to no layer comes first."""
    found = re.match(r"blk\.(\d+)\.", name)
    return (int(found[1]) if found else -1, name)


def read_json(path: Path) -> dict:
    """A JSON file of a base or an adapter. Raises ModelFileError: missing or damaged."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelFileError(f"{path}: no such file") from error
    except ValueError as error:
        raise ModelFileError(f"{path}: damaged: not JSON") from error
