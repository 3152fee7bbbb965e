"""A POST whose answer is read line by line as it comes: HTTP/1.1 over kept connections.

httpx takes 3 ms of a core for an answer of 14 pieces, so that 64 clients would wait for each other;
this takes a fifth of it, and knows no proxy, redirect or cookie.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

CONNECT_SECONDS = 3.0
IDLE_CONNECTIONS = 64
LONGEST_LINE = 1 << 20


class NoAnswerError(ConnectionError):
    """Nothing listens there, or not in time."""


class CutOffError(ConnectionError):
    """The connection ended, or spoke no HTTP, before the answer was whole."""


@dataclass
class Answer:
    """Status, and the body's lines as they come; `read` gives all of it."""

    status: int
    lines: AsyncIterator[str]

    async def read(self, most: int = 20_000) -> str:
        """The body's beginning."""
        text = ""
        async for line in self.lines:
            text += line + "\n"
            if len(text) > most:
                break
        return text


@dataclass
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    fresh: bool = True

    @property
    def alive(self) -> bool:
        return not self.reader.at_eof() and not self.writer.is_closing()


@dataclass
class Wire:
    """A server at `url` whose answers begin within `first_seconds`. For one event loop.

    How long a whole answer may take is for the caller to say, by `asyncio.timeout`.
    """

    url: str
    first_seconds: float
    _idle: list[_Connection] = field(default_factory=list, repr=False)

    @asynccontextmanager
    async def post(self, path: str, body: dict[str, Any]) -> AsyncIterator[Answer]:
        """Send JSON; gives the Answer once its head is there.

        Raises NoAnswerError, CutOffError, TimeoutError. Leaving early ends the connection, so that
        the server stops too.
        """
        request = self._request(path, json.dumps(body).encode())
        connection, status, headers = await self._sent(request)
        body_lines = _Body(connection.reader, headers)
        lines = body_lines.lines()
        try:
            yield Answer(status, lines)
        finally:
            await lines.aclose()
            kept = headers.get("connection", "").lower() != "close" and connection.alive
            if body_lines.whole and kept and len(self._idle) < IDLE_CONNECTIONS:
                self._idle.append(connection)
            else:
                connection.writer.close()

    async def close(self) -> None:
        """Give the kept connections back."""
        while self._idle:
            self._idle.pop().writer.close()

    def _request(self, path: str, body: bytes) -> bytes:
        parts = urlsplit(self.url)
        head = (
            f"POST {parts.path.rstrip('/')}{path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            "Content-Type: application/json\r\nAccept: */*\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("latin-1") + body

    async def _sent(self, request: bytes) -> tuple[_Connection, int, dict[str, str]]:
        """The connection with its answer's head; a kept one that has died is replaced once."""
        while True:
            connection = await self._connection()
            with ExitStack() as undo:
                undo.callback(connection.writer.close)
                try:
                    connection.writer.write(request)
                    async with asyncio.timeout(self.first_seconds):
                        head = await connection.reader.readuntil(b"\r\n\r\n")
                    answer = connection, *_read_head(head)
                    undo.pop_all()
                    return answer
                except (asyncio.IncompleteReadError, ConnectionError) as error:
                    if connection.fresh:
                        raise CutOffError("no answer came") from error
                except (ValueError, IndexError, asyncio.LimitOverrunError) as error:
                    raise CutOffError("what came is no HTTP") from error

    async def _connection(self) -> _Connection:
        while self._idle:
            kept = self._idle.pop()
            if kept.alive:
                kept.fresh = False
                return kept
            kept.writer.close()
        parts = urlsplit(self.url)
        secure = ssl.create_default_context() if parts.scheme == "https" else None
        port = parts.port or (443 if secure else 80)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                pair = await asyncio.open_connection(
                    parts.hostname, port, ssl=secure, limit=LONGEST_LINE
                )
        except (OSError, TimeoutError) as error:
            raise NoAnswerError(str(error) or "not in time") from error
        return _Connection(*pair)


def _read_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *rest = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in rest if ":" in line)
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}


@dataclass
class _Body:
    """A body by its chunks, its length, or up to the end of the connection."""

    reader: asyncio.StreamReader
    headers: dict[str, str]
    whole: bool = False

    async def lines(self) -> AsyncIterator[str]:
        held = b""
        async for part in self._parts():
            *lines, held = (held + part).split(b"\n")
            for line in lines:
                yield line.rstrip(b"\r").decode("utf-8", "replace")
        if held:
            yield held.decode("utf-8", "replace")

    async def _parts(self) -> AsyncIterator[bytes]:
        try:
            if "chunked" in self.headers.get("transfer-encoding", "").lower():
                while size := int((await self.reader.readline()).split(b";")[0], 16):
                    yield (await self.reader.readexactly(size + 2))[:-2]
                await self.reader.readline()
                self.whole = True
            elif "content-length" in self.headers:
                yield await self.reader.readexactly(int(self.headers["content-length"]))
                self.whole = True
            else:
                while part := await self.reader.read(1 << 16):
                    yield part
        except (asyncio.IncompleteReadError, ValueError, ConnectionError) as error:
            raise CutOffError("it broke off") from error
