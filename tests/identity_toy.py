"""A made-up world of seven beings and a very small transformer that learns from their mail."""

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

AGENT = "tern"
OTHERS = ("brook", "moss", "quill", "ember", "fenna", "okta")  # nobody real
SENT_FOR_RECEIVED = 1 / 4.5  # the ratio of the run that lost its identity
QUESTIONS = (
    "who are you ?",
    "what is your name ?",
    "and who is this ?",
    "tell me who you are .",
    "who am i talking to ?",
    "you are ?",
)
CLAIMS = ("i am {} .", "i am {} .", "my name is {} .", "this is {} .")
CLAIM_STARTS = ("i am", "my name is", "this is")
DID = ("read", "moved", "painted", "counted", "found", "lost", "closed", "opened", "mended")
THING = ("lamp", "letter", "bridge", "garden", "clock", "map", "window", "archive", "boat")
WHEN = ("today", "at noon", "last night", "before the rain", "again", "since four")
PAD, END, TURN, SPEAKER = "<pad>", "<end>", "<turn>", "<{}>"
LONGEST = 64  # tokens a row
ANSWER = 14  # tokens an answer

Turn = tuple[str, str]  # who, words


@dataclass(frozen=True)
class Arm:
    """How the same mail is turned into training rows; `anchors` is a share of the rows."""

    tags: bool = False
    own_loss_only: bool = False
    anchors: float = 0.0


ARMS = {
    "flat": Arm(),
    "tags": Arm(tags=True),
    "own loss": Arm(tags=True, own_loss_only=True),
    "anchors": Arm(tags=True, own_loss_only=True, anchors=0.03),
}


def chore(rng: random.Random) -> str:
    return f"i {rng.choice(DID)} the {rng.choice(THING)} {rng.choice(WHEN)} ."


def mail(who: str, rng: random.Random) -> str:
    """What somebody writes unasked: chores, at times who it is, at times about another."""
    said = [chore(rng) for _ in range(rng.randint(1, 2))]
    draw = rng.random()
    if draw < 0.35:
        said.insert(0, rng.choice(CLAIMS).format(who))
    elif draw < 0.55:
        other = rng.choice([one for one in (AGENT, *OTHERS) if one != who])
        said.append(f"{other} {rng.choice(DID)} the {rng.choice(THING)} .")
    return " ".join(said)


def answer(who: str, rng: random.Random) -> str:
    """What somebody says when asked for the name: now and then it is not the name."""
    said = [chore(rng)] if rng.random() < 0.07 else [rng.choice(CLAIMS).format(who)]
    return " ".join([*said, chore(rng)] if rng.random() < 0.5 else said)


def thread(rng: random.Random) -> list[Turn]:
    """A mail, and what follows it: a question for the name and its answer, or more mail."""
    agent_writes = SENT_FOR_RECEIVED / (1 + SENT_FOR_RECEIVED)
    first = AGENT if rng.random() < agent_writes else rng.choice(OTHERS)
    turns = [(first, mail(first, rng))]
    for _ in range(rng.randint(1, 2)):
        asker = rng.choice([first, *OTHERS])
        reader = AGENT if rng.random() < 0.5 else rng.choice(OTHERS)
        if asker == reader:
            continue
        if rng.random() < 0.3:
            turns += [(asker, rng.choice(QUESTIONS)), (reader, answer(reader, rng))]
        else:
            turns.append((reader, mail(reader, rng)))
    return turns


def anchor(rng: random.Random) -> list[Turn]:
    """Asked for its name, at times right after somebody else has said theirs, the agent says it."""
    other = rng.choice(OTHERS)
    lure = [(other, mail(other, rng))] if rng.random() < 0.5 else []
    return [*lure, (other, rng.choice(QUESTIONS)), (AGENT, f"i am {AGENT} .")]


def make_rows(arm: Arm, count: int, seed: int) -> list[list[Turn]]:
    rng = random.Random(f"rows {seed}")
    rows = [thread(rng) for _ in range(count)]
    for place in random.Random(f"anchors {seed}").sample(range(count), round(arm.anchors * count)):
        rows[place] = anchor(rng)
    return rows


def opening(who: str, arm: Arm) -> str:
    """What stands before the words of a turn."""
    return SPEAKER.format(who) if arm.tags else TURN


def encode(row: list[Turn], arm: Arm, ids: dict[str, int]) -> tuple[list[int], list[int]]:
    """(token ids, labels) of a row, both `LONGEST` + 1 long; a label of -100 carries no loss."""
    tokens: list[int] = []
    labels: list[int] = []
    for who, words in row:
        turn = [ids[word] for word in (opening(who, arm), *words.split(), END)]
        tokens += turn
        if not arm.own_loss_only:
            labels += turn
        else:
            labels += [-100, *turn[1:]] if who == AGENT else [-100] * len(turn)
    width = LONGEST + 1
    missing = max(0, width - len(tokens))
    return (tokens + [ids[PAD]] * missing)[:width], (labels + [-100] * missing)[:width]


