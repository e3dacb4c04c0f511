"""Process 1 of the sandbox: it starts the script, watches it, and reports how it ended.

When this process ends, the kernel kills every other one in here; so nothing outlives it.
"""

from __future__ import annotations

import os
import resource
import select
import time

from . import kernel, landlock

TYPE_CHECKING = False  # `typing` itself would take longer to import than all of this
if TYPE_CHECKING:
    from typing import Any, NoReturn

_GLANCE_S = 0.1
_PAGE = resource.getpagesize()


def guard(config: dict[str, Any], control: int) -> NoReturn:
    """Run the script within its limits, and write one line about its end to `control`."""
    kernel.forbid_new_privileges()
    kernel.set_dumpable(False)
    script = os.fork()
    if script == 0:
        _become(config, control)
    _let_go_of_streams()
    _report(control, _watch(script, control, config["limits"]))
    os._exit(0)


def report_failure(control: int, error: BaseException) -> NoReturn:
    """Say that the sandbox itself did not come about."""
    _report(control, f"failed {type(error).__name__}: {error}")
    os._exit(1)


def _become(config: dict[str, Any], control: int) -> NoReturn:
    try:
        os.setsid()
        os.umask(0o022)
        os.chdir(config["cwd"])
        kernel.close_on_exec_from(3)
        kernel.default_signals()
        landlock.restrict(config["writable"])
        _limit(config["limits"])
        kernel.filter_system_calls(config["seccomp"])
        os.execve(config["argv"][0], config["argv"], config["env"])
    except BaseException as error:  # nobody above could report it
        report_failure(control, error)


def _limit(limits: dict[str, int]) -> None:
    # First a signal that says why, a second later one that cannot be ignored.
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_s"], limits["cpu_s"] + 1))
    for name, value in (
        (resource.RLIMIT_CORE, 1),  # 0 would still start a program that takes core dumps
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_NPROC, limits["processes"] + 1),
        (resource.RLIMIT_AS, limits["memory_bytes"]),
    ):
        resource.setrlimit(name, (value, value))


def _let_go_of_streams() -> None:
    nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)


def _watch(script: int, control: int, limits: dict[str, int]) -> str:
    """How the script ended, by itself or at a limit. Does not return when nobody waits any more."""
    deadline = time.monotonic() + limits["wall_s"]
    poll = select.poll()
    poll.register(control, select.POLLIN)  # readable, with nothing in it, once the worker is gone
    poll.register(os.pidfd_open(script), select.POLLIN)
    while (left := deadline - time.monotonic()) > 0:
        ready = {handle for handle, _ in poll.poll(min(left, _GLANCE_S) * 1000)}
        if control in ready:
            os._exit(1)
        if (ending := _reap(script)) is not None:
            return ending
        if _used_memory(limits["memory_bytes"]) > limits["memory_bytes"]:
            return "stopped memory"
    return "stopped time"


def _reap(script: int) -> str | None:
    """Bury the dead, which count as processes until then; how the script ended, if it did."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == script:
            code = os.waitstatus_to_exitcode(status)
            return f"exited {code}" if code >= 0 else f"killed {-code}"
        if pid == 0:
            return None


def _used_memory(limit: int) -> int:
    """Bytes that all processes in here hold. Exact only when a rough sum, quickly had, is too large."""
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    rough = sum(int(_read(pid, "statm").split()[1]) * _PAGE for pid in pids)
    return rough if rough <= limit else sum(map(_own_memory, pids))


def _own_memory(pid: str) -> int:
    """Without pages of files, such as shared libraries, which cost nothing more for each process."""
    lines = _read(pid, "status").splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith((b"RssA", b"RssS")))


def _read(pid: str, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:  # it has ended meanwhile
        return b"0 0"


def _report(control: int, line: str) -> None:
    try:
        os.write(control, f"{line}\n".encode(errors="replace"))
    except OSError:  # the worker is gone
        os._exit(1)
