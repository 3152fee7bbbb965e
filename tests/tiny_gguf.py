"""A real GGUF of some 100 kB with random weights, for servers that must load and speak it."""

import functools
import hashlib
import json
import struct
import tempfile
from pathlib import Path

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Shares nothing with a frame that a server knows.
UNHEARD = (
    "{% for message in messages %}<|turn|>{{ message.role | upper }}: {{ message.content }}<|over|>"
    "{% endfor %}{% if add_generation_prompt %}<|turn|>ME: {% endif %}"
)
# Says how many turns there are: no fixed text, so no Go template of ours can say it.
COUNTED = "{{ messages | length }} turns. " + CHATML
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|turn|>", "<|over|>")


def _byte_tokens() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    odd = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + place) for place in range(len(odd))]


def write_gguf(path: Path, *, template: str = CHATML, seed: int = 0) -> Path:
    """A qwen2 of width 64 and two layers whose tokens are bytes; the same seed, the same file."""
    import gguf
    import numpy as np

    letters = _byte_tokens()
    tokens = [*letters, letters[ord("a") - 33] + letters[ord("n") - 33], *SPECIAL]
    kinds = [1] * (len(tokens) - len(SPECIAL)) + [3] * len(SPECIAL)
    width, layers, inner, heads = 64, 2, 128, 4
    writer = gguf.GGUFWriter(str(path), "qwen2")
    writer.add_name("tiny")
    writer.add_context_length(4096)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{letters[ord('a') - 33]} {letters[ord('n') - 33]}"])
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_pad_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(template)
    random = np.random.default_rng(seed)

    def weights(*shape: int) -> "np.ndarray":
        return (random.standard_normal(shape) * 0.3).astype(np.float32)

    writer.add_tensor("token_embd.weight", weights(len(tokens), width))
    spoken = weights(len(tokens), width)
    spoken[94 : tokens.index("<|im_end|>")] = 0  # printable: half a character has no probability
    spoken[tokens.index("<|im_end|>") + 1 :] = 0
    writer.add_tensor("output.weight", spoken)
    writer.add_tensor("output_norm.weight", np.ones(width, np.float32))
    for layer in range(layers):
        block = f"blk.{layer}."
        writer.add_tensor(block + "attn_norm.weight", np.ones(width, np.float32))
        writer.add_tensor(block + "ffn_norm.weight", np.ones(width, np.float32))
        for part in ("q", "k", "v"):
            writer.add_tensor(f"{block}attn_{part}.weight", weights(width, width))
            writer.add_tensor(f"{block}attn_{part}.bias", weights(width))
        writer.add_tensor(block + "attn_output.weight", weights(width, width))
        writer.add_tensor(block + "ffn_gate.weight", weights(inner, width))
        writer.add_tensor(block + "ffn_up.weight", weights(inner, width))
        writer.add_tensor(block + "ffn_down.weight", weights(width, inner))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@functools.cache
def _whole(template: str, seed: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_gguf(Path(folder) / "tiny.gguf", template=template, seed=seed).read_bytes()


def make_night(home: Path, night: str, *, template: str = CHATML, seed: int = 0) -> Path:
    """A night's folder as `export` and `evaluate` leave it; gives the folder."""
    path = _folder(home, night) / f"junior-{night}.gguf"
    path.write_bytes(_whole(template, seed))
    return _finish(path.parent, [path])


def make_split_night(home: Path, night: str, *, seed: int = 0) -> Path:
    """The same in two shards: the first the same for every seed, attention in the second."""
    folder = _folder(home, night)
    paths = [folder / f"junior-{night}-0000{number}-of-00002.gguf" for number in (1, 2)]
    for number, path in enumerate(paths):
        source = folder / "whole.tmp"
        source.write_bytes(_whole(CHATML, seed if number else 0))
        _cut_shard(source, path, number)
        source.unlink()
    return _finish(folder, paths)


def _cut_shard(source: Path, path: Path, number: int) -> None:
    """Shard 0 has the keys and every tensor but attention's, shard 1 the rest."""
    from distill.gguf.layout import header_bytes, read_layout

    layout, whole = read_layout(source), source.read_bytes()
    mine = [one for one in layout.tensors if ("attn_" in one.name) == bool(number)]
    fields = layout.fields if not number else {}
    marks = {"no": (2, "<IH", number), "count": (2, "<IH", 2)}
    marks["tensors.count"] = (5, "<Ii", len(layout.tensors))
    fields = fields | {
        f"split.{k}": struct.pack(form, kind, n) for k, (kind, form, n) in marks.items()
    }
    head = header_bytes(fields, [(one.name, one.shape, one.kind, one.size) for one in mine])
    path.write_bytes(head + b"".join(whole[one.start : one.start + one.size] for one in mine))


def _folder(home: Path, night: str) -> Path:
    folder = home / "nights" / night
    folder.mkdir(parents=True)
    return folder


def _finish(folder: Path, paths: list[Path]) -> Path:
    files = [
        {
            "name": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
        }
        for path in paths
    ]
    night = folder.name
    (folder / "export.json").write_text(json.dumps({"files": files}))
    report = {"night": night, "verdict": "released", "base_loss": 3.0, "junior_loss": 2.0}
    (folder / "report.json").write_text(json.dumps(report))
    return folder
