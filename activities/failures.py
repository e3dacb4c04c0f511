"""Our errors as Temporal's: which kinds a retry can mend is decided here and nowhere else."""

import contextlib
import logging
from collections.abc import Iterator

from temporalio.exceptions import ApplicationError

from omniforge.errors import OmniForgeError, Unavailable

log = logging.getLogger(__name__)

# Temporal keeps the message in history; whole documents have no place there.
MAX_MESSAGE = 1_000


@contextlib.contextmanager
def temporal_failures(*retried: type[OmniForgeError]) -> Iterator[None]:
    """Inside, our errors leave as typed failures: a part that is down is retried, the rest is final.

    What is `retried` besides can be mended by asking once more.
    """
    try:
        yield
    except OmniForgeError as error:
        log.warning("activity_failed", extra={"code": error.code, "reason": error.message})
        raise ApplicationError(
            error.message[:MAX_MESSAGE],
            type=error.code,
            non_retryable=not isinstance(error, (Unavailable, *retried)),
        ) from error
