"""A GGUF file loaded by llama.cpp in this process: tokens in, logits out."""

import ctypes
import os
import unicodedata
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from memory.errors import ModelFileError, UserError

if TYPE_CHECKING:
    import numpy as np

ERROR = 3  # GGML_LOG_LEVEL_ERROR in ggml.h
CONTROL, USER_DEFINED = 1 << 3, 1 << 4  # llama_token_attr in llama.h
BATCH = 512  # tokens a decode takes at most
LOGIT_BYTES = 32 << 20  # logits kept at a time: 55 positions of a vocabulary of 152k
SMALL_BYTES = 64 << 20  # a smaller model is faster on one thread: they only wait for each other


class LlamaLog:
    """The last lines llama.cpp logged as errors; what it logs is not printed any more."""

    def __init__(self) -> None:
        from llama_cpp import llama_cpp

        self._lines: deque[str] = deque(maxlen=8)
        self._callback = llama_cpp.llama_log_callback(self._keep)  # C holds it: must not be freed
        llama_cpp.llama_log_set(self._callback, ctypes.c_void_p(0))
        self._abort = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(_give_up)
        set_abort = llama_cpp._lib.ggml_set_abort_callback
        set_abort.argtypes, set_abort.restype = [type(self._abort)], ctypes.c_void_p
        set_abort(self._abort)
        llama_cpp.llama_backend_init()

    def _keep(self, level: int, text: bytes, _data) -> None:
        if level == ERROR:
            self._lines.append(text.decode("utf-8", "replace").strip())

    def clear(self) -> None:
        """Forgets what was logged before."""
        self._lines.clear()

    def first_error(self) -> str:
        """The first error since `clear` (later ones follow from it), without its function."""
        line = next((line for line in self._lines if line), "it gave no reason")
        return line.partition(": ")[2] or line


def _give_up(message: bytes) -> None:
    """llama.cpp's assertions end the process (a vocabulary with a changed byte does that): do it
    with one line and exit code 1 instead of a debugger's backtrace and SIGABRT."""
    text = message.decode("utf-8", "replace").rpartition("/")[2]
    line = f"llama.cpp gave up ({text}): the model file is damaged, or memory ran out\n"
    os.write(2, line.encode())
    os._exit(1)


@cache
def quiet_log() -> LlamaLog:
    """Silences llama.cpp from the first call on, and gives what keeps its errors."""
    return LlamaLog()


def on_gpu() -> bool:
    """Whether models run on a GPU here: llama.cpp was built for one, and it is there."""
    from llama_cpp import llama_cpp

    return bool(llama_cpp.llama_supports_gpu_offload())


