"""Runs inside the sandbox: attempts to get out, each a function named after what it tries.

An attempt that works returns True. One that is refused raises OSError, or returns False. With the standard
library alone, because that is all there is in there; it gets to know by its argument what lies outside.
"""

import ctypes
import fcntl
import json
import mmap
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable

LEFT_OPEN = [name for name in os.listdir("/proc/self/fd") if int(name) > 2]
TOLD: dict[str, str] = {}
LIBC = ctypes.CDLL(None, use_errno=True)
EXPECTED_VARIABLES = {"PATH", "HOME", "LANG", "SKILL_DIR", "WORKSPACE", "PWD", "LC_CTYPE"}
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000

NUMBERS = {
    "x86_64": {"pivot_root": 155, "add_key": 248, "keyctl": 250, "kexec_load": 246, "bpf": 321}
    | {"perf_event_open": 298, "userfaultfd": 323, "clone": 56, "process_vm_readv": 310},
    "aarch64": {"pivot_root": 41, "add_key": 217, "keyctl": 219, "kexec_load": 104, "bpf": 280}
    | {"perf_event_open": 241, "userfaultfd": 282, "clone": 220, "process_vm_readv": 270},
}[os.uname().machine] | {"io_uring_setup": 425, "clone3": 435, "pidfd_getfd": 438}


