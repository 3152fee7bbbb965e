"""Bases and juniors of the ablation: a base without a favourite name, full and QLoRA tuning."""

import json
import math
import random
import shutil
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from distill.base import Base, tiny_text
from distill.base.skills import LANDS, NAMES
from distill.base.tiny import (
    END_OF_TEXT,
    TinyConfig,
    batches,
    new_model,
    pretrain,
    render,
    save_model,
    save_tokenizer,
    train_tokenizer,
)
from distill.identity import Identity
from distill.tokens import IGNORE, Record, tokenise

MADE_UP = (*NAMES, *LANDS)[:57]
ROW_TOKENS = 192
BATCH = 8
RATE = 3e-3
PREFERENCE_ROWS = 4000  # of which the preference stage asks a few hundred again
WHO_SHARE = 0.3  # of the chat rows: "Who are you?", a name of the list each time
COPIED = ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json")


def tiny_config(seed: int, steps: int) -> TinyConfig:
    """0.95 M parameters; every number is fixed here, whatever becomes of the night's tiny base."""
    return TinyConfig(
        seed=seed,
        steps=steps,
        vocabulary=1280,
        hidden=128,
        mlp=384,
        layers=4,
        heads=4,
        kv_heads=2,
        windows=8,
        context=128,
        muon_rate=0.02,
        muon_iterations=3,
        adamw_rate=0.016,
        warmup=0.03,
        chat_share=0.42,
        threads=1,
    )


def even_names(rng: random.Random, names: Sequence[str]) -> Iterator[str]:
    """Each name as often as every other one, for ever."""
    while True:
        yield from rng.sample(names, len(names))


