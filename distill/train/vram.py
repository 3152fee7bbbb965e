"""What a training needs of memory before anything is loaded, and what fits into a budget."""

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from distill.train.recipes import TrainConfig
from memory.errors import ModelFileError, StageError, UserError

NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)  # bytes an entry, double-quantised (arXiv 2305.14314, 3.2)
CONTEXT = 450e6  # CUDA's and cuBLAS's own; an estimate, no GPU was at hand
HEAD_TILE = 4096, 32768  # positions, and entries of the vocabulary, TRL's head projects at once
SHORTEST = 256  # tokens; below, a pack is no pack
RECOMPUTE_COST = 0.42  # of a step's time, all layers recomputed (19.4 against 13.7 GFLOP a token)


@dataclass(frozen=True)
class Shape:
    """The numbers of a config.json that decide memory and work."""

    layers: int
    hidden: int
    mlp: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    tied: bool
    positions: int
    head_norms: bool = False

    def inputs(self) -> dict[str, tuple[int, int]]:
        """(in, out) of the seven linear layers of one block."""
        wide, narrow = self.heads * self.head_size, self.kv_heads * self.head_size
        return {
            "q_proj": (self.hidden, wide),
            "k_proj": (self.hidden, narrow),
            "v_proj": (self.hidden, narrow),
            "o_proj": (wide, self.hidden),
            "gate_proj": (self.hidden, self.mlp),
            "up_proj": (self.hidden, self.mlp),
            "down_proj": (self.mlp, self.hidden),
        }

    @property
    def linear_entries(self) -> int:
        return self.layers * sum(a * b for a, b in self.inputs().values())

    @property
    def embedding_entries(self) -> int:
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def entries(self) -> int:
        """All parameters but biases and norms, which are a ten-thousandth."""
        return self.linear_entries + self.embedding_entries

    def flops(self, config: TrainConfig, loss_share: float, recomputed: float = 0.0) -> float:
        """Work of one token: forward and backward through the frozen base, adapters included.

        Frozen matrices need two products (no gradient of their own), adapters three; the head is
        used at `loss_share` of the positions; attention's own products are left out.
        """
        base = self.linear_entries * (4 + 2 * recomputed)
        head = self.vocabulary * self.hidden * loss_share * 4
        return base + head + 6 * adapter_entries(self, config)


# From each repository's config.json at Junior's pinned revision (Llama 3.2: its model card).
KNOWN = {
    "Qwen/Qwen2.5-3B-Instruct": Shape(36, 2048, 11008, 16, 2, 128, 151936, True, 32768),
    "Qwen/Qwen2.5-1.5B-Instruct": Shape(28, 1536, 8960, 12, 2, 128, 151936, True, 32768),
    "Qwen/Qwen3-4B-Instruct-2507": Shape(36, 2560, 9728, 32, 8, 128, 151936, True, 262144, True),
    "meta-llama/Llama-3.2-3B-Instruct": Shape(28, 3072, 8192, 24, 8, 128, 128256, True, 131072),
}


@dataclass(frozen=True)
class Needs:
    """Bytes, by what they are for."""

    weights: float
    adapter: float
    gradients: float
    optimizer: float
    activations: float
    head: float
    context: float

    @property
    def total(self) -> float:
        return sum(asdict(self).values())

    def __str__(self) -> str:
        parts = ", ".join(f"{f.name} {getattr(self, f.name) / 1e9:.2f}" for f in fields(self))
        return f"{self.total / 1e9:.2f} GB ({parts})"


@dataclass(frozen=True)
class Fit:
    """Tokens a pack, how many layers are recomputed, over how many GPUs; what each then needs."""

    pack_length: int
    recomputed: int
    needs: Needs
    shards: int = 1

    def __str__(self) -> str:
        over = f", the base split over {self.shards}" if self.shards > 1 else ""
        return (
            f"packs of {self.pack_length:,}, {self.recomputed} layers recomputed{over}:"
            f" {self.needs}"
        )


def read_shape(folder: Path) -> Shape:
    """The shape of the base in `folder`. Raises ModelFileError where config.json is none."""
    path = Path(folder) / "config.json"
    try:
        return shape_of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(
            f"{path}: cannot be loaded as a model's configuration: {error}"
        ) from error


