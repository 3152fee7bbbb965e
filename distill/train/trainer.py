"""TRL's SFTTrainer on packs, watched: held-out loss, metrics, sealed checkpoints."""

import json
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from distill.train.attention import padding
from distill.train.checkpoints import keep_newest, seal
from distill.train.packing import Plan
from distill.train.precision import Precision
from distill.train.ranks import agree, is_first, total, wait_for_all
from distill.train.recipes import TrainConfig
from memory.errors import StageError
from memory.files import write_atomic

METRICS = "metrics.jsonl"
# Tokens a pack's length is rounded up to: few lengths need few kernels, tensor cores like eights.
# On a CPU oneDNN keeps what it has made for each of the last 1,024 shapes: a third of a GB.
ROUND = 16
# What torch.save and safetensors say of a disk that does not take what they write: no OSError.
DISK_ERRORS = ("inline_container", "PytorchStreamWriter", "I/O error")
MAX_SKIPPED = 25  # float16 updates skipped in a row: the scale has fallen from 65,536 to 0.002


class Watch:
    """What is counted and written while the trainer runs; its state travels in the seals.

    `facts` of the checkpoint resumed from set the counters: `step`, `tokens`, `loss_tokens`,
    `seconds`, `first_held_out_loss`. Lines of metrics.jsonl after that step are dropped.
    """

    def __init__(
        self,
        folder: Path,
        config: TrainConfig,
        plan: Plan,
        fingerprint: str,
        facts: dict,
        progress: Callable[[dict], None],
    ) -> None:
        self.folder, self.config, self.plan, self.progress = folder, config, plan, progress
        self.fingerprint = fingerprint
        self.tokens = facts.get("tokens", 0)
        self.loss_tokens = facts.get("loss_tokens", 0)
        self.seconds_before = facts.get("seconds", 0.0)
        self.first_held_out_loss = facts.get("first_held_out_loss")
        self.held_out_loss: float | None = None
        self.loss: float | None = None
        self.measure: Callable[[], float | None] = lambda: None
        self.points = held_out_points(plan.steps, config.held_out_points)
        self.skipped = facts.get("skipped", 0)
        self._skipped_in_a_row = self._skipped_at_log = 0
        self.deadline: float | None = None  # on time.monotonic's clock
        self.is_late = False  # the window's end has come: training stops with what it has learnt
        self._measuring = 0.0
        self._tokens_before = self.tokens
        self._started = self._saved = time.monotonic()
        self._cpu_started, self._cpu_measuring = time.process_time(), 0.0
        self._unwritten: str | None = None  # why the checkpoint being saved is none
        self._fresh: float | None = None  # a held-out loss no line of metrics has yet
        if is_first():
            self._drop_lines_after(facts.get("step", -1))

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self._started

    @property
    def tokens_per_second(self) -> float:
        """Of this process's own updates; the time held-out losses take is left out."""
        elapsed = time.monotonic() - self._started - self._measuring
        return (self.tokens - self._tokens_before) / max(elapsed, 1e-9)

    @property
    def tokens_per_cpu_second(self) -> float:
        """The same by the process's CPU time: what a busy machine leaves comparable."""
        used = time.process_time() - self._cpu_started - self._cpu_measuring
        return (self.tokens - self._tokens_before) / max(used, 1e-9)

    def begin(self, step: int) -> None:
        """The clock starts; a run from the base measures the held-out loss before it learns."""
        self._started, self._measuring = time.monotonic(), 0.0
        self._cpu_started, self._cpu_measuring = time.process_time(), 0.0
        self._saved = self._started
        if step == 0:
            self.first_held_out_loss = self._measure()
            self._write({"step": 0, "loss": None, "learning_rate": 0.0})

    def count(self, batches: list[dict]) -> None:
        """Adds the packs of one update, everybody's: all their tokens, and those with loss."""
        tokens = sum(b["input_ids"].numel() - padding(b["cu_seq_lens_q"]) for b in batches)
        with_loss = sum(int((batch["labels"][:, 1:] != -100).sum()) for batch in batches)
        tokens, with_loss = total(tokens, with_loss)
        self.tokens += tokens
        self.loss_tokens += with_loss

    def _measure(self) -> float | None:
        begin, cpu = time.monotonic(), time.process_time()
        self.held_out_loss = self._fresh = self.measure()
        self._measuring += time.monotonic() - begin
        self._cpu_measuring += time.process_time() - cpu
        return self.held_out_loss

    def count_skipped(self, skipped: bool) -> None:
        """After an update in float16: whether its gradients overflowed and it was left out.

        The scaler halves its scale each time, so a few at the start are its way to find it.
        Raises StageError after MAX_SKIPPED in a row.
        """
        self.skipped += skipped
        self._skipped_in_a_row = self._skipped_in_a_row + 1 if skipped else 0
        if self._skipped_in_a_row >= MAX_SKIPPED:
            raise StageError(
                f"train: {MAX_SKIPPED} updates in a row overflowed float16 and were skipped:"
                " this base cannot be trained in float16; a GPU with bfloat16 (Ampere or newer) or"
                " another base can"
            )

    def step_done(self, step: int) -> tuple[bool, bool]:
        """After an update: (a line of metrics is due, a checkpoint is due), the same everywhere."""
        late = self.deadline is not None and time.monotonic() >= self.deadline
        minutes = (time.monotonic() - self._saved) / 60
        by_time = self.config.checkpoint_minutes and minutes >= self.config.checkpoint_minutes
        self.is_late, by_time = agree((late, by_time))
        if step in self.points or (self.is_late and self.held_out_loss is not None):
            self._measure()
        by_count = self.config.checkpoint_steps and step % self.config.checkpoint_steps == 0
        save = bool(by_count or by_time) and step < self.plan.steps
        return step in self.points or step == self.plan.steps, save

    def log(self, step: int, logs: dict) -> None:
        """A line of metrics from the trainer's own log. Raises StageError for a loss gone wild."""
        if "loss" not in logs:
            return
        self.loss = logs["loss"]
        skipped_since = self.skipped - self._skipped_at_log
        self._skipped_at_log = self.skipped
        if not math.isfinite(self.loss) and not skipped_since:
            raise StageError(
                f"train: the loss is {self.loss} at update {step}: lower train.learning_rate"
            )
        self._write({"step": step, "loss": self.loss, "learning_rate": logs["learning_rate"]})

    def saved(self, step: int) -> None:
        """Seals the checkpoint the trainer has just written, then removes older ones.

        One that no disk has room for is removed: training goes on from the one before, if it must.
        """
        self._saved = time.monotonic()
        wait_for_all()  # every process has a random state of its own in it
        if not is_first():
            return
        written = self.folder / "checkpoints" / f"checkpoint-{step}"
        if self._unwritten is None:
            self._seal(written, step)
        if self._unwritten is not None:
            shutil.rmtree(written, ignore_errors=True)
            self.progress({"checkpoint": step, "not_written": self._unwritten})
        self._unwritten = None

    def not_saved(self, error: Exception) -> None:
        """What kept the trainer from writing a checkpoint. Raises it where it was no disk."""
        disk = isinstance(error, OSError) or any(name in str(error) for name in DISK_ERRORS)
        if not disk:
            raise error
        self._unwritten = str(error).splitlines()[0]

    def _seal(self, written: Path, step: int) -> None:
        facts = {
            "fingerprint": self.fingerprint,
            "step": step,
            "tokens": self.tokens,
            "loss_tokens": self.loss_tokens,
            "seconds": self.seconds,
            "first_held_out_loss": self.first_held_out_loss,
            "skipped": self.skipped,
        }
        try:
            seal(written, facts)
            keep_newest(written.parent, self.config.keep_checkpoints)
        except OSError as error:
            self._unwritten = str(error)

    def _write(self, line: dict) -> None:
        line |= {
            "held_out_loss": self._fresh,
            "tokens": self.tokens,
            "seconds": round(self.seconds, 3),
        }
        line |= {"skipped": self.skipped} if self.skipped else {}
        self._fresh = None
        if not is_first():
            return
        with open(self.folder / METRICS, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        rate = self.tokens_per_second
        left = (self.plan.steps - line["step"]) * self.tokens / max(1, line["step"])
        self.progress(
            line
            | {
                "steps": self.plan.steps,
                "tokens_per_second": round(rate, 1),
                "remaining_seconds": round(left / rate) if rate and line["step"] else None,
            }
        )

    def _drop_lines_after(self, step: int) -> None:
        """A resumed run writes again what the killed one had written after its checkpoint."""
        path, kept = self.folder / METRICS, []
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for line in lines:
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line)
            except ValueError:
                continue  # the line a kill tore
        write_atomic(path, "".join(line + "\n" for line in kept))


