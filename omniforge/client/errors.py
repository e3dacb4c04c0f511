"""What can go wrong between a client and a platform, and the platform's own errors as they were."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2

from omniforge.errors import OmniForgeError, Unavailable

_MEMBERS = {"type", "title", "status", "detail", "code"}


class ApiError(OmniForgeError):
    """An answer that this version has no class for: an unknown `problem_code`, or no problem document."""

    code = "api_error"

    def __init__(self, status: int, problem_code: str, message: str, **details: object) -> None:
        super().__init__(message, **details)
        self.status = status
        self.problem_code = problem_code


class PlatformUnreachable(Unavailable):
    """No platform answered in time, or the line to it stayed cut."""

    code = "platform_unreachable"

    def __init__(self, base_url: str, reason: str) -> None:
        super().__init__(
            f"No OmniForge platform answers at {base_url} ({reason})."
            " Start one with `make up`, or check the address.",
            base_url=base_url,
        )
        self.base_url = base_url


def error_of(response: httpx2.Response) -> OmniForgeError:
    """The error that an answer stands for, as the class it had on the platform."""
    problem = _problem(response)
    if problem is None:
        return _not_ours(response)
    details = {name: value for name, value in problem.items() if name not in _MEMBERS}
    return _rebuilt(response.status_code, problem["code"], problem["detail"], details)


def unreadable(response: httpx2.Response, reason: str) -> ApiError:
    """The error for an answer that should have been good and cannot be used."""
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    return ApiError(
        response.status_code,
        "unreadable_answer",
        f"{response.request.url} answered {response.status_code} with something this client cannot"
        f" read ({kind}; {reason}). Is it an OmniForge platform of this version?",
    )


def _problem(response: httpx2.Response) -> dict[str, Any] | None:
    try:
        body = json.loads(response.content)
    except ValueError:
        return None
    named = isinstance(body, dict) and {"code", "detail"} <= body.keys()
    return {**body, "code": str(body["code"]), "detail": str(body["detail"])} if named else None


def _rebuilt(status: int, code: str, message: str, details: dict[str, Any]) -> OmniForgeError:
    kind = _kinds().get(code)
    if kind is None:
        return ApiError(status, code, message, **details)
    # Most classes make their message themselves; this one has been made on the platform.
    error = kind.__new__(kind)
    OmniForgeError.__init__(error, message, **details)
    return error


def _kinds() -> dict[str, type[OmniForgeError]]:
    return {kind.code: kind for kind in _below(OmniForgeError) if kind is not ApiError}


def _below(kind: type[OmniForgeError]) -> Iterator[type[OmniForgeError]]:
    # Kinds from elsewhere, such as a test's, are no part of the tree that a platform answers with.
    for one in kind.__subclasses__():
        if one.__module__ == OmniForgeError.__module__:
            yield one
            yield from _below(one)


def _not_ours(response: httpx2.Response) -> ApiError:
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    return ApiError(
        response.status_code,
        "not_a_problem_document",
        f"{response.request.url} answered {response.status_code} with {kind} instead of a problem"
        " document. Something between here and the platform may have answered for it.",
    )
