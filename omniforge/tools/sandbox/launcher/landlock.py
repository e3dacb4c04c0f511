"""Landlock: what a process and its children may do with files, whatever the mounts would let them."""

import ctypes
import os

from . import kernel

_VERSION = 1
_RULE_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1, 2, 4, 8, 1 << 14
# How many of the rights, from the first on, each version of the interface knows.
_RIGHTS_KNOWN = {1: 13, 2: 14, 3: 15, 4: 15}
_RIGHTS_OF_LATER = 16
_SCOPED_SINCE = 6
_ABSTRACT_SOCKETS_AND_SIGNALS = 3


def version() -> int:
    """The version of the kernel's interface; 0 where there is none."""
    try:
        return kernel.call(kernel.LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    except OSError:
        return 0


def restrict(writable: list[str]) -> None:
    """Let this process read and execute what it sees, and write below these folders only.

    Signals and abstract sockets reach its own children only, where the kernel knows how (6.12).
    """
    known = version()
    if not known:
        return
    rights = (1 << _RIGHTS_KNOWN.get(known, _RIGHTS_OF_LATER)) - 1
    scoped = _ABSTRACT_SOCKETS_AND_SIGNALS if known >= _SCOPED_SINCE else 0
    attributes = (ctypes.c_uint64 * 3)(rights, 0, scoped)
    ruleset = kernel.call(
        kernel.LANDLOCK_CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(24), 0
    )
    reading = _EXECUTE | _READ_FILE | _READ_DIR
    _allow(ruleset, "/", reading)
    _allow(ruleset, "/dev", (reading | _WRITE_FILE | _TRUNCATE) & rights)
    for path in writable:
        _allow(ruleset, path, rights)
    kernel.call(kernel.LANDLOCK_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("folder", ctypes.c_int32))


def _allow(ruleset: int, path: str, rights: int) -> None:
    folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = _PathBeneath(rights, folder)
    kernel.call(kernel.LANDLOCK_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    os.close(folder)
