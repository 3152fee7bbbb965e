"""The traps of today's training stack, one test each: all show on a CPU but those marked gpu."""

import bisect
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from distill.tokens import IGNORE, Record, tokenise
from distill.train import adapter, attention, packing, precision
from distill.train.recipes import for_base
from distill.train.trainer import Watch, build_trainer, measure_held_out, sft_settings
from tests.random_base import RandomBase, make_random_base
from tests.test_train import SMALL, make_rows

pytestmark = pytest.mark.slow

CPU = precision.choose_precision(None)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    precision.prepare_environment(1)
    precision.project_loss_positions_only()
    return make_random_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def records(base):
    return tokenise(make_rows(12), adapter.load_tokenizer(base), max_length=256)


@pytest.fixture
def make_trainer(base, records, tmp_path):
    """Builds the very trainer train() uses, over one run of `records`."""

    def make(machine=CPU, **numbers):
        import torch

        config = for_base(replace(SMALL, **numbers), base)
        packs = packing.in_order(None, packing.pack(records, 256, seed=0), config, 0)
        plan = packing.plan(packs, records, 256, config)
        torch.manual_seed(0)
        model = adapter.add_adapter(adapter.load_quantised(base, machine), config)
        watch = Watch(tmp_path, config, plan, "", {}, lambda line: None)
        tokenizer = adapter.load_tokenizer(base)
        trainer = build_trainer(model, tokenizer, packs, config, plan, machine, 0, watch)
        return trainer, packs

    return make


def trainable(model):
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def test_trap_1_adapters_are_float32_although_trl_casts_them(make_trainer):
    import torch

    trainer, _ = make_trainer()
    assert {p.dtype for p in trainable(trainer.model).values()} == {torch.bfloat16}
    adapter.to_float32(trainer.model)
    adapter.check_float32(trainer.model)
    before = adapter.adapter_weights(trainer.model)
    trainer.train()
    adapter.check_float32(trainer.model)
    moved = adapter.share_moved(before, adapter.adapter_weights(trainer.model))
    assert all(share > 0.9 for share in moved.values())


def test_trap_2_capability_decides_the_precision():
    assert precision.choose_precision((7, 5)).dtype == "float16"
    assert precision.choose_precision((8, 0)).dtype == "bfloat16"
    assert precision.choose_precision((12, 0)).dtype == "bfloat16"
    assert precision.choose_precision(None).device == "cpu"


def test_trap_6_the_embedding_is_not_cast_up(base):
    import torch

    machine = precision.Precision("cpu", "bfloat16", "asked for")
    model = adapter.load_quantised(base, machine)
    assert model.get_input_embeddings().weight.dtype == torch.bfloat16
    assert model.lm_head.weight is model.get_input_embeddings().weight


def test_trap_7_packed_records_lose_as_much_as_alone(make_trainer, records):
    import torch

    trainer, packs = make_trainer(epochs=1.0)
    model = trainer.model.eval()
    alone = {tuple(r.input_ids): record_loss(trainer, [len(r.input_ids)], r)[0] for r in records}
    compared = 0
    for row in packs:
        losses = record_loss(trainer, row["seq_lengths"], row)
        start = 0
        for length, loss in zip(row["seq_lengths"], losses, strict=True):
            key = tuple(row["input_ids"][start : start + length])
            torch.testing.assert_close(loss, alone[key], atol=1e-3, rtol=0)
            start, compared = start + length, compared + 1
    assert compared == len(records) and len(packs) < len(records)
    assert not model.training and not model.config.use_cache


def record_loss(trainer, lengths, row) -> list:
    """Mean loss of each record in a pack, by the trainer's own collator and head."""
    import torch

    if not isinstance(row, dict):
        row = {"input_ids": row.input_ids, "labels": row.labels, "seq_lengths": lengths}
    batch = trainer.data_collator([row])
    assert "attention_mask" not in batch  # one would switch the isolation off
    with torch.no_grad():
        out = trainer.model(**batch, fused_lm_head=True)
    lengths = [*lengths, batch["input_ids"].numel() - sum(lengths)]  # the last: rounding up
    losses = torch.nn.functional.pad(-out.log_probs[0], (1, 0)).split(lengths)
    masks = torch.nn.functional.pad(out.label_mask[0], (1, 0)).split(lengths)
    pairs = list(zip(losses, masks, strict=True))[:-1]
    return [loss.sum() / mask.sum() for loss, mask in pairs]


def test_trap_7_no_token_is_lost_or_mixed_in_packing(records):
    packs = packing.pack(records, 256, seed=1)
    found = []
    for row in packs:
        ids, labels = row["input_ids"], row["labels"]
        assert len(ids) == len(labels) == sum(row["seq_lengths"]) <= 256
        for length in row["seq_lengths"]:
            found.append((ids[:length], labels[:length]))
            ids, labels = ids[length:], labels[length:]
    assert sorted(found) == sorted((r.input_ids, r.labels) for r in records)