def held_out_points(steps: int, points: int) -> frozenset[int]:
    """The updates after which the held-out loss is measured: spread evenly, the last among them."""
    return frozenset(round(steps * i / points) for i in range(1, points + 1)) - {0}


def use_plan(trainer, watch: Watch, plan: Plan, deadline: float | None) -> None:
    """Gives a built trainer another number of steps, and the moment at which it must end."""
    trainer.args.max_steps, trainer.args.warmup_steps = plan.steps, plan.warmup_steps
    watch.plan, watch.deadline = plan, deadline
    watch.points = held_out_points(plan.steps, watch.config.held_out_points)


def build_trainer(model, tokenizer, packs, config: TrainConfig, plan: Plan, precision, seed, watch):
    """SFTTrainer on `packs`, reporting to `watch` and to nobody else."""
    from safetensors import SafetensorError
    from transformers import PrinterCallback, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    settings = sft_settings(watch.folder / "checkpoints", config, plan, precision, seed)

    class Callback(TrainerCallback):
        def on_train_begin(self, args, state, control, **_):
            watch.begin(state.global_step)

        def on_step_end(self, args, state, control, **_):
            watch.count_skipped(trainer.accelerator.optimizer_step_was_skipped)
            log, save = watch.step_done(state.global_step)
            control.should_training_stop = control.should_training_stop or watch.is_late
            control.should_log = control.should_log or log or watch.is_late
            control.should_save = save and not watch.is_late

        def on_log(self, args, state, control, logs, **_):
            watch.log(state.global_step, logs)

        def on_save(self, args, state, control, **_):
            watch.saved(state.global_step)

    class Trainer(SFTTrainer):
        def get_batch_samples(self, *args, **kwargs):
            batches, items = super().get_batch_samples(*args, **kwargs)
            watch.count(batches)
            return batches, items

        def _save_checkpoint(self, *args, **kwargs):
            try:
                super()._save_checkpoint(*args, **kwargs)
            except (OSError, RuntimeError, SafetensorError) as error:
                watch.not_saved(error)

        def create_model_card(self, *args, **kwargs):
            """TRL writes one beside each checkpoint; nobody reads it."""

    trainer = Trainer(
        model=model,
        args=SFTConfig(**settings),
        train_dataset=packs,
        processing_class=tokenizer,
        callbacks=[Callback()],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def sft_settings(
    output: Path, config: TrainConfig, plan: Plan, precision: Precision, seed: int
) -> dict[str, object]:
    """The keywords of SFTConfig for packs made beforehand.

    `padding_free` makes the collator restart position ids at each record and pass no attention
    mask; no `compute_metrics`, no label smoothing: either would bring the full logits back.
    """
    optimizer = config.optimizer
    if optimizer == "auto":
        optimizer = "paged_adamw_8bit" if precision.on_gpu else "adamw_torch_fused"
    return dict(
        output_dir=str(output),
        use_cpu=not precision.on_gpu,
        bf16=precision.on_gpu and precision.dtype == "bfloat16",  # lean layers cast on a CPU
        fp16=precision.dtype == "float16",
        padding_free=True,
        pad_to_multiple_of=ROUND if "rounding" in config.levers else None,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        per_device_train_batch_size=1,
        gradient_accumulation_steps=plan.accumulation,
        max_steps=plan.steps,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=plan.warmup_steps,
        optim=optimizer,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        gradient_checkpointing=False,  # adapter.recompute_layers does it, layer by layer
        train_sampling_strategy="sequential",  # packing.in_order has drawn the order
        seed=seed,
        data_seed=seed,
        logging_steps=config.log_steps,
        logging_nan_inf_filter=False,
        save_strategy="no",  # the callback says when
        eval_strategy="no",
        report_to="none",
        push_to_hub=False,
        disable_tqdm=True,
        dataloader_pin_memory=precision.on_gpu,
        log_level="error",
    )


def measure_held_out(trainer, packs) -> float | None:
    """Nats a loss token over all of `packs`; leaves the model training and draws nothing."""
    import torch

    if packs is None:
        return None
    model, total, count = trainer.model, 0.0, 0
    model.eval()
    with torch.no_grad(), trainer.compute_loss_context_manager():
        for row in packs:
            inputs = trainer._prepare_inputs(trainer.data_collator([row]))
            out = model(**inputs, fused_lm_head=True)
            total -= float(out.log_probs.double().sum())
            count += int(out.label_mask.sum())
    model.train()
    return total / count if count else None
