"""The other side of the training benchmark: TRL's SFTTrainer as its documentation shows it."""

import time
from pathlib import Path


def train_plainly(
    base, records, held_out, config, *, batch: int, steps: int, warmup: int, rows_an_update: float,
    seed: int, output: Path, recompute: bool = True,
) -> dict:  # fmt: skip
    """Trains an adapter of `config`'s numbers on `records`; gives seconds, tokens and losses.

    `records` are tokenised already and `steps`, `warmup` and the schedule are Junior's: what
    differs is what TRL leaves as it is: rows padded to batches of `batch`, its own LoRA cast, its
    head, recomputed activations. The base is guarded against bitsandbytes' lossy repacking, or its
    held-out loss could not be measured.
    """
    from trl import SFTConfig, SFTTrainer
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    from distill.train import adapter, precision
    from distill.train.trainer import measure_held_out

    machine = precision.detect_precision()
    model = adapter.load_quantised(base, machine, cached=True)
    tokenizer = adapter.load_tokenizer(base)
    settings = SFTConfig(
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=max(1, round(rows_an_update / batch)),
        max_steps=steps,
        warmup_steps=warmup,
        learning_rate=config.learning_rate,
        gradient_checkpointing=recompute,
        **as_settings(machine, seed, output),
    )
    clock = make_clock()
    trainer = SFTTrainer(
        model=model,
        args=settings,
        train_dataset=as_dataset(records),
        processing_class=tokenizer,
        peft_config=as_lora(config),
        callbacks=[clock],
    )
    trainer.train()
    rows = steps * settings.gradient_accumulation_steps * batch
    tokens = rows * sum(len(r.input_ids) for r in records) / len(records)
    trainer.data_collator = DataCollatorForLanguageModeling(
        pad_token_id=tokenizer.pad_token_id, padding_free=True
    )
    return {
        "tokens": round(tokens),
        "seconds": clock.seconds,
        "tokens_per_second": tokens / clock.seconds,
        "tokens_per_cpu_second": tokens / clock.cpu_seconds,
        "settled_tokens_per_second": tokens / steps * clock.settled_rate(),
        "held_out_loss": measure_held_out(trainer, held_out),
    }


def as_settings(machine, seed: int, output: Path) -> dict[str, object]:
    """SFTConfig's arguments that are the same in every run."""
    return {
        "output_dir": str(output),
        "use_cpu": not machine.on_gpu,
        "bf16": machine.dtype == "bfloat16",
        "fp16": machine.dtype == "float16",
        "lr_scheduler_type": "cosine",
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "max_length": None,
        "seed": seed,
        "data_seed": seed,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "log_level": "error",
    }


def as_lora(config):
    """`config`'s adapter as PEFT takes it."""
    from peft import LoraConfig

    return LoraConfig(
        r=config.r,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=list(config.target_modules),
        task_type="CAUSAL_LM",
    )


def make_clock():
    """A callback that keeps `seconds` and `cpu_seconds` of the training, loading left out.

    Its `settled_rate` is updates a second after the first, in which a GPU's kernels are compiled.
    """
    import torch
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        def on_train_begin(self, *_, **__):
            self.begun, self.ends = (time.perf_counter(), time.process_time()), []

        def on_step_end(self, *_, **__):
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.ends.append(time.perf_counter())

        def on_train_end(self, *_, **__):
            self.seconds = time.perf_counter() - self.begun[0]
            self.cpu_seconds = time.process_time() - self.begun[1]

        def settled_rate(self) -> float:
            updates = len(self.ends) - 1
            return updates / (self.ends[-1] - self.ends[0]) if updates else 1 / self.seconds

    return Clock()


def as_dataset(records):
    """Records as rows of `input_ids` and `labels`, in their order."""
    from datasets import Dataset

    return Dataset.from_dict(
        {
            "input_ids": [r.input_ids for r in records],
            "labels": [r.labels for r in records],
        }
    )
