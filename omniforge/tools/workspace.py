"""The files of one skill of a run: a folder that nothing in it can lead out of."""

import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from omniforge.errors import TryAgain
from omniforge.journal.blobs import BlobStore, Manifest, digest_of

# Enough for exports, reports and pictures; a run that needs more wants a store of its own.
MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_FILES = 1_000


class Workspace:
    """A working copy of a manifest. The blobs are the truth; the folder can be made again anywhere."""

    def __init__(self, root: Path, blobs: BlobStore) -> None:
        self.root, self._blobs = root, blobs
        self._manifest: dict[str, str] = {}

    @property
    def manifest(self) -> Manifest:
        return dict(self._manifest)

    async def restore(self, manifest: Manifest) -> None:
        """Make the folder equal to a manifest, whatever an earlier attempt left in it."""
        if self.root.exists():
            shutil.rmtree(self.root)
        self.root.mkdir(parents=True)
        for path, digest in manifest.items():
            target = self.path(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(await self._blobs.get(digest))
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
            content = self.path(path).read_bytes()
            if len(content) > MAX_FILE_BYTES:
                raise TryAgain(f"{path} has {len(content)} bytes; {MAX_FILE_BYTES} are allowed.")
            digest = digest_of(content)
            if self._manifest.get(path) != digest:
                await self._blobs.put(content)
            manifest[path] = digest
        self._manifest = manifest
        return dict(manifest)

    def files(self) -> Iterator[str]:
        """Relative paths of the regular files, sorted. Links are not followed and not listed."""
        for path in sorted(self.root.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(self.root).as_posix()

    def path(self, name: str) -> Path:
        """Where a file of the workspace lies.

        Raises:
            TryAgain: The name is empty, absolute, or leads out of the workspace, also by way of a link.
        """
        pure = PurePosixPath(name.replace("\\", "/"))
        if not name.strip() or "\0" in name or pure.is_absolute() or ".." in pure.parts:
            raise TryAgain(
                f"{name!r} is not a path inside the workspace; use a relative one like 'out/a.csv'."
            )
        target = self.root.joinpath(*pure.parts)
        if not target.resolve().is_relative_to(self.root.resolve()):
            raise TryAgain(f"{name!r} leads out of the workspace.")
        return target
