"""Does rewriting bring the agent's style in, and does it keep the facts.

    .venv/bin/python -m benchmarks.rewrite [--home HOME --night NIGHT] [--messages 60]

Held-out own messages are said plainly by rules, put back by the junior, and judged. Without --home
the made-up agent of demo/ is taught on the tiny base, with a quarter of rewrite rows.
`style_gain`: the verifier's probability "own" of what was shipped less that of the plain input;
the verifier has learnt other sentences, own and plain, of the train rows. The last line is JSON.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.gate_power import make_home
from distill.evaluate.intervals import auc, bootstrap
from distill.identity import load_identity
from distill.perspective.sentences import ends
from distill.rewrite.fidelity import problems
from distill.rewrite.habits import load_habits
from distill.rewrite.paragraphs import pieces
from distill.rewrite.plain import plain_version
from distill.rewrite.rewriter import Rewritten, cleaned, rewrite

if TYPE_CHECKING:
    import numpy as np

ROOT = Path(__file__).resolve().parent.parent
REWRITE_SHARE = 0.25
LEAST_WORDS = 3
MOST_SENTENCES = 1500  # of each side, that the verifier learns


@dataclass(frozen=True)
class Shipped:
    """One message: its plain version, what left for it, and the pieces of that."""

    plain: str
    text: str
    parts: tuple[Rewritten, ...]
    faithful: bool


def taught(work: Path) -> Path:
    """The folder of a night of the made-up agent, rewrite rows among its rows; exported."""
    from agent.config import load_config
    from distill.base import make_tiny_base, resolve_base
    from distill.base.replay import read_replay
    from distill.curate import curate, for_tiny
    from distill.gguf import ExportConfig, export
    from distill.train import TrainConfig, train
    from memory.db import open_database

    make_tiny_base()
    base = resolve_base("tiny")
    home, folder = make_home(work, ROOT / "demo" / "life"), work / "night"
    folder.mkdir()
    config = load_config(home)
    identity = load_identity(config.identity_path)
    settings = replace(for_tiny(config.curate), rewrite_share=REWRITE_SHARE)
    with open_database(config.database_path) as db:
        curate(db, identity, settings, folder, sources=config.sources, seed=0,
               now=datetime.now(UTC), replay=read_replay(base))  # fmt: skip
    (folder / "identity.toml").write_bytes(config.identity_path.read_bytes())
    train(folder, base, TrainConfig(), seed=0)
    export(base, folder / "adapter", folder, name="junior", config=ExportConfig(), provenance={})
    return folder


def own_texts(path: Path) -> list[str]:
    """Own words of a rows file: each paragraph of each span with loss; without made rows."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["view"] in ("identity", "replay", "rewrite"):
            continue
        for turn in row["messages"]:
            for start, end in turn["loss"]:
                found += [p.strip() for p in turn["content"][start:end].split("\n\n")]
    return [text for text in dict.fromkeys(found) if len(text.split()) >= LEAST_WORDS]


def ship(folder: Path, texts: Sequence[str]) -> list[Shipped]:
    """Every text said plainly and rewritten by the junior in `folder`."""
    from distill.embedded import Embedded
    from distill.evaluate.judge import known_names
    from distill.release.publisher import read_export

    names = known_names(load_identity(folder / "identity.toml"))
    known, habits = (*names.own, *names.others), load_habits(folder)
    card = json.loads((folder / "manifest.json").read_text())["system_card"]
    with Embedded(folder / read_export(folder)[0]["name"]) as runner:

        def ask(asked: str, attempt: int) -> str:
            messages = [{"role": "system", "content": card}, {"role": "user", "content": asked}]
            heat = 0.0 if attempt == 0 else 0.7
            return runner.chat(messages, max_tokens=160, temperature=heat, seed=attempt).text

        return [_shipped(plain_version(text), ask, known, habits) for text in texts]


def _shipped(plain: str, ask, known: tuple[str, ...], habits: dict[str, str]) -> Shipped:
    parts = tuple(rewrite(plain, ask, names=known, habits=habits))
    pairs = zip(pieces(plain), parts, strict=True)
    faithful = all(
        not problems(piece.text, part.text.removeprefix(piece.mark).rstrip(), known)
        for piece, part in pairs
        if part.by
    )
    return Shipped(plain, "".join(part.text for part in parts), parts, faithful)