class LlamaModel:
    """A model with one sequence in its context; `cached` are the tokens it has read.

    Not for use by several threads at once. `close` frees it; afterwards it must not be used.
    """

    def __init__(self, path: Path, *, n_ctx: int, threads: int | None, gpu: bool) -> None:
        """`path` is the file or the first shard. Raises ModelFileError when it does not load."""
        from llama_cpp import llama_cpp

        self._api, self._context, self._model, self._batch = llama_cpp, None, None, None
        self.path, self.cached, self.logit_bytes = path, [], LOGIT_BYTES
        _check_file(path)
        log = quiet_log()
        log.clear()
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = -1 if gpu and on_gpu() else 0
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        if not self._model:
            raise ModelFileError(
                f"{path}: llama.cpp cannot load it ({log.first_error()}): it is damaged, or not a"
                " language model; make or fetch it again"
            )
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self.vocabulary_size = llama_cpp.llama_vocab_n_tokens(self._vocabulary)
        self._open_context(min(n_ctx, llama_cpp.llama_model_n_ctx_train(self._model)), threads)
        self._composed = self.metadata("junior.tokenizer.nfc") == "true"

    def _open_context(self, n_ctx: int, threads: int | None) -> None:
        api = self._api
        small = api.llama_model_size(self._model) < SMALL_BYTES
        threads = threads or (1 if small else min(8, len(os.sched_getaffinity(0))))
        params = api.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = n_ctx, min(BATCH, n_ctx), min(BATCH, n_ctx)
        params.n_seq_max, params.n_threads, params.n_threads_batch = 1, threads, threads
        params.n_outputs_max = min(params.n_batch, self._most_logits())
        params.no_perf = True
        self._context = api.llama_init_from_model(self._model, params)
        if not self._context:
            self.close()
            raise ModelFileError(
                f"{self.path}: no memory for a context of {n_ctx} tokens"
                f" ({quiet_log().first_error()}): close other programs or use a smaller context"
            )
        self._memory = api.llama_get_memory(self._context)
        self.size = n_ctx
        self._batch = api.llama_batch_init(min(BATCH, n_ctx), 0, 1)

    def close(self) -> None:
        """Frees the model and its context; a second call does nothing."""
        for name, free in (
            ("_batch", self._api.llama_batch_free),
            ("_context", self._api.llama_free),
            ("_model", self._api.llama_model_free),
        ):
            held = getattr(self, name)
            setattr(self, name, None)
            if held is not None:
                free(held)

    def metadata(self, key: str) -> str:
        """A value of the file's metadata as text, "" when it has none."""
        size = self._api.llama_model_meta_val_str(self._model, key.encode(), None, 0)
        if size < 0:
            return ""
        buffer = ctypes.create_string_buffer(size + 1)
        self._api.llama_model_meta_val_str(self._model, key.encode(), buffer, size + 1)
        return buffer.value.decode("utf-8", "replace")

    def special(self, kind: str) -> str:
        """The text of the "bos" or "eos" token, "" when the file names none."""
        number = self.metadata(f"tokenizer.ggml.{kind}_token_id")
        return self.piece(int(number), special=True).decode("utf-8", "replace") if number else ""

    def compose(self, text: str) -> str:
        """The text as the model's tokenizer sees it: in NFC where the base's does that."""
        return unicodedata.normalize("NFC", text) if self._composed else text

    def tokens(self, text: str) -> list[int]:
        """Token ids; control tokens written in `text` are read as such, none is added."""
        data = self.compose(text).encode()
        room = len(data) + 1
        buffer = (ctypes.c_int32 * room)()
        count = self._api.llama_tokenize(
            self._vocabulary, data, len(data), buffer, room, False, True
        )
        return buffer[:count]

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """The bytes of one token; of a control token only with `special`."""
        buffer = ctypes.create_string_buffer(256)
        size = self._api.llama_token_to_piece(
            self._vocabulary, token, buffer, len(buffer), 0, special
        )
        if size < 0:
            buffer = ctypes.create_string_buffer(-size)
            size = self._api.llama_token_to_piece(
                self._vocabulary, token, buffer, len(buffer), 0, special
            )
        return buffer.raw[:size]

    def is_end(self, token: int) -> bool:
        """Whether a turn ends with this token."""
        return bool(self._api.llama_vocab_is_eog(self._vocabulary, token))

    def is_control(self, token: int) -> bool:
        """Whether it is one of the tokenizer's added tokens, which no plain text gives."""
        attributes = self._api.llama_vocab_get_attr(self._vocabulary, token)
        return bool(attributes & (CONTROL | USER_DEFINED))

    def rewind(self, length: int) -> None:
        """Forgets all tokens read after the first `length`."""
        if length < len(self.cached):
            self._api.llama_memory_seq_rm(self._memory, 0, length, -1)
            del self.cached[length:]

    def read(
        self, tokens: Sequence[int], wanted: Sequence[bool]
    ) -> "Iterator[tuple[int, np.ndarray]]":
        """Reads `tokens` after the cached ones; yields (place in `tokens`, logits) where wanted.

        Logits are (vocabulary,) fp32, a view that holds until the next step. Raises UserError when
        the context has no room, ModelFileError when llama.cpp fails.
        """
        import numpy as np

        if len(self.cached) + len(tokens) > self.size:
            raise UserError(
                f"{len(self.cached) + len(tokens)} tokens, and the model's context holds"
                f" {self.size}: shorten or begin a new conversation"
            )
        for start, stop in self._steps(wanted):
            self._decode(tokens[start:stop], wanted[start:stop])
            places = [i for i in range(start, stop) if wanted[i]]
            if places:
                pointer = self._api.llama_get_logits(self._context)
                shape = (len(places), self.vocabulary_size)
                yield from zip(places, np.ctypeslib.as_array(pointer, shape), strict=True)

    def _steps(self, wanted: Sequence[bool]) -> Iterator[tuple[int, int]]:
        """Batches of at most BATCH tokens and as many logits as `logit_bytes` hold."""
        most, start, found = self._most_logits(), 0, 0
        for place, want in enumerate(wanted):
            if place - start == min(BATCH, self.size) or found + want > most:
                yield start, place
                start, found = place, 0
            found += want
        if start < len(wanted):
            yield start, len(wanted)

    def _most_logits(self) -> int:
        return max(1, self.logit_bytes // (4 * self.vocabulary_size))

    def _decode(self, tokens: Sequence[int], wanted: Sequence[bool]) -> None:
        batch, position = self._batch, len(self.cached)
        batch.n_tokens = len(tokens)
        for i, (token, want) in enumerate(zip(tokens, wanted, strict=True)):
            batch.token[i], batch.pos[i], batch.logits[i] = token, position + i, bool(want)
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
        quiet_log().clear()
        code = self._api.llama_decode(self._context, batch)
        if code:
            raise ModelFileError(
                f"{self.path}: llama.cpp failed on it (code {code}: {quiet_log().first_error()})"
            )
        self.cached += tokens


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file")
    with open(path, "rb") as file:
        magic = file.read(4)
    if magic != b"GGUF":
        raise ModelFileError(f"{path}: not a GGUF file ({path.stat().st_size} bytes)")
