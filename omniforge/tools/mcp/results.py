"""What a server's answer is to a skill: JSON or text, with pictures and the like laid down as files."""

import base64
import binascii
import hashlib
import mimetypes
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omniforge.errors import TryAgain
from omniforge.journal.steps import Json, as_recorded
from omniforge.tools.protocol import WithFiles
from omniforge.tools.wording import shortened
from omniforge.tools.workspace import Workspace

if TYPE_CHECKING:
    from mcp_types import CallToolResult, ContentBlock

FOLDER = "mcp"
MAX_FILES = 20
_MAX_ERROR = 4_000
# Common names of types that Python's table has under others.
_SUFFIXES = {"audio/wav": ".wav", "audio/mp3": ".mp3", "image/webp": ".webp", "image/jpg": ".jpg"}


@dataclass(slots=True)
class _Parts:
    texts: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


async def answer_of(result: "CallToolResult", server: str, workspace: Workspace) -> Json:
    """The answer of a call.

    Raises:
        TryAgain: The tool says that it failed, and how.
    """
    parts = _Parts()
    for block in result.content:
        _take(block, server, parts)
    text = "\n".join(parts.texts)
    if result.is_error:
        said = shortened(text or "it does not say why", _MAX_ERROR)
        raise TryAgain(f"The tool says that it failed: {said}")
    data = as_recorded(result.structured_content)
    if not parts.files and not parts.notes:
        return text if data is None else data
    answer: dict[str, Any] = {"text": text} if data is None else {"data": data}
    if not parts.files:
        return answer | {"notes": parts.notes}
    return await _laid_down(answer, parts, workspace)


async def _laid_down(answer: dict[str, Any], parts: _Parts, workspace: Workspace) -> WithFiles:
    """The call has happened, so a file that finds no room is a note and not a failure."""
    async with workspace.writing:
        written = []
        for name, content in parts.files.items():
            try:
                workspace.write(name, content)
                written.append(name)
            except TryAgain as problem:
                parts.notes.append(problem.message)
        try:
            manifest = await workspace.snapshot()
        except TryAgain as problem:
            for name in written:
                workspace.delete(name)
            written, manifest = [], workspace.manifest
            parts.notes.append(problem.message)
    told = answer | {"files": written}
    return WithFiles(told | {"notes": parts.notes} if parts.notes else told, manifest)


def _take(block: "ContentBlock", server: str, parts: _Parts) -> None:
    match block.type:
        case "text":
            parts.texts.append(block.text)
        case "image" | "audio":
            _take_bytes(block.data, block.mime_type, server, parts)
        case "resource_link":
            parts.texts.append(f"[{block.name}]({block.uri})")
        case "resource":
            resource = block.resource
            if hasattr(resource, "text"):
                parts.texts.append(resource.text)
            else:
                kind = resource.mime_type or "application/octet-stream"
                _take_bytes(resource.blob, kind, server, parts)


def _take_bytes(encoded: str, kind: str, server: str, parts: _Parts) -> None:
    if len(parts.files) >= MAX_FILES:
        parts.notes.append(f"Only the first {MAX_FILES} files were kept.")
        return
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        parts.notes.append(f"A part of type {shortened(kind)} could not be decoded.")
        return
    mark = hashlib.sha256(content).hexdigest()[:12]
    plain = kind.partition(";")[0].strip().casefold()
    suffix = _SUFFIXES.get(plain) or mimetypes.guess_extension(plain) or ".bin"
    parts.files[f"{FOLDER}/{server}/{mark}{suffix}"] = content
