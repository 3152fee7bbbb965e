"""/v1/chat/completions, /v1/completions and /v1/models, as OpenAI's clients expect them."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from agent.serve.backends import MOST_TOKENS, Asked, Said
from agent.serve.desk import TOO_SLOW, Desk, Wanted
from agent.serve.errors import ApiError, api_error, read_json
from agent.serve.memory import keep_answer
from memory.errors import UserError

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
# What would silently change the answer if it were ignored.
NOT_HERE = ("tools", "functions", "audio", "logprobs", "top_logprobs", "logit_bias", "suffix")


@dataclass(frozen=True)
class Call:
    """A request, understood; `chat` says which of the two shapes the answer has."""

    chat: bool
    model: str
    wanted: Wanted
    asked: Asked
    stream: bool
    usage: bool
    id: str


def routes(desk: Desk) -> list[Route]:
    """The endpoint's routes; every one answers from `desk`."""

    async def chat(request: Request) -> Response:
        return await _complete(desk, request, chat=True)

    async def complete(request: Request) -> Response:
        return await _complete(desk, request, chat=False)

    async def models(request: Request) -> Response:
        rows = [_model_row(name, created) for name, created in desk.models()]
        return JSONResponse({"object": "list", "data": rows})

    async def model(request: Request) -> Response:
        name = request.path_params["name"]
        for known, created in desk.models():
            if known == name:
                return JSONResponse(_model_row(known, created))
        raise ApiError(404, f"the model {name!r} does not exist", "model_not_found", "model")

    return [
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/completions", complete, methods=["POST"]),
        Route("/v1/models", models),
        Route("/v1/models/{name:path}", model),
    ]


def _model_row(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "junior"}


def understood(desk: Desk, body: dict[str, Any], *, chat: bool) -> Call:
    """The call; raises ApiError that names the parameter."""
    for name in NOT_HERE:
        if body.get(name):
            raise ApiError(400, f"{name} is not supported here", "unsupported", name)
    if body.get("n") not in (None, 1):
        raise ApiError(400, "n can only be 1", "unsupported", "n")
    if (body.get("response_format") or {"type": "text"}) != {"type": "text"}:
        raise ApiError(400, "only text can be answered", "unsupported", "response_format")
    model = body.get("model") or "junior"
    if not isinstance(model, str):
        raise ApiError(400, "model must be a string", "invalid_type", "model")
    wanted = desk.understood(model)
    messages = _messages(body) if chat else _prompt(body)
    options = body.get("stream_options") or {}
    return Call(
        chat=chat,
        model=model,
        wanted=wanted,
        asked=_asked(desk, body, messages),
        stream=bool(body.get("stream")),
        usage=isinstance(options, dict) and bool(options.get("include_usage")),
        id=("chatcmpl-" if chat else "cmpl-") + secrets.token_hex(12),
    )


def _asked(desk: Desk, body: dict[str, Any], messages: tuple[dict[str, str], ...]) -> Asked:
    limit = "max_completion_tokens" if "max_completion_tokens" in body else "max_tokens"
    most = desk.config.publish.max_tokens or MOST_TOKENS
    seed = _number(body, "seed", None, -(2**63), 2**63)
    stop = body.get("stop") or []
    stop = [stop] if isinstance(stop, str) else stop
    if not isinstance(stop, list) or not all(isinstance(one, str) and one for one in stop):
        raise ApiError(400, "stop must be a string or a list of strings", "invalid_type", "stop")
    temperature = _number(body, "temperature", desk.config.publish.temperature, 0, 2)
    top_p = _number(body, "top_p", None, 0, 1)
    max_tokens = int(_number(body, limit, most, 1, 1_000_000))
    seed = None if seed is None else int(seed)
    return Asked(messages, min(max_tokens, most), temperature, top_p, seed, tuple(stop))


def _number(body: dict[str, Any], name: str, default: float | None, low: float, high: float) -> Any:
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ApiError(400, f"{name} must be a number, {low} to {high}", "invalid_value", name)
    return value


def _messages(body: dict[str, Any]) -> tuple[dict[str, str], ...]:
    rows = body.get("messages")
    if not isinstance(rows, list) or not rows:
        raise ApiError(400, "messages must be a list that is not empty", "invalid", "messages")
    found = []
    for number, row in enumerate(rows):
        where = f"messages[{number}]"
        said_by = row.get("role") if isinstance(row, dict) else None
        role = ROLES.get(said_by) if isinstance(said_by, str) else None
        if role is None:
            raise ApiError(400, f"{where}: role must be one of {', '.join(ROLES)}", "role", where)
        found.append({"role": role, "content": _text(row.get("content"), where)})
    if not any(message["role"] == "user" for message in found):
        raise ApiError(400, "messages hold nothing that the user says", "invalid", "messages")
    return tuple(found)


def _text(content: Any, where: str) -> str:
    """A message's text; parts of type text are joined."""
    if content is None:
        return ""
    if isinstance(content, list):
        texts = [p.get("text") if isinstance(p, dict) else None for p in content]
        if not all(isinstance(text, str) for text in texts):
            raise ApiError(400, f"{where}: only text can be read here", "unsupported", where)
        content = "".join(texts)
    if not isinstance(content, str):
        raise ApiError(400, f"{where}: content must be text", "invalid_type", where)
    try:
        content.encode()
    except UnicodeEncodeError as error:
        raise ApiError(400, f"{where}: holds half a character", "invalid_utf8", where) from error
    return content


