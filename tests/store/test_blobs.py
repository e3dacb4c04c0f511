"""Blobs in a folder: whole or not at all."""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from omniforge.errors import BlobMissing, StorageUnavailable
from omniforge.journal.blobs import digest_of
from omniforge.store.blobs import FolderBlobs


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


def files_in(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]


@pytest.mark.parametrize("content", [b"", b"text", bytes(range(256)) * 1_000])
async def test_what_was_put_comes_back(blobs: FolderBlobs, content: bytes) -> None:
    digest = await blobs.put(content)

    assert digest == digest_of(content)
    assert await blobs.get(digest) == content


async def test_the_same_bytes_are_stored_once_also_when_many_put_them_at_once(
    blobs: FolderBlobs, tmp_path: Path
) -> None:
    digests = await asyncio.gather(*(blobs.put(b"same") for _ in range(10)))

    assert len(set(digests)) == 1
    assert [path.name for path in files_in(tmp_path)] == [digests[0]]


async def test_bytes_nobody_put_are_missing(blobs: FolderBlobs) -> None:
    with pytest.raises(BlobMissing, match="share one"):
        await blobs.get(digest_of(b"never"))


async def test_a_file_that_was_changed_is_not_given_out(blobs: FolderBlobs, tmp_path: Path) -> None:
    digest = await blobs.put(b"as it was")
    files_in(tmp_path)[0].write_bytes(b"changed")

    with pytest.raises(BlobMissing):
        await blobs.get(digest)


async def test_putting_the_bytes_again_mends_a_file_that_was_cut_off(
    blobs: FolderBlobs, tmp_path: Path
) -> None:
    digest = await blobs.put(b"as it was")
    files_in(tmp_path)[0].write_bytes(b"as it")

    await blobs.put(b"as it was")

    assert await blobs.get(digest) == b"as it was"


async def test_a_write_that_fails_leaves_nothing_behind(
    blobs: FolderBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageUnavailable, match="No space left"):
        await blobs.put(b"too much")

    assert files_in(tmp_path) == []


async def test_a_folder_that_cannot_be_made_is_storage_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StorageUnavailable):
        await FolderBlobs(tmp_path / "file" / "blobs").put(b"text")
