"""Closed doors: Host, Origin, token or cookie, and limits of body, time and concurrency."""

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any

from agent.serve.config import ServeConfig
from agent.serve.errors import ApiError
from memory.errors import UserError
from memory.files import PRIVATE_FILE, write_atomic

TOKEN_FILE = "serve.token"
COOKIE = "junior"
CODE_SECONDS = 600.0
OPEN_PATHS = ("/health", "/login")
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def read_token(home: Path) -> str:
    """The token of `home`, made at the first call; its file is 0600. Raises UserError."""
    path = home / TOKEN_FILE
    try:
        token = path.read_text(encoding="ascii").strip()
        if path.stat().st_mode & 0o077:
            path.chmod(PRIVATE_FILE)
    except FileNotFoundError:
        token = secrets.token_urlsafe(32)
        write_atomic(path, token + "\n")
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); remove it for a new token") from error
    if len(token) < 16:
        raise UserError(f"{path}: holds no token; remove it, and a new one is made")
    return token


def cookie_of(token: str) -> str:
    """What a browser holds: made of the token, so that it outlives a restart, and is not it."""
    return hmac.new(token.encode(), b"junior's cookie", hashlib.sha256).hexdigest()


class Codes:
    """One-time codes: each opens the page once, within ten minutes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._codes: dict[str, float] = {}

    def new(self) -> str:
        code = secrets.token_urlsafe(18)
        now = self._clock()
        self._codes = {one: until for one, until in self._codes.items() if until > now}
        self._codes[code] = now + CODE_SECONDS
        return code

    def take(self, code: str) -> bool:
        """True once for a code that is known and not too old."""
        return self._codes.pop(code, 0.0) > self._clock()


class Doors:
    """ASGI middleware; `ports` are those the server listens on, for Host and Origin."""

    def __init__(self, app: Any, config: ServeConfig, token: str) -> None:
        self.app, self.config, self.token = app, config, token
        self.cookie = cookie_of(token)
        self.busy = 0
        self.hosts = {*LOOPBACK, config.host.lower(), *(host.lower() for host in config.hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.busy >= self.config.concurrency and scope["path"] != "/health":
            full = ApiError(429, f"{self.busy} requests are being answered; try again", "busy")
            await _refuse(scope, send, full)
            return
        self.busy += 1
        try:
            headers = {key.decode("latin-1"): v.decode("latin-1") for key, v in scope["headers"]}
            self._check(scope, headers)
            body = await self._body(scope, headers, receive)
        except ApiError as error:
            await _refuse(scope, send, error)
        else:
            await self.app(scope, body, _hardened(send))
        finally:
            self.busy -= 1

    def _check(self, scope: Scope, headers: dict[str, str]) -> None:
        """Raises ApiError for a request that may not come in."""
        host = headers.get("host", "")
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if not self.config.socket and name.lower() not in self.hosts:
            raise ApiError(403, f"the Host {host!r} is not served here (serve.hosts)", "bad_host")
        origin = headers.get("origin")
        foreign = origin is not None and not self._is_ours(origin, host)
        if foreign and origin not in self.config.origins:
            raise ApiError(403, f"the page {origin!r} may not call this (serve.origins)", "origin")
        if headers.get("sec-fetch-site") == "cross-site" and origin is None and _is_unsafe(scope):
            raise ApiError(403, "another page sent this", "origin")
        if scope["path"] in OPEN_PATHS:
            return
        by_cookie = self._has_cookie(headers)
        if not by_cookie and not self._has_token(headers):
            raise ApiError(
                401,
                "the token is missing or wrong: send it as `Authorization: Bearer ...` (it is in"
                f" {TOKEN_FILE} of the home), or open the link that `junior serve --link` prints",
                "invalid_api_key",
            )
        if by_cookie and _is_unsafe(scope) and not self._has_token(headers) and origin is None:
            raise ApiError(403, "a browser's request without its Origin is refused", "origin")

    def _is_ours(self, origin: str, host: str) -> bool:
        return origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())

    def _has_token(self, headers: dict[str, str]) -> bool:
        kind, _, token = headers.get("authorization", "").partition(" ")
        given = token.strip().encode("utf-8", "replace")
        return kind.lower() == "bearer" and hmac.compare_digest(given, self.token.encode())

    def _has_cookie(self, headers: dict[str, str]) -> bool:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return found is not None and hmac.compare_digest(found.value.encode(), self.cookie.encode())

    async def _body(self, scope: Scope, headers: dict[str, str], receive: Receive) -> Receive:
        """The whole body, read within its limits, as a `receive` that gives it once.

        Raises ApiError 413 and 408.
        """
        declared = headers.get("content-length", "0")
        if not declared.isdigit() or int(declared) > self.config.body_bytes:
            raise self._too_large()
        if declared == "0" and "transfer-encoding" not in headers:
            return receive
        try:
            async with asyncio.timeout(self.config.body_seconds):
                whole = await self._read(receive)
        except TimeoutError:
            raise ApiError(408, "the request did not arrive in time", "timeout") from None
        given = False

        async def again() -> dict[str, Any]:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": whole, "more_body": False}

        return again

    async def _read(self, receive: Receive) -> bytes:
        parts, size = [], 0
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise ApiError(400, "the request broke off", "broken")
            parts.append(event.get("body", b""))
            size += len(parts[-1])
            if size > self.config.body_bytes:
                raise self._too_large()
            if not event.get("more_body"):
                return b"".join(parts)

    def _too_large(self) -> ApiError:
        most = self.config.body_bytes
        return ApiError(413, f"the request is larger than {most:,} bytes", "request_too_large")


def _is_unsafe(scope: Scope) -> bool:
    return scope["method"] not in ("GET", "HEAD", "OPTIONS")


_SECURE = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),  # with no-referrer a form's Origin is "null"
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    b" img-src 'self' data:; connect-src 'self'; form-action 'self';"
    b" base-uri 'none'; frame-ancestors 'none'"
)


def _hardened(send: Send) -> Send:
    """No sniffing, no frames, no referrer; pages run our own script and nobody else's."""

    async def sending(event: dict[str, Any]) -> None:
        if event["type"] == "http.response.start":
            headers = [*event.get("headers", []), *_SECURE]
            if not any(name == b"content-security-policy" for name, _ in headers):
                headers.append((b"content-security-policy", _POLICY))
            event = event | {"headers": headers}
        await send(event)

    return sending


_SORRY = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Junior</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<body style="font: 1.1rem/1.5 system-ui; max-width: 34rem; margin: 12vh auto; padding: 0 1rem">
<h1>This door is closed</h1><p>Run <code>junior serve --link</code> on the machine Junior runs on
and open the link that it prints. A link opens the page once, within ten minutes.</p>"""


async def _refuse(scope: Scope, send: Send, error: ApiError) -> None:
    accepts = next((v for key, v in scope["headers"] if key == b"accept"), b"")
    if error.status == 401 and b"text/html" in accepts:
        kind, body = b"text/html; charset=utf-8", _SORRY.encode()
    else:
        kind, body = b"application/json", json.dumps(error.as_json()).encode()
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    headers += [(b"connection", b"close")] if error.status in (408, 413) else []
    headers += [(b"www-authenticate", b"Bearer")] if error.status == 401 else []
    headers += [(b"retry-after", b"1")] if error.status == 429 else []
    hard = _hardened(send)
    await hard({"type": "http.response.start", "status": error.status, "headers": headers})
    await hard({"type": "http.response.body", "body": body})
