"""What this machine can be trusted with: device, dtype, threads, kernels."""

import logging
import os
from dataclasses import asdict, dataclass, replace

ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "true",
    # two OpenMP runtimes (torch's and bitsandbytes') that spin wait for each other: a pack took
    # 11.2 s instead of 1.1 s
    "OMP_WAIT_POLICY": "PASSIVE",
}
# TRL refuses to run when one process sees several GPUs; processes of a launcher have one each
ONE_GPU = {"CUDA_VISIBLE_DEVICES": "0"}


@dataclass(frozen=True)
class Precision:
    """Where and in what training computes; `dtype` is bfloat16, float16 or float32.

    `memory_gb` is what the smallest GPU here has, in 10^9 bytes; 0 where nobody asked.
    """

    device: str
    dtype: str
    reason: str
    capability: tuple[int, int] | None = None
    memory_gb: float = 0.0

    @property
    def on_gpu(self) -> bool:
        return self.device == "cuda"


@dataclass(frozen=True)
class Threads:
    """What decides how fast a CPU goes: threads of one process, and how they wait."""

    torch: int
    omp_num_threads: str
    omp_wait_policy: str

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def choose_precision(capability: tuple[int, int] | None) -> Precision:
    """The dtype a GPU of this compute capability computes in hardware; None is no GPU.

    `torch.cuda.is_bf16_supported()` is no guide: it says True on sm_75, by emulation.
    """
    if capability is None:
        return Precision("cpu", "float32", "no GPU")
    name = f"compute capability {capability[0]}.{capability[1]}"
    if capability >= (8, 0):
        return Precision("cuda", "bfloat16", name, capability)
    return Precision("cuda", "float16", f"{name} has no bfloat16 of its own", capability)


def detect_precision(levers: tuple[str, ...] = ()) -> Precision:
    """`choose_precision` for the oldest GPU that CUDA shows here; without one, for this processor.

    Several that train together compute in one dtype. A CPU multiplies in bfloat16 where it has
    AVX512-BF16 and `levers` name it.
    """
    import torch

    if torch.cuda.is_available():
        gpus = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
        found = choose_precision(min((gpu.major, gpu.minor) for gpu in gpus))
        return replace(found, memory_gb=min(gpu.total_memory for gpu in gpus) / 1e9)
    if "bfloat16" in levers and torch.cpu._is_avx512_bf16_supported():
        return Precision("cpu", "bfloat16", "no GPU; the processor has AVX512-BF16")
    return choose_precision(None)


def prepare_environment(threads: int = 0) -> Threads:
    """Takes the process offline and sets its threads; call before torch is imported.

    `threads` 0 means every core this process may use, shared with those that train with it.
    Variables that are set are left alone, but for those that keep it offline.
    """
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    threads = threads or max(1, len(os.sched_getaffinity(0)) // beside)
    alone = {} if "LOCAL_RANK" in os.environ else ONE_GPU
    for name, value in (ENVIRONMENT | alone).items():
        if name.startswith(("HF_", "TRANSFORMERS_")):
            os.environ[name] = value
        else:
            os.environ.setdefault(name, value)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))

    import torch

    torch.set_num_threads(threads)
    _quieten_libraries()
    return Threads(threads, os.environ["OMP_NUM_THREADS"], os.environ["OMP_WAIT_POLICY"])


def _quieten_libraries() -> None:
    """No progress bars and no advice: a stage's log holds its own lines.

    Silenced: bitsandbytes missing `kernels`, which is to stay out (it asks a hub at import); TRL
    on packs of one row a batch, which hold many records; TRL's use of transformers' older names.
    """
    import warnings

    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    for name in ("bitsandbytes", "trl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")


def keep_heap() -> None:
    """Has glibc keep what is freed instead of giving each large tensor back to the kernel.

    mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD: a pack of 512 tokens made 9,000 page faults.
    """
    import ctypes

    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # musl has none
        libc.mallopt(-3, 1 << 30)
        libc.mallopt(-1, 2**31 - 1)


def cap_memory(budget_gb: float) -> None:
    """Holds this process to `budget_gb` (10^9 bytes) of its GPU; 0 means the whole card."""
    import torch

    if budget_gb <= 0 or not torch.cuda.is_available():
        return
    total = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, budget_gb * 1e9 / total))


def repeat_heads_on(capability: tuple[int, int] | None) -> bool:
    """Has K and V repeated before attention where a GPU is older than Ampere; says whether it did.

    Unmasked attention otherwise passes `enable_gqa`, and on sm_75 only the math kernel takes that:
    the scores of every head, length x length, in every layer.
    """
    import transformers.integrations.sdpa_attention as sdpa

    old = capability is not None and capability < (8, 0)
    if old:
        sdpa.use_gqa_in_sdpa = lambda attention_mask, key, value: False
    return old


def keep_weights_as_packed(model) -> int:
    """Forbids bitsandbytes' AVX512-BF16 path on every 4-bit layer; gives how many there are.

    That path repacks the weights in place at the first forward in evaluation mode, lossily and
    for good: training after an evaluation then dies or goes on with wrong gradients.
    """
    import bitsandbytes

    layers = [m for m in model.modules() if isinstance(m, bitsandbytes.nn.Linear4bit)]
    for layer in layers:
        layer.support_avx512bf16_for_cpu = False
    return len(layers)


def project_loss_positions_only(triton: bool | None = None) -> bool:
    """TRL's fused head without Triton, too, projects only the positions that carry loss.

    TRL ties the choice to `_use_triton`, a private name in two modules: this is the one place
    that sets it. In `trl.trainer.utils` it decides which positions are projected (all of them on
    a CPU, although curated rows carry loss on half of theirs); in `trl.kernels.chunked_logprob`
    which kernel folds a tile, and there Triton is taken only where `triton`, or a try, says so.
    Gives which it was.
    """
    import trl.kernels.chunked_logprob as kernels
    import trl.trainer.utils as head

    head._use_triton = lambda device: True
    triton = _triton_works() if triton is None else triton
    if not triton:
        kernels._use_triton = lambda device: False
    return triton


def _triton_works() -> bool:
    """Runs TRL's fused head on eight tokens, on the GPU; True where there is none to ask."""
    import subprocess

    import torch
    from trl.kernels import ChunkedLogProbFunction

    if not torch.cuda.is_available():
        return True
    hidden = torch.zeros(8, 16, device="cuda")
    targets = torch.zeros(8, dtype=torch.long, device="cuda")
    try:
        ChunkedLogProbFunction.apply(
            hidden, torch.zeros(32, 16, device="cuda"), None, targets, 1.0, 32, None, 1.0, ()
        )
    except (RuntimeError, OSError, ImportError, subprocess.SubprocessError):
        return False  # no C compiler on this machine, or a GPU Triton does not know
    return True
