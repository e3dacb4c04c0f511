"""Files of the run's workspace: read, write, list, delete."""

import json
from collections.abc import Mapping
from typing import Any

from omniforge.errors import TryAgain
from omniforge.journal.steps import EffectClass, Json
from omniforge.tools.content import binary_kind, decode
from omniforge.tools.functions import FunctionTool
from omniforge.tools.parameters import parameters, text, whole
from omniforge.tools.protocol import Tool, ToolCallContext, ToolSpec
from omniforge.tools.wording import counted

DEFAULT_LINES = 500
# As written in JSON. The gateway cuts answers at 50,000 characters; a whole part is worth more.
MAX_CHARS = 40_000

_PATH = "Path inside the workspace, such as 'report.md' or 'out/data.csv'."

_READ = ToolSpec(
    name="read_file",
    description=(
        "Read a text file of the workspace. Long files come in parts: pass the answer's next_offset"
        " to go on. For CSV and JSON data prefer table_read and table_query."
    ),
    parameters=parameters(
        required=["path"],
        path=text(_PATH),
        offset=whole("First line to read, counted from 1.", 1, 10_000_000),
        limit=whole(f"How many lines at most; {DEFAULT_LINES} unless told.", 1, 5_000),
    ),
    is_outside=True,
    effect=EffectClass.READ,
)
_WRITE = ToolSpec(
    name="write_file",
    description=(
        "Write a text file into the workspace as UTF-8, making the folders above it. Replaces an"
        " existing file unless mode is append."
    ),
    parameters=parameters(
        required=["path", "content"],
        path=text(_PATH),
        content=text("The whole text to write."),
        mode=text("overwrite (the default) or append.", enum=["overwrite", "append"]),
    ),
    writes_workspace=True,
    effect=EffectClass.READ,
)
_LIST = ToolSpec(
    name="list_files",
    description="List the files of the workspace with their sizes in bytes.",
    parameters=parameters(folder=text("Only files in this folder and the ones below it.")),
    effect=EffectClass.READ,
)
_DELETE = ToolSpec(
    name="delete_file",
    description="Delete one file of the workspace. Folders cannot be deleted.",
    parameters=parameters(required=["path"], path=text(_PATH)),
    writes_workspace=True,
    effect=EffectClass.READ,
)


def file_tools() -> list[Tool]:
    return [
        FunctionTool(_READ, _read),
        FunctionTool(_WRITE, _write),
        FunctionTool(_LIST, _list),
        FunctionTool(_DELETE, _delete),
    ]


async def _read(arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
    path = arguments["path"]
    lines = _text(path, context.workspace.read(path)).splitlines(keepends=True)
    first = int(arguments.get("offset", 1))
    if first > max(1, len(lines)):
        raise TryAgain(f"{path} has {counted(len(lines), 'line')}; there is no line {first}.")
    wanted = lines[first - 1 : first - 1 + int(arguments.get("limit", DEFAULT_LINES))]
    shown = _fitting(wanted)
    content = "".join(shown)
    answer = {
        "path": path,
        "content": content[:MAX_CHARS],
        "first_line": first,
        "last_line": first - 1 + len(shown),
        "total_lines": len(lines),
    }
    if answer["last_line"] < len(lines):
        answer["next_offset"] = first + len(shown)
    if len(content) > MAX_CHARS:
        answer["note"] = f"Line {first} has {len(content)} characters; {MAX_CHARS} are shown."
    return answer


def _text(path: str, content: bytes) -> str:
    if kind := binary_kind(content):
        raise TryAgain(
            f"{path} is {kind} of {counted(len(content), 'byte')}; only text files can be read."
        )
    return decode(content).text


def _fitting(lines: list[str]) -> list[str]:
    """As many whole lines as may be shown at once, but at least one."""
    room = MAX_CHARS
    for number, line in enumerate(lines):
        room -= len(json.dumps(line, ensure_ascii=False))
        if room < 0:
            return lines[: max(1, number)]
    return lines


async def _write(arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
    path, workspace = arguments["path"], context.workspace
    content = arguments["content"].encode("utf-8", "replace")
    if arguments.get("mode") == "append" and workspace.path(path).is_file():
        content = workspace.read(path) + content
    workspace.write(path, content)
    return {"path": path, "bytes": len(content), "lines": len(content.splitlines())}


async def _list(arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
    workspace = context.workspace
    folder = (arguments.get("folder") or "").strip().strip("/")
    if folder not in {"", "."} and not workspace.path(folder).is_dir():
        raise TryAgain(f"There is no folder {folder!r} in the workspace.")
    inside = "" if folder in {"", "."} else f"{folder.removeprefix('./')}/"
    files = [
        {"path": path, "bytes": (workspace.root / path).stat().st_size}
        for path in workspace.files()
        if path.startswith(inside)
    ]
    return {"files": files, "count": len(files)}


async def _delete(arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
    context.workspace.delete(arguments["path"])
    return {"deleted": arguments["path"]}
