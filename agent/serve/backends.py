"""What answers: Ollama, an OpenAI-compatible server, or the model file in this process."""

import asyncio
import json
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from agent.serve.errors import ApiError
from agent.serve.wire import CutOffError, NoAnswerError, Wire
from memory.errors import UserError

MOST_TOKENS = 2048


@dataclass(frozen=True)
class Asked:
    """One question: messages with the system turn first, and how it is to be answered."""

    messages: tuple[dict[str, str], ...]
    max_tokens: int = MOST_TOKENS
    temperature: float = 0.7
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of an answer; the last one has `finish` (stop, length) and counts where known."""

    text: str = ""
    finish: str = ""
    prompt_tokens: int = 0
    tokens: int = 0


class Backend(Protocol):
    """Answers piece by piece; raises ApiError before the first piece where it can."""

    def answer(self, model: str, asked: Asked) -> AsyncIterator[Said]: ...


@dataclass
class _Server:
    """A model server at `url`, spoken to over kept connections."""

    url: str
    first_seconds: float

    def __post_init__(self) -> None:
        self._wire = Wire(self.url, self.first_seconds)

    async def close(self) -> None:
        await self._wire.close()

    @asynccontextmanager
    async def lines(self, path: str, body: dict[str, Any]) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of a streamed answer; every failure as an ApiError in plain words."""
        where = f"the model server at {self.url}"
        try:
            async with self._wire.post(path, body) as answer:
                if answer.status != 200:
                    raise self._refused(answer.status, _reason(await answer.read()))
                yield answer.lines
        except NoAnswerError as error:
            said = f"{where} does not answer; start it, or see [serve] and [publish]"
            raise ApiError(503, said, "backend_unavailable") from error
        except TimeoutError as error:
            said = f"{where} said nothing for {self.first_seconds:.0f} s"
            raise ApiError(504, said, "backend_timeout") from error
        except CutOffError as error:
            said = f"{where} broke off in the middle of an answer"
            raise ApiError(502, said, "backend_broke_off") from error

    def _refused(self, status: int, reason: str) -> ApiError:
        if status == 404:
            return ApiError(503, f"the model server has no such model: {reason}", "model_gone")
        if status == 400 and "context" in reason:
            told = f"the conversation is longer than the model's context: {reason}"
            return ApiError(400, told, "context_length_exceeded", "messages")
        ours = 400 if status in (400, 413, 422) else 502
        return ApiError(ours, f"the model server answered {status}: {reason}", "backend_refused")


def _reason(text: str) -> str:
    """The server's own words, one line."""
    with suppress(ValueError, AttributeError):
        said = json.loads(text).get("error") or text
        text = said.get("message", text) if isinstance(said, dict) else str(said)
    return " ".join(text.split())[:300] or "no reason given"


class OllamaBackend(_Server):
    """A generation by its own tag: a switch of `latest` touches no request under way."""

    async def answer(self, model: str, asked: Asked) -> AsyncIterator[Said]:
        options = {"num_predict": asked.max_tokens, "temperature": asked.temperature}
        given = {"top_p": asked.top_p, "seed": asked.seed, "stop": list(asked.stop) or None}
        options |= {name: value for name, value in given.items() if value is not None}
        body = {"model": model, "messages": asked.messages, "options": options, "stream": True}
        body |= {"truncate": False, "shift": False}  # else it drops what is too long, in silence
        last = None
        async with self.lines("/api/chat", body) as lines:
            async for line in lines:
                part = _parsed(line)
                if part.get("error"):
                    raise ApiError(502, f"Ollama: {part['error']}", "backend_broke_off")
                text = (part.get("message") or {}).get("content") or ""
                if not part.get("done"):
                    yield Said(text)
                    continue
                finish = "length" if part.get("done_reason") == "length" else "stop"
                counts = part.get("prompt_eval_count") or 0, part.get("eval_count") or 0
                last = Said(text, finish, *counts)
        if last is None:
            raise _cut_off()
        yield last


