"""A frozen base split over several GPUs (FSDP2), where no single one holds it."""

from itertools import chain

from memory.errors import StageError


def shard(model, device: str) -> None:
    """Splits the 4-bit layers of `model`, a base with its adapter, over all processes, in place.

    Each process keeps its part of every block on `device` ("cpu", or "cuda": its own GPU) and
    gathers a block only while that is computed. Embeddings, head and adapters stay whole in each:
    only adapters learn, and transformers averages their gradients where a model says that it was
    sharded before (Trainer._sync_replicated_trainable_parameters). Raises StageError for a base
    kept in bytes: FSDP splits floating-point storage alone (PEFT's guide to FSDP with QLoRA).
    """
    import torch
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device, (torch.distributed.get_world_size(),))
    decoder = model.get_base_model().model
    whole = {p for p in model.parameters() if p.requires_grad}
    check(decoder.layers)
    for block in decoder.layers:
        fully_shard(block, mesh=mesh, ignored_params=whole)
    whole |= {p for p in model.parameters() if not isinstance(p, torch.distributed.tensor.DTensor)}
    fully_shard(decoder, mesh=mesh, ignored_params=whole)  # the root, which owns nothing itself
    place = torch.device(device, torch.cuda.current_device() if device == "cuda" else None)
    for tensor in chain(model.parameters(), model.buffers()):
        if tensor.device != place:
            tensor.data = tensor.data.to(place)
    base = model.get_base_model()
    base.hf_device_map = {"": "cpu" if device == "cpu" else place.index}
    base._is_distributed_loading_by_transformers = True


def check(blocks) -> None:
    """Raises StageError for 4-bit weights that FSDP would leave whole on every GPU."""
    packed = [p for p in blocks.parameters() if hasattr(p, "quant_state")]
    if any(not p.is_floating_point() for p in packed):
        raise StageError("train: the 4-bit base is stored as bytes, which FSDP cannot split")
