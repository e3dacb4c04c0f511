"""Blobs in a folder."""

import asyncio
import os
import tempfile
from pathlib import Path

from omniforge.errors import BlobMissing, StorageUnavailable
from omniforge.journal.blobs import digest_of


class FolderBlobs:
    """One file a blob, named by its digest. API and workers must see the same folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, content: bytes) -> str:
        digest = digest_of(content)
        if not self._is_whole(digest, len(content)):
            await asyncio.to_thread(self._write, digest, content)
        return digest

    async def get(self, digest: str) -> bytes:
        return await asyncio.to_thread(self._read, digest)

    def _is_whole(self, digest: str, size: int) -> bool:
        """A file that was cut off (by a full disk under another process, say) is written again."""
        path = self._path(digest)
        return path.is_file() and path.stat().st_size == size

    def _path(self, digest: str) -> Path:
        return self._root / digest[:2] / digest

    def _read(self, digest: str) -> bytes:
        try:
            content = self._path(digest).read_bytes()
        except OSError as error:
            raise BlobMissing(digest) from error
        if digest_of(content) != digest:
            raise BlobMissing(digest)
        return content

    def _write(self, digest: str, content: bytes) -> None:
        """Whole or not at all, and on the disk before anyone refers to it."""
        target = self._path(digest)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
                try:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                except BaseException:
                    Path(file.name).unlink()
                    raise
            Path(file.name).rename(target)
            _flush_folder(target.parent)
        except OSError as error:
            raise StorageUnavailable(f"The blob store does not take writes: {error}") from error


def _flush_folder(folder: Path) -> None:
    """The rename itself must survive a power cut, or a row would name a file that is gone."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
