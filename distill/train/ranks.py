"""Which of the processes that train together this one is; alone, it is the first of one."""

import os
from datetime import timedelta

PATIENCE = timedelta(hours=2)  # for the first one, which quantises a large base for all


def rank() -> int:
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Whether this process writes the files and tells of progress."""
    return rank() == 0


def local_rank() -> int:
    """Its number among those of this machine, which is its GPU's."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def processes() -> int:
    """How many processes share this training."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def join(on_gpu: bool) -> None:
    """Meets the others, each with a GPU of its own (NCCL) or on the CPU (gloo); alone, nothing."""
    if processes() > 1:
        from accelerate import PartialState

        PartialState(cpu=not on_gpu, timeout=PATIENCE)


def wait_for_all() -> None:
    """Returns once every process has come here."""
    import torch.distributed as distributed

    if processes() > 1 and distributed.is_initialized():
        distributed.barrier()


def agree(value: object) -> object:
    """The first process's `value`, in all of them: clocks and files may differ, steps may not."""
    import torch.distributed as distributed

    if processes() == 1 or not distributed.is_initialized():
        return value
    box = [value]
    distributed.broadcast_object_list(box)
    return box[0]


def total(*counts: int) -> tuple[int, ...]:
    """Each count summed over all processes."""
    import torch
    import torch.distributed as distributed

    if processes() == 1 or not distributed.is_initialized():
        return counts
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    sums = torch.tensor(counts, device=device)
    distributed.all_reduce(sums)
    return tuple(sums.tolist())
