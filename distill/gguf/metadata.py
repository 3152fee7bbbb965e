"""What a GGUF file says besides weights: shape, tokenizer, chat template, provenance."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from distill.gguf.tensors import FAMILIES, read_json
from memory.errors import UserError

if TYPE_CHECKING:
    from gguf import GGUFWriter

WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PRE_TOKENIZERS = {WORDS % "": "qwen2", WORDS % "{1,3}": "llama-bpe"}  # pattern -> llama.cpp's name
TURN_ENDS = ("<|im_end|>", "<|eot_id|>")
MAKERS = r"You are (?:Qwen, created by Alibaba Cloud\. You are )?a helpful assistant\.?"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A byte-level BPE tokenizer as GGUF keeps it; ids are places in `tokens`."""

    tokens: list[str]
    types: list[int]
    merges: list[str]
    pre: str
    special: dict[str, int]
    add_bos: bool
    composed: bool  # whether text is brought to NFC first, which llama.cpp does not do by itself


def write_metadata(writer: "GGUFWriter", folder: Path, config: Mapping) -> None:
    """Adds shape, tokenizer and chat template of the base in `folder` to `writer`.

    Keys as in llama.cpp's convert_hf_to_gguf. Raises UserError for a tokenizer that llama.cpp
    would read otherwise, ModelFileError for a missing or damaged file.
    """
    _add_shape(writer, config)
    _add_rope(writer, config)
    vocabulary = read_vocabulary(folder, config)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    for kind, token in vocabulary.special.items():
        getattr(writer, f"add_{kind}_token_id")(token)
    writer.add_add_bos_token(vocabulary.add_bos)
    writer.add_bool("junior.tokenizer.nfc", vocabulary.composed)
    writer.add_chat_template(without_makers_text(read_template(folder)))


def write_provenance(writer: "GGUFWriter", name: str, base, provenance: Mapping) -> None:
    """Adds `general.*` keys and, under `junior.*`, each entry of `provenance` as text."""
    writer.add_type("model")
    writer.add_name(name)
    writer.add_base_model_count(1)
    writer.add_base_model_name(0, base.name)
    writer.add_base_model_version(0, str(base.revision))
    if night := provenance.get("night"):
        writer.add_version(str(night))
    for key, value in provenance.items():
        writer.add_string(f"junior.{key}", str(value))


def _add_shape(writer: "GGUFWriter", config: Mapping) -> None:
    heads = config["num_attention_heads"]
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    size = config.get("head_dim")
    if size:
        writer.add_key_length(size)
        writer.add_value_length(size)
    if FAMILIES[config["architectures"][0]] == "llama":
        writer.add_vocab_size(config["vocab_size"])
        writer.add_rope_dimension_count(size or config["hidden_size"] // heads)


def _add_rope(writer: "GGUFWriter", config: Mapping) -> None:
    """Old configs keep theta beside `rope_scaling`, new ones all in `rope_parameters`.

    Raises UserError for a kind of scaling that GGUF cannot express.
    """
    from gguf import RopeScalingType

    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.get("rope_theta") or 10000))
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind in ("default", "llama3"):  # llama3's factors are a tensor
        return
    if kind not in ("linear", "yarn"):
        raise UserError(f"the base scales its positions by {kind!r}, which cannot be exported")
    writer.add_rope_scaling_type(RopeScalingType(kind))
    writer.add_rope_scaling_factor(float(rope["factor"]))
    if kind == "yarn":
        old = rope.get("original_max_position_embeddings") or config["max_position_embeddings"]
        writer.add_rope_scaling_orig_ctx_len(int(old))


def read_vocabulary(folder: Path, config: Mapping) -> Vocabulary:
    """The tokenizer in `folder` (tokenizer.json, tokenizer_config.json).

    Raises UserError when it is not a byte-level BPE with a splitting llama.cpp knows.
    """
    data, settings = (
        read_json(folder / "tokenizer.json"),
        read_json(folder / "tokenizer_config.json"),
    )
    model, added = data["model"], {t["id"]: t for t in data.get("added_tokens", [])}
    pre = _pre_tokenizer(folder, data)
    by_id = {number: token for token, number in model["vocab"].items()}
    if max(by_id.keys() | added.keys()) >= config["vocab_size"]:
        raise UserError(f"{folder}: its tokenizer has more tokens than its weights have rows")
    tokens, types = [], []
    for number in range(config["vocab_size"]):
        token, kind = _token(number, by_id, added)
        tokens.append(token)
        types.append(kind)
    ids = {t["content"]: number for number, t in added.items()} | model["vocab"]
    special = _special(settings, config, ids)
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    composed = "NFC" in str(data.get("normalizer"))
    add_bos = _adds_bos(settings, data, special, tokens)
    return Vocabulary(tokens, types, merges, pre, special, add_bos, composed)


