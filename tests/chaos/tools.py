"""The operator's tools of the suite, as `OMNIFORGE_TOOLS` loads them: one post, every class of effect.

The call itself says where the outside service is, so these need no settings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2

from omniforge.errors import OutcomeUnknown, TryAgain
from omniforge.journal.steps import EffectClass, Json
from omniforge.tools.functions import FunctionTool
from omniforge.tools.parameters import parameters, text
from omniforge.tools.protocol import ToolCallContext, ToolSpec
from tests.chaos.outside import BUSY_WORD

CALL_TIMEOUT = timedelta(seconds=4)
VISIBLE_AFTER = timedelta(seconds=0.3)


async def _ask(arguments: Mapping[str, Any], path: str, **asked: str) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=None, trust_env=False) as client:
        return await client.post(f"{arguments['world']}/{path}", json=asked)


def _spec(name: str, effect: EffectClass) -> ToolSpec:
    return ToolSpec(
        name=name,
        description="Post to a place.",
        parameters=parameters(
            required=("world", "place"), world=text("The service."), place=text("Where to.")
        ),
        effect=effect,
        timeout=CALL_TIMEOUT,
        key_lifetime=timedelta(hours=1),
        visible_after=VISIBLE_AFTER,
    )


async def _post(arguments: Mapping[str, Any], kind: EffectClass, key: str) -> Json:
    try:
        reply = await _ask(arguments, "posts", place=arguments["place"], kind=kind, key=key)
    except httpx2.HTTPError as error:
        raise OutcomeUnknown(f"no answer: {error}") from error
    if reply.is_server_error:
        raise TryAgain(f"The service is {BUSY_WORD}; call again.")
    return reply.json()


def _posting(kind: EffectClass) -> FunctionTool:
    async def run(arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        return await _post(arguments, kind, context.effect_id)

    return FunctionTool(_spec(f"post_{kind}", kind), run)


@dataclass(frozen=True, slots=True)
class FindableTool(FunctionTool):
    async def find(
        self, effect_id: str, arguments: Mapping[str, Any], context: ToolCallContext
    ) -> Json | None:
        place = (await _ask(arguments, "lookups", key=effect_id)).json()
        return None if place is None else {"posted": place}


async def _post_bare(arguments: Mapping[str, Any], _: ToolCallContext) -> Json:
    return await _post(arguments, EffectClass.ASK, "")


post_read = _posting(EffectClass.READ)
post_keyed = _posting(EffectClass.KEYED)
post_ask = _posting(EffectClass.ASK)
post_findable = FindableTool(
    _spec("post_findable", EffectClass.FINDABLE), _posting(EffectClass.FINDABLE).function
)
# What is posted without a ledger: it changes the world and says that it only reads.
post_bare = FunctionTool(_spec("post_bare", EffectClass.READ), _post_bare)