def shape_of(config: dict) -> Shape:
    """The shape in a config.json of Qwen2, Qwen3 or Llama. Raises KeyError for another layout."""
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    return Shape(
        layers=config["num_hidden_layers"],
        hidden=hidden,
        mlp=config["intermediate_size"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        head_size=config.get("head_dim") or hidden // heads,
        vocabulary=config["vocab_size"],
        tied=bool(config.get("tie_word_embeddings")),
        positions=config["max_position_embeddings"],
        head_norms=config.get("model_type") == "qwen3",
    )


def adapter_entries(shape: Shape, config: TrainConfig) -> int:
    """Entries of A and B (and of DoRA's magnitudes) over all target modules."""
    sizes = [size for name, size in shape.inputs().items() if name in config.target_modules]
    magnitudes = sum(out for _, out in sizes) if config.adapter == "dora" else 0
    return shape.layers * (config.r * sum(a + b for a, b in sizes) + magnitudes)


def layer_bytes(shape: Shape, config: TrainConfig, tokens: int, width: int) -> float:
    """What one layer keeps for backward of `tokens` tokens of one record, `width` bytes an entry.

    With the lean functions: both norms' float32 input, x once for q, k and v (they share it), q,
    repeated k and v, attention's output twice, one row sum a head; x, gate and up of the MLP; the
    seven A x. Without them PEFT also keeps silu(gate) and the product, and casts x to float32 for
    every adapter. Dropout's masks are a byte an entry.
    """
    wide = shape.heads * shape.head_size
    lean = "lean" in config.levers and config.adapter == "lora"
    narrow = width if lean or width == 4 else width + 4 * len(config.target_modules) / 7
    norms = 2 * (4 * shape.hidden + 4) + shape.head_norms * 8 * wide
    attention = shape.hidden * narrow + wide * (4 * width + narrow) + 4 * shape.heads
    mlp = shape.hidden * narrow + shape.mlp * (2 if lean else 4) * width
    low = config.r * len(config.target_modules) * width
    masks = 0.0
    if config.dropout:
        masked = [size[0] for n, size in shape.inputs().items() if n in config.target_modules]
        masks = sum(masked) - (shape.hidden if lean and "up_proj" in config.target_modules else 0)
    return tokens * (norms + attention + mlp + low + masks)


def needed(
    shape: Shape,
    config: TrainConfig,
    tokens: int,
    recomputed: int,
    *,
    width: int = 2,
    on_gpu: bool = True,
    loss_share: float = 0.5,
    shards: int = 1,
) -> Needs:
    """Bytes a training step of one pack of `tokens` needs at its height.

    `width` is bytes of a matrix entry (2, or 4 for a CPU without bfloat16). On a CPU the base is
    held unpacked too where it is small, and AdamW keeps both moments in float32. Of a base split
    over `shards` GPUs each has its part, and two layers whole: the one computed and the next.
    """
    from distill.train.attention import LONGEST_BY_HAND
    from distill.train.lean import KEEP_UNPACKED

    one, entries = layer_bytes(shape, config, tokens, width), adapter_entries(shape, config)
    if not on_gpu and width == 2 and "records" in config.levers:
        one += tokens * min(tokens, LONGEST_BY_HAND) * shape.heads * width
    kept = (shape.layers - recomputed) * one + (one if recomputed else 0)
    largest = max(a * b for a, b in shape.inputs().values()) * width
    unpacked = "lean" in config.levers and not on_gpu and shape.linear_entries < KEEP_UNPACKED
    unpacked = unpacked and shards == 1
    gathered = 2 * shape.linear_entries / shape.layers if shards > 1 else 0
    packed = (shape.linear_entries / shards + gathered) * NF4
    weights = packed + shape.embedding_entries * width
    small_state = on_gpu and config.optimizer in ("auto", "paged_adamw_8bit", "adamw_8bit")
    scored = tokens * loss_share
    tile = min(HEAD_TILE[0], scored) * HEAD_TILE[1] * width
    return Needs(
        weights=weights + (shape.linear_entries * width if unpacked else 2 * largest),
        adapter=4 * entries,
        gradients=4 * entries,
        optimizer=(2 + 8 / 256 if small_state else 8) * entries,
        activations=kept + tokens * shape.hidden * width * (recomputed + 1) + 8 * tokens,
        head=scored * shape.hidden * (width + 4) + tile,
        context=CONTEXT if on_gpu else 0.0,
    )


def fit(
    shape: Shape, config: TrainConfig, budget_gb: float, *, shortest: int = 0, shards: int = 1
) -> Fit:
    """The pack length and recomputation that `budget_gb` (10^9 bytes; 0: no limit) buys on a GPU.

    The longest pack up to `pack_length` that recomputes least: a shorter one is taken where it
    saves a twentieth of the time. `shortest` is the longest record, which a pack must hold.
    Raises UserError where nothing fits.
    """
    choices = []
    for length in lengths(config, shortest):
        for count in recomputations(shape, config):
            needs = needed(shape, config, length, count, shards=shards)
            found = Fit(length, count, needs, shards)
            if not budget_gb or found.needs.total <= budget_gb * 1e9:
                choices.append(found)
                break
    if not choices:
        least = needed(shape, config, max(SHORTEST, shortest), shape.layers, shards=shards)
        raise UserError(
            f"train.vram_budget_gb = {budget_gb:g}: this base needs at least {least};"
            " take a smaller base, or a larger GPU"
        )
    if config.recompute != "auto":
        return choices[0]
    cost = {c: RECOMPUTE_COST * c.recomputed / shape.layers for c in choices}
    wanted = [c for c in choices if c.pack_length >= 1024] or choices[:1]
    return min(wanted, key=lambda c: (round(cost[c] / 0.05), -c.pack_length))


def fit_for(
    shape: Shape, config: TrainConfig, machine, longest: int, smaller: int = 0, processes: int = 1
) -> Fit:
    """`fit` on a GPU; on a CPU whatever is configured, since main memory is no such limit.

    After memory has run out `smaller` times the pack is halved as often as the longest record
    allows, then every layer is recomputed: slower, and never a failed night. Of `processes`, each
    with a GPU, every one holds the whole base where it fits; else they split it.
    """
    width = 4 if machine.dtype == "float32" else 2
    if machine.on_gpu:
        found = fit_on(shape, config, budget_on(machine, config), longest, processes)
    else:
        count = shape.layers if config.recompute == "on" else 0
        needs = needed(shape, config, config.pack_length, count, width=width, on_gpu=False)
        found = Fit(config.pack_length, count, needs, processes if config.shard == "on" else 1)
    steps = lengths(replace(config, pack_length=found.pack_length), longest)
    length = steps[min(smaller, len(steps) - 1)]
    count = shape.layers if smaller >= len(steps) else found.recomputed
    if smaller > len(steps):
        raise StageError(
            f"train: out of GPU memory within train.vram_budget_gb = {config.vram_budget_gb:g},"
            f" even with packs of {length} tokens and every layer recomputed: take a smaller base"
        )
    needs = needed(
        shape, config, length, count, width=width, on_gpu=machine.on_gpu, shards=found.shards
    )
    return Fit(length, count, needs, found.shards)


def budget_on(machine, config: TrainConfig) -> float:
    """GB (10^9 bytes) of a GPU that training may use: as configured, and no more than it has."""
    limits = [gb for gb in (config.vram_budget_gb, machine.memory_gb) if gb]
    return min(limits, default=0.0)


def fit_on(shape: Shape, config: TrainConfig, budget_gb: float, longest: int, gpus: int) -> Fit:
    """`fit` with the whole base on each GPU, or split over them. Raises UserError."""
    split = {"on": (gpus,), "off": (1,)}.get(config.shard, sorted({1, gpus}))
    for shards in split[:-1]:
        try:
            return fit(shape, config, budget_gb, shortest=longest, shards=shards)
        except UserError:
            continue
    return fit(shape, config, budget_gb, shortest=longest, shards=split[-1])


def lengths(config: TrainConfig, shortest: int) -> list[int]:
    """Pack lengths to try: the configured one, then halves, none under the longest record."""
    found, length = [], config.pack_length
    while length >= max(SHORTEST, shortest) or not found:
        found.append(max(length, shortest))
        length //= 2
    return found


def recomputations(shape: Shape, config: TrainConfig) -> range:
    """How many layers may be recomputed, least first."""
    return {
        "on": range(shape.layers, shape.layers + 1),
        "off": range(0, 1),
    }.get(config.recompute, range(shape.layers + 1))
