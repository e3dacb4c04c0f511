"""The system calls that a program in the sandbox may not make, as a filter for the kernel.

A list of what is forbidden, not of what is allowed: interpreters differ in what they need, and the
namespaces already keep the rest harmless. What is listed opens more of the kernel (new namespaces, bpf,
io_uring, keys), looks into other processes, or would change the machine.
"""

import platform
import struct

_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97

# number on x86_64, number on aarch64 (arch/*/syscall tables); None where it does not exist
_FORBIDDEN: dict[str, tuple[int | None, int]] = {
    "ptrace": (101, 117),
    "syslog": (103, 116),
    "personality": (135, 92),
    "quotactl": (179, 60),
    "vhangup": (153, 58),
    "pivot_root": (155, 41),
    "adjtimex": (159, 171),
    "chroot": (161, 51),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "mount": (165, 40),
    "umount2": (166, 39),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "init_module": (175, 105),
    "delete_module": (176, 106),
    "clock_settime": (227, 112),
    "kexec_load": (246, 104),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "perf_event_open": (298, 241),
    "fanotify_init": (300, 262),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "clock_adjtime": (305, 266),
    "setns": (308, 268),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "finit_module": (313, 273),
    "kexec_file_load": (320, 294),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "mount_setattr": (442, 442),
    "memfd_secret": (447, 447),
}
_FORBIDDEN_ON_X86 = (
    134,
    154,
    172,
    173,
    174,
    177,
    178,
    212,
)  # uselib, modify_ldt, iopl, ioperm, ...

_IO_URING = (425, 426, 427)
_CLONE3 = 435

_X86_64, _AARCH64 = 0xC000003E, 0xC00000B7
_MACHINES = {"x86_64": _X86_64, "aarch64": _AARCH64}
_X32_BIT = 0x40000000
_CLONE, _SOCKET, _SOCKETPAIR, _IOCTL = (56, 220), (41, 198), (53, 199), (16, 29)

# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_NAMESPACE_FLAGS = 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x60000000
_UNIX, _INET, _INET6 = 1, 2, 10
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_IF_ANY, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24  # offsets in struct seccomp_data


def is_known(machine: str = platform.machine()) -> bool:
    return machine in _MACHINES


def filter_program(machine: str = platform.machine()) -> bytes:
    """The filter in the kernel's form: a sequence of `struct sock_filter`."""
    column = 0 if machine == "x86_64" else 1
    code = [
        _op(_LOAD, _ARCHITECTURE),
        _op(_JUMP_EQUAL, _MACHINES[machine], 1, 0),
        _op(_RETURN, _KILL),
        _op(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        code += [_op(_JUMP_AT_LEAST, _X32_BIT, 0, 1), _op(_RETURN, _REFUSE | _ENOSYS)]
    for number in _numbers(column):
        code += _when(number, [_op(_RETURN, _REFUSE | _EPERM)])
    # The C library does without these where they do not exist.
    for number in (*_IO_URING, _CLONE3):
        code += _when(number, [_op(_RETURN, _REFUSE | _ENOSYS)])
    code += _when(_CLONE[column], _no_namespaces())
    code += _when(_IOCTL[column], _no_terminal_input())
    for number in (_SOCKET[column], _SOCKETPAIR[column]):
        code += _when(number, _usual_families())
    return b"".join([*code, _op(_RETURN, _ALLOW)])


def _numbers(column: int) -> list[int]:
    numbers = [pair[column] for pair in _FORBIDDEN.values()]
    return [number for number in numbers if number is not None] + (
        list(_FORBIDDEN_ON_X86) if column == 0 else []
    )


def _when(number: int, then: list[bytes]) -> list[bytes]:
    """Code for one system call. What it loads over the number, it must not fall through with."""
    return [_op(_JUMP_EQUAL, number, 0, len(then)), *then]


def _no_namespaces() -> list[bytes]:
    return [
        _op(_LOAD, _FIRST),
        _op(_JUMP_IF_ANY, _NAMESPACE_FLAGS, 0, 1),
        _op(_RETURN, _REFUSE | _EPERM),
        _op(_RETURN, _ALLOW),
    ]


def _no_terminal_input() -> list[bytes]:
    return [
        _op(_LOAD, _SECOND),
        _op(_JUMP_EQUAL, _TIOCSTI, 1, 0),
        _op(_JUMP_EQUAL, _TIOCLINUX, 0, 1),
        _op(_RETURN, _REFUSE | _EPERM),
        _op(_RETURN, _ALLOW),
    ]


def _usual_families() -> list[bytes]:
    """Sockets of other kinds reach past the network namespace (vsock) or far into the kernel (alg)."""
    return [
        _op(_LOAD, _FIRST),
        _op(_JUMP_EQUAL, _UNIX, 3, 0),
        _op(_JUMP_EQUAL, _INET, 2, 0),
        _op(_JUMP_EQUAL, _INET6, 1, 0),
        _op(_RETURN, _REFUSE | _EAFNOSUPPORT),
        _op(_RETURN, _ALLOW),
    ]


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)
