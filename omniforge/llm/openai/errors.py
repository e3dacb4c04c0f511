"""What goes wrong on the way to an answer, as errors of ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from omniforge.llm.connection import Endpoint
from omniforge.llm.failures import Failure, error_for, seconds_to_wait
from omniforge.llm.openai.answer import AnswerFailed, IncomingAnswer

if TYPE_CHECKING:
    from httpx2 import Response
    from openai import APIError

# OpenAI's names for requests that its policies do not let pass.
_BLOCKED = frozenset({"invalid_prompt", "bio_policy", "misalignment_policy_violation"})


@contextmanager
def our_errors(endpoint: Endpoint, answer: IncomingAnswer[Any]) -> Iterator[None]:
    # Nothing is chained: the SDK's errors carry the request, and with it the key.
    import httpx2
    import openai

    try:
        yield
    except (openai.APITimeoutError, httpx2.TimeoutException):
        raise answer.paid(endpoint.silent()) from None
    except (openai.APIConnectionError, httpx2.HTTPError) as error:
        raise answer.paid(endpoint.lost(error)) from None
    except openai.APIError as error:
        raise answer.paid(error_for(_told(error, endpoint), endpoint.provider)) from None
    except AnswerFailed as error:
        failure = _failure((error.code,), error.message, endpoint)
        raise answer.paid(error_for(failure, endpoint.provider)) from None
    except openai.OpenAIError as error:
        raise answer.paid(endpoint.lost(error)) from None


def _told(error: "APIError", endpoint: Endpoint) -> Failure:
    said = error.body.get("message") if isinstance(error.body, dict) else None
    response = getattr(error, "response", None)
    return _failure((error.code, error.type), str(said or error.message), endpoint, response)


def _failure(
    codes: tuple[object, ...],
    message: str,
    endpoint: Endpoint,
    response: "Response | None" = None,
) -> Failure:
    """An event inside a stream has no status; some servers put one into its code."""
    words = [str(code) for code in codes if code]
    number = next((int(word) for word in words if word.isdecimal()), 200)
    name = next((word for word in words if not word.isdecimal()), "")
    return Failure(
        status=response.status_code if response else number,
        name="content_filter" if name in _BLOCKED else name,
        message=endpoint.without_key(message),
        retry_after=seconds_to_wait(response.headers) if response else None,
    )