class OpenAIBackend(_Server):
    """llama-server, vLLM or any other server that speaks /v1/chat/completions."""

    async def answer(self, model: str, asked: Asked) -> AsyncIterator[Said]:
        body: dict[str, Any] = {"model": model, "messages": asked.messages, "stream": True}
        body |= {"max_tokens": asked.max_tokens, "temperature": asked.temperature}
        given = {"top_p": asked.top_p, "seed": asked.seed, "stop": list(asked.stop) or None}
        body |= {name: value for name, value in given.items() if value is not None}
        body["stream_options"] = {"include_usage": True}
        finish, counts = "", (0, 0)
        async with self.lines("/chat/completions", body) as lines:
            async for line in lines:
                if not line.startswith("data:"):
                    continue
                if line[5:].strip() == "[DONE]":
                    finish = finish or "stop"
                    continue
                part = _parsed(line[5:])
                if usage := part.get("usage"):
                    counts = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
                for choice in part.get("choices") or []:
                    finish = choice.get("finish_reason") or finish
                    if text := (choice.get("delta") or {}).get("content"):
                        yield Said(text)
        if not finish:
            raise _cut_off()
        yield Said("", finish, *counts)


def _parsed(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line) if line.strip() else {}
    except ValueError as error:
        raise ApiError(502, "the model server's answer cannot be read", "backend") from error
    return found if isinstance(found, dict) else {}


def _cut_off() -> ApiError:
    return ApiError(502, "the model server broke off in the middle of an answer", "backend")


class EmbeddedBackend:
    """Model files run in this process, one question at a time each; the last used stays loaded."""

    def __init__(self, find: Callable[[str], Path], num_ctx: int) -> None:
        """`find` gives a generation's checked GGUF; it may raise UserError."""
        self.find, self.num_ctx = find, num_ctx
        self._turn = asyncio.Lock()
        self._loaded: tuple[str, Any] | None = None

    async def close(self) -> None:
        async with self._turn:
            self._drop()

    async def answer(self, model: str, asked: Asked) -> AsyncIterator[Said]:
        async with self._turn:
            runner = await self._runner(model)
            pieces: asyncio.Queue[Said | BaseException] = asyncio.Queue()
            stop, loop = threading.Event(), asyncio.get_running_loop()

            def tell(piece: Said | Exception) -> None:
                loop.call_soon_threadsafe(pieces.put_nowait, piece)

            def failed(done: asyncio.Future) -> None:  # else nobody would hear of it
                if not done.cancelled() and (error := done.exception()):
                    pieces.put_nowait(error)

            work = loop.run_in_executor(None, _speak, runner, asked, stop, tell)
            work.add_done_callback(failed)
            try:
                while True:
                    piece = await pieces.get()
                    if isinstance(piece, BaseException):
                        raise piece
                    yield piece
                    if piece.finish:
                        return
            finally:
                stop.set()
                await asyncio.shield(work)

    async def _runner(self, model: str) -> Any:
        from distill.embedded import Embedded

        if self._loaded is None or self._loaded[0] != model:
            path = await asyncio.to_thread(self.find, model)
            self._drop()
            runner = await asyncio.to_thread(Embedded, path, n_ctx=self.num_ctx)
            self._loaded = (model, runner)
        return self._loaded[1]

    def _drop(self) -> None:
        if self._loaded is not None:
            self._loaded[1].close()
            self._loaded = None


def _speak(
    runner: Any, asked: Asked, stop: threading.Event, tell: Callable[[Said | Exception], None]
) -> None:
    """In a thread: the answer's pieces, up to a stop text, `stop` or the limit."""
    count, held = 0, ""
    how = {"max_tokens": asked.max_tokens, "temperature": asked.temperature}
    longest = max(map(len, asked.stop), default=1)
    try:
        seed = secrets.randbits(31) if asked.seed is None else asked.seed % 2**64
        for text in runner.stream(list(asked.messages), seed=seed, **how):
            if stop.is_set():
                return
            count, held = count + 1, held + text
            found = [held.find(one) for one in asked.stop if one in held]
            if found:
                return tell(Said(held[: min(found)], "stop", 0, count))
            send, held = held[: len(held) - longest + 1], held[len(held) - longest + 1 :]
            if send:
                tell(Said(send))
        tell(Said(held, "length" if count >= asked.max_tokens else "stop", 0, count))
    except UserError as error:
        code = "context_length_exceeded" if "context" in str(error) else "invalid_request"
        tell(ApiError(400, str(error), code, "messages"))
