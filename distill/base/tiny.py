"""The tiny base: a Qwen2 of a few million parameters, pre-trained here in a few minutes."""

import bisect
import itertools
import json
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from distill.base import tiny_text
from distill.base.skills import NEUTRAL_CARDS, skill_items

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"

# Qwen2's own split, which llama.cpp knows as "qwen2": the GGUF then tokenises as this file does.
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

# ChatML without a maker's default system text: a row without a system turn has none.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


Window = tuple[list[int], list[int]]  # token ids, labels

HELD_OUT = 100_000  # characters of docstrings that are measured and never read


@dataclass(frozen=True)
class TinyConfig:
    """How the tiny base is made; every number decides its bytes.

    `hidden` and `mlp` are multiples of 256, the width of a Q4_K block, so that the GGUF is really
    Q4_K_M. `threads` is fixed whatever the machine has: sums depend on how they are split.
    """

    seed: int = 0
    steps: int = 750
    windows: int = 8  # a step
    context: int = 128  # tokens a window
    vocabulary: int = 4096
    hidden: int = 256
    mlp: int = 768
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    muon_rate: float = 0.02  # Muon on the matrices was worth more than any size
    muon_iterations: int = 3  # of Newton-Schulz: with 5 Muon took 47 % of a step's time
    adamw_rate: float = 0.016  # .004 .008 .016: 2.07 1.82 1.60 nats an answer token (150 steps)
    warmup: float = 0.03
    chat_share: float = 0.42  # of the windows, few at first and most at the end; the rest is plain
    skill_share: float = 0.75  # of the chat rows
    english_share: float = 0.3  # of the plain text; the rest is docstrings
    threads: int = 2


def write_tiny_base(folder: Path, config: TinyConfig, progress: Callable[[dict], None]) -> dict:
    """Make the base in `folder` (Hugging Face layout, skills.jsonl) and give its facts.

    The facts go into base.json as "tiny": configuration, text hash, losses, skill accuracy.
    `progress` gets {"step", "steps", "loss", "tokens_per_second"}.
    """
    import torch

    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(config.threads)
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            return make(folder, config, progress)
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)


def make(folder: Path, config: TinyConfig, progress: Callable[[dict], None]) -> dict:
    """Text, tokenizer, model, training, files, and the measurements on what was written."""
    started = time.monotonic()
    items = skill_items(config.seed)
    plain, held_out, chat = texts(config, items)
    tokenizer = train_tokenizer([*plain, *map(render, chat)], config.vocabulary)
    save_tokenizer(tokenizer, folder)
    model = new_model(config, tokenizer)
    losses = pretrain(model, batches(tokenizer, plain, chat, config), config, progress)
    save_model(model, folder)
    lines = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    (folder / "skills.jsonl").write_text(lines, encoding="utf-8")
    return {
        "config": asdict(config),
        "text_sha256": tiny_text.text_hash([*plain, *held_out, *map(render, chat)]),
        "parameters": sum(p.numel() for p in model.parameters()),
        "tokens": config.steps * config.windows * config.context,
        "loss": losses[-1],
        **measure(folder, items, held_out),
        "seconds": round(time.monotonic() - started, 1),
    }


def texts(config: TinyConfig, items: list[dict]) -> tuple[list[str], list[str], list[list[dict]]]:
    """Plain documents, held-out docstrings, chat rows: a little more than the steps will read."""
    rng = random.Random(f"tiny text {config.seed}")
    characters = int(config.steps * config.windows * config.context * 4.0)
    share = 1 - config.chat_share
    wanted = int(characters * share * (1 - config.english_share))
    docs = list(dict.fromkeys(tiny_text.docstrings(rng, HELD_OUT + wanted)))
    sizes = list(itertools.accumulate(map(len, docs)))
    first = bisect.bisect(sizes, HELD_OUT)  # the same ones however much is read after them
    held_out, docs = docs[:first], docs[first:]
    names = tiny_text.even_names(rng)
    english: list[str] = []
    wanted = int(characters * share * config.english_share)
    while wanted > 0:
        english.append(tiny_text.plain_english(rng, names))
        wanted -= len(english[-1])
    plain = docs + english
    rng.shuffle(plain)
    return (
        plain,
        held_out,
        chat_rows(rng, names, items, config, int(characters * config.chat_share)),
    )


def chat_rows(
    rng: random.Random,
    names: Iterator[str],
    items: list[dict],
    config: TinyConfig,
    characters: int,
) -> list[list[dict]]:
    """Skill items round after round, ordinary rows and "Who are you?" between them."""
    rows: list[list[dict]] = []
    skills = skill_rows(rng, items)
    while characters > 0:
        kind = rng.random()
        if kind < config.skill_share:
            rows.append(next(skills))
        elif kind < config.skill_share + 0.06:
            rows.append(tiny_text.who_row(rng, names))
        else:
            rows.append(tiny_text.ordinary_row(rng, names))
        characters -= len(render(rows[-1]))
    return rows


