"""Runs an MCP server's program and ends everything it started when the worker is gone.

`python -I -S keeper.py LIFELINE PROGRAM ARG...`: LIFELINE is the reading end of a pipe whose other end
only the worker holds, so it ends when the worker closes it or dies in whatever way. Standard library only:
it is run by its path, isolated from the project and from the server's environment.
"""

import os
import signal
import subprocess
import sys
import threading


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    lifeline, *command = sys.argv[1:]
    try:
        program = subprocess.Popen(command)  # noqa: S603  # the operator's own command
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")
    threading.Thread(target=_end_with, args=(int(lifeline),), daemon=True).start()
    # The worker reads the end of the program from these; ours would hide it.
    os.close(0)
    os.close(1)
    status = program.wait()
    sys.stderr.write(f"ended with status {status}\n")
    sys.stderr.flush()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
