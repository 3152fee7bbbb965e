"""llama.cpp made quiet: what it would print is kept for error messages instead."""

import ctypes
from collections import deque
from functools import cache

ERROR = 3  # GGML_LOG_LEVEL_ERROR in ggml.h


class LlamaLog:
    """The last lines llama.cpp logged as errors; installed once for the whole process."""

    def __init__(self) -> None:
        from llama_cpp import llama_cpp

        self._lines: deque[str] = deque(maxlen=8)
        self._callback = llama_cpp.llama_log_callback(self._keep)  # C holds it: must not be freed
        llama_cpp.llama_log_set(self._callback, ctypes.c_void_p(0))

    def _keep(self, level: int, text: bytes, _data) -> None:
        if level == ERROR:
            self._lines.append(text.decode("utf-8", "replace").strip())

    def clear(self) -> None:
        """Forgets what was logged before."""
        self._lines.clear()

    def first_error(self) -> str:
        """The first error kept since `clear` (later ones follow from it), without its function."""
        line = next((line for line in self._lines if line), "it gave no reason")
        return line.partition(": ")[2] or line


@cache
def quiet_log() -> LlamaLog:
    """Silences llama.cpp from the first call on, and gives what keeps its errors."""
    return LlamaLog()
