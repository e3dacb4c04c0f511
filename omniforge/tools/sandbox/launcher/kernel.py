"""System calls that Python has no function for."""

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
)

# Numbers below 424 differ between machines, later ones do not (arch/*/syscall tables).
_OLDER = {
    "x86_64": {"pivot_root": 155, "capset": 126},
    "aarch64": {"pivot_root": 41, "capset": 91},
}
CLOSE_RANGE, MOUNT_SETATTR = 436, 442
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
CLONE_NEWCGROUP = 0x2000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2

_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV = 1, 2, 4
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 1, 4, 24
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, _PR_SET_NO_NEW_PRIVS = 22, 2, 38

SIGKILL, SIGPIPE, SIGXFSZ = 9, 13, 25
_CAP_LAST = 63
_CLOSE_RANGE_CLOEXEC = 4
_CAPABILITY_VERSION_3 = 0x20080522


def call(number: int, *arguments: object) -> int:
    """A system call by its number."""
    return _checked(f"system call {number}", _libc.syscall(ctypes.c_long(number), *arguments))


def unshare(flags: int) -> None:
    _checked("unshare", _libc.unshare(flags))


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    result = _libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode())
    _checked(f"mount {target}", result)


def restrict_mount(target: str, *, read_only: bool, is_recursive: bool = True) -> None:
    """Take set-user-id programs and devices out of effect below a mount, and writing if told to."""
    wanted = _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV | (_MOUNT_ATTR_RDONLY if read_only else 0)
    attributes = (ctypes.c_uint64 * 4)(wanted, 0, 0, 0)
    flags = _AT_RECURSIVE if is_recursive else 0
    path, size = ctypes.c_char_p(target.encode()), ctypes.c_size_t(32)
    call(MOUNT_SETATTR, _AT_FDCWD, path, flags, ctypes.byref(attributes), size)


def pivot_root(new: str, old: str) -> None:
    call(
        _OLDER[os.uname().machine]["pivot_root"],
        ctypes.c_char_p(new.encode()),
        ctypes.c_char_p(old.encode()),
    )


def detach(target: str) -> None:
    _checked(f"umount {target}", _libc.umount2(target.encode(), MNT_DETACH))


def set_host_name(name: bytes) -> None:
    _checked("sethostname", _libc.sethostname(name, len(name)))


def die_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, SIGKILL)


def set_dumpable(is_dumpable: bool) -> None:
    """Whether processes of the same user may look into this one."""
    _prctl(_PR_SET_DUMPABLE, int(is_dumpable))


def drop_capabilities() -> None:
    for capability in range(_CAP_LAST + 1):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails beyond the last one there is
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    number = _OLDER[os.uname().machine]["capset"]
    call(number, ctypes.byref(header), ctypes.byref(nothing))


def forbid_new_privileges() -> None:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def filter_system_calls(program: bytes) -> None:
    """Put a seccomp filter in force, for this process and all that come from it."""
    code = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))

    filled = Program(len(program) // 8, ctypes.cast(code, ctypes.c_void_p))
    result = _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filled), 0, 0)
    _checked("seccomp", result)


def close_on_exec_from(first: int) -> None:
    last, flags = ctypes.c_uint(0xFFFFFFFF), ctypes.c_uint(_CLOSE_RANGE_CLOEXEC)
    call(CLOSE_RANGE, ctypes.c_uint(first), last, flags)


def default_signals() -> None:
    """Python ignores two signals, and a program that it starts would ignore them as well."""
    for number in (SIGPIPE, SIGXFSZ):
        _libc.signal(number, None)


def raise_loopback() -> None:
    """Switch on the interface `lo` of a new network namespace, which holds nothing else."""
    siocsifflags, up_and_running, internet, datagram = 0x8914, 0x41, 2, 2
    handle = _checked("socket", _libc.socket(internet, datagram, 0))
    request = ctypes.create_string_buffer(b"lo".ljust(16, b"\0") + bytes([up_and_running]), 40)
    try:
        _checked("loopback", _libc.ioctl(handle, siocsifflags, request))
    finally:
        os.close(handle)


def _prctl(option: int, value: int) -> None:
    _checked(f"prctl {option}", _libc.prctl(option, value, 0, 0, 0))


def _checked(what: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
