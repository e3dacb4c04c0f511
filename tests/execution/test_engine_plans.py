"""Plans in one process: conditions, items, failures that do not end a run, strategies."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from omniforge.agents.config import AgentLimits, SkillReference
from omniforge.agents.strategies import Strategy
from omniforge.errors import ModelRefused, PlanInvalid
from omniforge.execution.engine import ExecutionEvent
from omniforge.llm.protocol import Completion
from tests.execution.office import Office, an_agent
from tests.support.requirements import requirement
from tests.support.scripted import Reply, answer


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def a_skill(name: str, order: int = 1, **more: Any) -> SkillReference:
    return SkillReference.model_validate({"name": name, "order": order, **more})


def given_to(asked: Completion) -> Any:
    text = asked.messages[0].text
    return json.loads(text.removeprefix("<input>\n").removesuffix("\n</input>"))


def echoed(asked: Completion) -> Reply:
    """What a skill was given is what it gives."""
    return answer(json.dumps({"got": given_to(asked)}))


def refused(_: Completion) -> Reply:
    return ModelRefused("no")


def told(events: list[ExecutionEvent]) -> list[tuple[str, str]]:
    return [(event.type.removeprefix("skill_"), event.node) for event in events]


def output_of(events: list[ExecutionEvent], node: str) -> Any:
    (ended,) = [one for one in events if one.node == node and one.type == "skill_completed"]
    return ended.data["output"]


@requirement("FR-12", "EXE-1")
@pytest.mark.parametrize(
    ("total", "ran", "not_ran"), [(3, "small", "large"), (30, "large", "small")]
)
async def test_a_condition_decides_which_branch_runs(
    office: Office, total: int, ran: str, not_ran: str
) -> None:
    office.skill("count", {"total": total})
    for name in ("small", "large", "join"):
        office.skill(name, echoed)

    events = await office.run(
        a_skill("count"),
        a_skill("small", 2, when="steps.count.output.total < 10"),
        a_skill("large", 2, when="steps.count.output.total >= 10"),
        a_skill("join", 3),
    )

    assert ("skipped", not_ran) in told(events)
    assert output_of(events, "join") == {"got": {ran: {"got": {"total": total}}}}


async def test_what_follows_a_skipped_skill_is_skipped_unless_it_decides_for_itself(
    office: Office,
) -> None:
    office.skill("last", echoed)

    events = await office.run(
        a_skill("first", when="false"),
        a_skill("next", 2),
        a_skill("last", 3, when='steps.next.status == "skipped"'),
        input_data={"week": 27},
    )

    assert told(events) == [
        ("skipped", "first"),
        ("skipped", "next"),
        ("started", "last"),
        ("completed", "last"),
    ]
    assert output_of(events, "last") == {"got": {"week": 27}}


@requirement("FR-7", "FR-12")
async def test_an_input_takes_the_place_of_what_is_handed_on_and_lies_over_the_configuration(
    office: Office,
) -> None:
    office.skill("find", {"rows": [1, 2]})
    office.skill("send", echoed)
    made = '{"rows": size(steps.find.output.rows), "week": input.week}'

    events = await office.run(
        a_skill("find"),
        a_skill("send", 2, input=made, config={"to": "#ops", "week": 0}),
        input_data={"week": 27},
    )

    assert output_of(events, "send") == {"got": {"to": "#ops", "week": 27, "rows": 2}}


@requirement("FR-11")
async def test_a_for_each_runs_its_items_within_the_limit_and_keeps_their_order(
    office: Office,
) -> None:
    at_work, most = 0, 0

    async def one_of_some(asked: Completion) -> Reply:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        # Later items are done sooner, so an order by completion would be another one.
        for _ in range(20 - 2 * given_to(asked)["place"]):
            await asyncio.sleep(0)
        at_work -= 1
        return echoed(asked)

    office.skill("find", {"rows": list("abcdef")})
    office.skill("send", lambda asked: one_of_some(asked))
    send = a_skill(
        "send", 2, for_each="steps.find.output.rows", input='{"row": item, "place": index}'
    )
    agent = an_agent(a_skill("find"), send).model_copy(
        update={"limits": AgentLimits(max_parallel=3)}
    )

    events = [event async for event in office.engine.execute_agent(agent, office.context, {})]

    assert most == 3
    assert [one["got"]["row"] for one in output_of(events, "send")] == list("abcdef")
    assert [node for kind, node in told(events) if kind == "started"][2:] == [
        f"send[{place}]" for place in range(6)
    ]


async def test_items_without_an_input_are_given_as_they_are_or_under_their_name(
    office: Office,
) -> None:
    office.skill("send", echoed)

    events = await office.run(
        a_skill("send", for_each="input.rows"), input_data={"rows": [{"id": 1}, "two", 3]}
    )

    assert output_of(events, "send") == [
        {"got": {"id": 1}},
        {"got": {"item": "two"}},
        {"got": {"item": 3}},
    ]


async def test_a_for_each_over_nothing_gives_nothing(office: Office) -> None:
    office.skill("sum", echoed)

    events = await office.run(
        a_skill("send", for_each="input.rows"), a_skill("sum", 2), input_data={"rows": []}
    )

    assert told(events)[:2] == [("started", "send"), ("completed", "send")]
    assert output_of(events, "send") == []


async def test_a_failed_item_is_null_when_the_plan_goes_on(office: Office) -> None:
    office.skill(
        "send", lambda asked: refused(asked) if given_to(asked)["item"] == 2 else echoed(asked)
    )

    events = await office.run(
        a_skill("send", for_each="input.rows", on_failure="continue"),
        input_data={"rows": [1, 2, 3]},
    )

    assert ("failed", "send[1]") in told(events)
    assert output_of(events, "send") == [{"got": {"item": 1}}, None, {"got": {"item": 3}}]
    assert not any(event.ends_run for event in events)


async def test_a_failed_item_ends_the_run_otherwise(office: Office) -> None:
    office.skill("send", refused)

    events = await office.run(a_skill("send", for_each="[1, 2]"), a_skill("sum", 2))

    assert (told(events)[-1], events[-1].ends_run) == (("failed", "send[0]"), True)


@requirement("FR-12")
async def test_a_fallback_takes_the_place_of_what_failed(office: Office) -> None:
    office.skill("find", refused)
    office.skill("guess", echoed)
    office.skill("sum", echoed)

    events = await office.run(
        a_skill("find", on_failure="fallback:guess"),
        a_skill("guess"),
        a_skill("sum", 2),
        input_data={"week": 27},
    )

    assert [event.ends_run for event in events] == [False] * len(events)
    assert output_of(events, "guess") == {"got": {"week": 27}}
    assert output_of(events, "sum") == {"got": {"got": {"week": 27}}}


async def test_a_fallback_is_not_needed_after_success(office: Office) -> None:
    office.skill("find", {"rows": 3})
    office.skill("sum", echoed)

    events = await office.run(
        a_skill("find", on_failure="fallback:guess"), a_skill("guess"), a_skill("sum", 2)
    )

    assert ("skipped", "guess") in told(events)
    assert output_of(events, "sum") == {"got": {"rows": 3}}


async def test_a_run_goes_on_after_a_failure_that_it_may_go_on_after(office: Office) -> None:
    office.skill("find", refused)
    office.skill("tell", echoed)

    events = await office.run(
        a_skill("find", on_failure="continue"),
        a_skill("tell", 2, input='{"status": steps.find.status, "error": steps.find.error}'),
    )

    assert output_of(events, "tell") == {
        "got": {"status": "failed", "error": "The model declined to do this. no"}
    }


@pytest.mark.parametrize("part", ["when", "for_each", "input"])
async def test_an_expression_that_cannot_be_evaluated_fails_its_skill(
    office: Office, part: str
) -> None:
    office.skill("send", echoed)

    broken: dict[str, Any] = {part: "input.rows.first"}

    events = await office.run(a_skill("send", **broken), input_data={"rows": 1})

    assert events[-1].ends_run
    assert events[-1].data["error"]["code"] == "condition_failed"
    assert "`input.rows` is a number" in events[-1].data["error"]["message"]
    assert office.model.asked == []


@requirement("EXE-4")
async def test_a_skill_has_the_time_and_the_model_that_its_place_in_the_plan_gives_it(
    office: Office,
) -> None:
    office.skill("find", lambda _: asyncio.sleep(30))
    office.skill("tell", echoed)

    events = await office.run(
        a_skill("find", timeout_s=0.05, on_failure="continue"),
        a_skill("tell", 2, model="offline/other", when="true"),
    )

    (failed,) = [event for event in events if event.type == "skill_failed"]
    assert failed.data["error"]["code"] == "skill_timed_out"
    assert office.model.asked[-1].model == "offline/other"


@requirement("ENG-6")
async def test_in_a_chain_of_roles_each_sees_in_its_prompt_what_the_one_before_it_gave(
    office: Office,
) -> None:
    for role, output in (
        ("architect", {"design": "two tables"}),
        ("developer", {"code": "create table"}),
        ("reviewer", {"verdict": "good"}),
    ):
        office.skill(role, output)
    agent = an_agent(*(a_skill(role) for role in ("reviewer", "developer", "architect")))

    events = [
        event
        async for event in office.engine.execute_agent(
            agent, office.context, {"wish": "a shop"}, strategy="auto"
        )
    ]

    assert [node for kind, node in told(events) if kind == "completed"] == [
        "architect",
        "developer",
        "reviewer",
    ]
    assert office.input_of("architect") == {"wish": "a shop"}
    assert office.input_of("developer") == {
        "task": {"wish": "a shop"},
        "architect": {"design": "two tables"},
    }
    assert office.input_of("reviewer")["developer"] == {"code": "create table"}


async def test_a_strategy_that_does_not_fit_starts_nothing(office: Office) -> None:
    agent = an_agent(a_skill("a"), a_skill("b"))

    with pytest.raises(PlanInvalid):
        async for _ in office.engine.execute_agent(
            agent, office.context, {}, strategy=Strategy.SINGLE
        ):
            pass
    assert office.model.asked == []
