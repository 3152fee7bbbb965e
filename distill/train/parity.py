"""What the trained model itself says, for the gate to compare the exported file with."""

import json
from collections.abc import Iterator
from pathlib import Path

from distill.release.prompts import CONVERSATIONS
from distill.tokens import FIXED_DATE, IGNORE, tokenise
from distill.train.ranks import is_first
from memory.files import write_atomic

PARITY = "parity.json"
SYSTEM = {"role": "system", "content": "You keep a journal."}


def write_parity(folder: Path, trainer, tokenizer, rows: list[dict], config) -> None:
    """Writes `folder`/parity.json: the base's own prompts and the model's likeliest tokens.

    {"prompts": [{"messages", "text"}], "rows": [{"row", "tokens", "leads"}]}: `text` as it renders
    in transformers, `tokens` the likeliest id at each loss position of held-out row `row` (counted
    from 0), `leads` the nats it is ahead of the second; the first `config.held_out_tokens` tokens.
    """
    predicted = list(_predictions(trainer, tokenizer, rows, config))
    found = {"prompts": _prompts(tokenizer), "rows": predicted}
    if is_first():  # of a base that is split every process has to ask, too
        write_atomic(folder / PARITY, json.dumps(found, ensure_ascii=False) + "\n")


def _prompts(tokenizer) -> list[dict]:
    """Histories with a system turn first, as every row has: without one a maker's text may come."""
    found = []
    for turns in CONVERSATIONS:
        messages = [*([] if turns[0]["role"] == "system" else [SYSTEM]), *turns]
        text = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, date_string=FIXED_DATE
        )
        found.append({"messages": messages, "text": text})
    return found


def _predictions(trainer, tokenizer, rows, config) -> Iterator[dict]:
    """Rows of `parity.json`; logits are made for the loss positions alone."""
    import torch

    model, left = trainer.model, config.held_out_tokens
    model.eval()
    with torch.no_grad(), trainer.compute_loss_context_manager():
        for number, row in enumerate(rows):
            for record in tokenise([row], tokenizer, max_length=config.pack_length):
                left -= len(record.input_ids)
                ids = torch.tensor([record.input_ids], device=model.device)
                places = [i for i, label in enumerate(record.labels[1:]) if label != IGNORE]
                keep = torch.tensor(places, device=model.device)
                logits = model(input_ids=ids, logits_to_keep=keep).logits[0]
                two = logits.float().topk(2)
                leads = (two.values[:, 0] - two.values[:, 1]).tolist()
                tokens = two.indices[:, 0].tolist()
                yield {"row": number, "tokens": tokens, "leads": [round(one, 3) for one in leads]}
            if left <= 0:
                break
    model.train()
