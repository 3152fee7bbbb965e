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
    from peft import LoraConfig
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    from distill.train import adapter, precision
    from distill.train.trainer import measure_held_out

    machine = precision.detect_precision()
    model, tokenizer = adapter.load_quantised(base, machine), adapter.load_tokenizer(base)
    clock = {}

    class Clock(TrainerCallback):
        def on_train_begin(self, *_, **__):
            clock["begin"], clock["cpu"] = time.perf_counter(), time.process_time()

        def on_train_end(self, *_, **__):
            clock["end"], clock["cpu"] = time.perf_counter(), time.process_time() - clock["cpu"]

    settings = SFTConfig(
        output_dir=str(output),
        use_cpu=not machine.on_gpu,
        bf16=machine.dtype == "bfloat16",
        fp16=machine.dtype == "float16",
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=max(1, round(rows_an_update / batch)),
        max_steps=steps,
        warmup_steps=warmup,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        gradient_checkpointing=recompute,
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        seed=seed,
        data_seed=seed,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        log_level="error",
    )
    trainer = SFTTrainer(
        model=model,
        args=settings,
        train_dataset=as_dataset(records),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=config.r,
            lora_alpha=config.alpha,
            lora_dropout=config.dropout,
            target_modules=list(config.target_modules),
            task_type="CAUSAL_LM",
        ),
        callbacks=[Clock()],
    )
    trainer.train()
    rows = steps * settings.gradient_accumulation_steps * batch
    seconds = clock["end"] - clock["begin"]
    tokens = rows * sum(len(r.input_ids) for r in records) / len(records)
    trainer.data_collator = DataCollatorForLanguageModeling(
        pad_token_id=tokenizer.pad_token_id, padding_free=True
    )
    return {
        "tokens": round(tokens),
        "seconds": seconds,
        "tokens_per_second": tokens / seconds,
        "tokens_per_cpu_second": tokens / clock["cpu"],
        "held_out_loss": measure_held_out(trainer, held_out),
    }


def as_dataset(records):
    """Records as rows of `input_ids` and `labels`, in their order."""
    from datasets import Dataset

    return Dataset.from_dict(
        {
            "input_ids": [r.input_ids for r in records],
            "labels": [r.labels for r in records],
        }
    )