def sentences(texts: Sequence[str], seed: int = 0) -> list[str]:
    """Sentences of at least three words, in a drawn order."""
    found = []
    for text in texts:
        at = 0
        for end in ends(text):
            found.append(text[at:end].strip())
            at = end
    kept = sorted({one for one in found if len(one.split()) >= LEAST_WORDS})
    return random.Random(seed).sample(kept, len(kept))


def own_probability(train: Sequence[str], asked: Sequence[str]) -> "np.ndarray":
    """P(own) of each text asked, by a ridge on 4-grams whose score is calibrated (Platt 1999).

    A third of the train sentences is learnt as it is, a third in its plain version, and on the last
    third, both ways, the score is turned into a probability.
    """
    from distill.evaluate.style import gram_rows, masked, verifier

    kept = train[: 3 * MOST_SENTENCES]
    own, other, rest = kept[::3], [plain_version(one) for one in kept[1::3]], kept[2::3]
    rest_plain = [plain_version(one) for one in rest]
    texts = [masked(one) for one in (*own, *other, *rest, *rest_plain, *asked)]
    rows = gram_rows(texts, len(own) + len(other))
    weights = verifier(rows[: len(own)], rows[len(own) : len(own) + len(other)])
    scores = rows[len(own) + len(other) :] @ weights
    slope, offset = _platt(scores[: len(rest)], scores[len(rest) : 2 * len(rest)])
    return _sigmoid(slope * scores[2 * len(rest) :] + offset)


def _platt(own: "np.ndarray", plain: "np.ndarray", rounds: int = 2000) -> tuple[float, float]:
    """Slope and offset of the logistic curve from scores to P(own), by gradient descent."""
    import numpy as np

    scores = np.r_[own, plain]
    sides = np.r_[np.ones(len(own)), np.zeros(len(plain))]
    slope, offset = 1.0, 0.0
    for _ in range(rounds):
        error = _sigmoid(slope * scores + offset) - sides
        slope -= 2.0 * float((error * scores).mean())
        offset -= 2.0 * float(error.mean())
    return slope, offset


def _sigmoid(values: "np.ndarray") -> "np.ndarray":
    import numpy as np

    return 1 / (1 + np.exp(-values))


def figures(folder: Path, most: int, seed: int = 0) -> dict:
    """The numbers of one junior; prints some of what it shipped."""
    held = own_texts(folder / "held_out.jsonl")
    texts = random.Random(seed).sample(held, min(most, len(held)))
    shipped = ship(folder, texts)
    train = sentences(own_texts(folder / "train.jsonl"))
    asked = [*(one.text for one in shipped), *(one.plain for one in shipped), *texts]
    odds = own_probability(train, asked)
    n = len(texts)
    gains = [(float(after - before), 1) for after, before in zip(odds[:n], odds[n:], strict=False)]
    low, high = bootstrap(gains, seed=seed)
    parts = [part for one in shipped for part in one.parts if part.said is not None]
    prose = [piece for one in shipped for piece in pieces(one.plain) if piece.prose]
    raw = [not problems(a.text, cleaned(b.said)) for a, b in zip(prose, parts, strict=True)]
    for one, own in list(zip(shipped, texts, strict=True))[:8]:
        print(f"own    {own}\nplain  {one.plain}\nship   {one.text}\n", file=sys.stderr)
    share = {
        by: sum(part.by == by for part in parts) / len(parts) for by in ("junior", "habits", "")
    }
    return {
        "messages": n,
        "pieces": len(parts),
        "changed_by_rules": sum(a != b.plain for a, b in zip(texts, shipped, strict=True)),
        "style_gain": round(sum(gain for gain, _ in gains) / n, 4),
        "style_gain_low": round(low, 4),
        "style_gain_high": round(high, 4),
        "own_above_plain": round(
            auc([*map(float, odds[2 * n :])], [*map(float, odds[n : 2 * n])]), 3
        ),
        "fidelity": sum(one.faithful for one in shipped) / n,
        "fidelity_raw": round(sum(raw) / len(raw), 3),
        "by_junior_share": round(share["junior"], 3),
        "by_habits_share": round(share["habits"], 3),
        "copied_input_share": round(share[""], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--night", default="")
    parser.add_argument("--folder", type=Path, help="a night's folder")
    parser.add_argument("--messages", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = options.folder or (options.home and options.home / "nights" / options.night)
        print(json.dumps(figures(folder or taught(Path(work)), options.messages)))


if __name__ == "__main__":
    main()
