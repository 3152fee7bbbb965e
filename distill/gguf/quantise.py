"""Which type each tensor of a GGUF file gets, and rows quantised by ggml's own functions."""

import ctypes
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from memory.errors import StageError

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGMLQuantizationType

# file type -> (the type most matrices get, whether some get more bits: the "_M" of llama.cpp)
QUANTISATIONS = {
    "F16": ("F16", False),
    "Q8_0": ("Q8_0", False),
    "Q6_K": ("Q6_K", False),
    "Q5_K_M": ("Q5_K", True),
    "Q4_K_M": ("Q4_K", True),
}
SMALLER_BLOCKS = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}  # widths 256 does not divide
BUFFER_BYTES = 64 << 20  # llama_model_quantize: 99 MB at peak instead of the whole of a tensor


def file_type(quantisation: str) -> int:
    """llama.cpp's number of a quantisation (`general.file_type`)."""
    from gguf import LlamaFileType

    return int(LlamaFileType[f"MOSTLY_{quantisation}"])


def tensor_types(
    shapes: Mapping[str, tuple[int, ...]], quantisation: str, layers: int
) -> "dict[str, GGMLQuantizationType]":
    """The type of each tensor (GGUF name -> numpy shape), as llama_model_quantize chooses it.

    The rules of llama.cpp's llama-quant.cpp for dense models; a test compares the two.
    """
    from gguf import GGMLQuantizationType

    most, medium = QUANTISATIONS[quantisation]
    head = "output.weight" if "output.weight" in shapes else "token_embd.weight"
    types = {}
    for name, shape in shapes.items():
        chosen = "F32"
        if _is_matrix(name, shape):
            chosen = most
            if most != "F16":
                chosen = _mixed(name, shape[-1], most, medium, head, layers)
        types[name] = GGMLQuantizationType[chosen]
    return types


def _is_matrix(name: str, shape: tuple[int, ...]) -> bool:
    """Vectors and norms stay F32. A matrix of one row counts as a vector in ggml."""
    return name.endswith(".weight") and "_norm" not in name and len(shape) == 2 and shape[0] > 1


def _mixed(name: str, width: int, most: str, medium: bool, head: str, layers: int) -> str:
    """The head gets Q6_K, and with "_M" the value and down matrices of half the layers do too."""
    chosen = most
    if name == head:
        if width % _block(most):
            chosen = "Q8_0"
        elif most != "Q8_0":
            chosen = "Q6_K"
    elif medium and (found := re.match(r"blk\.(\d+)\.(attn_v|ffn_down)\.weight$", name)):
        chosen = "Q6_K" if _more_bits(int(found[1]), layers) else most
    if width % _block(chosen):
        chosen = SMALLER_BLOCKS.get(chosen, chosen)
    return "F16" if width % _block(chosen) else chosen


def _more_bits(layer: int, layers: int) -> bool:
    """The first and last eighth, and every third layer between (`use_more_bits`)."""
    first = layers // 8
    return layer < first or layer >= 7 * layers // 8 or (layer - first) % 3 == 2


def _block(name: str) -> int:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    return GGML_QUANT_SIZES[GGMLQuantizationType[name]][0]


def tensor_bytes(shape: tuple[int, ...], kind: "GGMLQuantizationType") -> int:
    """Size of a tensor in the file, without padding."""
    from math import prod

    from gguf import GGML_QUANT_SIZES

    block, size = GGML_QUANT_SIZES[kind]
    return prod(shape) // block * size


class Quantiser:
    """ggml's conversions by ctypes; llama-cpp-python ships the library but binds none of them."""

    def __init__(self) -> None:
        """Raises AttributeError when the library does not have the functions."""
        from llama_cpp import llama_cpp

        library = llama_cpp._lib  # libllama: its symbols and those of the ggml it is linked with
        pointer, count = ctypes.c_void_p, ctypes.c_int64
        self._chunk = library.ggml_quantize_chunk
        self._chunk.argtypes = [ctypes.c_int, pointer, pointer, count, count, count, pointer]
        self._chunk.restype = ctypes.c_size_t
        library.ggml_cpu_init()
        self._to_half, self._to_float = library.ggml_cpu_fp32_to_fp16, library.ggml_cpu_fp16_to_fp32
        for function in (self._to_half, self._to_float):
            function.argtypes, function.restype = [pointer, pointer, count], None

    def convert(
        self,
        name: str,
        rows: "np.ndarray",
        kind: "GGMLQuantizationType",
        importance: "np.ndarray | None" = None,
    ) -> "np.ndarray":
        """fp32 `rows` (n x columns, overwritten) as the bytes of `kind`, by way of F16.

        `importance` (columns,) weighs each column's error, as llama.cpp's matrices do. Raises
        StageError when a value does not fit into F16 (beyond 65,504, or not a number).
        """
        import numpy as np
        from gguf import GGMLQuantizationType

        if kind == GGMLQuantizationType.F32:
            return rows.reshape(-1).view(np.uint8)
        half = np.empty(rows.shape, np.float16)
        self._to_half(rows.ctypes.data, half.ctypes.data, rows.size)
        if (half.view(np.uint16) & 0x7C00).max() == 0x7C00:
            raise StageError(f"{name} has values that do not fit into F16: the adapter diverged")
        if kind == GGMLQuantizationType.F16:
            return half.reshape(-1).view(np.uint8)
        self._to_float(half.ctypes.data, rows.ctypes.data, rows.size)
        out = np.empty(tensor_bytes(rows.shape, kind), np.uint8)
        count, width = rows.shape
        weights = None if importance is None else importance.ctypes.data
        self._chunk(int(kind), rows.ctypes.data, out.ctypes.data, 0, count, width, weights)
        return out


def quantise_file(
    source: Path,
    target: Path,
    quantisation: str,
    threads: int,
    importance: "Mapping[str, np.ndarray] | None" = None,
    buffer_bytes: int = BUFFER_BYTES,
) -> None:
    """llama.cpp's own quantiser from file to file, in process; `importance` by tensor name.

    Raises StageError when it fails.
    """
    from llama_cpp import llama_cpp

    from distill.embedded.llama import quiet_log

    log = quiet_log()
    log.clear()
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread = file_type(quantisation), threads
    params.max_buf_size = buffer_bytes
    matrices = _matrices(importance or {})
    params.imatrix = matrices
    code = llama_cpp.llama_model_quantize(
        str(source).encode(), str(target).encode(), ctypes.byref(params)
    )
    if code:
        raise StageError(f"{source.name}: llama.cpp could not quantise it: {log.first_error()}")


def _matrices(importance: "Mapping[str, np.ndarray]"):
    """What llama_model_quantize reads: an array of name, data, size that ends in a null name."""
    from llama_cpp import llama_cpp

    if not importance:
        return None
    array = (llama_cpp.llama_model_imatrix_data * (len(importance) + 1))()
    for place, (name, weights) in zip(array, importance.items(), strict=False):
        place.name, place.size = name.encode(), weights.size
        place.data = weights.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    return array
