"""The application of `junior serve`, and the server that runs it."""

import asyncio
import contextlib
import gc
import os
import socket
import sys
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from agent.config import Config
from agent.serve import completions, memory, pages, tools
from agent.serve.desk import Desk
from agent.serve.doors import COOKIE, Codes, Doors, cookie_of, read_token
from agent.serve.errors import ApiError, answer_error
from memory.errors import JuniorError, UserError

SHUTDOWN_SECONDS = 10


def build_app(config: Config, desk: Desk | None = None) -> tuple[Any, Codes]:
    """(ASGI application behind its doors, the codes that open the page)."""
    desk = desk or Desk(config)
    token, codes = read_token(config.home), Codes()
    server = tools.build_server(desk)
    mcp = server.streamable_http_app(
        streamable_http_path="/mcp", stateless_http=True, transport_security=tools.DOORS_DO_IT
    )

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with server.session_manager.run():
            yield
        await desk.close()

    static = StaticFiles(directory=str(resources.files("agent.serve").joinpath("static")))
    app = Starlette(
        routes=[
            Route("/health", _health),
            Route("/login", _login(token, codes)),
            Route("/login/code", _new_code(codes), methods=["POST"]),
            *completions.routes(desk),
            *memory.routes(desk),
            *pages.routes(desk),
            *mcp.routes,
            Mount("/static", static),
        ],
        exception_handlers={
            ApiError: pages.answer_error,
            HTTPException: pages.answer_error,
            JuniorError: pages.answer_error,
            Exception: answer_error,
        },
        lifespan=lifespan,
    )
    return Doors(app, config.serve, token), codes


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _login(token: str, codes: Codes) -> Any:
    async def login(request: Request) -> Response:
        """A one-time code becomes the cookie."""
        if not codes.take(request.query_params.get("code", "")):
            told = "this link was used or is too old: `junior serve --link` prints another"
            return PlainTextResponse(told, status_code=401)
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(
            COOKIE, cookie_of(token), max_age=30 * 86400, httponly=True, samesite="strict", path="/"
        )
        return answer

    return login


def _new_code(codes: Codes) -> Any:
    async def code(request: Request) -> Response:
        return JSONResponse({"code": codes.new()})

    return code


def listening(config: Config) -> socket.socket:
    """The bound socket: TCP, or a Unix socket of mode 0600. Raises UserError."""
    serve = config.serve
    if serve.socket:
        return _unix_socket(Path(serve.socket).expanduser())
    family = socket.AF_INET6 if ":" in serve.host else socket.AF_INET
    # asyncio looks at the protocol before it turns Nagle's delay off: without it, 40 ms a piece
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((serve.host, serve.port))
    except OSError as error:
        bound.close()
        raise UserError(
            f"serve: {serve.host}:{serve.port} cannot be listened on ({error.strerror});"
            " another `junior serve` may run: choose another serve.port"
        ) from error
    bound.listen(256)
    return bound


def _unix_socket(path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        if path.is_socket() and not _answers(path):
            path.unlink()
        bound.bind(str(path))
    except OSError as error:
        bound.close()
        raise UserError(f"serve.socket: {path}: cannot be made ({error.strerror})") from error
    finally:
        os.umask(before)
    bound.listen(256)
    return bound


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        return other.connect_ex(str(path)) == 0


def address(config: Config, bound: socket.socket) -> str:
    """Where a browser finds it; "" for a Unix socket."""
    if bound.family == socket.AF_UNIX:
        return ""
    host, port = bound.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def new_server(app: Any) -> Any:
    """uvicorn's server for `app`: no access log, no name in its headers, ten seconds to end."""
    import uvicorn

    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            timeout_keep_alive=30,
            proxy_headers=False,
        )
    )


def new_link(config: Config) -> str:
    """A fresh one-time link from the server that is running. Raises UserError."""
    import httpx

    path = str(Path(config.serve.socket).expanduser()) if config.serve.socket else None
    host = f"[{config.serve.host}]" if ":" in config.serve.host else config.serve.host
    where = f"http://{host}:{config.serve.port}"
    bearer = {"Authorization": f"Bearer {read_token(config.home)}"}
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=path), timeout=5) as client:
            answer = client.post(f"{where}/login/code", headers=bearer)
            code = answer.raise_for_status().json()["code"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        told = f"no `junior serve` of this home answers at {path or where} ({error}); start it"
        raise UserError(told) from error
    return f"{where}/login?code={code}"


def serve(config: Config, say: Any) -> None:
    """Serve until SIGTERM or Ctrl-C; `say` is told the address and the first link."""
    app, codes = build_app(config)
    bound = listening(config)
    where = address(config, bound)
    if where:
        say(f"{where}/login?code={codes.new()}")
    else:
        say(f"listening on {config.serve.socket}")
    sys.stdout.flush()  # a program may wait for the link
    gc.collect()
    gc.freeze()  # walking what was loaded at the start would hold every answer up for 60 ms
    try:
        asyncio.run(new_server(app).serve(sockets=[bound]))
    finally:
        bound.close()
        if config.serve.socket:
            Path(config.serve.socket).expanduser().unlink(missing_ok=True)
