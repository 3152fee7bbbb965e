"""A GGUF model run in this process: it answers, and is asked how likely a text is to it."""

import codecs
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from distill.embedded.chat_template import ChatTemplate
from distill.embedded.llama import LlamaModel
from distill.tokens import Rendered, Renderer
from memory.errors import ModelFileError, UserError
from memory.files import sha256_file

if TYPE_CHECKING:
    import numpy as np

TOP_K, TOP_P = 40, 0.9  # Ollama's own defaults, so that both doors sound alike


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its `text`, how many `tokens`, `seconds` it took, and whether it `stopped`
    by itself (False: `max_tokens` or the context were used up)."""

    text: str
    tokens: int
    seconds: float
    stopped: bool


class Embedded:
    """A loaded model. `path` is a GGUF file, or the shards of one in order.

    Messages are [{"role", "content"}], rendered by the file's own chat template. With temperature
    0 the same messages always get the same answer. Not for several threads at once.
    """

    def __init__(
        self,
        path: Path | Sequence[Path],
        *,
        n_ctx: int = 2048,
        threads: int | None = None,
        gpu: bool = True,
        sha256: str = "",
    ) -> None:
        """Raises ModelFileError when the file is missing, damaged, or has no chat template.

        llama.cpp notices a file that is cut, and hardly a changed byte: give the `sha256` that
        export wrote (of the first shard) where it is known.
        """
        first = Path(path if isinstance(path, str | Path) else path[0])
        if sha256 and first.is_file() and sha256_file(first) != sha256:
            raise ModelFileError(f"{first}: damaged: it is not the file that was exported")
        self._model = LlamaModel(first, n_ctx=n_ctx, threads=threads, gpu=gpu)
        source = self._model.metadata("tokenizer.chat_template")
        if not source:
            self.close()
            raise ModelFileError(f"{first}: it has no chat template: choose a chat model")
        self._template = ChatTemplate(
            source, bos=self._model.special("bos"), eos=self._model.special("eos")
        )

    def __enter__(self) -> "Embedded":
        return self

    def __exit__(self, *_error) -> None:
        self.close()

    def close(self) -> None:
        """Frees the model's memory; it must not be used afterwards."""
        self._model.close()

    def render(self, messages: Sequence[dict]) -> str:
        """The prompt for the next answer, as text. Raises UserError if the template refuses."""
        return self._template.render(messages)

    def chat(
        self,
        messages: Sequence[dict],
        *,
        max_tokens: int = 200,
        temperature: float = 0.0,
        seed: int = 0,
        prefix: str = "",
    ) -> Reply:
        """The whole answer; with a `prefix`, what follows it. Raises UserError when the messages
        do not fit into the context."""
        started, data, count, stopped = time.monotonic(), b"", 0, False
        self._model.rewind(0)  # the same batches every time, or rounding differs
        for token in self._generate(messages, max_tokens, temperature, seed, prefix):
            count, stopped = count + 1, self._model.is_end(token)
            data += b"" if stopped else self._model.piece(token)
        seconds = time.monotonic() - started
        return Reply(data.decode("utf-8", "replace").strip(), count, seconds, stopped)

    def stream(
        self,
        messages: Sequence[dict],
        *,
        max_tokens: int = 200,
        temperature: float = 0.7,
        seed: int = 0,
    ) -> Iterator[str]:
        """The answer piece by piece; a conversation's earlier turns are not read again."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for token in self._generate(messages, max_tokens, temperature, seed):
            if not self._model.is_end(token) and (text := decoder.decode(self._model.piece(token))):
                yield text
        if rest := decoder.decode(b"", final=True):
            yield rest

    def loss(self, rows: Iterable[dict]) -> tuple[float, int]:
        """(nats a token, tokens) over the loss spans of `rows`, as in held_out.jsonl.

        The same tokens count as in training (`distill.tokens`); rows longer than the context are
        cut. Without any such token (0.0, 0).
        """
        total, tokens = 0.0, 0
        for nats, count in self.row_losses(rows):
            total, tokens = total + nats, tokens + count
        return (total / tokens if tokens else 0.0), tokens

    def row_losses(self, rows: Iterable[dict]) -> Iterator[tuple[float, int]]:
        """(sum of nats, tokens) of each row: what `loss` adds up."""
        for number, row in enumerate(rows, 1):
            rendered = self._renderer.render(row, f"row {number}")
            tokens, counts = self._label(rendered)
            wanted = [*counts[1:], False]
            self._model.rewind(0)
            found = [
                _log_probability(logits, tokens[place + 1])
                for place, logits in self._model.read(tokens, wanted)
            ]
            yield -sum(found), len(found)

    def row_predictions(self, row: dict) -> list[int]:
        """The likeliest token at each place of a row that `loss` counts, by id."""
        tokens, counts = self._label(self._renderer.render(row, "row"))
        self._model.rewind(0)
        wanted = [*counts[1:], False]
        return [int(logits.argmax()) for _, logits in self._model.read(tokens, wanted)]

    def log_probability(
        self, messages: Sequence[dict], prefix: str, continuations: Sequence[str]
    ) -> list[float]:
        """log p (nats) of each continuation after the rendered prompt and `prefix`.

        Each is tokenised together with what comes before, as a model would write it; all are
        counted from the first token that differs from the prompt's own in any of them, so that
        sums can be compared. The prompt is read once.
        """
        start = self.render(messages) + prefix
        prompt = self._model.tokens(start)
        whole = [self._model.tokens(start + text) for text in continuations]
        shared = max(1, min((_common(prompt, tokens) for tokens in whole), default=1))
        self._read_up_to(prompt[:shared])
        return [self._sum(tokens, shared) for tokens in whole]

    def _sum(self, tokens: list[int], shared: int) -> float:
        """log p of tokens[shared:], the first `shared` of them being cached."""
        self._model.rewind(shared - 1)
        asked = tokens[shared - 1 : -1]
        return sum(
            _log_probability(logits, tokens[shared + place])
            for place, logits in self._model.read(asked, [True] * len(asked))
        )

    @cached_property
    def _renderer(self) -> Renderer:
        return Renderer(self._template)

    def _generate(
        self,
        messages: Sequence[dict],
        max_tokens: int,
        temperature: float,
        seed: int,
        prefix: str = "",
    ) -> Iterator[int]:
        """Tokens of an answer, the one that ends it included."""
        import numpy as np

        chance = np.random.default_rng(seed)
        tokens = self._model.tokens(self.render(messages) + prefix)
        if len(tokens) >= self._model.size:
            raise UserError(
                f"the conversation has {len(tokens)} tokens and the context holds"
                f" {self._model.size}: begin a new one"
            )
        self._read_up_to(tokens[:-1])
        fresh = tokens[-1:]
        for _ in range(max_tokens):
            if len(self._model.cached) == self._model.size:
                return
            ((_, logits),) = self._model.read(fresh, [True])
            fresh = [_choose(logits, temperature, chance)]
            yield fresh[0]
            if self._model.is_end(fresh[0]):
                return

    def _read_up_to(self, tokens: list[int]) -> None:
        """Makes the cached tokens exactly these, reading only what is not there yet."""
        self._model.rewind(_common(self._model.cached, tokens))
        missing = tokens[len(self._model.cached) :]
        for _ in self._model.read(missing, [False] * len(missing)):
            pass

    def _label(self, rendered: Rendered) -> tuple[list[int], list[bool]]:
        """Tokens of a row, and which of them count: `distill.tokens`' rule on bytes.

        Byte-level tokens are pieces of the text, so their places follow from their lengths.
        """
        import numpy as np

        def place(position: int) -> int:
            return len(self._model.compose(rendered.text[:position]).encode())

        tokens = self._model.tokens(rendered.text)[: self._model.size]
        sizes = [len(self._model.piece(token, special=True)) for token in tokens]
        stops = np.cumsum(sizes)
        starts = stops - sizes
        inside = np.zeros(max(place(len(rendered.text)), int(stops[-1])) + 1, np.int64)
        for start, end in rendered.spans:
            inside[place(start) + 1 : place(end) + 1] = 1
        covered = inside.cumsum()
        counts = covered[stops] - covered[starts] == stops - starts
        for i in np.flatnonzero(np.isin(starts, [place(end) for end in rendered.ends])):
            counts[i] |= self._model.is_control(tokens[i])
        return tokens, counts.tolist()


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences begin with alike."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))


def _log_probability(logits: "np.ndarray", token: int) -> float:
    """log softmax of `logits` at `token`, in nats."""
    import numpy as np

    top = float(logits.max())
    return float(logits[token]) - top - float(np.log(np.exp(logits - top).sum(dtype=np.float64)))


def _choose(logits: "np.ndarray", temperature: float, chance: "np.random.Generator") -> int:
    """The likeliest token, or one drawn from the TOP_K within TOP_P of the probability."""
    import numpy as np

    if temperature <= 0:
        return int(logits.argmax())
    best = np.argsort(logits)[::-1][:TOP_K]
    odds = np.exp((logits[best] - logits[best[0]]).astype(np.float64) / temperature)
    odds /= odds.sum()
    kept = np.cumsum(odds) - odds < TOP_P
    return int(chance.choice(best[kept], p=odds[kept] / odds[kept].sum()))