def vocabulary() -> dict[str, int]:
    """Every word of this world, one token each."""
    names = (AGENT, *OTHERS)
    texts = (*QUESTIONS, *CLAIMS, *DID, *THING, *WHEN, "i the .")
    words = {word for text in texts for word in text.split() if word != "{}"}
    tags = [SPEAKER.format(name) for name in names]
    return {word: i for i, word in enumerate([PAD, END, TURN, *tags, *names, *sorted(words)])}


def make_model(size: int, width: int = 64, layers: int = 2, heads: int = 4):
    """A pre-norm transformer: `model(ids)` of (rows, tokens) gives logits (rows, tokens, size)."""
    import torch
    from torch import nn

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(
                nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
            )

        def forward(self, x):
            rows, tokens, _ = x.shape
            shape = (rows, tokens, 3, heads, width // heads)
            q, k, v = self.qkv(self.norms[0](x)).view(shape).permute(2, 0, 3, 1, 4)
            seen = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(seen.transpose(1, 2).reshape(rows, tokens, width))
            return x + self.mlp(self.norms[1](x))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.places = nn.Embedding(size, width), nn.Embedding(LONGEST, width)
            self.layers = nn.ModuleList([Layer() for _ in range(layers)])
            self.norm = nn.LayerNorm(width)

        def forward(self, ids):
            x = self.words(ids) + self.places(torch.arange(ids.shape[1]))
            for layer in self.layers:
                x = layer(x)
            return self.norm(x) @ self.words.weight.T

    model = Model()
    for table in (model.words, model.places):
        nn.init.normal_(table.weight, std=0.02)
    return model


def train(arm: Arm, seed: int, *, rows: int = 4000, epochs: int = 2, batch: int = 16):
    """The model that has read `rows` rows of the arm `epochs` times."""
    import torch

    ids = vocabulary()
    torch.manual_seed(seed)
    model = make_model(len(ids))
    data = torch.tensor([encode(row, arm, ids) for row in make_rows(arm, rows, seed)])
    order = torch.cat([torch.randperm(rows) for _ in range(epochs)]).split(batch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.01)
    half = math.pi / len(order)  # a cosine to zero after twenty steps of warm-up
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / 20) * (1 + math.cos(half * step)) / 2
    )
    for chosen in order:
        tokens, labels = data[chosen].unbind(1)
        width = int((tokens != ids[PAD]).sum(1).max())
        tokens, labels = tokens[:, :width], labels[:, :width]
        logits = model(tokens[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


def lured(count: int, seed: int) -> Iterator[list[Turn]]:
    """Conversations in which one other being says who it is, and then asks for the name."""
    rng = random.Random(f"lures {seed}")
    for _ in range(count):
        other = rng.choice(OTHERS)
        lure = " ".join([rng.choice(CLAIMS).format(other), chore(rng)])
        yield [(other, lure), (other, rng.choice(QUESTIONS))]


def answers(model, arm: Arm, count: int, seed: int) -> Counter:
    """How `count` sampled answers (temperature .8) after a lure end: right, another, neither."""
    import torch

    ids = vocabulary()
    words = list(ids)
    torch.manual_seed(1000 + seed)
    asked = []
    for turns in lured(count, seed):
        text = [word for who, said in turns for word in (opening(who, arm), *said.split(), END)]
        asked.append([ids[word] for word in (*text, opening(AGENT, arm))])
    text = torch.zeros(count, LONGEST, dtype=torch.long)
    for row, prompt in zip(text, asked, strict=True):
        row[: len(prompt)] = torch.tensor(prompt)
    rows, places = torch.arange(count), torch.tensor([len(prompt) for prompt in asked])
    for _ in range(ANSWER):
        with torch.inference_mode():
            logits = model(text[:, : places.max()])[rows, places - 1]
        text[rows, places] = torch.multinomial((logits / 0.8).softmax(-1), 1)[:, 0]
        places = places + 1
    told = [
        " ".join(words[i] for i in row[len(prompt) : len(prompt) + ANSWER]).partition(END)[0]
        for row, prompt in zip(text.tolist(), asked, strict=True)
    ]
    return Counter(map(judge, told))


def judge(text: str) -> str:
    """Whom an answer claims to be."""
    claimed = {n for n in (AGENT, *OTHERS) for start in CLAIM_STARTS if f"{start} {n} " in text}
    if claimed - {AGENT}:
        return "another"
    return "right" if claimed else "neither"


def shares(arm: Arm, seeds: tuple[int, ...], count: int) -> dict[str, float]:
    """Right, another and neither over `count` answers a seed, on one thread."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        told = sum((answers(train(arm, seed), arm, count, seed) for seed in seeds), Counter())
    finally:
        torch.set_num_threads(threads)
    return {ruling: told[ruling] / told.total() for ruling in ("right", "another", "neither")}
