"""Bases of random weights in the shapes of Qwen2.5, and adapters for them, for `export`."""

import json
from collections.abc import Iterator
from pathlib import Path

SHAPES = {
    "tiny": {"hidden": 256, "inner": 512, "layers": 4, "heads": 4, "vocabulary": 4096},
    "0.5B": {"hidden": 896, "inner": 4864, "layers": 24, "heads": 14, "vocabulary": 151_936},
    "3B": {"hidden": 2048, "inner": 11_008, "layers": 36, "heads": 16, "vocabulary": 151_936},
}
GROUPS = 2  # heads of keys and values
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
BLOCK = 1 << 24  # random numbers at a time


def make_base(folder: Path, shape: dict) -> None:
    """config.json, tokenizer and model.safetensors (bf16) in `folder`; kept if it is there."""
    if (folder / "config.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    _write_tokenizer(folder, shape["vocabulary"])
    with open(folder / "model.safetensors", "wb") as file:
        _write_weights(file, dict(tensors(shape)))
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "vocab_size": shape["vocabulary"],
        "hidden_size": shape["hidden"],
        "intermediate_size": shape["inner"],
        "num_hidden_layers": shape["layers"],
        "num_attention_heads": shape["heads"],
        "num_key_value_heads": GROUPS,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "eos_token_id": shape["vocabulary"] - len(SPECIAL) + 2,
    }
    (folder / "config.json").write_text(json.dumps(config))


def projections(shape: dict) -> dict[str, tuple[int, int]]:
    """(rows, columns) of a layer's matrices."""
    width, inner = shape["hidden"], shape["inner"]
    grouped = width // shape["heads"] * GROUPS
    attention = {"q": (width, width), "k": (grouped, width), "v": (grouped, width)}
    found = {f"self_attn.{name}_proj": size for name, size in attention.items()}
    found |= {"self_attn.o_proj": (width, width), "mlp.down_proj": (width, inner)}
    return found | {f"mlp.{name}_proj": (inner, width) for name in ("gate", "up")}


def tensors(shape: dict) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of everything in model.safetensors."""
    width = shape["hidden"]
    yield "model.embed_tokens.weight", (shape["vocabulary"], width)
    yield "model.norm.weight", (width,)
    for layer in range(shape["layers"]):
        at = f"model.layers.{layer}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            yield f"{at}{norm}.weight", (width,)
        for name, size in projections(shape).items():
            yield f"{at}{name}.weight", size
            if name[-6:] in ("q_proj", "k_proj", "v_proj"):
                yield f"{at}{name}.bias", size[:1]


def _write_weights(file, shapes: dict[str, tuple[int, ...]]) -> None:
    """bf16, normal with deviation .02, norms about 1; written as it is drawn."""
    import numpy as np

    header, start = {}, 0
    for name, size in shapes.items():
        stop = start + 2 * int(np.prod(size))
        header[name] = {"dtype": "BF16", "shape": size, "data_offsets": [start, stop]}
        start = stop
    head = json.dumps(header).encode()
    file.write(len(head).to_bytes(8, "little") + head)
    chance = np.random.default_rng(0)
    for name, size in shapes.items():
        count, middle = int(np.prod(size)), 1.0 if "norm" in name else 0.0
        for begin in range(0, count, BLOCK):
            drawn = chance.standard_normal(min(BLOCK, count - begin), np.float32) * 0.02 + middle
            file.write((drawn.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).data)


def make_adapter(folder: Path, shape: dict, targets: tuple[str, ...], seed: int = 1) -> None:
    """A PEFT LoRA of rank 16 with random A and B."""
    import numpy as np
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    chance, rank, weights = np.random.default_rng(seed), 16, {}
    for layer in range(shape["layers"]):
        for name, (rows, columns) in projections(shape).items():
            if name.partition(".")[2] in targets:
                at = f"base_model.model.model.layers.{layer}.{name}."
                down = chance.standard_normal((rank, columns), np.float32)
                weights[at + "lora_A.weight"] = down / columns**0.5
                up = chance.standard_normal((rows, rank), np.float32)
                weights[at + "lora_B.weight"] = up * np.float32(0.01)
    save_file(weights, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": 2 * rank}
    config |= {"target_modules": list(targets), "base_model_name_or_path": "random"}
    (folder / "adapter_config.json").write_text(json.dumps(config))


def _write_tokenizer(folder: Path, size: int) -> None:
    """A byte-level BPE in Qwen2's splitting: pairs of bytes, then pairs with a third, made up."""
    from tokenizers import pre_tokenizers

    from distill.gguf.metadata import WORDS

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens, merges = list(letters), []
    ends = size - len(SPECIAL)
    for first in (one for one in tokens if len(tokens) < ends):
        for second in letters[: ends - len(tokens)]:
            tokens.append(first + second)
            merges.append(f"{first} {second}")
    special = [
        {"id": len(tokens) + i, "content": text, "special": True, "single_word": False,
         "lstrip": False, "rstrip": False, "normalized": False}
        for i, text in enumerate(SPECIAL)
    ]  # fmt: skip
    split = {"type": "Split", "pattern": {"Regex": WORDS % ""}, "behavior": "Isolated"}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False}
    steps = [split | {"invert": False}, level | {"use_regex": False}]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = {
        "version": "1.0",
        "added_tokens": special,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "decoder": level | {"use_regex": True},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges, "ignore_merges": False},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": SPECIAL[2]}
    settings |= {"pad_token": SPECIAL[0], "chat_template": TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
