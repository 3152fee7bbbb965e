"""Which of the processes of `accelerate launch` this one is; alone, it is the first of one."""

import os


def rank() -> int:
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Whether this process writes the files and tells of progress."""
    return rank() == 0


def processes() -> int:
    """How many processes share this training."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def wait_for_all() -> None:
    """Returns once every process has come here."""
    import torch.distributed as distributed

    if processes() > 1 and distributed.is_initialized():
        distributed.barrier()


def agree(value: object) -> object:
    """The first process's `value`, in all of them."""
    import torch.distributed as distributed

    if processes() == 1 or not distributed.is_initialized():
        return value
    box = [value]
    distributed.broadcast_object_list(box)
    return box[0]