def test_trap_7_an_attention_mask_would_mix_the_records_of_a_pack(make_trainer, records):
    import torch

    trainer, packs = make_trainer(epochs=1.0)
    row = max(packs, key=lambda one: len(one["seq_lengths"]))
    batch = trainer.data_collator([row])
    with torch.no_grad():
        logits = trainer.model.eval()(**batch).logits
        mixed = trainer.model(**batch, attention_mask=torch.ones_like(batch["input_ids"])).logits
    first = row["seq_lengths"][0]  # nothing comes before it: the same either way
    torch.testing.assert_close(mixed[:, :first], logits[:, :first], atol=1e-4, rtol=1e-4)
    assert (mixed[:, first:] - logits[:, first:]).abs().max() > 0.01


def test_trap_7_packs_are_full_though_records_are_not_sorted():
    draw = random.Random(0)
    lengths = [draw.randint(20, 250) for _ in range(2500)]
    records = [Record([7] * n, [7] * n) for n in lengths]
    assert len(packing.pack(records, 256, seed=0)) <= 1.03 * fewest_packs(lengths, 256)
    assert settings_for(None, RandomBase(""))["per_device_train_batch_size"] == 1


def test_trap_7_short_records_share_packs_with_long_ones():
    """Sorted by length they shared packs with one another, and an update taught only a name."""
    records = [Record([7] * n, [7] * n) for n in [30] * 600 + [150] * 400]
    assert all(150 in lengths for lengths in packing.pack(records, 512, seed=0)["seq_lengths"])


def fewest_packs(lengths, size) -> int:
    """Best fit, decreasing, over all of them at once."""
    free = []
    for length in sorted(lengths, reverse=True):
        at = bisect.bisect_left(free, length)
        left = (free.pop(at) if at < len(free) else size) - length
        bisect.insort(free, left)
    return len(free)


def test_trap_7_rows_longer_than_the_pack_never_reach_it(records):
    with pytest.raises(AssertionError, match="cut records"):
        packing.pack(records, 20, seed=0)


def test_trap_8_loss_is_exact_and_the_full_logits_are_never_made(make_trainer):
    import torch

    trainer, packs = make_trainer()
    model, batch = trainer.model.eval(), trainer.data_collator([packs[0]])
    calls = []
    head = model.get_output_embeddings()
    handle = head.register_forward_hook(lambda *args: calls.append(1))
    loss = trainer.compute_loss(model, dict(batch))
    assert calls == [] and trainer.compute_metrics is None
    assert trainer.args.label_smoothing_factor == 0
    handle.remove()
    inputs = {k: v for k, v in batch.items() if k != "labels"}
    logits = model(**inputs).logits[0, :-1]
    naive = torch.nn.functional.cross_entropy(logits, batch["labels"][0, 1:], ignore_index=IGNORE)
    torch.testing.assert_close(loss, naive, atol=1e-5, rtol=1e-5)


def test_trap_8_only_loss_positions_are_projected(make_trainer):
    import torch
    import trl.trainer.utils

    trainer, packs = make_trainer()
    batch = trainer.data_collator([packs[0]])
    assert trl.trainer.utils._use_triton(torch.device("cpu"))  # TRL's name for: leave others out
    projected = []
    function = trl.trainer.utils._ChunkedLogProbFunction
    with torch.autograd.graph.saved_tensors_hooks(lambda t: projected.append(t) or t, lambda t: t):
        trainer.compute_loss(trainer.model, dict(batch))
    positions = int((batch["labels"][0, 1:] != IGNORE).sum())
    assert function and any(t.shape == (positions, 64) for t in projected)


def test_trap_11_gradients_are_the_same_after_an_evaluation(make_trainer):
    import torch

    trainer, packs = make_trainer(dropout=0.0)
    adapter.to_float32(trainer.model)
    with torch.no_grad():
        for name, parameter in trainable(trainer.model).items():
            if "lora_B" in name:
                parameter.fill_(0.01)  # at 0 the gradient of A is 0 whatever the weights are
    before = gradients(trainer, packs[0])
    first = measure_held_out(trainer, packs)
    assert measure_held_out(trainer, packs) == first and trainer.model.training
    after = gradients(trainer, packs[0])
    assert all(torch.equal(before[name], after[name]) for name in before)


def gradients(trainer, row) -> dict:
    trainer.model.zero_grad()
    trainer.model.train()
    trainer.compute_loss(trainer.model, trainer.data_collator([row])).backward()
    return {name: p.grad.clone() for name, p in trainable(trainer.model).items()}


