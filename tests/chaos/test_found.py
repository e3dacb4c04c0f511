"""What the suite has found, made to happen every time."""

import asyncio

from omniforge.llm.protocol import Completion, Turn
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import calling

SOON = 8.0


@requirement("DUR-3")
async def test_a_cancel_that_meets_a_segment_on_its_way_out_is_not_used_up(
    platform: Platform,
) -> None:
    """The segment ends as waiting before it can hear of the cancel: nobody must wait then."""
    started = asyncio.get_running_loop().create_future()

    async def cancel_and_ask(_: Completion) -> Turn:
        await platform.api.post(f"/api/v1/executions/{await started}/cancel")
        return calling(("ask_user", {"question": "Which colour?"}))

    platform.model.decides(cancel_and_ask)
    started.set_result(await platform.start(await platform.agent(skill("asking"))))

    async with asyncio.timeout(SOON):
        run = await platform.ended(started.result())

    assert (run["status"], run["error_code"]) == ("cancelled", "cancelled")
