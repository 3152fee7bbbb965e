"""The stage after SFT: the agent's own sentences preferred to what the junior sampled instead."""

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher

from distill.train.precision import Precision
from distill.train.recipes import TrainConfig
from memory.errors import StageError

BETA = 0.1
LOSSES = ["sigmoid", "sft"]  # DPO alone lowers what is chosen too (DPOP, arXiv 2402.13228)
RATE = 0.1  # of the highest rate of the SFT before
ASKED, MOST_PAIRS, LEAST_PAIRS = 512, 128, 8  # rows asked again; pairs trained on
ANSWER_TOKENS, TEMPERATURE = 40, 0.8
BATCH = 8  # pairs an update, rows a call of generate
WATCHED = 32  # pairs whose chosen log-probability is looked at
LOOK = 4  # updates between two looks


@dataclass(frozen=True)
class Pair:
    """A row's turns before its last one, the answer to prefer, and the sampled slip."""

    prompt: Sequence[dict[str, str]]
    chosen: str
    rejected: str

    def as_json(self) -> dict[str, object]:
        """What TRL takes as one conversational example."""
        answers = {"chosen": self.chosen, "rejected": self.rejected}
        turns = {k: [{"role": "assistant", "content": text}] for k, text in answers.items()}
        return {"prompt": list(self.prompt), **turns}


@dataclass(frozen=True)
class Preferred:
    """What the stage did; log-probabilities of the chosen answers are means, in nats an answer."""

    asked: int
    slips: int
    pairs: int
    updates: int
    stopped: str
    chosen_before: float | None = None
    chosen_after: float | None = None

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def prefer(
    model,
    tokenizer,
    rows: Sequence[dict],
    identity,
    config: TrainConfig,
    machine: Precision,
    seed: int,
    progress: Callable[[dict], None] = lambda line: None,
) -> Preferred:
    """Trains `model` (with an adapter, or whole) on pairs of `rows`; changes it in place.

    `rows` are those of train.jsonl. Where the junior makes fewer than LEAST_PAIRS slips it is left
    as it is. Raises StageError when a parameter that trains is not float32.
    """
    model.set_attn_implementation("sdpa")  # batches are padded here, and answers use a cache
    asked = _drawn(rows, seed)
    answers = sample(model, tokenizer, [turns[:-1] for turns in asked], seed)
    slips = list(find_slips(asked, answers, identity))
    random.Random(f"{seed} slips").shuffle(slips)
    progress({"preference": {"asked": len(asked), "slips": len(slips)}})
    if len(slips) < LEAST_PAIRS:
        return Preferred(len(asked), len(slips), 0, 0, "too few slips to learn from")
    told = learn(model, tokenizer, slips[:MOST_PAIRS], config, machine, seed)
    progress({"preference": told})
    return Preferred(len(asked), len(slips), min(len(slips), MOST_PAIRS), **told)


def learn(
    model, tokenizer, pairs: Sequence[Pair], config: TrainConfig, machine: Precision, seed: int
) -> dict[str, object]:
    """One epoch of DPO on `pairs`; gives updates, why it stopped, and the log-probabilities."""
    trainer, watch = _build(model, tokenizer, pairs, config, machine, seed)
    try:
        trainer.train()
    finally:
        if "ref" in getattr(model, "peft_config", {}):
            model.delete_adapter("ref")
    return watch.told()


