"""A question to a person, in the middle of a skill."""

from collections.abc import Mapping
from typing import Any

from omniforge.errors import GaveUp
from omniforge.journal.steps import EffectClass, Json
from omniforge.tools.functions import FunctionTool
from omniforge.tools.parameters import parameters, text
from omniforge.tools.protocol import Tool, ToolCallContext, ToolSpec

_SPEC = ToolSpec(
    name="ask_user",
    description=(
        "Ask the person for whom this skill works, and wait for the answer, which may take days. Only"
        " for what neither the skill's text nor its data can tell, and never twice."
    ),
    parameters=parameters(
        required=("question",),
        question=text("One question that can be answered without knowing this conversation."),
    ),
    waits_for="input",
    effect=EffectClass.READ,
)


def ask_tool() -> Tool:
    return FunctionTool(_SPEC, _nobody)


async def _nobody(arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
    raise GaveUp("Nobody is there to answer a question here.")
