"""Small bases for tests: a tiny base of a few steps, random weights in the three families."""

import json
import shutil
from pathlib import Path

from distill.base import Base, fetch_base, make_tiny_base
from distill.tiny_base import TinyConfig

QUICK = TinyConfig(steps=2, vocabulary=512, threads=1)


def quick_tiny_base() -> Base:
    """The tiny base after two steps with 512 tokens (about 5 s), in the cache of the test."""
    return make_tiny_base(config=QUICK)


def random_base(path: Path, family: str = "qwen2", *, tokenizer: Path, **shape) -> Path:
    """A folder in Hugging Face layout with random weights in bf16; gives `path`.

    `family` is qwen2, qwen3 or llama; `tokenizer` is a folder whose tokenizer is taken (a tiny
    base); `shape` overrides the configuration's fields (hidden_size, tie_word_embeddings, ...).
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    path.mkdir(parents=True, exist_ok=True)
    like = json.loads((tokenizer / "config.json").read_text())
    settings = {
        "vocab_size": like["vocab_size"],
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": like["eos_token_id"],
        "pad_token_id": like["pad_token_id"],
        **shape,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **settings))
    model.to(torch.bfloat16).save_pretrained(path)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer / file, path / file)
    return path


def fetched_random_base(path: Path, family: str, *, tokenizer: Path, **shape) -> Base:
    """random_base, fetched into the cache as an operator would fetch a folder."""
    return fetch_base(str(random_base(path, family, tokenizer=tokenizer, **shape)))
