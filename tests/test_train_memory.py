"""vram: the plan's figures are what a training really holds, and they decide on packs."""

import json
from dataclasses import asdict, replace

import pytest

from distill.base import APACHE_BASE, DEFAULT_BASE
from distill.tokens import Record
from distill.train import adapter, attention, lean, packing, precision, vram
from distill.train.paths import memory_plan, paths
from distill.train.precision import Precision
from distill.train.recipes import TrainConfig, for_base
from distill.train.trainer import Watch, build_trainer
from memory.errors import ModelFileError, StageError, UserError
from tests.random_base import RandomBase

pytestmark = pytest.mark.slow

LLAMA = "meta-llama/Llama-3.2-3B-Instruct"
PARAMETERS = {DEFAULT_BASE: 3.09e9, APACHE_BASE: 4.02e9, LLAMA: 3.21e9}  # as their cards say
LARGE = for_base(TrainConfig(), RandomBase("", tiny=False))


@pytest.mark.parametrize("name", PARAMETERS)
def test_shapes_have_the_parameters_their_cards_name(name):
    assert vram.KNOWN[name].entries == pytest.approx(PARAMETERS[name], rel=0.01)


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_3b_fits_into_8_gb_at_the_recipes_pack_length(name):
    found = vram.fit(vram.KNOWN[name], LARGE, 8.0)
    assert found.needs.total <= 8e9 and found.pack_length >= 1024
    assert 1.5e9 < found.needs.weights < 3.2e9


def test_a_larger_budget_buys_less_recomputation_and_longer_packs():
    shape = vram.KNOWN[DEFAULT_BASE]
    fits = [vram.fit(shape, LARGE, gb) for gb in (4.0, 5.0, 8.0, 24.0)]
    work = [fit.recomputed for fit in fits]
    assert work == sorted(work, reverse=True) and work[0] > 0 and work[-1] == 0
    assert vram.fit(shape, LARGE, 0).pack_length == LARGE.pack_length == 2048


def test_recompute_asked_for_is_recompute():
    shape = vram.KNOWN[DEFAULT_BASE]
    assert vram.fit(shape, replace(LARGE, recompute="on"), 80.0).recomputed == shape.layers
    assert vram.fit(shape, replace(LARGE, recompute="off"), 80.0).recomputed == 0


def test_gpu_too_small_is_a_plain_message():
    with pytest.raises(UserError, match=r"vram_budget_gb = 2: this base needs at least .*smaller"):
        vram.fit(vram.KNOWN[DEFAULT_BASE], LARGE, 2.0)


def test_a_pack_is_never_planned_shorter_than_the_longest_record():
    assert vram.fit(vram.KNOWN[DEFAULT_BASE], LARGE, 6.0, shortest=2048).pack_length == 2048


def test_memory_that_runs_out_halves_the_pack_then_recomputes_then_gives_up():
    shape, gpu = vram.KNOWN[DEFAULT_BASE], Precision("cuda", "float16", "", (7, 5))
    config = replace(LARGE, vram_budget_gb=24.0)
    steps = [vram.fit_for(shape, config, gpu, 300, smaller) for smaller in range(4)]
    assert [fit.pack_length for fit in steps] == [2048, 1024, 512, 512]
    assert [fit.recomputed for fit in steps] == [0, 0, 0, 36]
    with pytest.raises(StageError, match=r"even with packs of 512 .* smaller base"):
        vram.fit_for(shape, config, gpu, 300, 4)


def test_folder_without_a_configuration_is_a_plain_message(tmp_path):
    with pytest.raises(ModelFileError, match=r"config\.json: cannot be loaded"):
        vram.read_shape(tmp_path)


def make_tiny_shape(folder):
    """Random weights of the tiny base's own shape, with a small vocabulary's tokenizer."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from tests.random_base import make_tokenizer

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=4096, hidden_size=256, intermediate_size=768, num_hidden_layers=4,
        num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True,
        max_position_embeddings=2048,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return RandomBase(folder)


@pytest.fixture(scope="module")
def tiny_shape(tmp_path_factory):
    precision.prepare_environment(1)
    precision.project_loss_positions_only()
    return make_tiny_shape(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize("length", [256, 512])
@pytest.mark.parametrize(
    ("dtype", "recomputed", "dropout"),
    [("float32", 0, 0.0), ("bfloat16", 0, 0.0), ("float32", 2, 0.0), ("float32", 0, 0.05)],
)
def test_the_plan_is_what_the_allocator_holds(
    tiny_shape, tmp_path, dtype, recomputed, dropout, length
):
    """Weights, adapter, gradients, optimizer and activations of the tiny base's own shape."""
    config = for_base(TrainConfig(pack_length=length, dropout=dropout), tiny_shape)
    width = 4 if dtype == "float32" else 2
    shape = vram.read_shape(tiny_shape.path)
    planned = vram.needed(
        shape, config, length, recomputed, width=width, on_gpu=False, loss_share=0.5
    )
    held = measure(tiny_shape, config, dtype, recomputed, length, tmp_path)
    kept = planned.activations + kept_by_head(shape, length, width)
    if recomputed:  # a layer computed again has hooks of its own, which ours do not see
        kept -= vram.layer_bytes(shape, config, length, width)
    expected = asdict(planned) | {"activations": kept}
    off = {
        name: round(held[name] / expected[name], 3)
        for name in ("weights", "adapter", "gradients", "optimizer", "activations")
    }
    assert all(0.9 <= ratio <= 1.1 for ratio in off.values()), off


