"""Bases of a real one's shape with random weights, and what this machine can do at most."""

import time
from pathlib import Path

from distill.train.vram import KNOWN, Shape

SHAPES = {
    "qwen2.5-3b-shape": KNOWN["Qwen/Qwen2.5-3B-Instruct"],
    "qwen2.5-1.5b-shape": KNOWN["Qwen/Qwen2.5-1.5B-Instruct"],
    "toy-shape": Shape(2, 64, 128, 4, 2, 16, 4096, True, 2048),
}
VOCABULARY = 4096  # of the tokenizer: what it gives is far below a real vocabulary's end


def open_base(name: str):
    """The tiny base, or the base whose folder `write_random_base` made."""
    if name == "tiny":
        from distill.base import make_tiny_base

        return make_tiny_base()
    from distill.base import Base

    return Base(name, Path(name), "random", {}, False, f"random-{Path(name).name}")


def write_random_base(name: str, folder: Path) -> Path:
    """A folder in Hugging Face layout: Qwen2 of this shape, random bfloat16, a small tokenizer."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    shape = SHAPES[name]
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    config = Qwen2Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.mlp,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        tie_word_embeddings=shape.tied,
        max_position_embeddings=shape.positions,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    with torch.device(device):
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16)
        try:
            model = Qwen2ForCausalLM(config)
        finally:
            torch.set_default_dtype(before)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer():
    """A byte-level BPE over Python's help topics, in Qwen's chat format."""
    from pydoc_data.topics import topics

    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(topics.values(), trainer)
    template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=template,
    )


def gemm_rate(shape: Shape, tokens: int = 512, seconds: float = 0.5) -> float:
    """Operations a second of this machine's own matrix product, of an MLP's shape.

    In the dtype a GPU or a processor with AVX512-BF16 trains in here, else float32.
    """
    import torch

    from distill.train.precision import detect_precision
    from distill.train.recipes import LEVERS

    machine = detect_precision(LEVERS)
    dtype, device = getattr(torch, machine.dtype), machine.device
    tokens = 4096 if machine.on_gpu else tokens
    a = torch.randn(tokens, shape.hidden, dtype=dtype, device=device)
    b = torch.randn(shape.mlp, shape.hidden, dtype=dtype, device=device)
    wait = torch.cuda.synchronize if machine.on_gpu else lambda: None
    for _ in range(3):
        a @ b.t()
    wait()
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        for _ in range(20):
            a @ b.t()
        wait()
        count += 20
    return 2 * tokens * shape.hidden * shape.mlp * count / (time.perf_counter() - begin)


def settle_memory() -> None:
    """Loads what both sides import, then forgets the highest memory so far."""
    import bitsandbytes  # noqa: F401
    import datasets  # noqa: F401
    import torch
    import trl  # noqa: F401
    from peft import LoraConfig  # noqa: F401

    Path("/proc/self/clear_refs").write_text("5")  # proc_pid_clear_refs(5): resets VmHWM
    _BEFORE.append(_status("VmRSS"))
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peak_memory() -> float:
    """Highest memory since `settle_memory`, in 1e6 bytes: the GPU's, else what the process grew."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    return (_status("VmHWM") - _BEFORE[-1]) / 1e6


_BEFORE: list[int] = []


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"/proc/self/status has no {name}")
