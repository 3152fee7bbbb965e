"""Rows of a wanted length for the training benchmarks, from text that every Python carries."""

import json
import random
from pathlib import Path

CARD, ASKED = "You are Pell.", "Go on."
HELD_OUT = 60  # rows never trained on


def write_rows(folder: Path, tokenizer, *, tokens: int, rows: int, seed: int = 0) -> None:
    """`rows` rows of `tokens` tokens on average (half to one and a half) into train.jsonl.

    The words are Python's own help topics, in order; held_out.jsonl gets what comes after them.
    """
    draw = random.Random(seed)
    words, head = _help_tokens(tokenizer), _row_tokens(tokenizer)
    lines, position = [], 0
    for _ in range(rows + HELD_OUT):
        length = max(4, round(tokens * draw.uniform(0.5, 1.5)) - head)
        position = position if position + length < len(words) else 0
        text = tokenizer.decode(words[position : position + length]).strip() or "Nothing."
        lines.append(json.dumps(_row(text)) + "\n")
        position += length
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.jsonl").write_text("".join(lines[:rows]), encoding="utf-8")
    (folder / "held_out.jsonl").write_text("".join(lines[rows:]), encoding="utf-8")


def _row(text: str) -> dict:
    return {
        "messages": [
            {"role": "system", "content": CARD, "loss": []},
            {"role": "user", "content": ASKED, "loss": []},
            {"role": "assistant", "content": text, "loss": [[0, len(text)]]},
        ]
    }


def _row_tokens(tokenizer) -> int:
    """Tokens a row has besides the answer's own."""
    turns = [{"role": t["role"], "content": t["content"]} for t in _row("")["messages"]]
    return len(tokenizer(tokenizer.apply_chat_template(turns, tokenize=False)).input_ids)


def _help_tokens(tokenizer) -> list[int]:
    from pydoc_data.topics import topics

    text = "\n\n".join(topics[name] for name in sorted(topics))
    return tokenizer(text, add_special_tokens=False).input_ids
