"""Becomes a program that dies with its parent: `python -I -S child.py PARENT_PID PROGRAM ARG...`.

A launcher, because the code that Python runs between fork and exec (`preexec_fn`) may deadlock in
a process with threads. Standard library only: it is run by its path, isolated from the project.
"""

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def _die_with(parent: int) -> None:
    import ctypes

    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    # The parent may have gone before the kernel knew of the wish.
    if os.getppid() != parent:
        sys.exit("The process that started this one has ended.")


def main() -> None:
    parent, *command = sys.argv[1:]
    # Python ignores SIGPIPE, and exec would pass that on.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if sys.platform == "linux":
        _die_with(int(parent))
    try:
        os.execv(command[0], command)  # noqa: S606  # no shell is what we want
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
