"""What can keep the platform from starting on this machine."""

from pathlib import Path

from omniforge.errors import Conflict, Unavailable


class StartFailed(Unavailable):
    """A part of the platform did not come up, or did not stay up. The message ends with its log."""

    code = "start_failed"


class AlreadyRunning(Conflict):
    """Another process supervises a platform in the same home folder."""

    code = "already_running"

    def __init__(self, home: Path, running: str) -> None:
        super().__init__(
            f"OmniForge is already running in {home}: {running}. Use that one, stop it with Ctrl-C"
            " in its terminal, or set OMNIFORGE_HOME to another folder for a second one.",
            home=str(home),
        )
