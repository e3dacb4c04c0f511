"""Skills strung together in one process: the SDK's way."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from omniforge.agents.config import SkillReference
from omniforge.errors import ModelRefused, PlanInvalid
from omniforge.execution.engine import ExecutionEvent
from tests.execution.office import Office, an_agent
from tests.support.requirements import requirement
from tests.support.scripted import Reply, answer, calling, later


def told(events: list[ExecutionEvent]) -> list[tuple[str, str]]:
    return [(event.type, event.skill_name) for event in events]


READ, SUM, SEND = (SkillReference(name=n, order=o) for o, n in enumerate(("read", "sum", "send")))


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@requirement("FR-7", "EXE-1")
async def test_skills_run_in_order_and_hand_on_their_output_as_json(office: Office) -> None:
    office.skill("read", {"rows": [1, 2]})
    office.skill("sum", {"total": 3})
    office.skill("send", {"sent": True})

    events = await office.run(READ, SUM, SEND, input_data={"week": 27})

    assert told(events) == [
        ("skill_started", "read"),
        ("skill_completed", "read"),
        ("skill_started", "sum"),
        ("skill_completed", "sum"),
        ("skill_started", "send"),
        ("skill_completed", "send"),
    ]
    assert [office.input_of(name) for name in ("read", "sum", "send")] == [
        {"week": 27},
        {"rows": [1, 2]},
        {"total": 3},
    ]
    assert events[-1].data == {"output": {"sent": True}}


@requirement("FR-4")
async def test_an_agent_may_have_one_skill(office: Office) -> None:
    office.skill("read", {"rows": 3})

    events = await office.run(READ)

    assert told(events) == [("skill_started", "read"), ("skill_completed", "read")]


@requirement("EXE-1", "FR-7")
async def test_a_failure_stops_the_run_and_later_skills_never_start(office: Office) -> None:
    office.skill("read", {"rows": 3})
    office.skill("sum", lambda _: calling(("echo", {"text": "x"}), text="Still at it."))
    office.skill("send", {"sent": True})

    events = await office.run(READ, SUM, SEND)

    assert told(events)[2:] == [("skill_started", "sum"), ("skill_failed", "sum")]
    assert events[-1].data["error"]["code"] == "repetition"
    assert events[-1].data["output"] == {"partial": "Still at it."}


@requirement("EXE-1", "SKL-8")
async def test_a_missing_skill_is_a_failed_result(office: Office) -> None:
    events = await office.run(READ)

    assert told(events) == [("skill_started", "read"), ("skill_failed", "read")]
    assert events[-1].data["error"]["code"] == "skill_not_found"


@requirement("EXE-1", "SKL-8")
async def test_a_broken_skill_is_a_failed_result(office: Office) -> None:
    office.skill("read", {}, text="no frontmatter")

    result = await office.engine.execute_single_skill("read", office.context, {})

    assert result.error is not None
    assert (result.success, result.error.code) == (False, "skill_invalid")
    assert office.model.asked == []


async def test_skills_of_equal_order_run_side_by_side(office: Office) -> None:
    both = asyncio.Barrier(2)

    async def meet(reply: Reply) -> Reply:
        async with asyncio.timeout(5):
            await both.wait()
        return reply

    office.skill("left", lambda _: meet(answer('{"a": 1}')))
    office.skill("right", lambda _: meet(answer('{"b": 2}')))
    office.skill("join", {"c": 3})
    skills = (SkillReference(name="left"), SkillReference(name="right"))

    events = await office.run(*skills, SkillReference(name="join", order=2))

    assert told(events)[:2] == [("skill_started", "left"), ("skill_started", "right")]
    assert told(events)[-1] == ("skill_completed", "join")
    assert office.input_of("join") == {"left": {"a": 1}, "right": {"b": 2}}


async def test_a_failure_cancels_what_runs_beside_it_before_the_run_ends(office: Office) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def slow() -> Reply:
        begun.set()
        try:
            return await later(60, answer("late"))
        finally:
            ended.set()

    async def refuse() -> Reply:
        await begun.wait()
        return ModelRefused("no")

    office.skill("slow", lambda _: slow())
    office.skill("broken", lambda _: refuse())

    events = await office.run(SkillReference(name="slow"), SkillReference(name="broken"))

    assert told(events)[-1] == ("skill_failed", "broken")
    assert ended.is_set()


async def test_a_skills_configuration_is_laid_under_its_input(office: Office) -> None:
    office.skill("read", {"rows": 3})
    read = READ.model_copy(update={"config": {"week": 1, "limit": 5}})

    await office.run(read, input_data={"week": 27})

    assert office.input_of("read") == {"week": 27, "limit": 5}


async def test_an_agent_whose_skills_make_no_graph_starts_nothing(office: Office) -> None:
    with pytest.raises(PlanInvalid):
        await office.run(SkillReference(name="read", depends_on=("read",)))
    assert office.model.asked == []


@requirement("EXE-1")
@pytest.mark.parametrize("input_data", [{"week": 27}, "plain words", [1, 2], None])
async def test_a_single_skill_runs_by_its_name(office: Office, input_data: Any) -> None:
    office.skill("read", {"rows": 3})

    result = await office.engine.execute_single_skill("read", office.context, input_data)

    assert (result.success, result.result, result.error) == (True, {"rows": 3}, None)
    shown = input_data if isinstance(input_data, dict) else {"request": input_data}
    assert office.input_of("read") == shown


async def test_stopping_to_iterate_cancels_the_skill_under_way(office: Office) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def slow() -> Reply:
        begun.set()
        try:
            return await later(60, answer("late"))
        finally:
            ended.set()

    office.skill("read", lambda _: slow())
    events = office.engine.execute_agent(an_agent(READ), office.context, {})
    async for _ in events:
        await begun.wait()
        break
    await events.aclose()  # type: ignore[attr-defined]  # it is a generator

    assert ended.is_set()


@requirement("DUR-2")
async def test_an_effect_in_doubt_fails_the_skill_with_the_question(office: Office) -> None:
    office.service.lost_answers = 1
    office.skill("read", lambda _: calling(("post_ask", {"text": "hello"})))

    events = await office.run(READ)

    error = events[-1].data["error"]
    assert (events[-1].type, error["code"]) == ("skill_failed", "person_needed")
    assert "nobody knows whether it arrived" in error["message"]


async def test_a_skill_runs_on_the_workspace_and_the_user_of_its_caller(office: Office) -> None:
    office.skill("read", {"rows": 3})
    office.context.workspace.write("kept.txt", b"x")

    await office.run(READ)

    assert list(office.context.workspace.files()) == ["kept.txt"]
