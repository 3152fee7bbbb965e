"""One place where every door's question is answered: the model's name in, pieces out."""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, replace

from agent.config import Config
from agent.serve.backends import (
    Asked,
    Backend,
    EmbeddedBackend,
    OllamaBackend,
    OpenAIBackend,
    Said,
)
from agent.serve.errors import ApiError
from agent.serve.generations import BASE, Generations, Junior
from distill.evaluate.judge import known_names
from distill.identity import load_identity
from distill.ollama import server_address
from distill.release.generations import night_folder
from distill.rewrite.fidelity import problems
from distill.rewrite.habits import load_habits
from distill.rewrite.paragraphs import Piece, pieces
from distill.rewrite.rewriter import ATTEMPTS, Rewritten, cleaned, judged, request
from memory.errors import UserError

JUNIOR, REWRITE = "junior", "junior-rewrite"
REMEMBERED = 1000  # answers of the junior, by hash
TOO_SLOW = "the answer took too long (serve.answer_seconds)"
CHARACTERS_A_TOKEN = 8  # no language's text has more: a longer prompt cannot fit


@dataclass(frozen=True)
class Wanted:
    """A model's name, understood: whether it rewrites, and which generation ("" the current)."""

    rewrites: bool
    generation: str


class Desk:
    """Holds the backends and answers; for one event loop."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.generations = Generations(config)
        first = config.serve.answer_seconds
        self.embedded = EmbeddedBackend(self.generations.file, config.publish.num_ctx)
        self.openai = OpenAIBackend(config.serve.url.rstrip("/"), first)
        wanted = config.serve.backend in ("auto", "ollama") and config.publish.ollama != "off"
        self.ollama = OllamaBackend(server_address(config.publish.host) if wanted else "", first)
        self._names: tuple[str, ...] | None = None
        self._said: deque[str] = deque(maxlen=REMEMBERED)

    async def close(self) -> None:
        await self.ollama.close()
        await self.openai.close()
        await self.embedded.close()
        self.generations.close()

    def understood(self, model: str) -> Wanted:
        """`junior`, `junior-rewrite`, either with `:GENERATION`, or `base`. Raises ApiError 404."""
        name, _, generation = model.partition(":")
        if model == BASE:
            return Wanted(False, BASE)
        called = self.config.publish.name
        if name not in (JUNIOR, REWRITE, called, f"{called}-rewrite"):
            known = f"{JUNIOR}, {REWRITE}, {JUNIOR}:GENERATION, {BASE}"
            told = f"the model {model!r} does not exist; there is {known}"
            raise ApiError(404, told, "model_not_found", "model")
        rewrites = name != called and name.endswith("-rewrite")
        return Wanted(rewrites, "" if generation == "latest" else generation)

    def models(self) -> list[tuple[str, int]]:
        """(name, seconds since 1970) of everything that can be asked."""
        kept = self.generations.kept()
        newest = int(kept[0].created_at.timestamp()) if kept else 0
        found = [(JUNIOR, newest), (REWRITE, newest)]
        return found + [(f"{JUNIOR}:{one.id}", int(one.created_at.timestamp())) for one in kept]

    async def answer(self, generation: str, asked: Asked) -> AsyncIterator[Said]:
        """The junior's words; its card is put before whatever system text came along."""
        junior = self.generations.find(generation)
        asked = replace(asked, messages=_carded(junior.card, asked.messages))
        self._check_length(asked)
        async for said in self._first_that_answers(junior, asked):
            yield said

    def _check_length(self, asked: Asked) -> None:
        characters = sum(len(message["content"]) for message in asked.messages)
        most = self.config.publish.num_ctx * CHARACTERS_A_TOKEN
        if characters > most:
            told = f"the conversation has {characters:,} characters; the context of "
            told += f"{self.config.publish.num_ctx:,} tokens cannot hold them"
            raise ApiError(400, told, "context_length_exceeded", "messages")

    async def _first_that_answers(self, junior: Junior, asked: Asked) -> AsyncIterator[Said]:
        """By Ollama where it serves the generation; where it is down, by the file itself."""
        tries = self._backends(junior)
        for last, (backend, model) in zip([*[False] * (len(tries) - 1), True], tries, strict=True):
            begun = False
            try:
                async with aclosing(backend.answer(model, asked)) as words:
                    async for said in words:
                        begun = True
                        yield said
                return
            except ApiError as error:
                if begun or last or error.code not in ("backend_unavailable", "model_gone"):
                    raise

    def _backends(self, junior: Junior) -> list[tuple[Backend, str]]:
        wanted = self.config.serve.backend
        if wanted == "openai":  # that server has one model: the others' files are here
            served = self.openai, self.config.serve.model or JUNIOR
            return [served if junior.current else (self.embedded, junior.id)]
        if wanted == "ollama" and not junior.tag and junior.id != BASE:
            told = f"{junior.id} is not published at Ollama: run `junior publish`"
            raise ApiError(503, told, "backend_unavailable")
        found: list[tuple[Backend, str]] = []
        if wanted in ("auto", "ollama") and junior.tag and self.ollama.url:
            found.append((self.ollama, junior.tag))
        if wanted in ("auto", "embedded") or junior.id == BASE:
            found.append((self.embedded, junior.id))
        return found

    async def whole(self, generation: str, asked: Asked) -> Said:
        """The answer in one piece."""
        parts, last = [], Said()
        try:
            async with (
                asyncio.timeout(self.config.serve.answer_seconds),
                aclosing(self.answer(generation, asked)) as words,
            ):
                async for last in words:
                    parts.append(last.text)
        except TimeoutError as error:
            raise ApiError(504, TOO_SLOW, "timeout") from error
        return replace(last, text="".join(parts))

    async def rewritten(self, generation: str, text: str) -> AsyncIterator[Rewritten]:
        """`text` piece by piece, each as it leaves: checked, or unchanged with the reason."""
        names, junior = self.names(), self.generations.find(generation)
        habits = load_habits(night_folder(self.config.home, junior.id))
        for piece in pieces(text):
            said = await self._attempts(junior.id, piece, names) if piece.prose else []
            yield judged(piece, said, names, habits)

    async def _attempts(self, generation: str, piece: Piece, names: Iterable[str]) -> list[str]:
        """What the junior says for a piece, up to the first that is faithful."""
        said: list[str] = []
        message = {"role": "user", "content": request(piece.text)}
        for attempt in range(ATTEMPTS):
            asked = Asked(
                (message,),
                max_tokens=64 + len(piece.text),
                temperature=0.0 if attempt == 0 else self.config.publish.temperature,
                seed=attempt,
            )
            said.append((await self.whole(generation, asked)).text)
            if not problems(piece.text, cleaned(said[-1]), names):
                break
        return said

    def remember(self, text: str) -> None:
        """The junior wrote this: should it come back to be logged, it is no own word."""
        if text.strip():
            self._said.append(_digest(text))

    def wrote(self, text: str) -> bool:
        """Whether a junior wrote this very text, white space apart, not long ago."""
        return _digest(text) in self._said

    def names(self) -> tuple[str, ...]:
        """Every name in the registry; none where identity.toml cannot be read."""
        if self._names is None:
            try:
                known = known_names(load_identity(self.config.identity_path))
            except UserError:
                return ()
            self._names = (*known.own, *known.others)
        return self._names


