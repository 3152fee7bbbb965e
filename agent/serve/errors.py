"""Every failure as OpenAI's clients read it: {"error": {message, type, param, code}}."""

import json
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from memory.errors import BusyError, ModelFileError, NotReleasedError, PublishError, UserError

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
}


@dataclass
class ApiError(Exception):
    """`status` is HTTP's, `code` one word a program can look for."""

    status: int
    message: str
    code: str = ""
    param: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "error": {
                "message": self.message,
                "type": TYPES.get(self.status, "server_error"),
                "param": self.param,
                "code": self.code or None,
            }
        }


def api_error(error: Exception) -> ApiError:
    """What a client is told of `error`: our own words, never a traceback."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, HTTPException):
        return ApiError(error.status_code, error.detail, {404: "not_found"}.get(error.status_code))
    if isinstance(error, NotReleasedError):
        return ApiError(503, str(error), "no_generation_yet")
    if isinstance(error, BusyError):
        return ApiError(503, str(error), "busy")
    if isinstance(error, PublishError | ModelFileError):
        return ApiError(503, str(error), "backend_unavailable")
    if isinstance(error, UserError):
        return ApiError(400, str(error), "invalid_request")
    return ApiError(500, "something went wrong here; `journalctl` or the terminal says what", "bug")


async def answer_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for everything raised in a route."""
    told = api_error(error)
    headers = {"Retry-After": "1"} if told.status in (429, 503) else {}
    return JSONResponse(told.as_json(), status_code=told.status, headers=headers)


async def read_json(request: Request) -> dict[str, Any]:
    """The body as an object. Raises ApiError 400."""
    body = await request.body()
    try:
        found = json.loads(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ApiError(400, f"the body is not UTF-8: {error.reason}", "invalid_utf8") from error
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {error}", "invalid_json") from error
    if not isinstance(found, dict):
        raise ApiError(400, "the body must be a JSON object", "invalid_json")
    return found
