"""Every number of a training run, by the name of its recipe."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace

from memory.settings import key

SEVEN = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

# how often is saved, and what shares the work, changes an adapter by rounding at most
NOT_IN_RESULT = (
    "checkpoint_minutes",
    "checkpoint_steps",
    "keep_checkpoints",
    "vram_budget_gb",
    "processes",
    "shard",
)
OPTIMIZERS = ("auto", "paged_adamw_8bit", "adamw_8bit", "adamw_torch_fused", "adamw_torch")
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
LEVERS = ("packing", "rounding", "head", "bfloat16", "records", "lean", "heap", "cache")

# What a recipe decides; a value of -1, "" or () in TrainConfig means "as the recipe says".
RECIPES: dict[str, dict[str, object]] = {
    "default": {
        "adapter": "lora",
        "r": 16,
        "alpha": 32,
        "dropout": 0.05,
        "target_modules": SEVEN,
        "learning_rate": 1e-4,
        "warmup": 0.03,
        "raw_epochs": 0.0,
        "epochs": 1.0,
        "max_tokens": 0,
        "tokens_per_update": 4096,
        "min_updates": 100,
        "pack_length": 2048,
        "recompute": "auto",
    },
    # A model of a few million parameters needs fifty times the rate and many small updates.
    # Dropout costs it a seventh of its speed on a CPU.
    "tiny": {
        "dropout": 0.0,
        "learning_rate": 5e-3,
        "epochs": 8.0,
        "max_tokens": 400_000,
        "tokens_per_update": 1000,
        "min_updates": 20,
        "pack_length": 512,
        "recompute": "off",
    },
    # DoRA (arXiv 2402.09353) on attention alone, as a run of 6,128 chat pairs had it.
    "dora": {"adapter": "dora", "target_modules": ATTENTION, "epochs": 3.0, "max_tokens": 0},
    # Continued pre-training on the agent's own text without any turns, then the rows.
    "two-stage": {"raw_epochs": 1.0},
    # Whole letters and essays from their titles.
    "long": {"r": 32, "alpha": 64, "pack_length": 4096, "epochs": 2.0, "max_tokens": 0},
    # A look at what a night would give, in a fraction of it.
    "quick": {"r": 8, "alpha": 16, "pack_length": 1024, "max_tokens": 100_000, "min_updates": 20},
}


@dataclass(frozen=True)
class TrainConfig:
    """How the adapter is trained; -1, "" and [] leave a number to the recipe."""

    recipe: str = key("default", "numbers by name: default, dora, two-stage, long, quick, tiny")
    adapter: str = key("", "lora, or dora: also learns each output's size (default lora)")
    r: int = key(-1, "rank of the adapter (default 16)")
    alpha: int = key(-1, "scale of the adapter: alpha / r (default 32)")
    dropout: float = key(-1.0, "dropout before the adapter (default 0.05, tiny 0)")
    target_modules: tuple[str, ...] = key((), "layers with an adapter (default all seven)")
    learning_rate: float = key(-1.0, "highest rate, cosine to 0 (default 1e-4, tiny 5e-3)")
    warmup: float = key(-1.0, "share of the updates with a rising rate (default 0.03)")
    raw_epochs: float = key(-1.0, "times over own text without turns, first (default 0)")
    epochs: float = key(-1.0, "times over the data (default 1, tiny 8)")
    max_tokens: int = key(-1, "stop after so many tokens, 0 never (default 0, tiny 400000)")
    tokens_per_update: int = key(-1, "real tokens an update (default 4096, tiny 1000)")
    min_updates: int = key(-1, "smaller updates rather than fewer an epoch (default 100, tiny 20)")
    pack_length: int = key(-1, "tokens a pack; longer rows are cut (default 2048, tiny 512)")
    recompute: str = key("", "activations anew: on, off, auto: as memory asks (default auto)")
    optimizer: str = key("auto", "auto: paged_adamw_8bit on a GPU, adamw_torch_fused on a CPU")
    levers: tuple[str, ...] = key(LEVERS, "speed-ups in use: all, or some of these names")
    weight_decay: float = key(0.0, "AdamW's weight decay")
    max_grad_norm: float = key(1.0, "gradients are clipped to this norm")
    checkpoint_minutes: float = key(5.0, "minutes between checkpoints, 0 none by time")
    checkpoint_steps: int = key(0, "updates between checkpoints, 0 none by count")
    keep_checkpoints: int = key(2, "checkpoints kept while training")
    log_steps: int = key(10, "updates between two lines of metrics.jsonl")
    held_out_points: int = key(5, "times the held-out loss is measured, the start not counted")
    held_out_tokens: int = key(20_000, "held-out tokens it is measured on, at most")
    importance_updates: int = key(0, "last updates that weigh the columns in quantising; 0 none")
    vram_budget_gb: float = key(8.0, "GPU memory to use, in 10^9 bytes; 0: the whole card")
    threads: int = key(0, "CPU threads; 0 every core")
    processes: int = key(0, "processes that train together; 0: one a GPU, one on a CPU")
    shard: str = key("auto", "split the base over them (FSDP): on, off, auto: if none holds it")
    preference: str = key("off", "on: own sentences against sampled slips, by DPO after SFT")
    seed: int = key(0, "of every draw a night makes: rows, order, dropout, probes")

    def __post_init__(self) -> None:
        """Raises ValueError for a recipe nobody knows or a number that cannot be meant."""
        if self.recipe not in RECIPES:
            raise ValueError(f"recipe {self.recipe!r} is not known (known: {', '.join(RECIPES)})")
        if self.recompute not in ("", "on", "off", "auto"):
            raise ValueError(f"recompute must be on, off or auto, found {self.recompute!r}")
        if self.adapter not in ("", "lora", "dora"):
            raise ValueError(f"adapter must be lora or dora, found {self.adapter!r}")
        if self.optimizer not in OPTIMIZERS:
            known = ", ".join(OPTIMIZERS)
            raise ValueError(f"optimizer {self.optimizer!r} is not known (known: {known})")
        if heads := set(self.target_modules) & {"lm_head", "embed_tokens"}:
            raise ValueError(
                f"target_modules {sorted(heads)}: embeddings and head stay as they are"
            )
        if unknown := set(self.levers) - set(LEVERS):
            raise ValueError(f"levers {sorted(unknown)} are not known (known: {', '.join(LEVERS)})")
        if self.preference not in ("off", "on"):
            raise ValueError(f"preference must be off or on, found {self.preference!r}")
        if self.shard not in ("auto", "on", "off"):
            raise ValueError(f"shard must be on, off or auto, found {self.shard!r}")
        if self.processes < 0 or (self.processes > 1 and self.preference == "on"):
            raise ValueError(f"processes must be 0 or 1 with preference, not {self.processes}")
        self._check_sizes()

    def _check_sizes(self) -> None:
        for name in ("r", "alpha", "learning_rate", "epochs", "tokens_per_update", "pack_length"):
            value = getattr(self, name)
            if value != -1 and value <= 0:
                raise ValueError(f"{name} must be above 0 (or -1: as the recipe says), not {value}")
        for name in ("threads", "seed", "vram_budget_gb", "checkpoint_minutes", "max_grad_norm"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, not {getattr(self, name)}")
        if self.log_steps < 1:
            raise ValueError(f"log_steps must be 1 or more, not {self.log_steps}")
        if not (self.dropout == -1 or 0 <= self.dropout < 1):
            raise ValueError(f"dropout must be from 0 to below 1, not {self.dropout}")
        if not (self.warmup == -1 or 0 <= self.warmup <= 1):
            raise ValueError(f"warmup must be from 0 to 1, not {self.warmup}")


def for_base(config: TrainConfig, base) -> TrainConfig:
    """`config` with every number filled in: the operator's, else the recipe's, else the base's.

    The tiny base has numbers of its own (recipe `tiny`, whose name it takes where `default` is
    asked for); another recipe's go over them.
    """
    name = "tiny" if base.tiny and config.recipe == "default" else config.recipe
    numbers = RECIPES["default"] | (RECIPES["tiny"] if base.tiny else {}) | RECIPES[name]
    left = {key: value for key, value in numbers.items() if getattr(config, key) in (-1, "", ())}
    assert set(numbers) <= {f.name for f in fields(TrainConfig)}
    return replace(config, recipe=name, **left)


def recipe_hash(config: TrainConfig) -> str:
    """16 hex digits that stand for every number of a resolved recipe that shapes the adapter."""
    numbers = {key: value for key, value in asdict(config).items() if key not in NOT_IN_RESULT}
    return hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()[:16]
