"""An OpenAI-compatible model server of our own: it answers by rule, slowly if asked to."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from agent.config import Config
from agent.serve.app import address, listening, new_server


def echo(messages: list[dict]) -> str:
    """The default answer: what was said last, turned into a report of it."""
    return f"You said: {messages[-1]['content']}"


@dataclass
class FakeLLM:
    """`answer(messages)` gives the words; they are streamed with `pause_seconds` between them."""

    answer: Callable[[list[dict]], str] = echo
    pause_seconds: float = 0.0
    status: int = 200
    url: str = ""
    asked: list[dict] = field(default_factory=list)
    finished: int = 0
    broken_off: int = 0

    def app(self) -> Starlette:
        async def chat(request: Request) -> Response:
            body = await request.json()
            self.asked.append(body)
            if self.status != 200:
                return JSONResponse({"error": {"message": "made to fail"}}, self.status)
            return StreamingResponse(self._events(body), media_type="text/event-stream")

        return Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])

    async def _events(self, body: dict[str, Any]) -> AsyncIterator[str]:
        whole = False
        try:
            text = self.answer(body["messages"])
            words = text.split(" ")
            for number, word in enumerate(words):
                if self.pause_seconds:
                    await asyncio.sleep(self.pause_seconds)
                said = word if number == 0 else f" {word}"
                yield _event({"choices": [{"index": 0, "delta": {"content": said}}]})
            yield _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            usage = {"prompt_tokens": 7, "completion_tokens": len(words)}
            yield _event({"choices": [], "usage": usage})
            whole = True
            yield "data: [DONE]\n\n"
        finally:
            self.finished += whole
            self.broken_off += not whole

    @contextmanager
    def running(self, config: Config) -> Iterator["FakeLLM"]:
        """Listening on a free port of this machine; `config` is any, for its address."""
        bound = listening(config)
        self.url = address(config, bound) + "/v1"
        server = new_server(self.app())
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])))
        thread.start()
        try:
            yield self
        finally:
            server.should_exit = True
            thread.join(15)
            bound.close()


def _event(part: dict[str, Any]) -> str:
    return f"data: {json.dumps(part)}\n\n"