def _prompt(body: dict[str, Any]) -> tuple[dict[str, str], ...]:
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str) or not prompt:
        raise ApiError(400, "prompt must be one text", "invalid_type", "prompt")
    return ({"role": "user", "content": _text(prompt, "prompt")},)


async def _complete(desk: Desk, request: Request, *, chat: bool) -> Response:
    call = understood(desk, await read_json(request), chat=chat)
    deadline = asyncio.get_running_loop().time() + desk.config.serve.answer_seconds
    words = _words(desk, call)
    first = await _next(words, deadline)  # what fails now still gets its own status
    if call.stream:
        events = _events(desk, call, first, words, deadline)
        return StreamingResponse(events, media_type="text/event-stream", headers=NO_STORE)
    async with aclosing(words):
        return await _whole(desk, call, first, words, deadline)


NO_STORE = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of an answer on its way; `kept` is why a paragraph was not rewritten."""

    said: Said
    kept: str = ""


async def _words(desk: Desk, call: Call) -> AsyncIterator[Word]:
    if not call.wanted.rewrites:
        async with aclosing(desk.answer(call.wanted.generation, call.asked)) as answer:
            async for said in answer:
                yield Word(said)
        return
    text = next(m["content"] for m in reversed(call.asked.messages) if m["role"] == "user")
    async with aclosing(desk.rewritten(call.wanted.generation, text)) as parts:
        async for part in parts:
            yield Word(Said(part.text), part.kept)
    yield Word(Said("", "stop"))


async def _next(words: AsyncIterator[Word], deadline: float) -> Word | None:
    """The next piece, None at the end. Raises ApiError 504 past the deadline."""
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(words, None)
    except TimeoutError:
        raise ApiError(504, TOO_SLOW, "timeout") from None


async def _whole(
    desk: Desk, call: Call, first: Word | None, words: AsyncIterator[Word], deadline: float
) -> Response:
    texts, kept, last, word = [], [], Said("", "stop"), first
    while word is not None:
        texts.append(word.said.text)
        kept += [word.kept] if word.kept else []
        last = word.said
        word = await _next(words, deadline)
    text = "".join(texts)
    await _keep(desk, call, text)
    choice = {"index": 0, "finish_reason": last.finish or "stop", "logprobs": None}
    if call.chat:
        choice["message"] = {"role": "assistant", "content": text, "refusal": None}
    else:
        choice["text"] = text
    document = _envelope(call, "chat.completion" if call.chat else "text_completion")
    document |= {"choices": [choice], "usage": _usage(last)}
    return JSONResponse(document | ({"kept_unchanged": kept} if call.wanted.rewrites else {}))


async def _events(
    desk: Desk, call: Call, first: Word | None, words: AsyncIterator[Word], deadline: float
) -> AsyncIterator[str]:
    """Server-sent events; a failure in the middle is an event too, since the status has gone."""
    name = "chat.completion.chunk" if call.chat else "text_completion"
    base = _envelope(call, name)
    opening = {"role": "assistant"}
    texts, kept, last, word = [], [], Said("", "stop"), first
    async with aclosing(words):
        try:
            while word is not None:
                last = word.said
                kept += [word.kept] if word.kept else []
                if last.text:
                    texts.append(last.text)
                    yield _event(base, _delta(call, opening | {"content": last.text}, None))
                    opening = {}
                word = await _next(words, deadline)
        except (ApiError, UserError) as error:
            yield f"data: {json.dumps(api_error(error).as_json())}\n\n"
            return
    extra = {"kept_unchanged": kept} if call.wanted.rewrites else {}
    ending = _event(base | extra, _delta(call, opening, last.finish or "stop"))
    usage = _event(base | {"usage": _usage(last)}, None) if call.usage else ""
    yield f"{ending}{usage}data: [DONE]\n\n"
    await _keep(desk, call, "".join(texts))


async def _keep(desk: Desk, call: Call, text: str) -> None:
    """A rewrite that changed nothing is not the junior's."""
    if text != call.asked.messages[-1]["content"]:
        await keep_answer(desk, call.wanted, text)


def _envelope(call: Call, kind: str) -> dict[str, Any]:
    return {"id": call.id, "object": kind, "created": int(time.time()), "model": call.model}


def _delta(call: Call, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    shown = {"delta": delta} if call.chat else {"text": delta.get("content", "")}
    return {"index": 0, "finish_reason": finish, "logprobs": None} | shown


def _event(base: dict[str, Any], choice: dict[str, Any] | None) -> str:
    return f"data: {json.dumps(base | {'choices': [choice] if choice else []})}\n\n"


def _usage(last: Said) -> dict[str, int]:
    """Counts as the backend gave them; 0 where it does not count."""
    return {
        "prompt_tokens": last.prompt_tokens,
        "completion_tokens": last.tokens,
        "total_tokens": last.prompt_tokens + last.tokens,
    }