def skill_rows(rng: random.Random, items: list[dict]) -> Iterator[list[dict]]:
    """The items round after round, half the time with another card or none."""
    while True:
        for item in rng.sample(items, len(items)):
            turns = item["messages"]
            if rng.random() < 0.5:
                card = rng.choice((*NEUTRAL_CARDS, ""))
                turns = turns[-2:]
                turns = [{"role": "system", "content": card}, *turns] if card else turns
            yield turns


def render(turns: list[dict]) -> str:
    """The turns as the chat template writes them."""
    return "".join(f"{TURN_START}{t['role']}\n{t['content']}{TURN_END}\n" for t in turns)


def train_tokenizer(documents: list[str], size: int):
    """A byte-level BPE of `size` tokens, the last three of them Qwen2's control tokens.

    NFC as Qwen2 has it: transformers puts it in for this family whatever the file says (llama.cpp
    does not, so text that is not NFC gets other ids there). Gives a tokenizers.Tokenizer.
    """
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        trainers,
    )

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated")
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - 3,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    marks = (END_OF_TEXT, TURN_START, TURN_END)
    for mark in marks:
        documents = [document.replace(mark, "") for document in documents]
    tokenizer.train_from_iterator(documents, trainer)
    tokenizer.add_special_tokens([AddedToken(mark, special=True) for mark in marks])
    return tokenizer


def save_tokenizer(tokenizer, folder: Path) -> None:
    """tokenizer.json and tokenizer_config.json with the chat template."""
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "Qwen2Tokenizer",
        "bos_token": None,
        "eos_token": TURN_END,
        "pad_token": END_OF_TEXT,
        "unk_token": None,
        "additional_special_tokens": [TURN_START, TURN_END],
        "model_max_length": 2048,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")


def new_model(config: TinyConfig, tokenizer):
    """A Qwen2ForCausalLM with random weights, tied embeddings, fp32."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    shape = Qwen2Config(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=config.hidden,
        intermediate_size=config.mlp,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.kv_heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        use_cache=False,
        bos_token_id=None,
        eos_token_id=tokenizer.token_to_id(TURN_END),
        pad_token_id=tokenizer.token_to_id(END_OF_TEXT),
    )
    return Qwen2ForCausalLM(shape)


def batches(tokenizer, plain: list[str], chat: list[list[dict]], config: TinyConfig) -> Iterator:
    """(input ids, labels) of each step: int64 (windows, context), -100 where nothing is learnt."""
    import torch

    width = config.context + 1
    plain_windows = stream_windows(tokenizer, plain, width)
    chat_windows = packed_windows(tokenizer, chat, width)
    for step in range(config.steps):
        numbers = range(step * config.windows, (step + 1) * config.windows)
        due = [chat_windows_before(n + 1, config) > chat_windows_before(n, config) for n in numbers]
        chosen = [next(chat_windows if chat_is_due else plain_windows) for chat_is_due in due]
        ids, labels = torch.tensor(chosen).unbind(1)
        yield ids[:, :-1], labels[:, 1:]


def chat_windows_before(number: int, config: TinyConfig) -> int:
    """How many of the first `number` windows are chat: the share grows evenly to five times.

    What is repeated while the rate is high is overwritten; what is repeated as it falls stays.
    """
    done = number / (config.steps * config.windows)
    share = config.chat_share * (1 / 3 + 2 / 3 * done)  # of all until then: grows to chat_share
    return int(share * number + 1e-9)


def stream_windows(tokenizer, documents: list[str], width: int) -> Iterator[Window]:
    """(ids, labels) of the documents as one stream of tokens cut every `width`, over and over."""
    end = tokenizer.token_to_id(END_OF_TEXT)
    buffer: list[int] = []
    while True:
        for document in documents:
            buffer += [*tokenizer.encode(document).ids, end]
            while len(buffer) >= width:
                yield buffer[:width], buffer[:width]
                buffer = buffer[width:]


def packed_windows(tokenizer, rows: list[list[dict]], width: int) -> Iterator[Window]:
    """(ids, labels) of whole rows packed into windows (a long row is cut), over and over."""
    end = tokenizer.token_to_id(END_OF_TEXT)
    encoded = [encode_row(tokenizer, row) for row in rows]
    ids: list[int] = []
    labels: list[int] = []
    while True:
        for row, wanted in encoded:
            if ids and len(ids) + len(row) > width:
                missing = width - len(ids)
                yield ids + [end] * missing, labels + [-100] * missing
                ids, labels = [], []
            ids, labels = (ids + row)[:width], (labels + wanted)[:width]


def encode_row(tokenizer, turns: list[dict]) -> Window:
    """(ids, labels) of a row: loss on the answer and its end alone.

    Which of the made-up questions comes next cannot be known: loss on it is noise.
    """
    prompt = tokenizer.encode(render(turns[:-1]) + f"{TURN_START}assistant\n").ids
    answer = tokenizer.encode(turns[-1]["content"] + TURN_END).ids
    return prompt + answer, [-100] * len(prompt) + answer


def pretrain(model, steps: Iterator, config: TinyConfig, progress: Callable) -> list[float]:
    """Muon on the matrices, AdamW on the rest, cosine to zero; gives the loss of each step (nats).

    bf16 forward passes where the processor multiplies it (1.3 times as fast); weights stay fp32.
    """
    import torch

    optimizers = make_optimizers(model, config)
    fast = torch.cpu._is_avx512_bf16_supported()
    losses: list[float] = []
    started = time.monotonic()
    model.train()
    for step, (inputs, labels) in enumerate(steps):
        for optimizer, rate in optimizers:
            optimizer.param_groups[0]["lr"] = rate * schedule(step, config)
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            logits = model(input_ids=inputs).logits
        loss = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), labels.flatten(), ignore_index=-100
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, _ in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        rate = (step + 1) * inputs.numel() / (time.monotonic() - started)
        done = {"step": step + 1, "steps": config.steps, "loss": losses[-1]}
        progress({**done, "tokens_per_second": rate})
    return losses


def make_optimizers(model, config: TinyConfig) -> list[tuple]:
    """[(Muon of the layers' matrices, its rate), (AdamW of embedding, norms, biases, its rate)]."""
    import torch

    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    chosen = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    muon = torch.optim.Muon(
        matrices, lr=config.muon_rate, weight_decay=0.0, ns_steps=config.muon_iterations
    )
    adamw = torch.optim.AdamW(rest, lr=config.adamw_rate, betas=(0.9, 0.95), weight_decay=0.0)
    return [(muon, config.muon_rate), (adamw, config.adamw_rate)]


def schedule(step: int, config: TinyConfig) -> float:
    """The share of the rate at a step: linear warm-up, then cosine to nearly zero."""
    warmup = max(1, round(config.steps * config.warmup))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, config.steps - warmup)))


