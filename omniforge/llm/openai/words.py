"""What both forms of the API are told in the same words."""

import json
from typing import Any

from omniforge.llm.protocol import ToolAnswer, ToolCall, ToolSchema

# Some servers refuse messages without content.
NOTHING = "(nothing)"


def answer_text(answer: ToolAnswer) -> str:
    """What a tool answered. The API has no flag for a failure, so the text says it."""
    content = f"Error: {answer.content}" if answer.is_error else answer.content
    return content or NOTHING


def function_call(call: ToolCall) -> dict[str, Any]:
    arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
    return {"name": call.name, "arguments": arguments}


def function(tool: ToolSchema) -> dict[str, Any]:
    schema = {"type": "object"} | dict(tool.parameters)
    return {"name": tool.name, "description": tool.description, "parameters": schema}
