"""Trains in several processes, one a GPU, by accelerate's launcher; says why one of them failed."""

import json
import os
from pathlib import Path

from distill.train.recipes import TrainConfig
from memory.errors import StageError, UserError
from memory.files import write_atomic

SMALLER = "smaller.json"


def processes_for(config: TrainConfig, base) -> int:
    """How many are to train: as configured, else one a GPU; for a tiny base, or preferences, one.

    torch is imported only where there may be several: the stage sets its threads before that.
    """
    if config.processes > 1:
        check_gpus(config.processes)
    if config.processes or base.tiny or config.preference == "on":
        return config.processes or 1
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    seen = named.split(",") if named is not None else list(Path("/dev").glob("nvidia[0-9]*"))
    if len(seen) < 2:
        return 1
    import torch

    return max(1, torch.cuda.device_count())


def check_gpus(count: int) -> None:
    """Raises UserError where there are GPUs, but fewer than processes."""
    import torch

    there = torch.cuda.device_count()
    if 0 < there < count:
        raise UserError(
            f"train.processes = {count}: this machine shows {there} GPUs, and each needs one"
        )


def is_launched() -> bool:
    """Whether this process is one of several already."""
    return "WORLD_SIZE" in os.environ


def words(count: int, module: str, arguments: list[str]) -> list[str]:
    """What `accelerate launch` is told; FSDP is not named: it is sharding.py that splits the base.

    accelerate's own FSDP would split the adapters, too, and refuses to run on CPUs.
    """
    told = ["--multi_gpu", "--num_processes", str(count), "--num_machines", "1"]
    told += ["--main_process_port", "0", "--mixed_precision", "no", "--dynamo_backend", "no"]
    return [*told, "--module", module, *arguments]


def run(count: int, module: str, arguments: list[str], folder: Path) -> None:
    """`python -m module *arguments` in `count` processes, to their end.

    Where GPU memory ran out in one, all start again, from their checkpoint, with less. Raises
    StageError with the words of the process that failed first.
    """
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    before = times_smaller(folder)
    while True:
        try:
            launch_command(launch_command_parser().parse_args(words(count, module, arguments)))
            return
        except ChildFailedError as error:
            if times_smaller(folder) == before:
                raise StageError(_why(error)) from error
            before = times_smaller(folder)


def recorded(function):
    """`function`, with what it raises told to the launcher."""
    from torch.distributed.elastic.multiprocessing.errors import record

    return record(function)


def _why(error) -> str:
    rank, failure = error.get_first_failure()
    said = failure.message
    said = str(said.get("message", said) if isinstance(said, dict) else said)  # or with a traceback
    kind, _, text = said.partition(": ")
    return text if kind.endswith("Error") and text else f"train: process {rank}: {said}"


def times_smaller(folder: Path) -> int:
    """How often this training has run out of GPU memory so far."""
    try:
        return json.loads((folder / SMALLER).read_text(encoding="utf-8"))["times"]
    except (OSError, ValueError, KeyError):
        return 0


def note_smaller(folder: Path, times: int) -> None:
    write_atomic(folder / SMALLER, json.dumps({"times": times}))