def save_model(model, folder: Path) -> None:
    """config.json, generation_config.json and model.safetensors in bf16, as the big bases ship."""
    import torch

    model.config.use_cache = model.generation_config.use_cache = True
    model.generation_config.do_sample = False
    model.to(torch.bfloat16).save_pretrained(folder, safe_serialization=True)


def measure(folder: Path, items: list[dict], held_out: list[str]) -> dict:
    """Nats a byte on held-out docstrings and share of skill items right, of what was written."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    right = skills_right(model, tokenizer, items)
    by_kind: dict[str, list[bool]] = {}
    for item, flag in zip(items, right, strict=True):
        by_kind.setdefault(item["kind"], []).append(flag)
    return {
        "held_out_nats_per_byte": round(nats_per_byte(model, tokenizer, held_out), 4),
        "skills_right": share(right),
        "skills_right_by_kind": {kind: share(flags) for kind, flags in sorted(by_kind.items())},
    }


def share(flags: list[bool]) -> float:
    """How many of the flags are true, 0 to 1."""
    return round(sum(flags) / max(1, len(flags)), 4)


def nats_per_byte(model, tokenizer, documents: list[str]) -> float:
    """Loss in nats over the documents (first 512 tokens of each), divided by their UTF-8 bytes."""
    import torch

    nats = length = 0.0
    for document in documents:
        ids = tokenizer(document, return_tensors="pt").input_ids[:, :512]
        with torch.inference_mode():
            nats += model(input_ids=ids, labels=ids).loss.item() * (ids.shape[1] - 1)
        length += len(tokenizer.decode(ids[0, 1:]).encode())
    return nats / max(1.0, length)


def skills_right(model, tokenizer, items: list[dict]) -> list[bool]:
    """For each item whether the greedy answer is its answer, word for word.

    One forward pass an item: greedy decoding writes the answer if and only if every token of it,
    the end of turn included, is the likeliest after those before it.
    """
    import torch

    right = []
    for item in items:
        prompt = render(item["messages"][:-1]) + f"{TURN_START}assistant\n"
        before = tokenizer(prompt).input_ids
        ids = torch.tensor([before + tokenizer(item["answer"] + TURN_END).input_ids])
        with torch.inference_mode():
            best = model(input_ids=ids).logits[0, len(before) - 1 : -1].argmax(-1)
        right.append(bool((best == ids[0, len(before) :]).all()))
    return right
