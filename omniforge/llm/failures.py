"""What a provider's failure means to us. Knows statuses and error names, and no SDK."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from omniforge import clock
from omniforge.agents.runs import TokenUsage
from omniforge.errors import (
    ContextTooLong,
    ModelAuthFailed,
    ModelOverloaded,
    ModelRateLimited,
    ModelRefused,
    ModelRequestInvalid,
    ModelUnknown,
    ModelUnreachable,
    OmniForgeError,
)

# These say more than the status they come under, which differs: 429 for an empty account, 403 or 400
# for a model that the account cannot see.
_SAYS_MORE = {
    "overloaded_error": 529,
    "insufficient_quota": 402,
    "billing_hard_limit_reached": 402,
    "model_not_found": 404,
}
# An error event inside a stream comes under status 200; only its name says what it is.
_STATUS_OF_NAME = _SAYS_MORE | {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "context_length_exceeded": 400,
    "exceed_context_size_error": 400,
    "content_filter": 400,
    "invalid_api_key": 401,
    "rate_limit_exceeded": 429,
}
_TOO_LONG = re.compile(
    r"(prompt|input|request) (is )?too long|context[ _](limit|window|length|size)"
    r"|too many input tokens",
    re.IGNORECASE,
)
_UNKNOWN_MODEL = re.compile(r"not a valid model", re.IGNORECASE)
_FILTERED = re.compile(
    r"content[ _](filter|policy|management policy)|input was flagged", re.IGNORECASE
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
        if self.name in _SAYS_MORE or self.status < 400:
            return _STATUS_OF_NAME.get(self.name, 500)
        return self.status

    def says(self, pattern: re.Pattern[str]) -> bool:
        return bool(pattern.search(self.name) or pattern.search(self.message))

    def __str__(self) -> str:
        words = " ".join(self.message.split())[:_MESSAGE_LIMIT]
        return ": ".join(part for part in (f"{self.kind} {self.name}".strip(), words) if part)


def error_for(failure: Failure, provider: Provider) -> OmniForgeError:
    """Our error for a provider's failure; its kind says whether trying again may help."""
    says = f"{provider.title} says {failure}"
    if failure.kind in {400, 403} and failure.says(_FILTERED):
        return ModelRefused(f"The provider does not let this request pass. {says}.")
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
    if failure.kind == 413 or (failure.kind == 400 and failure.says(_TOO_LONG)):
        return ContextTooLong(f"The conversation is too long for the model. {says}.")
    if failure.kind == 404 or failure.says(_UNKNOWN_MODEL):
        return ModelUnknown(f"{says}. Name a model that this account can use.")
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


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """How long a provider asks to wait: `retry-after-ms`, else `retry-after` in seconds or as a date.

    None when it does not say, or makes no sense.
    """
    if (exact := _number(headers.get("retry-after-ms"))) is not None:
        return exact / 1000
    after = headers.get("retry-after", "")
    if (seconds := _number(after)) is not None:
        return seconds
    try:
        return max(0.0, (parsedate_to_datetime(after) - clock.now()).total_seconds())
    except (ValueError, TypeError):
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def spent(error: OmniForgeError) -> TokenUsage:
    """What a failed call used up, as far as the provider had said before it failed.

    A refusal, an unusable answer and a broken stream are billed like any answer. Zero when the
    provider said nothing; a stream that broke off may have cost more output than this.
    """
    used = error.details.get("usage")
    return TokenUsage.model_validate(used) if isinstance(used, dict) else TokenUsage()
