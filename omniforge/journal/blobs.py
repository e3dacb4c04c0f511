"""Content-addressed bytes, and folders made of them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Protocol

Manifest = Mapping[str, str]
"""A folder as data: relative POSIX path -> digest of the file's bytes."""


class BlobStore(Protocol):
    """Bytes by their SHA-256. Putting the same bytes twice is free; what was put is durable on return."""

    async def put(self, content: bytes) -> str: ...

    async def get(self, digest: str) -> bytes:
        """The bytes of a digest.

        Raises:
            BlobMissing: The store does not have them.
        """
        ...


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def manifest_bytes(manifest: Manifest) -> bytes:
    """The one spelling of a manifest; its digest is the content hash of the whole folder."""
    return json.dumps(dict(sorted(manifest.items())), separators=(",", ":")).encode()


async def put_folder(blobs: BlobStore, files: Mapping[str, bytes]) -> str:
    """Store a folder and return its content hash, from which `get_folder` finds it again."""
    manifest = {path: await blobs.put(content) for path, content in files.items()}
    return await blobs.put(manifest_bytes(manifest))


async def get_folder(blobs: BlobStore, content_hash: str) -> dict[str, bytes]:
    manifest: dict[str, str] = json.loads(await blobs.get(content_hash))
    return {path: await blobs.get(digest) for path, digest in manifest.items()}
