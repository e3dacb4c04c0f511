"""Ports on this machine's loopback."""

import errno
import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import IO

# A browser may turn `localhost` into either, so a port counts as free only when both are.
_LOOPBACKS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


class Port:
    """A port that no other OmniForge of this user will choose until `release`, or until we end.

    A foreign program can still take it before our server binds it: whoever starts the server must
    be ready to reserve another.
    """

    def __init__(self, number: int, claim: IO[bytes]) -> None:
        self.number = number
        self._claim = claim

    def release(self) -> None:
        self._claim.close()


def reserve(usual: int) -> Port:
    """Reserve the usual port or, when somebody has it, a free one that the kernel picks."""
    port = _claim(usual) if is_free(usual) else None
    return port or reserve_any()


def reserve_any() -> Port:
    """Reserve a free port, no matter which."""
    while True:
        number = _kernels_choice()
        if is_free(number) and (port := _claim(number)) is not None:
            return port


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback now."""
    return all(_can_listen(family, host, port) for family, host in _LOOPBACKS)


def _can_listen(family: socket.AddressFamily, host: str, port: int) -> bool:
    try:
        with socket.socket(family) as probe:
            # As servers do: connections that are only waiting to be forgotten are no hindrance.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen()
    except OSError as error:
        return error.errno not in (errno.EADDRINUSE, errno.EACCES)
    return True


def _kernels_choice() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _claim(number: int) -> Port | None:
    folder = Path(tempfile.gettempdir()) / f"omniforge-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    claim = (folder / str(number)).open("ab")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        claim.close()
        return None
    return Port(number, claim)