def _digest(text: str) -> str:
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "replace")).hexdigest()


def _carded(card: str, messages: tuple[dict[str, str], ...]) -> tuple[dict[str, str], ...]:
    """One system turn in front: the card, then what the program said there."""
    told = [message["content"] for message in messages if message["role"] == "system"]
    system = "\n\n".join(part for part in (card, *told) if part.strip())
    rest = tuple(message for message in messages if message["role"] != "system")
    return ({"role": "system", "content": system}, *rest) if system else rest


def rewrite_text(
    config: Config, text: str, generation: str = "", *, write: Callable[[str], object]
) -> dict[str, object]:
    """{"text", "faithful", "changed", "kept_unchanged"}; `write` gets each piece that has passed.

    `changed`: [{"before", "after", "by"}]; `kept_unchanged`: why each other piece stayed as it was,
    and `faithful` whether there is none. Raises UserError where nothing answers.
    """

    async def run() -> list[Rewritten]:
        desk, parts = Desk(config), []
        try:
            async with aclosing(desk.rewritten(generation, text)) as found:
                async for part in found:
                    write(part.text)
                    parts.append(part)
        finally:
            await desk.close()
        return parts

    try:
        parts = asyncio.run(run())
    except ApiError as error:
        raise UserError(error.message) from error
    kept = [part.kept for part in parts if part.kept]
    changed = [
        {"before": piece.text, "after": part.text.removeprefix(piece.mark).rstrip(), "by": part.by}
        for piece, part in zip(pieces(text), parts, strict=True)
        if part.by
    ]
    return {
        "text": "".join(part.text for part in parts),
        "faithful": not kept,
        "changed": changed,
        "kept_unchanged": kept,
    }