def kept_by_head(shape, length, width) -> float:
    """Of the head's share, what stays until backward: the hidden states of loss positions."""
    return 0.5 * length * shape.hidden * width


def measure(base, config, dtype, recomputed, length, folder) -> dict[str, int]:
    """Bytes of every tensor there is after a step, and of those kept for backward before it."""
    import torch

    machine = Precision("cpu", dtype, "asked for")
    how = attention.choose(machine, config)
    model = adapter.add_adapter(adapter.load_quantised(base, machine, how), config)
    records = [
        Record([5 + i % 9] * length, [-100] * (length // 2) + [7] * (length // 2)) for i in range(2)
    ]
    packs = packing.in_order(None, packing.pack(records, length, 0), config, 0)
    plan = packing.plan(packs, records, length, config)
    watch = Watch(folder, config, plan, "", {}, lambda line: None)
    trainer = build_trainer(
        model, adapter.load_tokenizer(base), packs, config, plan, machine, 0, watch
    )
    adapter.to_float32(trainer.model)
    adapter.recompute_layers(trainer.model, recomputed)
    lean.make_lean(trainer.model, dtype)
    parts = [m.forward.args[0] for m in trainer.model.modules() if hasattr(m, "lora_A")]
    for projection in parts:
        projection.weight(getattr(torch, dtype))
    frozen = list(weights(trainer.model, parts))
    trained = [p for p in trainer.model.parameters() if p.requires_grad]
    kept = kept_for_backward(trainer, packs[0], frozen + trained)
    trainer.create_optimizer().step()
    states = [v for s in trainer.optimizer.state.values() for v in s.values() if v.numel() > 1]
    return {
        "weights": size(frozen),
        "adapter": size(trained),
        "gradients": size([p.grad for p in trained]),
        "optimizer": size(states),
        "activations": kept,
    }


def weights(model, parts):
    """Frozen parameters with their quantisation constants, and what is held unpacked."""
    for parameter in model.parameters():
        if not parameter.requires_grad:
            yield parameter
            if state := getattr(parameter, "quant_state", None):
                yield from (state.absmax, state.state2.absmax)
    yield from (projection._dense for projection in parts)


def size(tensors) -> int:
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(storages.values())


def kept_for_backward(trainer, row, known) -> int:
    """Bytes of distinct storages autograd keeps, at their highest, recomputed layers left out."""
    import torch

    own = {t.untyped_storage().data_ptr() for t in known}
    alive, highest = {}, [0]

    class Kept:
        def __init__(self, tensor):
            self.tensor, self.key = tensor, tensor.untyped_storage().data_ptr()
            if self.key not in own:
                count, nbytes = alive.get(self.key, (0, tensor.untyped_storage().nbytes()))
                alive[self.key] = (count + 1, nbytes)
                highest[0] = max(highest[0], sum(n for _, n in alive.values()))

        def __del__(self):
            if self.key in alive:
                count, nbytes = alive.pop(self.key)
                if count > 1:
                    alive[self.key] = (count - 1, nbytes)

    trainer.model.train()
    batch = trainer.data_collator([row])
    with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
        trainer.compute_loss(trainer.model, batch).backward()
    return highest[0]


def test_the_known_shapes_are_those_of_a_config_file():
    config = {
        "model_type": "qwen3", "num_hidden_layers": 36, "hidden_size": 2560, "vocab_size": 151936,
        "intermediate_size": 9728, "num_attention_heads": 32, "num_key_value_heads": 8,
        "head_dim": 128, "tie_word_embeddings": True, "max_position_embeddings": 262144,
    }  # fmt: skip
    assert vram.shape_of(json.loads(json.dumps(config))) == vram.KNOWN[APACHE_BASE]


def test_the_plan_of_a_base_not_yet_fetched_comes_from_its_known_shape(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in PARAMETERS:
        assert "within 8.0 GB: packs of 1,024" in memory_plan(name, "", TrainConfig(), 8.6e9)
    assert memory_plan("owner/other", "", TrainConfig(), 8e9) == "planned once the base is fetched"
    with pytest.raises(UserError, match="this base needs at least"):
        memory_plan(DEFAULT_BASE, "", TrainConfig(), 2e9)


def test_doctor_says_which_path_each_part_of_training_takes(tmp_path):
    from agent.doctor import examine

    (tmp_path / "config.toml").write_text('[base]\nname = "tiny"\n')
    found = {check["name"]: check["found"] for check in examine(tmp_path)}
    parts = {"precision", "attention", "loss head", "optimizer", "memory"}
    assert {f"training: {part}" for part in parts} <= set(found)


def test_turing_and_ampere_take_other_paths():
    turing, ampere = paths((7, 5)), paths((8, 6))
    assert "float16" in turing["precision"] and "bfloat16" in ampere["precision"]
    assert "repeated" in turing["attention"] and "repeated" not in ampere["attention"]
    assert "counted" in turing["overflow"]
    assert "torch folds a tile" in paths((8, 6), triton=False)["loss head"]