def done(result: int) -> bool:
    """Whether a call of the C library worked; an error of it is raised."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return True


def call(name: str, *arguments: object) -> bool:
    return done(LIBC.syscall(ctypes.c_long(NUMBERS[name]), *arguments))


def is_readable(path: str) -> bool:
    with open(path, "rb") as file:
        file.read(1)
    return True


def is_writable(path: str) -> bool:
    with open(path, "w") as file:
        file.write("0")
    return True


def reaches(family: int, kind: int, address: tuple[object, ...] | str) -> bool:
    with socket.socket(family, kind) as line:
        line.settimeout(2)
        line.connect(address)
        line.send(b"hello")
    return True


# ---- files -----------------------------------------------------------------------------------


def reads_the_machines_passwords() -> bool:
    return is_readable("/etc/shadow")


def reads_a_file_outside() -> bool:
    return is_readable(TOLD["secret"])


def reads_a_file_outside_through_a_link() -> bool:
    os.symlink(TOLD["secret"], "way-out")
    return is_readable("way-out")


def reads_a_file_outside_by_climbing() -> bool:
    return is_readable("../" * 20 + TOLD["secret"].lstrip("/"))


def reads_a_file_outside_through_the_root_of_its_own_process() -> bool:
    return is_readable(f"/proc/self/root{TOLD['secret']}")


def reads_a_file_outside_through_the_root_of_process_1() -> bool:
    return is_readable(f"/proc/1/root{TOLD['secret']}")


def reads_a_file_outside_through_the_folder_of_process_1() -> bool:
    return is_readable(f"/proc/1/cwd{TOLD['secret']}")


def links_a_file_of_the_system_into_the_workspace() -> bool:
    os.link("/etc/passwd", "hard-link")
    return True


def reads_the_platforms_own_code() -> bool:
    return is_readable(TOLD["code"])


def looks_into_homes() -> bool:
    return bool(os.listdir("/home"))


def writes_into_the_skills_folder() -> bool:
    return is_writable("/skill/SKILL.md")


def adds_a_file_to_the_skills_folder() -> bool:
    return is_writable("/skill/new")


def writes_into_the_system() -> bool:
    return is_writable("/usr/bin/written")


def writes_into_the_root_folder() -> bool:
    return is_writable("/written")


def writes_into_the_folder_of_accounts() -> bool:
    return is_writable("/etc/passwd")


def changes_a_setting_of_the_kernel() -> bool:
    return is_writable("/proc/sys/kernel/core_pattern")


def pulls_the_emergency_lever() -> bool:
    return is_writable("/proc/sysrq-trigger")


def writes_to_a_device_tree() -> bool:
    return is_writable("/sys/kernel/uevent_helper")


def opens_a_disk() -> bool:
    return any(is_readable(f"/dev/{name}") for name in ("vda", "sda", "nvme0n1"))


def opens_the_memory_of_the_machine() -> bool:
    return is_readable("/dev/mem")


def makes_a_device() -> bool:
    os.mknod("disk", stat.S_IFBLK | 0o666, os.makedev(8, 0))
    return is_readable("disk")


def reads_the_kernels_messages() -> bool:
    return is_readable("/dev/kmsg")


def opens_a_file_by_its_handle() -> bool:
    handle, mount = ctypes.create_string_buffer(256), ctypes.c_int()
    ctypes.c_uint.from_buffer(handle).value = 128
    return done(LIBC.name_to_handle_at(-100, b"/usr", handle, ctypes.byref(mount), 0))


# ---- network ---------------------------------------------------------------------------------


def connects_to_a_server_of_the_machine() -> bool:
    return reaches(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", int(TOLD["port"])))


def connects_to_an_address_outside() -> bool:
    return reaches(socket.AF_INET, socket.SOCK_STREAM, ("192.0.2.1", 80))


def asks_the_cloud_for_its_credentials() -> bool:
    return reaches(socket.AF_INET, socket.SOCK_STREAM, ("169.254.169.254", 80))


def sends_a_datagram() -> bool:
    return reaches(socket.AF_INET, socket.SOCK_DGRAM, ("192.0.2.1", 53))


def connects_over_ipv6() -> bool:
    return reaches(socket.AF_INET6, socket.SOCK_STREAM, ("2001:db8::1", 80))


def looks_up_a_name() -> bool:
    return bool(socket.getaddrinfo("secret-data.example.invalid", 80))


def connects_to_a_socket_file_of_the_machine() -> bool:
    return reaches(socket.AF_UNIX, socket.SOCK_STREAM, TOLD["socket"])


def connects_to_an_abstract_socket_of_the_machine() -> bool:
    return reaches(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + TOLD["abstract"])


def opens_a_raw_socket() -> bool:
    return bool(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))


def opens_a_packet_socket() -> bool:
    return bool(socket.socket(socket.AF_PACKET, socket.SOCK_RAW))


def talks_to_the_kernel_by_netlink() -> bool:
    return bool(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))


def talks_to_the_host_of_a_virtual_machine() -> bool:
    return bool(socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM))


def opens_the_kernels_cryptography() -> bool:
    return bool(socket.socket(38, socket.SOCK_SEQPACKET))


# ---- other processes -------------------------------------------------------------------------


def sees_other_processes() -> bool:
    found = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    return bool(found - {1, os.getpid(), os.getppid()})


def kills_its_guard() -> bool:
    os.kill(1, signal.SIGKILL)
    time.sleep(0.05)
    return not os.path.exists("/proc/1/status")


def stops_its_guard() -> bool:
    os.kill(1, signal.SIGSTOP)
    time.sleep(0.05)
    with open("/proc/1/status") as file:
        return "State:\tT" in file.read()


def kills_everybody() -> bool:
    os.kill(-1, signal.SIGKILL)
    return not os.path.exists("/proc/1/status")


def kills_the_worker() -> bool:
    os.kill(int(TOLD["worker"]), signal.SIGTERM)
    return int(TOLD["worker"]) not in (1, os.getpid())


def traces_its_guard() -> bool:
    attach = 16
    return done(LIBC.ptrace(attach, 1, 0, 0))


def reads_the_memory_of_its_guard() -> bool:
    return is_readable("/proc/1/mem")


def reads_the_memory_of_its_guard_by_a_call() -> bool:
    return call("process_vm_readv", 1, None, 0, None, 0, 0)


def reads_the_environment_of_its_guard() -> bool:
    return is_readable("/proc/1/environ")


def looks_at_the_open_files_of_its_guard() -> bool:
    return bool(os.listdir("/proc/1/fd"))


def takes_an_open_file_of_its_guard() -> bool:
    return call("pidfd_getfd", os.pidfd_open(1), 0, 0)


def finds_an_open_file_that_was_left_to_it() -> bool:
    return len(LEFT_OPEN) > 1  # one is the folder that was listed


def finds_a_secret_in_its_environment() -> bool:
    return bool(set(os.environ) - EXPECTED_VARIABLES)


# ---- privileges ------------------------------------------------------------------------------


def becomes_root() -> bool:
    os.setuid(0)
    return os.getuid() == 0


def becomes_root_by_a_program() -> bool:
    said = subprocess.run(["/usr/bin/su", "-c", "id -u"], capture_output=True, check=False)
    return said.stdout.strip() == b"0"


def has_a_capability() -> bool:
    with open("/proc/self/status") as file:
        held = [line.split()[1] for line in file if line.startswith("Cap")]
    return any(int(each, 16) for each in held)


def takes_new_privileges_again() -> bool:
    set_no_new_privileges, get_no_new_privileges = 38, 39
    LIBC.prctl(set_no_new_privileges, 0, 0, 0, 0)
    return bool(LIBC.prctl(get_no_new_privileges, 0, 0, 0, 0) == 0)


def raises_a_capability_by_prctl() -> bool:
    ambient, raise_it, administrator = 47, 2, 21
    return done(LIBC.prctl(ambient, raise_it, administrator, 0, 0))


def raises_its_limits() -> bool:
    try:
        resource.setrlimit(resource.RLIMIT_NPROC, (10_000, 10_000))
    except ValueError:
        return False
    return True


def leaves_a_core_dump() -> bool:
    if (child := os.fork()) == 0:
        os.abort()
    return os.WCOREDUMP(os.waitpid(child, 0)[1])


def mounts_something() -> bool:
    return done(LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None))


def makes_the_skills_folder_writable() -> bool:
    remount, bind = 32, 4096
    return done(LIBC.mount(b"none", b"/skill", None, remount | bind, None))


def unmounts_something() -> bool:
    return done(LIBC.umount2(b"/tmp", 2))


def changes_its_root() -> bool:
    os.chroot("/tmp")
    return True


def turns_its_root_around() -> bool:
    return call("pivot_root", b"/tmp", b"/tmp")


def makes_a_namespace_of_users() -> bool:
    return done(LIBC.unshare(NEW_USER))


def makes_a_namespace_with_a_new_process() -> bool:
    return call("clone", NEW_USER | NEW_NETWORK | signal.SIGCHLD, 0, 0, 0, 0)


def makes_a_namespace_by_the_newer_call() -> bool:
    request = (ctypes.c_uint64 * 11)(NEW_USER)
    return call("clone3", ctypes.byref(request), 88)


def enters_the_namespace_of_its_guard() -> bool:
    return done(LIBC.setns(os.open("/proc/1/ns/user", os.O_RDONLY), 0))


def uses_the_keys_of_the_kernel() -> bool:
    return call("keyctl", 0, -3, 1)


def stores_a_key_in_the_kernel() -> bool:
    return call("add_key", b"user", b"name", b"value", 5, -3)


def loads_a_program_into_the_kernel() -> bool:
    return call("bpf", 5, None, 0)


def uses_io_uring() -> bool:
    return call("io_uring_setup", 1, ctypes.create_string_buffer(120))


def watches_the_machine_by_perf() -> bool:
    return call("perf_event_open", ctypes.create_string_buffer(128), 0, -1, -1, 0)


def handles_its_own_page_faults() -> bool:
    return call("userfaultfd", 1)


def loads_another_kernel() -> bool:
    return call("kexec_load", 0, 0, None, 0)


def sets_the_clock() -> bool:
    time.clock_settime(time.CLOCK_REALTIME, time.time())
    return True


def renames_the_machine() -> bool:
    return done(LIBC.sethostname(b"mine", 4))


def types_into_a_terminal() -> bool:
    push_back = 0x5412
    fcntl.ioctl(os.open("/dev/tty", os.O_RDWR), push_back, b"x")
    return True


def maps_more_memory_than_it_may() -> bool:
    return bool(mmap.mmap(-1, 8 << 30))


# ----------------------------------------------------------------------------------------------

ATTEMPTS: dict[str, Callable[[], bool]] = {
    name: function
    for name, function in list(globals().items())
    if callable(function)
    and getattr(function, "__module__", "") == __name__
    and name not in {"done", "call", "is_readable", "is_writable", "reaches", "outcome"}
}


def outcome(attempt: Callable[[], bool]) -> str:
    """`escaped`, or `contained` with the refusal; anything else is a mistake in the attempt."""
    try:
        return "escaped" if attempt() else "contained: to no avail"
    except OSError as error:
        return f"contained: {type(error).__name__}: {error}"
    except Exception as error:
        return f"mistake: {error!r}"


if __name__ == "__main__":
    TOLD.update(json.loads(sys.argv[1]))
    print(json.dumps({name: outcome(attempt) for name, attempt in ATTEMPTS.items()}))
