"""What a provider's failure means to us. Knows statuses and error names, and no SDK."""

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from omniforge import clock
from omniforge.agents.runs import TokenUsage
from omniforge.errors import (
    ContextTooLong,
    ModelAuthFailed,
    ModelOverloaded,
    ModelRateLimited,
    ModelRequestInvalid,
    ModelUnreachable,
    OmniForgeError,
)

# An error event inside a stream comes under status 200; only its name says what it is.
_STATUS_OF_NAME = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_TOO_LONG = re.compile(
    r"(prompt|input|request) (is )?too long|context (limit|window|length)|too many input tokens",
    re.IGNORECASE,
)
_MESSAGE_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Provider:
    """How a provider is named to people, and the variable that holds its key."""

    title: str
    key_variable: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A provider's "no", as it came over the wire. `name` is the provider's word for it."""

    status: int
    name: str = ""
    message: str = ""
    retry_after: float | None = None

    @property
    def kind(self) -> int:
        """The status it should have had."""
        if self.name == "overloaded_error" or self.status < 400:
            return _STATUS_OF_NAME.get(self.name, 500)
        return self.status

    def __str__(self) -> str:
        words = " ".join(self.message.split())[:_MESSAGE_LIMIT]
        return ": ".join(part for part in (f"{self.kind} {self.name}".strip(), words) if part)


def error_for(failure: Failure, provider: Provider) -> OmniForgeError:
    """Our error for a provider's failure; its kind says whether trying again may help."""
    says = f"{provider.title} says {failure}"
    match failure.kind:
        case 429:
            return ModelRateLimited(f"{says}.", failure.retry_after)
        case 503 | 529:
            return ModelOverloaded(f"{says}.")
        case 401 | 402 | 403:
            return ModelAuthFailed(_how_to_get_in(failure, provider))
        case 408 | 409:
            return ModelUnreachable(f"{says}.")
        case status if status >= 500:
            return ModelUnreachable(f"{says}.")
    if failure.kind == 413 or (failure.kind == 400 and _TOO_LONG.search(failure.message)):
        return ContextTooLong(f"The conversation is too long for the model. {says}.")
    return ModelRequestInvalid(f"{says}.")


def _how_to_get_in(failure: Failure, provider: Provider) -> str:
    variable = provider.key_variable
    advice = {
        402: "Settle the account's billing, or set another key",
        403: "The key may not do this: allow it in the account, or set another key",
    }.get(failure.kind, "Set a valid key")
    return (
        f"{provider.title} did not accept the API key ({failure}). {advice} in {variable}"
        " and start the worker again."
    )


def seconds_to_wait(header: str | None) -> float | None:
    """A Retry-After header: seconds or a date. None when it is absent or makes no sense."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - clock.now()).total_seconds())
    except (ValueError, TypeError):
        return None


def spent(error: OmniForgeError) -> TokenUsage:
    """What a failed call used up, as far as the provider had said before it failed.

    A refusal, an unusable answer and a broken stream are billed like any answer. Zero when the
    provider said nothing; a stream that broke off may have cost more output than this.
    """
    used = error.details.get("usage")
    return TokenUsage.model_validate(used) if isinstance(used, dict) else TokenUsage()
