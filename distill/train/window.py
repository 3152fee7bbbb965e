"""How many updates the night's window has room for, by a rate measured on this machine."""

import json
import time
from pathlib import Path

from distill.train.packing import Plan, with_steps
from distill.train.ranks import agree, is_first, processes
from distill.train.recipes import TrainConfig
from memory.files import write_atomic

PLAN = "plan.json"
SHARE = 0.9  # of what is left goes to updates; the rest to held-out losses and writing
PROBES = 2  # packs timed, after one to warm up


class Window:
    """The minutes a training may take, counted from now; 0 means as many as it needs."""

    def __init__(self, folder: Path, minutes: float) -> None:
        self.path, self.minutes = folder / PLAN, minutes
        self.deadline = time.monotonic() + 60 * SHARE * minutes if minutes else None

    def fits(self, tokens: int, tokens_per_second: float) -> bool:
        """Whether so many tokens can be trained on until the deadline."""
        if self.deadline is None:
            return True
        return tokens <= SHARE * tokens_per_second * (self.deadline - time.monotonic())

    def limit(self, plan: Plan, config: TrainConfig, trainer) -> Plan:
        """`plan` with as many steps as there is time for.

        The number is kept in plan.json: a resumed run makes the same updates at the same rates.
        """
        steps = agree(self._known_steps())
        if steps is None:
            steps = plan.steps
            if self.deadline is not None:
                left = SHARE * (self.deadline - time.monotonic())
                room = left * processes() * measure_rate(trainer) * plan.steps / plan.tokens
                steps = agree(max(1, min(plan.steps, int(room))))
            if is_first():
                write_atomic(self.path, json.dumps({"steps": steps}))
        return with_steps(plan, min(steps, plan.steps), config)

    def _known_steps(self) -> int | None:
        try:
            return json.loads(self.path.read_text(encoding="utf-8"))["steps"]
        except (OSError, ValueError, KeyError):
            return None


def measure_rate(trainer) -> float:
    """Tokens a second of this process over a few packs, both ways; nothing is learnt or drawn."""
    import torch

    model, tokens, begin = trainer.model, 0, 0.0
    model.train()
    with torch.random.fork_rng(), trainer.compute_loss_context_manager():
        for number in range(1 + PROBES):
            begin = time.monotonic() if number == 1 else begin
            batch = trainer.data_collator(
                [trainer.train_dataset[number % len(trainer.train_dataset)]]
            )
            inputs = trainer._prepare_inputs(batch)
            trainer.compute_loss(model, inputs).backward()
            tokens += inputs["input_ids"].numel() if number else 0
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    model.zero_grad()
    return tokens / max(1e-9, time.monotonic() - begin)
