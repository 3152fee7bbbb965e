"""Which path each part of training takes on a GPU of some capability, and what its memory buys."""

from distill.base import TINY, resolve_base
from distill.train import vram
from distill.train.precision import choose_precision
from distill.train.recipes import TrainConfig, for_base
from memory.errors import BaseMissingError

AMPERE = (8, 0)
FOLDS = {
    None: "Triton folds a tile where its probe runs",
    True: "Triton folds a tile: its probe ran",
    False: "torch folds a tile: Triton's probe failed",
}


def paths(capability: tuple[int, int] | None, triton: bool | None = None) -> dict[str, str]:
    """{part: path} for a compute capability; None is a machine without a GPU.

    What capability decides is said here; whether Triton runs is tried once, when training starts,
    and then told as `triton`.
    """
    machine = choose_precision(capability)
    if not machine.on_gpu:
        return {
            "precision": "bfloat16 with AVX512-BF16, else float32",
            "attention": "record by record",
            "loss head": "tiled, loss positions only, with its gradient in one pass",
            "optimizer": "AdamW, float32 states",
        }
    old = capability < AMPERE
    return {
        "precision": f"{machine.dtype} ({machine.reason})",
        "attention": (
            "memory-efficient kernel, K and V repeated (grouped heads would take the math one)"
            if old
            else "torch's fused kernels"
        ),
        "loss head": f"tiled, loss positions only; {FOLDS[triton]}",
        "optimizer": "8-bit AdamW, paged; adapters and gradients in float32",
        "overflow": "loss scaled, skipped updates counted" if old else "none to expect",
    }


def memory_plan(
    name: str, revision: str, config: TrainConfig, total_bytes: float, gpus: int = 1
) -> str:
    """What `vram_budget_gb` (or the whole card) buys for this base on each GPU, in a sentence.

    The shape is that of the base in the cache, else of the ones known by name. Raises UserError
    where the budget is too small for it.
    """
    try:
        base = resolve_base(name, revision)
        shape, config = vram.read_shape(base.path), for_base(config, base)
    except BaseMissingError:
        if name == TINY or name not in vram.KNOWN:
            return "planned once the base is fetched"
        shape, config = vram.KNOWN[name], for_base(config, _Unfetched())
    budget = config.vram_budget_gb or total_bytes / 1e9
    if total_bytes:
        budget = min(budget, total_bytes / 1e9)
    gpus = config.processes or gpus
    each = f" on each of {gpus} GPUs" if gpus > 1 else ""
    return f"within {budget:.1f} GB{each}: {vram.fit_on(shape, config, budget, 0, gpus)}"


class _Unfetched:
    """A base known by its shape alone."""

    tiny = False
