"""What a model is told of its calls."""

import json

from omniforge.errors import CallExcluded, CallRefused
from omniforge.journal.asking import PEOPLES_WORDS
from omniforge.journal.events import Edit
from omniforge.llm.protocol import ToolAnswer, ToolCall
from omniforge.llm.sections import outside_block
from omniforge.tools.protocol import ToolResult
from omniforge.tools.registry import ToolRegistry

# Words of the gateway, or of a person: they are meant to be followed.
_NOT_FROM_OUTSIDE = PEOPLES_WORDS | {CallRefused.code, CallExcluded.code}


def observation(
    call: ToolCall, result: ToolResult, registry: ToolRegistry, mark: str
) -> ToolAnswer:
    """The answer to one call; text that comes from outside stands between its lines."""
    text = sentence(result)
    if mark and _is_from_outside(call.name, result, registry):
        text = outside_block(text, mark, call.name)
    if result.edit is not None:
        text = f"{_changed(result.edit)}\n{text}"
    return ToolAnswer(call.id, text, is_error=not result.success)


def sentence(result: ToolResult) -> str:
    if result.error is not None:
        return result.error.message
    if isinstance(result.result, str):
        return result.result
    return json.dumps(result.result, ensure_ascii=False)


def _changed(edit: Edit) -> str:
    arguments = json.dumps(edit.arguments, ensure_ascii=False)
    why = f" They say: {edit.note}" if edit.note else ""
    return f"{edit.by} changed the arguments of this call to {arguments}.{why} What came of it:"


def _is_from_outside(tool: str, result: ToolResult, registry: ToolRegistry) -> bool:
    """A tool that is gone may have been one of an outside server."""
    if result.error is not None and result.error.code in _NOT_FROM_OUTSIDE:
        return False
    found = registry.get(tool)
    return found is None or found.spec.is_outside
