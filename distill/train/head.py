"""The loss on a CPU: log-probabilities and their gradient in one pass over the vocabulary."""

from functools import cache

COUNTED = {"log_probs", "entropy", "is_top1"}  # what SFTTrainer asks for, to log it


def use_own() -> None:
    """Has TRL's fused head score by `score` what it can; TRL's own does the rest.

    TRL's goes twice over the vocabulary, once for the loss and once for its gradient, and counts
    entropy and hits besides, which nobody reads: of a pack's time on a CPU that is a quarter.
    """
    import trl.trainer.utils as head
    from trl.kernels import ChunkedLogProbFunction

    class Head:
        @staticmethod
        def apply(hidden, weight, bias, targets, temperature, tile, softcap, scale, outputs):
            plain = bias is None and softcap is None and scale == temperature == 1.0
            plain = plain and COUNTED.issuperset(outputs)  # DPO wants mean logits besides
            if not plain or hidden.is_cuda or weight.requires_grad:
                return ChunkedLogProbFunction.apply(
                    hidden, weight, bias, targets, temperature, tile, softcap, scale, outputs
                )
            scored = make_function().apply(hidden, weight, targets, tile)
            uncounted = scored.detach().new_zeros(scored.shape)
            return scored, uncounted, None, None, uncounted.bool()

    head._ChunkedLogProbFunction = Head


@cache
def make_function():
    """The autograd function; torch is imported only here."""
    import torch
    from torch.autograd import Function

    class Score(Function):
        """log p(target) of hidden [n, h] by weight [vocabulary, h], as [n] in float32.

        The softmax runs over tiles of the vocabulary with a rising maximum, as in FlashAttention
        (arXiv 2205.14135), and gathers what each position expects of the weight's rows: the
        gradient is the target's row without that, [n, h] kept instead of a second pass.
        """

        @staticmethod
        def forward(ctx, hidden, weight, targets, tile):
            top = torch.full((len(hidden),), float("-inf"))
            mass, learns = torch.zeros(len(hidden)), ctx.needs_input_grad[0]
            expected = torch.zeros(hidden.shape) if learns else None
            for start in range(0, len(weight), tile):
                part = weight[start : start + tile].to(hidden.dtype)
                logits = (hidden @ part.t()).float()
                highest = torch.maximum(top, logits.amax(-1))
                fade, top = torch.exp(top - highest), highest
                shares = logits.sub_(highest[:, None]).exp_()
                mass = mass * fade + shares.sum(-1)
                if learns:
                    expected.mul_(fade[:, None]).add_(shares.to(hidden.dtype) @ part)
            row = weight[targets].float()
            if learns:
                ctx.save_for_backward((row - expected / mass[:, None]).to(hidden.dtype))
            return (hidden.float() * row).sum(-1) - top - mass.log()

        @staticmethod
        def backward(ctx, grad):
            (towards,) = ctx.saved_tensors
            return (grad[:, None] * towards).to(towards.dtype), None, None, None

    return Score
