"""Folders in which somebody else may have put anything: links, pipes, strange names, endless depth.

Nothing here follows a link, also not one that appears while a function is at work.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# Deep enough for any sensible tree, and far from the depth at which paths become too long.
MAX_DEPTH = 32

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe would make an ordinary open wait for its other end.
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in a tree. `path` is relative; what is in a folder at `MAX_DEPTH` is not told."""

    path: str
    stat: os.stat_result

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.stat.st_mode)

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.stat.st_mode)

    @property
    def depth(self) -> int:
        return self.path.count("/") + 1

    @property
    def size(self) -> int:
        """What it takes, or would take when it is copied: holes in a file count."""
        return max(self.stat.st_size, self.stat.st_blocks * 512)


def walk(root: Path) -> Iterator[Entry]:
    """Everything in a tree, folders before what is in them, in no order. What vanishes is left out."""
    with contextlib.suppress(FileNotFoundError), _opened(str(root)) as folder:
        for _, _, entry in _visit(folder, "", 1):
            yield entry


def _visit(folder: int, prefix: str, depth: int) -> Iterator[tuple[int, str, Entry]]:
    """Each entry with an open handle of its folder and its name in there."""
    with os.scandir(folder) as listing:
        for item in listing:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                entry = Entry(f"{prefix}{item.name}", item.stat(follow_symlinks=False))
                yield folder, item.name, entry
                if entry.is_folder and depth < MAX_DEPTH:
                    with _opened(item.name, folder) as inner:
                        yield from _visit(inner, f"{entry.path}/", depth + 1)


def open_file(root: Path, parts: Sequence[str]) -> int:
    """A handle for reading a regular file.

    Raises:
        OSError: It is missing, is no regular file, or a link is in the way.
    """
    *folders, name = parts
    with _opened_below(root, folders) as folder:
        handle = os.open(name, os.O_RDONLY | _FILE, dir_fd=folder)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise FileNotFoundError(f"{'/'.join(parts)} is not a regular file")


def put_file(root: Path, parts: Sequence[str], content: bytes) -> None:
    """Write a new file, with the folders above it, in place of whatever has its name.

    Raises:
        OSError: The name is taken by a folder, or a link is in the way.
    """
    *folders, name = parts
    root.mkdir(parents=True, exist_ok=True)
    with _opened_below(root, folders, make=True) as folder:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE
        with open(os.open(name, flags, 0o644, dir_fd=folder), "wb") as file:
            file.write(content)


def remove(root: Path) -> None:
    """Remove a tree, however deep it is and whatever its modes are. A missing one is fine."""
    if not os.path.lexists(root):
        return  # most are: of the skills that never write a file
    with contextlib.suppress(FileNotFoundError), _opened(str(root)) as top:
        while names := os.listdir(top):
            for name in names:
                _remove_level(top, name)
    with contextlib.suppress(FileNotFoundError):
        root.rmdir()


def _remove_level(top: int, name: str) -> None:
    """Remove one entry; folders in it move up to the top first, so no path ever gets long."""
    if not _is_folder(name, top):
        os.unlink(name, dir_fd=top)
        return
    with _opened(name, top) as folder:
        for inner in os.listdir(folder):
            if _is_folder(inner, folder):
                os.chmod(
                    inner, 0o700, dir_fd=folder
                )  # to move a folder, one must be able to write it
                os.rename(inner, secrets.token_hex(16), src_dir_fd=folder, dst_dir_fd=top)
            else:
                os.unlink(inner, dir_fd=folder)
    os.rmdir(name, dir_fd=top)


def hand_over(root: Path, user: int) -> None:
    """Give a tree to another user. Links themselves change hands, never what they point to."""
    with _opened(str(root)) as top:
        os.fchown(top, user, user)
        for folder, name, _ in _visit(top, "", 1):
            os.chown(name, user, user, dir_fd=folder, follow_symlinks=False)


def sweep(root: Path) -> dict[str, str]:
    """Remove what a manifest cannot hold; what it was, by its path, with the reason in a few words.

    Nobody else may be at work in the tree.
    """
    swept = {}
    for entry in list(walk(root)):
        reason = _unfit(entry)
        if reason is None:
            os.chmod(root / entry.path, 0o755 if entry.is_folder else 0o644)
            continue
        swept[entry.path] = reason
        if entry.is_folder:
            remove(root / entry.path)
        else:
            (root / entry.path).unlink(missing_ok=True)
    return swept


def _unfit(entry: Entry) -> str | None:
    if not entry.path.isprintable():
        return "its name is not plain text"
    if entry.is_folder or entry.is_file:
        return None
    return "it is a link" if stat.S_ISLNK(entry.stat.st_mode) else "it is not a regular file"


@contextlib.contextmanager
def _opened(name: str, inside: int | None = None) -> Iterator[int]:
    handle = _open_folder(name, inside)
    try:
        yield handle
    finally:
        os.close(handle)


def _open_folder(name: str, inside: int | None) -> int:
    """Open a folder, also one whose owner took the right to do so from itself."""
    try:
        return os.open(name, _FOLDER, dir_fd=inside)
    except PermissionError:
        handle = os.open(name, os.O_PATH | _FOLDER, dir_fd=inside)
        try:
            os.chmod(f"/proc/self/fd/{handle}", 0o700)
        finally:
            os.close(handle)
        return os.open(name, _FOLDER, dir_fd=inside)


@contextlib.contextmanager
def _opened_below(root: Path, folders: Sequence[str], *, make: bool = False) -> Iterator[int]:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(_opened(str(root)))
        for name in folders:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=folder)
            folder = stack.enter_context(_opened(name, folder))
        yield folder


def _is_folder(name: str, inside: int) -> bool:
    found = os.stat(name, dir_fd=inside, follow_symlinks=False)
    return stat.S_ISDIR(found.st_mode)
