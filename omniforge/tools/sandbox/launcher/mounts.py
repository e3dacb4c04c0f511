"""What a script sees of the file system: a root of its own, with little in it."""

import os

from . import kernel

# A folder that every machine has; in this process's own mounts, it serves as a place to mount on.
_BASE = "/usr"
_OLD = "/.old"
_DEVICES = ("null", "zero", "full", "random", "urandom")
_DEVICE_LINKS = (
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
)
_TMPFS_FILES = 20_000


def stage(place: str, sources: list[tuple[str, str]]) -> None:
    """Mount what only root can reach where anybody can, seen by this process and its children alone."""
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", place, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755,size=64k")
    for source, target in sources:
        _bind(source, target)


def enter(binds: list[tuple[str, str, bool]], links: list[tuple[str, str]], tmp_bytes: int) -> None:
    """Make the new root, and leave the machine's behind. Needs a mount and a process namespace."""
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    _mount_tmpfs(_BASE, 1 << 20)
    os.mkdir(_BASE + _OLD)
    kernel.pivot_root(_BASE, _BASE + _OLD)
    os.chdir("/")
    for source, target, is_writable in binds:
        _bind(_OLD + source, target)
        kernel.restrict_mount(target, read_only=not is_writable)
    for target, path in links:
        os.symlink(target, path)
    _make_devices(tmp_bytes)
    os.mkdir("/tmp")
    _mount_tmpfs("/tmp", tmp_bytes, mode="1777")
    os.mkdir("/proc")
    inert = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    kernel.mount("proc", "/proc", "proc", inert | kernel.MS_RDONLY)
    kernel.detach(_OLD)
    os.rmdir(_OLD)
    kernel.restrict_mount("/", read_only=True, is_recursive=False)


def _make_devices(tmp_bytes: int) -> None:
    os.mkdir("/dev")
    for name in _DEVICES:
        _bind(f"{_OLD}/dev/{name}", f"/dev/{name}")
    for target, path in _DEVICE_LINKS:
        os.symlink(target, path)
    os.mkdir("/dev/shm")
    _mount_tmpfs("/dev/shm", tmp_bytes, mode="1777")


def _mount_tmpfs(target: str, size: int, mode: str = "755") -> None:
    flags = kernel.MS_NOSUID | kernel.MS_NODEV
    data = f"mode={mode},size={size},nr_inodes={_TMPFS_FILES}"
    kernel.mount("tmpfs", target, "tmpfs", flags, data)


def _bind(source: str, target: str) -> None:
    if os.path.isdir(source):
        os.makedirs(target, mode=0o755, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    kernel.mount(source, target, flags=kernel.MS_BIND | kernel.MS_REC)
