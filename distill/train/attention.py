"""Attention inside each record of a pack, without a mask over the whole pack."""

NAME = "junior_records"
LONGEST_BY_HAND = 512  # tokens; a CPU's flash kernel is 1.8 to 7 times slower in bfloat16 below


def choose(machine, config) -> str:
    """The attention to load a base with: by record on a CPU, torch's masked one on a GPU."""
    return register() if "records" in config.levers and not machine.on_gpu else "sdpa"


def register() -> str:
    """Tells transformers of this attention and of its mask function; gives the name to load with.

    Both or neither: without its own mask function a custom attention gets none for a pack, and
    records would see each other in silence (an error of .68 where it should be 2e-7).
    """
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, lambda *_, **__: None)
    return NAME


def attend(module, query, key, value, attention_mask, dropout=0.0, scaling=None, **kwargs):
    """Causal attention of each record with itself.

    query [1, heads, tokens, size], key and value [1, kv heads, tokens, size]; gives
    ([1, tokens, heads, size], None). `cu_seq_lens_q` (the collator's: where records begin, and the
    end) says which tokens are a record; without it every row of the batch is one.
    """
    import torch
    from transformers.integrations.sdpa_attention import repeat_kv

    groups = query.shape[1] // key.shape[1]
    key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    tensors = query.to(value.dtype), key.to(value.dtype), value
    borders = kwargs.get("cu_seq_lens_q")
    lengths = [query.shape[2]] if borders is None else lengths_within(borders)
    if len(lengths) == 1:
        return causal(*tensors, scaling).transpose(1, 2).contiguous(), None
    if len(lengths) * max(lengths) <= 2 * query.shape[2]:  # of about one length: all at once
        out = causal(*(pad(t, lengths) for t in tensors), scaling).transpose(1, 2)
        return torch.cat([row[:n] for row, n in zip(out, lengths, strict=True)])[None], None
    parts = zip(*(t.split(lengths, dim=2) for t in tensors), strict=True)
    return torch.cat([causal(*part, scaling) for part in parts], dim=2).transpose(1, 2), None


def lengths_within(borders) -> list[int]:
    """Tokens of each record of a pack; what rounds the pack up is one more, at the end.

    TRL's collator makes a record of each of those tokens; none of the night's has but one.
    """
    lengths = borders.diff().tolist()
    extra = padding(borders)
    return [*lengths[: len(lengths) - extra], extra] if extra else lengths


def padding(borders) -> int:
    """How many tokens at the end of a pack round its length up."""
    lengths = borders.diff().tolist()
    while lengths and lengths[-1] == 1:
        lengths.pop()
    return len(borders) - 1 - len(lengths)


def pad(tensor, lengths: list[int]):
    """[1, heads, tokens, size] -> [records, heads, longest, size], zeros behind each record."""
    from torch.nn.utils.rnn import pad_sequence

    records = tensor[0].transpose(0, 1).split(lengths)
    return pad_sequence(records, batch_first=True).transpose(1, 2)


def causal(query, key, value, scaling):
    """Causal attention of [records, heads, tokens, size], all of one dtype; gives the same shape.

    Short ones in bfloat16 by hand, with the softmax in bfloat16's own exponent range; everything
    else by torch's kernel.
    """
    import torch

    records, heads, length, size = query.shape
    if query.dtype != torch.bfloat16 or query.is_cuda or length > LONGEST_BY_HAND:
        return torch.nn.functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scaling
        )
    flat = [t.reshape(records * heads, length, size) for t in (query, key, value)]
    future = torch.full((length, length), float("-inf"), dtype=query.dtype).triu(1)
    scale = size**-0.5 if scaling is None else scaling
    scores = torch.baddbmm(
        future.expand(records * heads, length, length), flat[0], flat[1].mT, alpha=scale
    )
    return torch.bmm(scores.softmax(-1), flat[2]).view(records, heads, length, size)
