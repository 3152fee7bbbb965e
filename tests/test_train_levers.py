"""levers: each speeds training up and leaves its result as it was."""

import pytest

from distill.train import adapter, attention, head, lean, precision
from distill.train.recipes import LEVERS, TrainConfig, for_base
from tests.random_base import RandomBase, make_random_base
from tests.tiny_models import FAMILIES, make_base

pytestmark = pytest.mark.slow

CPU = precision.choose_precision(None)
BORDERS = [0, 5, 6, 30]


def make_model(base, how="sdpa", dropout=0.0, **numbers):
    """The base in NF4 with an adapter whose B is not zero: at zero A has no gradient."""
    import torch

    config = for_base(TrainConfig(dropout=dropout, **numbers), base)
    torch.manual_seed(0)
    model = adapter.add_adapter(adapter.load_quantised(base, CPU, how), config)
    adapter.to_float32(model)
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(0, 0.05)
    return model


def run(model, **inputs) -> tuple:
    """(logits, gradients by name) of one backward pass over 30 tokens."""
    import torch

    model.train()
    ids = torch.arange(30)[None] + 7
    logits = model(input_ids=ids, use_cache=False, **inputs).logits
    logits.float().logsumexp(-1).sum().backward()
    grads = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return logits.detach(), grads


@pytest.fixture
def base(tmp_path):
    return make_random_base(tmp_path)


@pytest.mark.parametrize("family", FAMILIES)
def test_lean_layers_give_pefts_own_output_and_gradients(tmp_path, family):
    import torch

    make_base(tmp_path, family)
    plain, made = make_model(RandomBase(tmp_path)), make_model(RandomBase(tmp_path))
    assert lean.make_lean(made, "float32") == 21  # seven in each of three layers
    (expected, grads), (logits, found) = run(plain), run(made)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    assert found.keys() == grads.keys() and len(grads) == 42
    for name, grad in grads.items():
        torch.testing.assert_close(found[name], grad, atol=1e-4, rtol=1e-3)


def test_lean_layers_keep_less_for_the_backward_pass(base):
    plain, made = make_model(base), make_model(base)
    lean.make_lean(made, "float32")
    assert saved_bytes(made) < 0.8 * saved_bytes(plain)


def saved_bytes(model) -> int:
    """Bytes of distinct tensors kept for backward, parameters left out."""
    import torch

    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        run(model)
    return sum(size for size, _ in kept.values())


def test_lean_dropout_has_the_gradient_of_its_own_mask(base):
    import torch

    model = make_model(base, dropout=0.5)
    lean.make_lean(model, "float32")
    layer = model.get_base_model().model.layers[0].self_attn.o_proj
    x = torch.randn(1, 6, 64, dtype=torch.float64).float().requires_grad_()
    torch.manual_seed(3)
    layer(x).sum().backward()
    torch.manual_seed(3)
    kept = torch.empty(6, 64, dtype=torch.bool).bernoulli_(0.5)
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    found, a.grad, other = a.grad.clone(), None, x.detach().clone().requires_grad_()
    dense = lean.Projection(layer, False).weight(torch.float32)
    y = other @ dense.t() + 2 * 2.0 * ((other * kept) @ a.t() @ b.t())
    y.sum().backward()
    torch.testing.assert_close(found, a.grad, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(x.grad, other.grad, atol=1e-4, rtol=1e-4)


def test_lean_layers_leave_switched_off_adapters_to_peft(base):
    import torch

    model = make_model(base)
    ids = torch.arange(9)[None]
    with model.disable_adapter(), torch.no_grad():
        expected = model(input_ids=ids).logits
    lean.make_lean(model, "float32")
    with model.disable_adapter(), torch.no_grad():
        assert torch.equal(model(input_ids=ids).logits, expected)
    assert not torch.allclose(model(input_ids=ids).logits, expected)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("borders", [[0, 30], [0, 1, 2, 30], [0, 10, 20, 30], BORDERS])
def test_attention_by_record_is_masked_attention(dtype, borders):
    import torch

    kind = getattr(torch, dtype)
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, heads, 30, 16, dtype=kind) for heads in (4, 2, 2))
    ends = torch.tensor(borders, dtype=torch.int32)
    found, _ = attention.attend(None, q, k, v, None, scaling=0.25, cu_seq_lens_q=ends)
    record = torch.bucketize(torch.arange(30), ends[1:], right=True)
    mask = (record[:, None] == record) & torch.ones(30, 30, dtype=torch.bool).tril()
    k, v = (t.float().repeat_interleave(2, dim=1) for t in (k, v))
    expected = torch.nn.functional.scaled_dot_product_attention(
        q.float(), k, v, attn_mask=mask, scale=0.25
    )
    tolerance = 1e-5 if dtype == "float32" else 2e-2
    torch.testing.assert_close(found.float(), expected.transpose(1, 2), atol=tolerance, rtol=0)