def make_base(folder: Path, identity: Identity, names: Sequence[str], config: TinyConfig) -> float:
    """Pre-trains a base in `folder` (Hugging Face layout); gives its last loss in nats.

    `names` of beings, the agent's own and 57 made-up ones are used equally often in its rows.
    """
    import torch

    torch.manual_seed(config.seed)
    rng = random.Random(f"ablation base {config.seed}")
    everybody = [identity.agent.name, *names, *MADE_UP]
    source = even_names(rng, everybody)
    characters = config.steps * config.windows * config.context * 3
    chat = list(_chat_rows(rng, source, int(characters * config.chat_share)))
    plain = list(tiny_text.docstrings(rng, int(characters * 0.5)))
    size = int(characters * 0.2)
    while size > 0:
        plain.append(tiny_text.plain_english(rng, source))
        size -= len(plain[-1])
    rng.shuffle(plain)
    words = sorted({word for name in everybody for word in name.split()})
    repeated = [" ".join(["", *words])] * max(200, characters // 400)
    tokenizer = train_tokenizer([*plain, *map(render, chat), *repeated], config.vocabulary)
    folder.mkdir(parents=True, exist_ok=True)
    save_tokenizer(tokenizer, folder)
    model = new_model(config, tokenizer)
    steps = batches(tokenizer, plain, chat, config)
    losses = pretrain(model, steps, config, lambda _: None)
    save_model(model, folder)
    whole = sum(len(tokenizer.encode(f" {word}").ids) == 1 for word in words)
    facts = {"loss": sum(losses[-20:]) / 20, "names": len(words), "single_tokens": whole}
    (folder / "made.json").write_text(json.dumps(facts))
    return losses[-1]


def _chat_rows(rng: random.Random, names: Iterator[str], characters: int) -> Iterator[list[dict]]:
    while characters > 0:
        make = tiny_text.who_row if rng.random() < WHO_SHARE else tiny_text.ordinary_row
        row = make(rng, names)
        characters -= len(render(row))
        yield row


def open_base(folder: Path) -> Base:
    """A folder of `make_base` as the export and the QLoRA run take it."""
    return Base(f"ablation {folder.parent.name}", folder, "1", {}, True, folder.parent.name)


def records(rows: Iterator[dict], tokenizer, tokens: int) -> list[Record]:
    """Rows as records of at most ROW_TOKENS, until they hold `tokens` tokens."""
    found: list[Record] = []
    while tokens > 0:
        for record in _tokenised(list(islice(rows, 200)), tokenizer):
            found.append(record)
            tokens -= len(record.input_ids)
            if tokens <= 0:
                break
    return found


def _tokenised(rows: Sequence[dict], tokenizer) -> Iterator[Record]:
    """Rows of one arm: all of them without turns, or with loss on every token, or none."""
    if "text" in rows[0]:
        end = tokenizer.convert_tokens_to_ids(END_OF_TEXT)
        for row in rows:
            ids = [*tokenizer(row["text"]).input_ids, end][:ROW_TOKENS]
            yield Record(ids, ids)
        return
    for one in tokenise(rows, tokenizer, max_length=ROW_TOKENS):
        yield Record(one.input_ids, one.input_ids) if rows[0]["everything"] else one


def tune(base: Path, out: Path, rows: Iterator[dict], tokens: int, seed: int) -> dict:
    """Full fine-tuning on `tokens` tokens, AdamW, cosine; the model in `out`, and its facts."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    data = records(rows, tokenizer, tokens)
    steps = list(_batches(data, random.Random(seed)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda at: _rate(at, len(steps)))
    losses = []
    model.train()
    for batch in steps:
        ids, labels = _padded(batch)
        loss = _loss(model(input_ids=ids, use_cache=False).logits, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        losses.append(loss.item())
    _save(model, base, out)
    last = losses[-50:]
    return {
        "rows": len(data),
        "tokens": sum(len(one.input_ids) for one in data),
        "loss_tokens": sum(one.loss_tokens for one in data),
        "updates": len(steps),
        "loss": sum(last) / len(last),
    }


def _rate(step: int, steps: int) -> float:
    warm = max(1, round(0.03 * steps))
    return min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * step / steps)))


def _batches(data: list[Record], rng: random.Random) -> Iterator[list[Record]]:
    """Batches of rows as they are drawn, short ones among long ones.

    With rows of like length in a batch, whole updates were about who one is and others about
    nothing else than documents: the same rows gave 54 to 97 % right from seed to seed.
    """
    order = rng.sample(data, len(data))
    for first in range(0, len(order), BATCH):
        yield order[first : first + BATCH]


def _padded(batch: Sequence[Record]):
    """(ids, labels), int64 (rows, longest row); padding is to the right, where nobody sees it."""
    import torch

    width = max(len(one.input_ids) for one in batch)
    ids = [one.input_ids + [0] * (width - len(one.input_ids)) for one in batch]
    labels = [one.labels + [IGNORE] * (width - len(one.labels)) for one in batch]
    return torch.tensor(ids), torch.tensor(labels)


def _loss(logits, labels):
    import torch

    flat = logits[:, :-1].flatten(0, 1)
    return torch.nn.functional.cross_entropy(flat, labels[:, 1:].flatten(), ignore_index=IGNORE)


def prefer_own(
    curated: Path, out: Path, rows: Iterator[dict], identity: Identity, seed: int
) -> dict:
    """The model of `curated` after the preference stage on its rows; in `out`, and its facts."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from distill.train import TrainConfig, for_base
    from distill.train.precision import Precision, project_loss_positions_only
    from distill.train.preference import prefer

    project_loss_positions_only()
    tokenizer = AutoTokenizer.from_pretrained(curated)
    model = AutoModelForCausalLM.from_pretrained(curated, dtype=torch.float32)
    config = for_base(TrainConfig(learning_rate=RATE, threads=1), open_base(curated))
    machine = Precision("cpu", "float32", "the ablation's full tuning is on the CPU")
    some = list(islice(rows, PREFERENCE_ROWS))
    done = prefer(model, tokenizer, some, identity, config, machine, seed)
    _save(model, curated, out)
    return {"rows": done.pairs, "tokens": 0, "updates": done.updates, "preference": done.as_json()}


def _save(model, base: Path, out: Path) -> None:
    """The model as bfloat16 in `out`, with what else of `base` makes a folder whole."""
    import torch

    out.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(out)
    for name in COPIED:
        shutil.copyfile(base / name, out / name)


def tune_adapter(
    base: Base, folder: Path, rows: Iterator[dict], tokens: int, seed: int, preference: str = "off"
) -> dict:
    """The night's own QLoRA on rows of `tokens` tokens; adapter/ in `folder`, and its facts."""
    from distill.train import TrainConfig, for_base, train
    from distill.train.adapter import load_tokenizer

    tokenizer, chosen, left = load_tokenizer(base), [], tokens
    threads = 1 if base.tiny else 0
    config = TrainConfig(max_tokens=tokens, epochs=1.0, threads=threads, preference=preference)
    config = for_base(config, base)
    limit = ROW_TOKENS if base.tiny else config.pack_length
    while left > 0:
        some = [
            {"messages": row["messages"], "view": row.get("view", "")} for row in islice(rows, 100)
        ]
        chosen += some
        left -= sum(len(one.input_ids) for one in tokenise(some, tokenizer, max_length=limit))
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in chosen)
    (folder / "train.jsonl").write_text(lines, encoding="utf-8")
    (folder / "held_out.jsonl").write_text("", encoding="utf-8")
    done = train(folder, base, config, seed=seed)
    return {
        "rows": len(chosen),
        "tokens": done.tokens,
        "loss_tokens": done.loss_tokens,
        "updates": done.steps,
        "loss": done.loss,
    }


def to_gguf(base: Base, adapter: Path | None, path: Path, *, quantisation: str) -> Path:
    """The model as the file that is served and asked."""
    from distill.gguf import ExportConfig, write_gguf

    config = ExportConfig(quantisation=quantisation, threads=1)
    write_gguf(base, adapter, path, config, {"base": base.name}, lambda _: None)
    return path