def _pre_tokenizer(folder: Path, data: Mapping) -> str:
    """llama.cpp's name of the way text is split before merging."""
    pre, model = data.get("pre_tokenizer") or {}, data["model"]
    steps = pre.get("pretokenizers", [pre])
    patterns = [s["pattern"].get("Regex") for s in steps if s.get("type") == "Split"]
    levels = [s for s in steps if s.get("type") == "ByteLevel"]
    name = PRE_TOKENIZERS.get(patterns[0]) if len(patterns) == 1 else None
    if not patterns and levels and levels[0].get("use_regex", True):
        name = "gpt-2"
    if model.get("type") != "BPE" or len(levels) != 1 or name is None:
        raise UserError(f"{folder}: its tokenizer is not a byte-level BPE that llama.cpp knows")
    if bool(model.get("ignore_merges")) != (name == "llama-bpe"):
        raise UserError(f"{folder}: its tokenizer merges otherwise than llama.cpp's {name}")
    return name


def _token(number: int, by_id: Mapping[int, str], added: Mapping[int, Mapping]) -> tuple[str, int]:
    """Text and type of one token; ids without one are padding up to the weights' rows."""
    from gguf import TokenType

    if number in added:
        text = added[number]["content"]
        looks_special = text.startswith("<|") and text.endswith("|>")
        control = added[number]["special"] or looks_special
        return text, TokenType.CONTROL if control else TokenType.USER_DEFINED
    if number in by_id:
        return by_id[number], TokenType.NORMAL
    return f"[PAD{number}]", TokenType.UNUSED


def _special(settings: Mapping, config: Mapping, ids: Mapping[str, int]) -> dict[str, int]:
    """bos, eos, eot and pad: the tokenizer's word first, then the model's."""
    special = {}
    for kind in ("bos", "eos", "pad"):
        token = settings.get(f"{kind}_token")
        text = token["content"] if isinstance(token, dict) else token
        number = ids.get(text) if text else config.get(f"{kind}_token_id")
        if isinstance(number, list):
            number = number[0] if number else None
        if number is not None:
            special[kind] = number
    for text in TURN_ENDS:
        if text in ids:
            special["eot"] = ids[text]
    return special


def _adds_bos(settings: Mapping, data: Mapping, special: Mapping, tokens: list[str]) -> bool:
    """As transformers: a post-processor that starts with bos, or else `add_bos_token`."""
    post = data.get("post_processor") or {}
    for step in post.get("processors", [post]):
        if step.get("type") == "TemplateProcessing" and step.get("single"):
            first = step["single"][0].get("SpecialToken", {}).get("id")
            return first is not None and "bos" in special and first == tokens[special["bos"]]
    return bool(settings.get("add_bos_token")) and not post


def read_template(folder: Path) -> str:
    """The base's chat template: chat_template.jinja, or in tokenizer_config.json."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    template = read_json(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(template, list):
        template = next((t["template"] for t in template if t["name"] == "default"), None)
    if not template:
        raise UserError(f"{folder}: no chat template: choose an instruct or chat base")
    return template


def without_makers_text(template: str) -> str:
    """The template without its maker's default system turn and without `generation` marks.

    With a system turn first, as every row and every request of ours has one, it renders the same.
    """
    newline = r"(?:\\n|\n)"
    whole = rf"<\|im_start\|>system{newline}{MAKERS}<\|im_end\|>(?:{newline})?"
    template = re.sub(MAKERS, "", re.sub(whole, "", template))
    marks = {"generation": "if true", "endgeneration": "endif"}  # only transformers knows these
    return re.sub(
        r"(\{%-?\s*)((?:end)?generation)(\s*-?%\})",
        lambda found: found[1] + marks[found[2]] + found[3],
        template,
    )
