"""What the exit statuses mean."""

from enum import IntEnum


class ExitCode(IntEnum):
    OK = 0
    FAILED = 1
    """The command failed, or what it checked is not valid."""
    USAGE = 2
    NO_PLATFORM = 3
    """No platform answers, or it does not know the key."""
    RUN_FAILED = 4
    RUN_STOPPED = 5
    """The run was cancelled or timed out, or had not ended after `--timeout`."""
    SHORT_OF_MONEY = 6
    """The run waits until someone raises a cap on money."""
    INTERRUPTED = 130
    """Ctrl-C. What was being watched goes on."""
