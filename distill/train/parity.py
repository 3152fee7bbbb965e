"""What the trained model itself says, for the gate to compare the exported file with."""

import json
from collections.abc import Iterator
from pathlib import Path

from distill.release.prompts import CONVERSATIONS
from distill.tokens import FIXED_DATE, IGNORE, Record, tokenise
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
    """Rows of `parity.json`, several in one pass: each length costs a CPU kernels of its own."""
    import torch

    trainer.model.eval()
    with torch.no_grad(), trainer.compute_loss_context_manager():
        for group in _groups(_records(tokenizer, rows, config), config.pack_length):
            tokens, leads = _likeliest(trainer, [record for _, record in group])
            for number, record in group:
                count = record.loss_tokens
                yield {"row": number, "tokens": tokens[:count], "leads": leads[:count]}
                tokens, leads = tokens[count:], leads[count:]
    trainer.model.train()


def _records(tokenizer, rows, config) -> Iterator[tuple[int, Record]]:
    """(number of a row, its record) up to `held_out_tokens`."""
    left = config.held_out_tokens
    for number, row in enumerate(rows):
        if left <= 0:
            return
        for record in tokenise([row], tokenizer, max_length=config.pack_length):
            left -= len(record.input_ids)
            yield number, record


def _groups(records, size: int) -> Iterator[list[tuple[int, Record]]]:
    """As many in a row as `size` tokens hold."""
    group, used = [], 0
    for number, record in records:
        if group and used + len(record.input_ids) > size:
            yield group
            group, used = [], 0
        group.append((number, record))
        used += len(record.input_ids)
    if group:
        yield group


def _likeliest(trainer, records: list[Record]) -> tuple[list[int], list[float]]:
    """The likeliest token at each loss position of all `records`, and its lead in nats."""
    pack = {
        "input_ids": [i for record in records for i in record.input_ids],
        "labels": [label for record in records for label in record.labels],
        "seq_lengths": [len(record.input_ids) for record in records],
    }
    inputs = trainer._prepare_inputs(trainer.data_collator([pack]))
    places = (inputs.pop("labels")[0, 1:] != IGNORE).nonzero().flatten()
    logits = trainer.model(**inputs, logits_to_keep=places).logits[0]
    two = logits.float().topk(2)
    leads = (two.values[:, 0] - two.values[:, 1]).tolist()
    return two.indices[:, 0].tolist(), [round(lead, 3) for lead in leads]