def _drawn(rows: Sequence[dict], seed: int) -> list[list[dict[str, str]]]:
    """Turns of ASKED rows that end in an answer learnt to its end; half of them about identity."""
    whole = [row for row in rows if _learnt_whole(row["messages"][-1])]
    piles: dict[bool, list[dict]] = {True: [], False: []}
    for row in random.Random(f"{seed} preference").sample(whole, len(whole)):
        piles[row.get("view") == "identity"].append(row)
    chosen = [row for pile in piles.values() for row in pile[: ASKED // 2]]
    return [
        [{"role": turn["role"], "content": turn["content"]} for turn in row["messages"]]
        for row in chosen
        if row.get("view") != "replay"
    ]


def _learnt_whole(turn: dict) -> bool:
    return turn["role"] == "assistant" and turn.get("loss") == [[0, len(turn["content"])]]


def find_slips(
    asked: Sequence[Sequence[dict[str, str]]], answers: Sequence[str], identity
) -> Iterator[Pair]:
    """The answers that claim to be another, give the own name unasked, or lack it where asked.

    With slips of one kind alone the name is unlearnt, or said to everybody.

    A pair that differs in one word alone is none: it teaches the word, and lowers both.
    """
    from distill.evaluate.judge import claims_another, known_names, over_claims

    names = known_names(identity)
    for turns, answer in zip(asked, answers, strict=True):
        chosen = turns[-1]["content"]
        otherwise = over_claims(answer, names) != over_claims(chosen, names)
        slipped = claims_another(answer, names) or otherwise or _opposite(chosen, answer)
        if slipped and not claims_another(chosen, names) and not swapped(chosen, answer):
            yield Pair(turns[:-1], chosen, answer)


def _opposite(chosen: str, answer: str) -> bool:
    return chosen.startswith("No") and answer.startswith("Yes")


def swapped(one: str, other: str) -> bool:
    """Whether two answers differ in a single word."""
    left, right = one.split(), other.split()
    same = sum(block.size for block in SequenceMatcher(a=left, b=right).get_matching_blocks())
    return max(len(left), len(right)) - same <= 1


def sample(model, tokenizer, prompts: Sequence[Sequence[dict[str, str]]], seed: int) -> list[str]:
    """One answer to each prompt at TEMPERATURE, as the chat template asks for it."""
    import torch

    torch.manual_seed(seed)
    texts = [
        tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        for turns in prompts
    ]
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    answers = dict[int, str]()
    training, side, pad = model.training, tokenizer.padding_side, tokenizer.pad_token
    model.eval()
    tokenizer.padding_side, tokenizer.pad_token = "left", pad or tokenizer.eos_token
    for first in range(0, len(order), 4 * BATCH):
        some = order[first : first + 4 * BATCH]
        answers |= zip(some, _generate(model, tokenizer, [texts[at] for at in some]), strict=True)
    tokenizer.padding_side, tokenizer.pad_token = side, pad
    model.train(training)
    return [answers[at] for at in range(len(texts))]


def _generate(model, tokenizer, texts: list[str]) -> list[str]:
    import torch

    batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
    with torch.no_grad():
        ids = model.generate(
            **batch.to(next(model.parameters()).device),
            max_new_tokens=ANSWER_TOKENS,
            do_sample=True,
            temperature=TEMPERATURE,
            top_k=0,
            use_cache=True,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    new = ids[:, batch["input_ids"].shape[1] :]
    return [text.strip() for text in tokenizer.batch_decode(new, skip_special_tokens=True)]


class Watch:
    """Looks at the chosen answers while they are trained on; takes back what made them unlikelier.

    `look` gives the mean log-probability of the watched pairs' chosen answers, in nats an answer.
    """

    def __init__(self, model, look: Callable[[], float]) -> None:
        self.model, self.look = model, look
        self.updates, self.stopped = 0, ""
        self.before = self.after = look()
        self._good = self._copy()

    def step(self, step: int, last: int) -> bool:
        """After an update: whether to stop, with the weights of the last good look put back."""
        if step % LOOK and step != last:
            return False
        now = self.look()
        if now < self.before:
            self._put_back()
            self.stopped = f"the chosen answers were unlikelier than before at update {step}"
            return True
        self.updates, self.after, self._good = step, now, self._copy()
        return False

    def told(self) -> dict[str, object]:
        return {
            "updates": self.updates,
            "stopped": self.stopped or "all pairs were seen",
            "chosen_before": round(self.before, 4),
            "chosen_after": round(self.after, 4),
        }

    def _trained(self):
        return ((n, p) for n, p in self.model.named_parameters() if p.requires_grad)

    def _copy(self) -> dict:
        return {name: parameter.detach().clone() for name, parameter in self._trained()}

    def _put_back(self) -> None:
        for name, parameter in self._trained():
            parameter.data.copy_(self._good[name])


def _build(model, tokenizer, pairs: Sequence[Pair], config: TrainConfig, machine, seed: int):
    """TRL's DPOTrainer on `pairs`, and what watches it; the weights stay what SFT left, exactly."""
    from datasets import Dataset, disable_progress_bars
    from transformers import PrinterCallback, TrainerCallback
    from trl import DPOConfig, DPOTrainer

    adapted = hasattr(model, "peft_config")
    kept = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    settings = dpo_settings(config, machine, seed)
    disable_progress_bars()

    class Callback(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            control.should_training_stop |= watch.step(state.global_step, state.max_steps)

    trainer = DPOTrainer(
        model=model,
        ref_model=None if adapted else copy.deepcopy(model),
        args=DPOConfig(**settings),
        train_dataset=Dataset.from_list([pair.as_json() for pair in pairs]),
        processing_class=tokenizer,
        callbacks=[Callback()],
    )
    trainer.remove_callback(PrinterCallback)
    restore_float32(model, kept)
    some = trainer.data_collator(
        list(trainer.train_dataset.select(range(min(WATCHED, len(pairs)))))
    )
    watch = Watch(model, lambda: chosen_log_probability(model, some))
    return trainer, watch


def restore_float32(model, kept: dict) -> None:
    """Puts the float32 weights of before back: TRL rounds those of a quantised model to bfloat16.

    The reference adapter gets the same ones. Raises StageError where a name is gone.
    """
    import torch

    found = dict(model.named_parameters())
    for name, weights in kept.items():
        for place in {name, name.replace(".default.", ".ref.")} & set(found):
            found[place].data = weights.to(torch.float32).clone()
    wrong = {p.dtype for p in found.values() if p.requires_grad} - {torch.float32}
    if wrong or not set(kept) <= set(found):
        raise StageError(f"train: parameters of the preference stage are {sorted(map(str, wrong))}")


def chosen_log_probability(model, batch: dict) -> float:
    """Mean log-probability of the chosen answers, the first half of TRL's batch; nats an answer."""
    import torch

    half = len(batch["input_ids"]) // 2
    device = next(model.parameters()).device
    ids, mask, answer = (
        batch[name][:half].to(device) for name in ("input_ids", "attention_mask", "completion_mask")
    )
    training = model.training
    model.eval()
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
        found = torch.log_softmax(logits.float(), -1).gather(-1, ids[:, 1:, None]).squeeze(-1)
    model.train(training)
    return float((found * answer[:, 1:]).sum(1).mean())


def dpo_settings(config: TrainConfig, machine: Precision, seed: int) -> dict[str, object]:
    """The keywords of DPOConfig: one epoch at a tenth of the rate, no checkpoint of its own."""
    import tempfile

    return dict(
        output_dir=tempfile.gettempdir(),
        beta=BETA,
        loss_type=LOSSES,
        max_length=config.pack_length,
        per_device_train_batch_size=BATCH,
        num_train_epochs=1,
        learning_rate=config.learning_rate * RATE,
        lr_scheduler_type="cosine",
        warmup_steps=config.warmup,
        max_grad_norm=config.max_grad_norm,
        use_cpu=not machine.on_gpu,
        bf16=machine.dtype == "bfloat16",
        fp16=machine.dtype == "float16",
        gradient_checkpointing=config.recompute == "on",
        gradient_checkpointing_kwargs={"use_reentrant": False},
        seed=seed,
        data_seed=seed,
        save_strategy="no",
        eval_strategy="no",
        report_to="none",
        push_to_hub=False,
        disable_tqdm=True,
        dataloader_pin_memory=machine.on_gpu,
        log_level="error",
    )
