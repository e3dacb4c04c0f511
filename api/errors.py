"""Every error as a problem document (RFC 9457) with a stable `code`."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from omniforge import errors
from omniforge.errors import OmniForgeError

log = logging.getLogger(__name__)

STATUS_BY_KIND: Mapping[type[OmniForgeError], int] = {
    errors.NotFound: 404,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.Conflict: 409,
    errors.Rejected: 400,
    errors.TooLarge: 413,
    errors.LimitReached: 429,
    errors.UpstreamFailed: 502,
    errors.Unavailable: 503,
}

TITLES = {
    400: "The request cannot be accepted",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Not at this moment",
    413: "Too large",
    422: "The request is not well-formed",
    429: "Limit reached",
    500: "Something went wrong on our side",
    502: "An outside service failed",
    503: "A part of the platform is not available",
}


class Problem(BaseModel):
    """What every error answers with. Further members depend on the `code`."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str


def problem(
    status: int, code: str, detail: str, more: Mapping[str, object] | None = None
) -> JSONResponse:
    """A problem document as a response. `more` adds members; it cannot replace the standard ones."""
    members = {
        **(more or {}),
        "type": f"urn:omniforge:problem:{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "code": code,
    }
    body = Problem.model_validate(members)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse(
        body.model_dump(mode="json"), status, headers, media_type="application/problem+json"
    )


def status_of(error: OmniForgeError) -> int:
    return next((s for kind, s in STATUS_BY_KIND.items() if isinstance(error, kind)), 500)


def responses(*kinds: type[OmniForgeError]) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entry of a route's errors: their status, and the codes it may carry."""
    documented: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        status = next(s for base, s in STATUS_BY_KIND.items() if issubclass(kind, base))
        known = documented.setdefault(status, {"model": Problem, "description": ""})
        known["description"] = ", ".join(filter(None, [known["description"], f"`{kind.code}`"]))
    return documented


def install(app: FastAPI) -> None:
    """Give the app its error handlers."""

    @app.exception_handler(OmniForgeError)
    async def ours(_: Request, error: OmniForgeError) -> JSONResponse:
        status = status_of(error)
        if status >= 500:
            log.warning("request_failed", extra={"code": error.code, "reason": error.message})
        details = {name: value for name, value in error.details.items() if value is not None}
        response = problem(status, error.code, error.message, details)
        if "retry_after_s" in details:
            response.headers["Retry-After"] = str(details["retry_after_s"])
        return response

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        problems = [
            {"place": ".".join(map(str, one["loc"])), "message": one["msg"]}
            for one in error.errors()
        ]
        detail = "; ".join(f"{one['place']}: {one['message']}" for one in problems[:3])
        return problem(422, "malformed_request", detail, {"problems": problems})

    @app.exception_handler(HTTPException)
    async def of_http(_: Request, error: HTTPException) -> JSONResponse:
        code = {404: "no_such_route", 405: "method_not_allowed"}.get(
            error.status_code, "http_error"
        )
        return problem(error.status_code, code, str(error.detail))

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        log.error("request_crashed", exc_info=error)
        return problem(500, "internal_error", "This should not have happened; it has been logged.")
