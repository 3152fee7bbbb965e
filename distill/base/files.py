"""What a base's folder must hold: a known family, whole safetensors, tokenizer, chat template."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from memory.errors import ModelFileError

FAMILIES = ("qwen2", "qwen3", "llama")
# Nothing that is unpickled or run is ever stored: no .bin, .pt, .py.
KEPT = (".safetensors", ".json", ".txt", ".jinja")
ALSO_KEPT = ("LICENSE", "NOTICE")


def is_kept(name: str) -> bool:
    """Whether a file of a repository belongs into the cache (top folder, safe kinds only)."""
    return "/" not in name and (name.endswith(KEPT) or name.startswith(ALSO_KEPT))


def check_base_folder(folder: Path, name: str) -> str:
    """The family of the model in `folder` ("qwen2", "qwen3", "llama").

    Raises ModelFileError: no model here, another family, weights already quantised, code of its
    own, weights missing or cut off, no tokenizer, no chat template.
    """
    config = read_json(folder / "config.json", f"{name} is no model in Hugging Face layout")
    family = str(config.get("model_type"))
    if family not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise ModelFileError(f"{name}: a model of the family {family}; Junior knows {known}.")
    if "quantization_config" in config:
        raise ModelFileError(
            f"{name}: its weights are already quantised; name the repository of the plain ones."
        )
    if "auto_map" in config:
        raise ModelFileError(f"{name}: it needs code of its own, which Junior never runs.")
    for file in weight_files(folder, name):
        check_safetensors(file)
    check_tokenizer(folder, name)
    return family


def weight_files(folder: Path, name: str) -> list[Path]:
    """model.safetensors, or the shards of its index; ModelFileError where one is missing."""
    index = folder / "model.safetensors.index.json"
    names = ["model.safetensors"]
    if index.is_file():
        shards = read_json(index, f"{name}: the list of shards is damaged").get("weight_map", {})
        names = sorted(set(shards.values()))
    missing = [file for file in names if not is_kept(file) or not (folder / file).is_file()]
    if missing or not names:
        raise ModelFileError(f"{name}: no {', '.join(missing) or 'weights'} in {folder}.")
    return [folder / file for file in names]


def check_safetensors(file: Path) -> None:
    """Raise ModelFileError unless header and data fill the file exactly.

    Layout: 8 bytes length of the header (little endian), JSON header with data_offsets, data
    (https://github.com/huggingface/safetensors#format).
    """
    size = file.stat().st_size
    with open(file, "rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        try:
            header = json.loads(opened.read(length)) if 8 + length <= size else {}
            ends = [t["data_offsets"][1] for key, t in header.items() if key != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelFileError(f"{file}: this is no safetensors file.") from error
    if not ends or 8 + length + max(ends) != size:
        raise ModelFileError(
            f"{file}: cut off or no safetensors file ({size:,} bytes). Fetch it anew."
        )


def check_tokenizer(folder: Path, name: str) -> None:
    """Raise ModelFileError unless there is a tokenizer.json and a chat template."""
    read_json(folder / "tokenizer.json", f"{name} has no fast tokenizer")
    settings = read_json(folder / "tokenizer_config.json", f"{name} has no tokenizer settings")
    if not settings.get("chat_template") and not (folder / "chat_template.jinja").is_file():
        raise ModelFileError(
            f"{name} has no chat template: it is a plain text model. Take its Instruct sister."
        )


def read_json(file: Path, otherwise: str) -> dict:
    """A JSON object from a file; ModelFileError beginning with `otherwise` if it cannot be had."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{otherwise}: {file} cannot be read ({error}).") from error
    if not isinstance(found, dict):
        raise ModelFileError(f"{otherwise}: {file} holds no object.")
    return found


def copy_base_folder(source: Path, target: Path, progress: Callable[[dict], None]) -> None:
    """Copy the files that are kept; `progress` gets {"bytes", "total_bytes"}. Raises OSError."""
    files = sorted(file for file in source.iterdir() if file.is_file() and is_kept(file.name))
    files = [file for file in files if file.name not in ("base.json", "hashed.json")]
    total, done = sum(file.stat().st_size for file in files), 0
    for file in files:
        shutil.copyfile(file, target / file.name)
        done += file.stat().st_size
        progress({"bytes": done, "total_bytes": total})