def test_rounding_up_adds_one_record_that_counts_for_nothing():
    import torch

    ends = torch.tensor([0, 10, 20, 21, 22, 23], dtype=torch.int32)
    assert attention.lengths_within(ends) == [10, 10, 3] and attention.padding(ends) == 3
    assert attention.lengths_within(ends[:3]) == [10, 10] and attention.padding(ends[:3]) == 0


def test_attention_by_record_is_told_to_the_mask_maker_too(base):
    import torch

    ends = torch.tensor(BORDERS, dtype=torch.int32)
    starts = torch.bucketize(torch.arange(30), ends[1:], right=True)
    positions = (torch.arange(30) - ends[:-1][starts])[None]
    how = attention.choose(CPU, for_base(TrainConfig(), base))
    plain, made = make_model(base), make_model(base, how)
    expected, grads = run(plain, position_ids=positions)
    logits, found = run(made, position_ids=positions, cu_seq_lens_q=ends)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    for name, grad in grads.items():
        torch.testing.assert_close(found[name], grad, atol=1e-4, rtol=1e-3)


def test_bfloat16_is_for_processors_that_have_it():
    import torch

    found = precision.detect_precision(LEVERS)
    if not torch.cuda.is_available():
        has = torch.cpu._is_avx512_bf16_supported()
        assert found.dtype == ("bfloat16" if has else "float32")
        assert precision.detect_precision(()).dtype == "float32"


@pytest.mark.parametrize("tile", [100, 37])
def test_the_own_head_gives_the_loss_and_gradient_of_the_whole_softmax(tile):
    import torch

    torch.manual_seed(0)
    hidden, weight = torch.randn(9, 16, requires_grad=True), torch.randn(100, 16)
    targets, into = torch.randint(0, 100, (9,)), torch.randn(9)
    scored = head.make_function().apply(hidden, weight, targets, tile)
    (scored * into).sum().backward()
    found, hidden.grad = hidden.grad, None
    whole = -torch.nn.functional.cross_entropy(hidden @ weight.t(), targets, reduction="none")
    (whole * into).sum().backward()
    torch.testing.assert_close(scored, whole, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found, hidden.grad, atol=1e-5, rtol=1e-5)


def test_the_own_head_leaves_what_it_cannot_do_to_trl(monkeypatch):
    import torch
    import trl.trainer.utils as theirs

    monkeypatch.setattr(theirs, "_ChunkedLogProbFunction", theirs._ChunkedLogProbFunction)
    head.use_own()
    hidden, weight, targets = torch.randn(5, 8), torch.randn(30, 8), torch.arange(5)
    for bias, softcap in ((torch.randn(30), None), (None, 4.0)):
        told = (hidden, weight, bias, targets, 1.0, 30, softcap, 1.0, ("entropy", "is_top1"))
        scored, entropy, *_ = theirs._ChunkedLogProbFunction.apply(*told)
        logits = hidden @ weight.t() + (0 if bias is None else bias)
        logits = logits if softcap is None else softcap * torch.tanh(logits / softcap)
        expected = logits.log_softmax(-1)[targets, targets]
        torch.testing.assert_close(scored, expected, atol=1e-5, rtol=1e-5)
        assert entropy.min() > 0
    told = (hidden, weight, None, targets, 1.0, 30, None, 1.0, ("entropy", "mean_logits"))
    assert theirs._ChunkedLogProbFunction.apply(*told)[3] is not None  # as DPO asks


def test_recomputed_layers_give_the_same_gradients_and_keep_less(base):
    import torch

    plain, made = make_model(base), make_model(base)
    adapter.recompute_layers(made, 1)
    (_, grads), (_, found) = run(plain), run(made)
    assert all(torch.equal(found[name], grad) for name, grad in grads.items())
    made.zero_grad(), plain.zero_grad()
    assert saved_bytes(made) < 0.8 * saved_bytes(plain)


def test_nf4_base_from_the_cache_is_the_one_quantised_anew(tmp_path, monkeypatch):
    import torch

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    base = make_random_base(tmp_path / "base")
    folder = adapter.nf4_folder(base, "float32")
    fresh = adapter.load_quantised(base, CPU)
    adapter.keep_quantised(fresh, folder)
    assert adapter.read_seal(folder)
    again = adapter._load(base, folder, CPU, "sdpa")
    ids = torch.arange(9)[None]
    with torch.no_grad():
        precision.keep_weights_as_packed(again)
        assert torch.equal(fresh(input_ids=ids).logits, again(input_ids=ids).logits)
