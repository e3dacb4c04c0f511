"""Timeouts and retries, by name."""

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy

HEARTBEAT_TIMEOUT = timedelta(seconds=5)

# The executor stops by itself at its deadline and still has its partial result to write.
GRACE = timedelta(seconds=15)

# Attempts of one segment. A worker that dies makes a new attempt; a part that is down likewise.
SEGMENT_ATTEMPTS = 5

SEGMENT_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=3,
    maximum_interval=timedelta(seconds=20),
    maximum_attempts=SEGMENT_ATTEMPTS,
)


class Options(TypedDict):
    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy


# Short database work. It is retried until the database is back: an accepted run must get its end.
BOOKKEEPING = Options(
    start_to_close_timeout=timedelta(seconds=20),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10)
    ),
)

# The token endpoint is given 15 seconds; whoever died while asking has been answered by then.
REFRESH = Options(
    start_to_close_timeout=timedelta(seconds=30),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(seconds=10),
        maximum_attempts=4,
    ),
)
