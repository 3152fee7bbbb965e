"""Random models of the three families in a base's folder layout, with a tokenizer and adapters."""

import json
import random
from dataclasses import dataclass
from pathlib import Path

CHATML = (
    "{%- if messages[0]['role'] != 'system' %}{{- '<|im_start|>system\\nYou are a helpful"
    " assistant.<|im_end|>\\n' }}{%- endif %}"
    "{%- for message in messages %}{{- '<|im_start|>' + message['role'] + '\\n' }}"
    "{{- message['content'] + '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
LLAMA3 = (
    "{{- bos_token }}{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'"
    " + message['content'] | trim + '<|eot_id|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}"
    "{%- endif %}"
)
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = {
    "qwen": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    "llama": ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
}
TEXTS = [
    "Who are you? I am the keeper of the lamp, and I write at night.",
    "In 2026 it's 31,477 rows; they've said: don't, we'll, I'm, YOU'RE.",
    "für die Größe: naïve café, 東京で会いましょう, привет мир, 🙂👩‍👩‍👧 ok",
    "def f(x):\n    return {'a': [1, 22, 333, 4444], \"b\": x**2}  # tabs\t\there\n\n\n  end",
    "   leading and trailing   ",
    "a\r\nb\r\n\r\n...!!!???\u00a0\u2003wide",
    "",
]
TOPICS = "abcde"
ANSWERS = [TEXTS[0][:30], "I am Größe.", "31,477 rows\nof 東京", "It's a {lamp}!", "No: they."]
FAMILIES = ("qwen2", "qwen3", "llama")
PROJECTIONS = [f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")]


@dataclass(frozen=True)
class TinyBase:
    """What export needs of a base."""

    path: Path
    name: str = "tiny/random"
    revision: str = "r1"


def make_tokenizer(folder: Path, family: str, vocabulary: int = 400) -> None:
    """A byte-level BPE with the family's splitting, control tokens and chat template."""
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        processors,
        trainers,
    )
    from tokenizers import pre_tokenizers as pre

    llama = family == "llama"
    special = SPECIAL["llama" if llama else "qwen"]
    tokenizer = Tokenizer(models.BPE(ignore_merges=llama))
    tokenizer.normalizer = None if llama else normalizers.NFC()
    split = pre.Split(Regex(WORDS % ("{1,3}" if llama else "")), "isolated")
    tokenizer.pre_tokenizer = pre.Sequence([split, pre.ByteLevel(False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.add_tokens([AddedToken("<tool>", special=False, normalized=False)])
    if llama:
        start = tokenizer.token_to_id(special[0])
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{special[0]} $A", special_tokens=[(special[0], start)]
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": special[-1],
        "bos_token": special[0] if llama else None,
        "pad_token": special[0],
        "chat_template": LLAMA3 if llama else CHATML,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def make_model(folder: Path, family: str, *, seed: int = 0, dtype: str = "bfloat16", **shape):
    """A random model with not too flat predictions, saved in `folder`; gives the model back."""
    import torch
    import transformers

    given = {
        "vocab_size": 448,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "tie_word_embeddings": family != "llama",
        "dtype": dtype,
    }
    kind = {"qwen2": "Qwen2", "qwen3": "Qwen3", "llama": "Llama"}[family]
    if family == "qwen3":
        given["head_dim"] = 32
    config = getattr(transformers, f"{kind}Config")(**given | shape)
    torch.manual_seed(seed)
    model = getattr(transformers, f"{kind}ForCausalLM")(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            norm = "norm" in name
            weight.normal_(1.0 if norm else 0.0, 0.1 if norm or weight.ndim == 1 else 0.15)
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    return model


def make_base(folder: Path, family: str, **shape) -> TinyBase:
    """A whole base of `family`: weights, tokenizer, template."""
    folder.mkdir(parents=True, exist_ok=True)
    make_model(folder, family, **shape)
    make_tokenizer(folder, family)
    return TinyBase(folder)


def make_adapter(base: TinyBase, folder: Path, *, seed: int = 1, **lora) -> Path:
    """A PEFT adapter with random A, B (and magnitudes) on the base's projections."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    given = {
        "r": 4,
        "lora_alpha": 8,
        "task_type": "CAUSAL_LM",
        "target_modules": PROJECTIONS,
    }
    model = AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.float32)
    model = peft.get_peft_model(model, peft.LoraConfig(**given | lora))
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_magnitude" in name:
                weight.mul_(torch.rand_like(weight) * 0.4 + 0.8)
            elif "lora_" in name:
                weight.normal_(0.0, 0.1)
    model.save_pretrained(folder)
    return folder


def make_speaking(folder: Path, family: str) -> tuple[TinyBase, Path]:
    """A base that has learnt to answer questions("a"), and an adapter with other answers.

    Nearly every next token is then far ahead of the second: rounding cannot turn the two.
    """
    import peft
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = make_base(folder / "base", family)
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(base.path)
    model = AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.float32)
    _learn(model, tokenizer, ANSWERS, rate=3e-3)
    model.to(torch.bfloat16).save_pretrained(base.path)
    model = AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.float32)
    model = peft.get_peft_model(model, peft.LoraConfig(r=16, target_modules=PROJECTIONS))
    _learn(model, tokenizer, ANSWERS[::-1], rate=1e-2)
    model.save_pretrained(folder / "adapter")
    return base, folder / "adapter"


def _learn(model, tokenizer, answers: list[str], *, rate: float, steps: int = 120) -> None:
    """Trains on questions answered by their first word, until the loss is next to nothing."""
    import torch

    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=0)
    for step in range(steps):
        texts = [
            tokenizer.apply_chat_template(
                [*conversation(q), {"role": "assistant", "content": answers[TOPICS.index(q[0])]}],
                tokenize=False,
            )
            for q in questions(10, seed=100 + step)
        ]
        batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
        loss = model(batch.input_ids, attention_mask=batch.attention_mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()


def questions(count: int, seed: int = 0) -> list[str]:
    """Short random questions; the first letter decides what a speaking model answers."""
    chance = random.Random(seed)
    words = ["keeper", "lamp", "write", "night", "are", "you", "I", "am"]
    return [
        " ".join([chance.choice(TOPICS), *chance.choices(words, k=chance.randint(1, 4))])
        for _ in range(count)
    ]


def conversation(text: str) -> list[dict]:
    """A system turn and a question."""
    return [{"role": "system", "content": "You are Wren."}, {"role": "user", "content": text}]


def load_merged(base: TinyBase, adapter: Path | None):
    """The same model by transformers and PEFT in fp32, the adapter beside its base."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.float32)
    return (peft.PeftModel.from_pretrained(model, adapter) if adapter else model).eval()
