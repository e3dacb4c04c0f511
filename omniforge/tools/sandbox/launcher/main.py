"""`main(role, config, control)`: both are the numbers of open file descriptors.

Roles: `native` makes the sandbox itself; `bubblewrap` gives root up and becomes `bwrap`; `guard` is
started by `bwrap` in its sandbox.
"""

from __future__ import annotations

import marshal
import os

from . import guard, kernel, mounts

TYPE_CHECKING = False  # `typing` itself would take longer to import than all of this
if TYPE_CHECKING:
    from typing import Any, NoReturn

_NAMESPACES = (
    kernel.CLONE_NEWUSER
    | kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWCGROUP
)


def main(role: str, config_handle: str, control_handle: str) -> None:
    control = int(control_handle)
    try:
        config = _read(int(config_handle))
        if role == "guard":
            guard.guard(config, control)
        if config["stage"]:
            mounts.stage(config["place"], config["stage"])
            _give_root_up(config["id"])
        if role == "bubblewrap":
            os.execv(config["command"][0], config["command"])
        _enter_natively(config, control)
    except Exception as error:
        guard.report_failure(control, error)


def _read(handle: int) -> dict[str, Any]:
    """The configuration; it stays in its file for the next stage."""
    # Not JSON: importing it would take as long as all the rest of this program.
    config: dict[str, Any] = marshal.loads(os.pread(handle, os.fstat(handle).st_size, 0))
    return config


def _give_root_up(user: int) -> None:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    kernel.set_dumpable(True)  # else /proc/self belongs to root, and no ids can be mapped


def _enter_natively(config: dict[str, Any], control: int) -> NoReturn:
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(_NAMESPACES | (0 if config["network"] else kernel.CLONE_NEWNET))
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{config['id']} {user} 1")
    _write("/proc/self/gid_map", f"{config['id']} {group} 1")
    first = os.fork()
    if first == 0:
        _be_first(config, control)
    os.waitpid(first, 0)
    os._exit(0)


def _be_first(config: dict[str, Any], control: int) -> NoReturn:
    try:
        kernel.die_with_parent()
        kernel.set_host_name(b"sandbox")
        if not config["network"]:
            kernel.raise_loopback()
        mounts.enter(config["binds"], config["links"], config["limits"]["tmp_bytes"])
        kernel.drop_capabilities()
        guard.guard(config, control)
    except Exception as error:
        guard.report_failure(control, error)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
