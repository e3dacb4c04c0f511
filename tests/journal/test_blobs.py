"""Folders made of blobs."""

import pytest

from omniforge.errors import BlobMissing
from omniforge.journal.blobs import digest_of, get_folder, manifest_bytes, put_folder
from omniforge.journal.memory import MemoryBlobs

FILES = {"SKILL.md": b"text", "scripts/a.py": b"print()", "empty": b""}


async def test_a_folder_comes_back_from_its_hash() -> None:
    blobs = MemoryBlobs()

    assert await get_folder(blobs, await put_folder(blobs, FILES)) == FILES


async def test_the_hash_does_not_depend_on_the_order_of_the_files() -> None:
    blobs = MemoryBlobs()
    backwards = dict(reversed(FILES.items()))

    assert await put_folder(blobs, FILES) == await put_folder(blobs, backwards)


async def test_any_changed_byte_or_name_is_another_hash() -> None:
    blobs = MemoryBlobs()
    hashes = {
        await put_folder(blobs, FILES),
        await put_folder(blobs, {**FILES, "SKILL.md": b"text."}),
        await put_folder(blobs, {**FILES, "more": b""}),
        await put_folder(blobs, {}),
    }

    assert len(hashes) == 4


async def test_a_hash_nobody_stored_is_missing() -> None:
    with pytest.raises(BlobMissing, match="share one"):
        await get_folder(MemoryBlobs(), digest_of(b"never"))


def test_a_manifest_has_one_spelling() -> None:
    assert manifest_bytes({"b": "2", "a": "1"}) == b'{"a":"1","b":"2"}'
