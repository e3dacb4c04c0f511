"""Many runs at once. How fast is for `make bench`; here it is that all are under way, and all arrive."""

import asyncio

from omniforge.llm.protocol import Completion, Turn
from tests.support.platform import PATIENCE, Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer

MANY = 120
SIDE_BY_SIDE = 8


class Meeting:
    """A model that answers nobody before so many have asked."""

    def __init__(self, of: int) -> None:
        self._barrier = asyncio.Barrier(of)

    async def __call__(self, _: Completion) -> Turn:
        async with asyncio.timeout(PATIENCE):
            await self._barrier.wait()
        return answer('{"met": true}')


@requirement("NFR-5")
async def test_more_than_a_hundred_runs_are_under_way_at_once_and_none_is_lost(
    platform: Platform,
) -> None:
    platform.model.decides(Meeting(MANY))
    agent = await platform.agent(skill("meeting"))

    executions = await asyncio.gather(*(platform.start(agent) for _ in range(MANY)))
    ends = [await platform.ended(execution) for execution in executions]

    assert {run["status"] for run in ends} == {"completed"}
    assert len({run["id"] for run in ends}) == MANY


@requirement("NFR-5", "FR-11")
async def test_all_skills_of_a_step_are_at_work_at_once(platform: Platform) -> None:
    platform.model.decides(Meeting(SIDE_BY_SIDE))

    run = await platform.run(*(skill(f"side-{n}") for n in range(SIDE_BY_SIDE)))

    assert run["status"] == "completed"