def test_trap_11_bfloat16_on_the_cpu_keeps_its_weights_too(base):
    import torch

    model = adapter.load_quantised(base, precision.Precision("cpu", "bfloat16", "asked for"))
    assert precision.keep_weights_as_packed(model) == 14  # seven in each of two layers
    weight = model.model.layers[0].mlp.up_proj.weight
    before = weight.data.clone()
    with torch.no_grad():
        model.eval()(input_ids=torch.tensor([[1, 2, 3]]))
    assert torch.equal(weight.data, before)


def settings_for(capability, base, **numbers) -> dict:
    config = for_base(replace(SMALL, **numbers), base)
    machine = precision.choose_precision(capability)
    return sft_settings(Path("x"), config, packing.Plan(256, 8, 2, 4, 1), machine, 0)


def test_trap_2_and_13_a_gpu_gets_its_dtype_and_the_paged_optimizer(base):
    turing, ampere, cpu = (settings_for(c, base) for c in ((7, 5), (8, 6), None))
    assert [s["bf16"] for s in (turing, ampere, cpu)] == [False, True, False]
    assert [s["fp16"] for s in (turing, ampere, cpu)] == [True, False, False]
    assert [s["use_cpu"] for s in (turing, ampere, cpu)] == [False, False, True]
    assert turing["optim"] == "paged_adamw_8bit" and cpu["optim"] == "adamw_torch_fused"
    assert settings_for((8, 0), base, optimizer="adamw_torch")["optim"] == "adamw_torch"


@pytest.mark.slow
def test_trap_14_threads_are_set_before_the_libraries_load():
    code = (
        "import os, sys; from distill.train import precision; assert 'torch' not in sys.modules;"
        "t = precision.prepare_environment(1); import torch;"
        "print(t.omp_wait_policy, torch.get_num_threads(), os.environ['HF_HUB_OFFLINE'])"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OMP", "HF", "MKL"))}
    out = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1],
        env=env,
        capture_output=True,
        text=True,
    )
    assert out.stdout.split() == ["PASSIVE", "1", "1"], out.stderr


def test_kernels_stays_out_of_the_environment():
    import importlib.util

    assert importlib.util.find_spec("kernels") is None  # bitsandbytes would ask a hub at import


@pytest.mark.gpu
def test_trap_4_the_fused_head_runs_on_this_gpu(make_trainer):
    machine = precision.detect_precision()
    assert machine.on_gpu
    trainer, _ = make_trainer(machine)
    adapter.to_float32(trainer.model)
    assert trainer.train().training_loss > 0
    assert trainer.args.optim == "paged_adamw_8bit"


def test_trap_3_on_turing_heads_are_repeated_before_unmasked_attention(base):
    import torch
    import transformers.integrations.sdpa_attention as sdpa
    from torch.overrides import TorchFunctionMode

    grouped = []

    class Watched(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            if function is torch.nn.functional.scaled_dot_product_attention:
                grouped.append(bool((kwargs or {}).get("enable_gqa")))
            return function(*args, **(kwargs or {}))

    model, ids = adapter.load_quantised(base, CPU), torch.arange(9)[None]
    as_it_was = sdpa.use_gqa_in_sdpa
    try:
        with torch.no_grad(), Watched():
            before = model(input_ids=ids).logits
            assert not precision.repeat_heads_on((8, 0)) and precision.repeat_heads_on((7, 5))
            after = model(input_ids=ids).logits
    finally:
        sdpa.use_gqa_in_sdpa = as_it_was
    assert grouped == [True, True, False, False]
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-5)


def test_trap_4_without_a_working_triton_the_head_folds_in_torch(make_trainer, monkeypatch):
    import torch
    import trl.kernels.chunked_logprob as kernels
    import trl.trainer.utils as head

    trainer, packs = make_trainer()
    expected = trainer.compute_loss(trainer.model.eval(), trainer.data_collator([packs[0]]))
    for module in (kernels, head):
        monkeypatch.setattr(module, "_use_triton", lambda device: True)  # as on any CUDA device
    precision.project_loss_positions_only(triton=False)
    assert not kernels._use_triton(torch.device("cuda")) and head._use_triton(torch.device("cuda"))
    found = trainer.compute_loss(trainer.model, trainer.data_collator([packs[0]]))
    assert torch.equal(found, expected)


def test_trap_4_a_gpu_gets_torchs_own_attention_and_never_a_triton_one(base):
    config = for_base(SMALL, base)
    chosen = {attention.choose(precision.choose_precision(c), config) for c in ((7, 5), (9, 0))}
    assert chosen == {"sdpa"} and attention.choose(CPU, config) == attention.NAME


def test_trap_9_the_adapter_is_written_beside_its_base_and_never_merged():
    source = "".join(p.read_text() for p in Path(adapter.__file__).parent.glob("*.py"))
    assert "merge_and_unload" not in source and "merge_adapter" not in source
