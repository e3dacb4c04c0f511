"""The files of one skill of a run: a folder that nothing in it can lead out of."""

import asyncio
import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from omniforge.errors import StorageUnavailable, TryAgain
from omniforge.journal.blobs import BlobStore, Manifest, digest_of
from omniforge.tools import trees
from omniforge.tools.wording import did_you_mean, listed

# Enough for exports, reports and pictures; a run that needs more wants a store of its own.
MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_FILES = 1_000

_DISK_TROUBLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE})


class Workspace:
    """A working copy of a manifest. The blobs are the truth; the folder can be made again anywhere."""

    def __init__(self, root: Path, blobs: BlobStore) -> None:
        self.root, self._blobs = root, blobs
        self.writing = asyncio.Lock()
        """Held by a call that may write, so that its snapshot holds nobody else's half-written file."""
        self._manifest: dict[str, str] = {}

    @property
    def manifest(self) -> Manifest:
        return dict(self._manifest)

    async def restore(self, manifest: Manifest) -> None:
        """Make the folder equal to a manifest, whatever an earlier attempt left in it.

        An empty one need not exist: most skills write no file, and `write` makes what it needs. What is
        there is replaced only once everything else is there.
        """
        fresh = self.root.with_name(f"{self.root.name}.new")
        trees.remove(fresh)
        for path, digest in manifest.items():
            trees.put_file(fresh, _parts(path, PurePosixPath(path)), await self._blobs.get(digest))
        trees.remove(self.root)
        if manifest:
            fresh.rename(self.root)
        self._manifest = dict(manifest)

    async def snapshot(self) -> Manifest:
        """Store every file and return the manifest that brings them back.

        Raises:
            TryAgain: There are too many files or one is too large.
        """
        files = list(self.files())
        if len(files) > MAX_FILES:
            raise TryAgain(
                f"The workspace has {len(files)} files; {MAX_FILES} are allowed. Delete some."
            )
        manifest = {}
        for path in files:
            content = self._content(path, path.split("/"))
            digest = digest_of(content)
            if self._manifest.get(path) != digest:
                await self._blobs.put(content)
            manifest[path] = digest
        self._manifest = manifest
        return dict(manifest)

    def files(self) -> Iterator[str]:
        """Relative paths of the regular files, sorted. Links are not followed and not listed."""
        yield from sorted(entry.path for entry in trees.walk(self.root) if entry.is_file)

    def path(self, name: str) -> Path:
        """Where a file of the workspace lies.

        Raises:
            TryAgain: The name is empty, absolute, or leads out of the workspace, also by way of a link.
        """
        if not name.strip():
            raise TryAgain(f"{name!r} is not a path; use a relative one like 'out/a.csv'.")
        return self._confined(name, PurePosixPath(name.replace("\\", "/")))

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            TryAgain: There is no such file, it is a folder, or it is too large.
        """
        target = self.path(name)
        with _disk(name):
            if not target.is_file():
                raise TryAgain(self._no_file(name, target))
            return self._content(name, self._parts_of(target))

    def write(self, name: str, content: bytes) -> None:
        """Put a file in place, with the folders above it, replacing one that is there.

        Raises:
            TryAgain: The name is taken by a folder or leads out, or the content is too large.
            StorageUnavailable: The disk does not take it.
        """
        target = self.path(name)
        _refuse_too_large(name, len(content))
        with _disk(name):
            if target.exists() and not target.is_file():
                raise TryAgain(f"{name!r} is a folder; name a file in it.")
            trees.put_file(self.root, self._parts_of(target), content)

    def delete(self, name: str) -> None:
        """Remove a file.

        Raises:
            TryAgain: There is no such file, or it is a folder.
        """
        target = self.path(name)
        with _disk(name):
            if not target.is_file():
                raise TryAgain(self._no_file(name, target))
            target.unlink()

    def _confined(self, name: str, pure: PurePosixPath) -> Path:
        target = self.root.joinpath(*_parts(name, pure))
        try:
            is_inside = target.resolve().is_relative_to(self.root.resolve())
        except (OSError, RuntimeError, ValueError) as error:
            raise TryAgain(f"{name!r} cannot name a file; use a short plain name.") from error
        if not is_inside:
            raise TryAgain(f"{name!r} leads out of the workspace.")
        return target

    def _parts_of(self, target: Path) -> tuple[str, ...]:
        return target.relative_to(self.root).parts

    def _content(self, path: str, parts: Sequence[str]) -> bytes:
        """A script may be at work beside this: what was a file a moment ago may be a link by now."""
        with os.fdopen(trees.open_file(self.root, parts), "rb") as file:
            _refuse_too_large(path, os.fstat(file.fileno()).st_size)
            return file.read(MAX_FILE_BYTES)

    def _no_file(self, name: str, target: Path) -> str:
        if target.is_dir():
            return f"{name!r} is a folder; name a file in it."
        files = list(self.files())
        return (
            f"There is no file {name!r}.{did_you_mean(name, files)} The workspace has:"
            f" {listed(files)}."
        )


def _parts(name: str, pure: PurePosixPath) -> tuple[str, ...]:
    if "\0" in name or pure.is_absolute() or ".." in pure.parts:
        raise TryAgain(
            f"{name!r} is not a path inside the workspace; use a relative one like 'out/a.csv'."
        )
    if len(pure.parts) > trees.MAX_DEPTH:
        raise TryAgain(f"{name!r} is nested too deeply; {trees.MAX_DEPTH} levels are allowed.")
    return pure.parts


def _refuse_too_large(name: str, size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise TryAgain(f"{name} has {size} bytes; {MAX_FILE_BYTES} are allowed.")


@contextmanager
def _disk(name: str) -> Iterator[None]:
    """A name that the file system does not take is the caller's mistake; a full disk is not."""
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in _DISK_TROUBLE:
            raise StorageUnavailable(f"The workspace's disk failed: {error.strerror}.") from error
        reason = error.strerror if isinstance(error, OSError) else error
        raise TryAgain(f"{name!r} cannot be used as a file's name here: {reason}.") from error
