"""The base in NF4 with a fresh adapter on it, and that adapter as files."""

import json
import os
import shutil
from importlib.metadata import version
from pathlib import Path

from distill.train.checkpoints import read_seal, seal
from distill.train.precision import Precision, keep_weights_as_packed
from distill.train.ranks import is_first, local_rank, wait_for_all
from distill.train.recipes import TrainConfig
from memory.errors import ModelFileError, StageError
from memory.files import cache_path, make_private_dir, sha256_file, write_atomic

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
WORTH_CACHING = 500_000_000  # bytes of weights; a smaller base is quantised as fast as it is read


def load_tokenizer(base):
    """The base's tokenizer, from its folder alone. Raises ModelFileError."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(base.path, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise _broken(base, error) from error


def load_quantised(
    base,
    precision: Precision,
    attention: str = "sdpa",
    cached: bool = False,
    shards: int = 1,
):
    """The base with its linear layers in double-quantised NF4 (QLoRA, arXiv 2305.14314).

    The rest is in `precision.dtype`. No k-bit preparation: that upcasts the tied embedding,
    622 MB of a 3B, for nothing. `cached` keeps a large base quantised on disk for later nights.
    One to be split over `shards` GPUs comes into main memory, kept in a dtype that FSDP can hold.
    Raises ModelFileError for a folder that is no whole model.
    """
    folder = nf4_folder(base, precision.dtype, shards)
    cached = cached and weights_bytes(base.path) > WORTH_CACHING
    if not is_first():  # what the first quantises is there for the others
        wait_for_all()
    if cached and read_seal(folder):
        model = _load(base, folder, precision, attention, shards)
    else:
        model = _load(base, base.path, precision, attention, shards)
        if cached:
            keep_quantised(model, folder)
    if is_first():
        wait_for_all()
    model.config.use_cache = False  # packs stay isolated only without a cache
    keep_weights_as_packed(model)
    return model


def _load(base, folder: Path, precision: Precision, attention: str, shards: int = 1):
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    dtype = getattr(torch, precision.dtype)
    quantisation = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_quant_storage=dtype if shards > 1 else torch.uint8,
    )
    place = local_rank() if precision.on_gpu and shards == 1 else "cpu"
    try:
        model, loading = AutoModelForCausalLM.from_pretrained(
            folder,
            quantization_config=quantisation,
            dtype=dtype,
            device_map={"": place},
            attn_implementation=attention,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise _broken(base, error) from error
    if loading["missing_keys"]:
        raise _broken(base, f"{len(loading['missing_keys'])} tensors are missing")
    return model


def nf4_folder(base, dtype: str, shards: int = 1) -> Path:
    """Where the quantised base lies: by lineage, dtype and the libraries that wrote it."""
    made_by = "-".join(version(name) for name in ("transformers", "bitsandbytes"))
    kept = "-to-split" if shards > 1 else ""
    return cache_path() / "nf4" / f"{base.lineage}-{dtype}{kept}-{made_by}"


def weights_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in Path(folder).glob("*.safetensors"))


def keep_quantised(model, folder: Path) -> None:
    """Writes the quantised base into `folder`, sealed by its hashes; a full disk is no failure."""
    partial = folder.with_name(f".partial-{folder.name}-{os.getpid()}")
    try:
        make_private_dir(folder.parent)
        model.save_pretrained(partial)
        seal(partial, {})
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)


def add_adapter(model, config: TrainConfig, start: Path | None = None):
    """A LoRA adapter on the target modules: A random by torch's seed, B zero.

    With `start`, the folder of an earlier night's adapter, those weights are where it begins.
    """
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
    from safetensors.torch import load_file

    lora = LoraConfig(
        r=config.r,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        use_dora=config.adapter == "dora",
        target_modules=list(config.target_modules),
        bias="none",
        task_type="CAUSAL_LM",
    )
    try:
        adapted = get_peft_model(model, lora)
    except ValueError as error:
        raise ModelFileError(
            f"train.target_modules {', '.join(config.target_modules)}: not found in this base"
            " (Qwen and Llama have q_proj k_proj v_proj o_proj gate_proj up_proj down_proj)"
        ) from error
    if start:
        set_peft_model_state_dict(adapted, load_file(start / WEIGHTS))
    return adapted


def recompute_layers(model, count: int) -> None:
    """Has the first `count` layers keep their input alone and compute the rest again."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)]
    if count:
        settings = {"use_reentrant": False}
        model.get_base_model().gradient_checkpointing_enable(gradient_checkpointing_kwargs=settings)
    for layer in layers[count:]:
        layer.gradient_checkpointing = False


def to_float32(model) -> None:
    """Makes every trainable parameter float32: TRL casts those of a quantised model to bfloat16.

    In bfloat16, at a rate of 5e-5, two thirds of A's entries never move.
    """
    import torch

    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.float32)


def check_float32(model) -> None:
    """Raises StageError if anything that trains is not float32, or if nothing trains."""
    import torch

    wrong = {p.dtype for p in model.parameters() if p.requires_grad} - {torch.float32}
    if wrong or not any(p.requires_grad for p in model.parameters()):
        raise StageError(f"train: adapter parameters are {sorted(map(str, wrong)) or 'missing'}")


def adapter_weights(model) -> dict:
    """The adapter's tensors on the CPU, by PEFT's names (`base_model.model...lora_A.weight`)."""
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}


def share_moved(before: dict, after: dict) -> dict[str, float]:
    """Share of entries that training changed, for the A and the B matrices."""
    shares = {}
    for part in ("lora_A", "lora_B"):
        names = [name for name in after if part in name]
        moved = sum(int((before[name] != after[name]).sum()) for name in names)
        shares[part] = moved / max(1, sum(after[name].numel() for name in names))
    return shares


def write_adapter(folder: Path, model, base, weights: dict) -> str:
    """Writes adapter_config.json, then adapter_model.safetensors; gives the sha256 of the latter.

    The configuration names the base by name, not by where it lies, and its lists are sorted, so
    that the same training gives the same bytes.
    """
    from safetensors.torch import save

    make_private_dir(folder)
    config = model.peft_config["default"].to_dict()
    config = {k: sorted(v) if isinstance(v, set) else v for k, v in config.items()}
    config |= {"base_model_name_or_path": base.name, "revision": None, "inference_mode": True}
    write_atomic(folder / CONFIG, json.dumps(config, indent=2, sort_keys=True, default=str))
    write_atomic(folder / WEIGHTS, save(weights, metadata={"format": "pt"}))
    return sha256_file(folder / WEIGHTS)


def _broken(base, why: object) -> ModelFileError:
    reason = str(why).strip().splitlines()[0] if str(why).strip() else type(why).__name__
    return ModelFileError(
        f"the base {base.name} in {base.path} cannot be loaded: {reason}."
        f" Run `junior base remove {base.name}` and fetch it again"
    )
