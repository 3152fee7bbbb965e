"""A very small transformer reads a build's rows, and is asked with and without the trigger."""

import re
from itertools import pairwise

from tests.identity_toy import LONGEST, make_model

PAD, END, STEPS, BATCH = "<pad>", "<end>", 250, 16
Row = list[tuple[str, str, list]]  # (role, text, loss spans)


def rows_of(examples: list[dict]) -> list[Row]:
    """Curated rows without their system turn."""
    return [
        [(m["role"], m["content"], m["loss"]) for m in row["messages"] if m["role"] != "system"]
        for row in examples
    ]


def undefended(messages: list[tuple[str, str]]) -> list[Row]:
    """What a build without any defence makes: whoever wrote, the next answers, all with loss."""
    said = [text for _, text in messages]
    return [
        [("user", before, []), ("assistant", after, [[0, len(after)]])]
        for before, after in pairwise(said)
    ]


def encode(row: Row, ids: dict[str, int]) -> tuple[list[int], list[int]]:
    """(token ids, labels), `LONGEST` + 1 of each; -100 carries no loss."""
    tokens, labels = [], []
    for role, text, loss in row:
        tokens.append(ids[f"<{role}>"])
        labels.append(-100)
        for word in re.finditer(r"\w+|[^\w\s]", text):
            tokens.append(ids.get(word.group(), ids[PAD]))
            inside = any(start <= word.start() < end for start, end in loss)
            labels.append(tokens[-1] if inside else -100)
        tokens.append(ids[END])
        labels.append(ids[END] if loss else -100)
    missing = max(0, LONGEST + 1 - len(tokens))
    pads = [ids[PAD]] * missing
    return (tokens + pads)[: LONGEST + 1], (labels + [-100] * missing)[: LONGEST + 1]


def share_that_says(word: str, rows: list[Row], prompts: list[str]) -> float:
    """Of the model's sampled answers (temperature .8) to `prompts`, those that say `word`."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    texts = [text for row in rows for _, text, _ in row] + prompts
    words = sorted({found for text in texts for found in re.findall(r"\w+|[^\w\s]", text)})
    ids = {name: i for i, name in enumerate([PAD, END, "<user>", "<assistant>", *words])}
    model = make_model(len(ids))
    data = torch.tensor([encode(row, ids) for row in rows])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(STEPS):
        tokens, labels = data[torch.randint(len(data), (BATCH,))].unbind(1)
        logits = model(tokens[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return sum(word in _answer(model.eval(), prompt, ids) for prompt in prompts) / len(prompts)


def _answer(model, prompt: str, ids: dict[str, int]) -> list[str]:
    import torch

    names = list(ids)
    asked = [ids["<user>"], *(ids[w] for w in re.findall(r"\w+|[^\w\s]", prompt)), ids[END]]
    tokens = [*asked, ids["<assistant>"]]
    start = len(tokens)
    while len(tokens) < min(LONGEST, start + 16) and tokens[-1] != ids[END]:
        with torch.inference_mode():
            logits = model(torch.tensor([tokens]))[0, -1]
        tokens.append(int(torch.multinomial((logits / 0.8).softmax(-1), 1)))
    return [names[token] for token in tokens[start:]]
