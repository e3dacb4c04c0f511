"""A person changes a call's arguments, and the worker dies anywhere between that and its record.

One platform and one kill for all calls: each is held at a moment of its own.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from omniforge.journal.ports import Decision
from omniforge.journal.steps import EffectClass
from tests.kill.cases import Call, Case
from tests.kill.moments import Moment, gate_of
from tests.kill.stage import PATIENCE, Stage
from tests.support.platform import FINAL
from tests.support.requirements import requirement

CALL_TIMEOUT = 9.0

MOMENTS = [
    Moment.BEFORE_DECISION,
    Moment.AFTER_DECISION,
    Moment.SENT_RECORDED,
    Moment.BEFORE_SENDING,
    Moment.BEFORE_REPLY,
    Moment.BEFORE_RECORD,
]
CELLS = [
    (kind, moment)
    for kind in (EffectClass.KEYED, EffectClass.FINDABLE, EffectClass.READ)
    for moment in MOMENTS
    if kind is not EffectClass.READ or moment is not Moment.SENT_RECORDED
]


class Edited:
    """One call that is asked for as a draft, and changed into another one, held at its moment."""

    def __init__(self, kind: EffectClass, moment: Moment) -> None:
        self.name = f"{kind}-{moment.name}".lower()
        self.moment = moment
        self.draft, self.final = f"draft-{self.name}", f"final-{self.name}"
        self.case = Case(self.name, ((Call(self.draft, kind),),))
        self.gate = self.final
        self.execution = ""
        self.question: dict[str, Any] = {}

    @property
    def is_deciding(self) -> bool:
        return self.moment in {Moment.BEFORE_DECISION, Moment.AFTER_DECISION}

    @property
    def arguments(self) -> dict[str, str]:
        moment = Moment.CALM if self.is_deciding else self.moment
        return {"place": self.final, "moment": moment}


@pytest.fixture(scope="module")
async def killed(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Stage, list[Edited]]]:
    """All calls after their runs have ended."""
    async with Stage.set(tmp_path_factory.mktemp("edits"), CALL_TIMEOUT) as stage:
        calls = [Edited(kind, moment) for kind, moment in CELLS]
        agent = await stage.new_agent(permissions=[{"action": "ask", "tool": "post_*"}])
        for call in calls:
            call.execution = await stage.start(agent, call.case)
        await _until_asked(stage, calls)
        deciding = [asyncio.create_task(_decide(stage, call)) for call in calls]
        gates = {call.gate for call in calls}
        await stage.service.until(lambda: gates <= stage.service.parked, PATIENCE)
        stage.platform.kill("worker")
        await asyncio.gather(*deciding)
        await _until_ended(stage, agent)
        yield stage, calls


async def _until_asked(stage: Stage, calls: list[Edited]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not all(call.question for call in calls):
            asked = {one["execution_id"]: one for one in await stage.questions()}
            for call in calls:
                call.question = asked.get(call.execution, {})
            await asyncio.sleep(0.1)
    for call in calls:
        if call.is_deciding:
            call.gate = gate_of(call.question["id"], call.moment)
        stage.service.hold(call.gate)


async def _decide(stage: Stage, call: Edited) -> None:
    await stage.decide(call.question["id"], Decision.EDIT, arguments=call.arguments)


async def _until_ended(stage: Stage, agent: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while any(run["status"] not in FINAL for run in (await stage.runs(agent)).values()):
            await asyncio.sleep(0.1)


@pytest.mark.long
@requirement("DUR-1", "DUR-4")
async def test_whenever_the_worker_dies_the_call_is_made_once_with_what_the_person_made_of_it(
    killed: tuple[Stage, list[Edited]],
) -> None:
    stage, calls = killed

    for call in calls:
        (step,) = [s for s in await stage.steps(call.execution) if s["kind"] == "tool"]
        assert step["status"] == "confirmed", call.name
        assert step["arguments"]["place"] == call.draft, call.name
        assert step["edit"]["arguments"] == call.arguments, call.name
        assert step["answer"] == {"posted": call.final}, call.name
        assert stage.service.commits[call.draft] == 0, call.name
        done = stage.service.commits[call.final]
        is_read = step["effect_class"] is None
        assert done >= 1 if is_read else done == 1, call.name
