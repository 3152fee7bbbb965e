"""LoRA projections that keep less for the backward pass: a linear layer, and a whole MLP."""

from dataclasses import dataclass, field
from functools import cache, partial

KEEP_UNPACKED = 200_000_000  # entries of a base that a CPU holds unpacked, beside the NF4 ones


@dataclass
class Projection:
    """One PEFT layer: a frozen W [out, in], and the active adapter's A [r, in] and B [out, r].

    `keep` leaves W unpacked after its first use, which a small base on a CPU can afford.
    """

    layer: object
    keep: bool
    _dense: object = field(default=None, repr=False)

    @property
    def applies(self) -> bool:
        """False where PEFT itself must run: adapters switched off, merged, or several at once."""
        layer = self.layer
        return not layer.disable_adapters and not layer.merged and len(layer.active_adapters) == 1

    @property
    def matrices(self) -> tuple:
        name = self.layer.active_adapters[0]
        return self.layer.lora_A[name].weight, self.layer.lora_B[name].weight

    @property
    def dropout(self) -> float:
        return getattr(self.layer.lora_dropout[self.layer.active_adapters[0]], "p", 0.0)

    def scale(self, mask) -> float:
        """alpha / r, and what dropout leaves out made up for where there is a mask."""
        scale = self.layer.scaling[self.layer.active_adapters[0]]
        return scale if mask is None else scale / (1 - self.dropout)

    def mask(self, x, training: bool):
        """What dropout keeps of x as [tokens, in], one byte an entry; None without dropout."""
        import torch

        if not training or not self.dropout:
            return None
        shape = (x.numel() // x.shape[-1], self.layer.in_features)
        kept = torch.empty(shape, dtype=torch.bool, device=x.device)
        return kept.bernoulli_(1 - self.dropout)

    def weight(self, dtype):
        import bitsandbytes

        if self._dense is not None and self._dense.dtype == dtype:
            return self._dense
        packed = self.layer.base_layer.weight
        state = getattr(self.layer.base_layer, "quant_state", None)  # FSDP's weights have lost it
        dense = packed if state is None else bitsandbytes.functional.dequantize_4bit(packed, state)
        dense = dense.to(dtype)
        self._dense = dense if self.keep else None
        return dense


def forward(projection: Projection, x, a, b, mask):
    """y = W x + bias + scale B A (mask x) for x [tokens, in]; gives y and A (mask x)."""
    low = (x if mask is None else x * mask) @ a.to(x.dtype).t()
    weight, bias = projection.weight(x.dtype).t(), projection.layer.base_layer.bias
    y = x @ weight if bias is None else bias.to(x.dtype).addmm(x, weight)
    return y.addmm_(low, b.to(x.dtype).t(), alpha=projection.scale(mask)), low


def backward(projection: Projection, scale: float, grad, x, a, b, mask, low):
    """Gradients of x (in `grad`'s dtype), A and B (in theirs), from that of y [tokens, out]."""
    down = grad @ b.to(grad.dtype)
    grad_a = down.t() @ (x if mask is None else x * mask)
    grad_b = grad.t() @ low
    through = (down @ a.to(grad.dtype)).mul_(scale)
    if mask is not None:
        through.mul_(mask)
    grad_x = through.addmm_(grad, projection.weight(grad.dtype))
    return grad_x, grad_a.to(a.dtype).mul_(scale), grad_b.to(b.dtype).mul_(scale)


@cache
def make_functions():
    """The two autograd functions; torch is imported only here."""
    import torch
    from torch.autograd import Function

    class Linear(Function):
        """Keeps x, its mask (where there is dropout) and A x."""

        @staticmethod
        def forward(ctx, x, a, b, projection, mask):
            flat = x.reshape(-1, x.shape[-1])
            y, low = forward(projection, flat, a, b, mask)
            ctx.projection, ctx.scale, ctx.shape = projection, projection.scale(mask), x.shape
            ctx.save_for_backward(flat, a, b, low, mask)
            return y.view(*x.shape[:-1], -1)

        @staticmethod
        def backward(ctx, grad):
            x, a, b, low, mask = ctx.saved_tensors
            flat = grad.reshape(-1, grad.shape[-1])
            to_x, to_a, to_b = backward(ctx.projection, ctx.scale, flat, x, a, b, mask, low)
            return to_x.view(ctx.shape), to_a, to_b, None, None

    class MLP(Function):
        """down(silu(gate x) * up x), keeping x, gate x and up x: the product is made again."""

        @staticmethod
        def forward(ctx, x, ga, gb, ua, ub, da, db, parts, mask, mask_down):
            flat, (gate, up, down) = x.reshape(-1, x.shape[-1]), parts
            g, low_g = forward(gate, flat, ga, gb, mask)
            u, low_u = forward(up, flat, ua, ub, mask)
            y, low_d = forward(down, torch.nn.functional.silu(g).mul_(u), da, db, mask_down)
            ctx.parts, ctx.shape = parts, x.shape
            ctx.scales = gate.scale(mask), up.scale(mask), down.scale(mask_down)
            ctx.save_for_backward(
                flat, g, u, low_g, low_u, low_d, mask, mask_down, ga, gb, ua, ub, da, db
            )
            return y.view(x.shape)

        @staticmethod
        def backward(ctx, grad):
            x, g, u, low_g, low_u, low_d, mask, mask_down, ga, gb, ua, ub, da, db = (
                ctx.saved_tensors
            )
            (gate, up, down), (sg, su, sd) = ctx.parts, ctx.scales
            silu = torch.nn.functional.silu(g)
            flat = grad.reshape(-1, grad.shape[-1])
            to_h, to_da, to_db = backward(down, sd, flat, silu * u, da, db, mask_down, low_d)
            to_u = silu.mul_(to_h)
            to_g = torch.ops.aten.silu_backward(to_h.mul_(u), g)
            to_x, to_ga, to_gb = backward(gate, sg, to_g, x, ga, gb, mask, low_g)
            also, to_ua, to_ub = backward(up, su, to_u, x, ua, ub, mask, low_u)
            pairs = (to_ga, to_gb, to_ua, to_ub, to_da, to_db)
            return to_x.add_(also).view(ctx.shape), *pairs, None, None, None

    return Linear, MLP


def make_lean(model, dtype: str) -> int:
    """Puts the lean functions in place of PEFT's forward where they hold; gives how many layers.

    `dtype` is what matrices are multiplied in, and what comes out. Left as they are: DoRA layers,
    layers of no plain LoRA, and MLPs without all three adapters (their layers become lean alone).
    """
    import torch
    from peft.tuners.lora import LoraLayer

    layers = [
        m for m in model.modules() if isinstance(m, LoraLayer) and not any(m.use_dora.values())
    ]
    split = any(hasattr(p, "device_mesh") for p in model.parameters())
    on_cpu = next(model.parameters()).device.type == "cpu" and not split
    keep = on_cpu and sum(m.in_features * m.out_features for m in layers) < KEEP_UNPACKED
    dtype, found = getattr(torch, dtype), {}
    for layer in layers:
        found[layer] = Projection(layer, keep)
        layer.forward = partial(_linear, found[layer], layer.forward, dtype)
    for module in model.modules():
        parts = [getattr(module, f"{name}_proj", None) for name in ("gate", "up", "down")]
        if all(part in found for part in parts):
            three = [found[part] for part in parts]
            module.forward = partial(_mlp, three, module.forward, dtype)
    return len(found)


def _linear(projection: Projection, otherwise, dtype, x, *args, **kwargs):
    if not projection.applies:
        return otherwise(x, *args, **kwargs)
    x, (linear, _) = x.to(dtype), make_functions()
    mask = projection.mask(x, projection.layer.training)
    return linear.apply(x, *projection.matrices, projection, mask)


def _mlp(parts: list[Projection], otherwise, dtype, x):
    if not all(part.applies for part in parts):
        return otherwise(x)
    x, (_, mlp) = x.to(dtype), make_functions()
    training = parts[0].layer.training
    masks = parts[0].mask(x, training), parts[2].mask(x, training)
    return mlp.apply(x, *(m for part in parts for m in part.matrices), parts, *masks)
