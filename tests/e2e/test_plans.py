"""Plans through the whole product: conditions, items, failures that do not end a run."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from omniforge.errors import ModelAuthFailed
from omniforge.llm.protocol import Completion
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import Reply, answer, is_of

Answers = dict[str, Callable[[dict[str, Any]], Any]]


def scripted(answers: Answers) -> Callable[[Completion], Reply]:
    """Each skill by its name: what it makes of its input, or the error its model gives."""

    def decide(asked: Completion) -> Reply:
        name = next(name for name in answers if is_of(asked, name))
        found = re.search(r"\{.*\}", asked.messages[0].text, re.DOTALL)
        made = answers[name](json.loads(found.group()) if found else {})
        return made if isinstance(made, ModelAuthFailed) else answer(json.dumps(made))

    return decide


def broken(_: dict[str, Any]) -> ModelAuthFailed:
    return ModelAuthFailed("no")


def statuses(run: dict[str, Any]) -> dict[str, str]:
    return {result["id"]: result["status"] for result in run["skill_results"]}


@requirement("FR-12")
@pytest.mark.parametrize(
    ("total", "ran", "not_ran"), [(3, "small", "large"), (30, "large", "small")]
)
async def test_rules_decide_which_branch_runs(
    platform: Platform, total: int, ran: str, not_ran: str
) -> None:
    platform.model.decides(
        scripted(
            {
                "count": lambda given: {"total": given["total"]},
                "small": lambda given: {"from": "small", "saw": given["total"]},
                "large": lambda given: {"from": "large", "saw": given["total"]},
                "join": lambda given: given,
            }
        )
    )
    run = await platform.run(
        skill("count"),
        skill("small", order=2, when="steps.count.output.total < 10"),
        skill("large", order=2, when="steps.count.output.total >= 10"),
        skill("join", order=3),
        input_data={"total": total},
    )

    assert run["result"] == {ran: {"from": ran, "saw": total}}
    assert statuses(run)[not_ran] == "skipped"
    told = [
        e["body"] for e in await platform.events(run["id"]) if e["body"]["type"] == "skill_skipped"
    ]
    assert [body["skill_name"] for body in told] == [not_ran]
    assert "does not hold" in told[0]["reason"]


@requirement("FR-12")
async def test_what_follows_a_skipped_skill_is_skipped_unless_it_decides_for_itself(
    platform: Platform,
) -> None:
    platform.model.decides(scripted({"always": lambda given: given, "first": lambda given: given}))

    run = await platform.run(
        skill("first"),
        skill("never", order=2, when="input.n > 5"),
        skill("after", order=3),
        skill("always", order=4, when="steps.never.status == 'skipped'"),
        input_data={"n": 1},
    )

    assert statuses(run) == {
        "first": "completed",
        "never": "skipped",
        "after": "skipped",
        "always": "completed",
    }
    assert run["result"] == {"n": 1}


@requirement("FR-7")
async def test_an_expression_makes_the_input_of_a_skill(platform: Platform) -> None:
    platform.model.decides(
        scripted({"read": lambda _: {"rows": [1, 2, 3]}, "tell": lambda given: given})
    )

    run = await platform.run(
        skill("read"),
        skill(
            "tell",
            order=2,
            input="{'count': size(steps.read.output.rows), 'who': input.who}",
            config={"tone": "kind"},
        ),
        input_data={"who": "Anna"},
    )

    assert run["result"] == {"count": 3, "who": "Anna", "tone": "kind"}


@requirement("FR-11")
async def test_a_skill_runs_for_each_item_and_hands_on_their_outputs_in_order(
    platform: Platform,
) -> None:
    at_once = most = 0

    async def slowly(asked: Completion) -> Reply:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.05)
        at_once -= 1
        return scripted(
            {
                "list": lambda _: {"rows": [{"n": n} for n in range(7)]},
                "double": lambda given: given["n"] * 2,
                "sum": lambda given: given,
            }
        )(asked)

    platform.model.decides(slowly)
    run = await platform.run(
        skill("list"),
        skill("double", order=2, for_each="steps.list.output.rows"),
        skill("sum", order=3, input="{'doubled': steps.double.output}"),
        limits={"max_parallel": 3},
    )

    assert run["status"] == "completed", run["error"]
    assert run["result"] == {"doubled": [{"answer": 2 * n} for n in range(7)]}
    assert most == 3
    assert [one for one in statuses(run) if "[" in one] == [f"double[{n}]" for n in range(7)]


@requirement("FR-11")
async def test_an_empty_list_makes_an_empty_output(platform: Platform) -> None:
    platform.model.decides(scripted({"sum": lambda given: given}))

    run = await platform.run(
        skill("double", for_each="input.rows"),
        skill("sum", order=2, input="{'found': steps.double.output}"),
        input_data={"rows": []},
    )

    assert (run["status"], run["result"]) == ("completed", {"found": []})


@requirement("FR-11")
async def test_a_run_goes_on_without_an_item_that_failed(platform: Platform) -> None:
    platform.model.decides(
        scripted({"double": lambda given: broken({}) if given["item"] == 1 else given})
    )

    run = await platform.run(
        skill("double", for_each="input.rows", on_failure="continue"),
        input_data={"rows": [0, 1, 2]},
    )

    assert run["status"] == "completed"
    assert run["result"] == [{"item": 0}, None, {"item": 2}]
    assert statuses(run)["double[1]"] == "failed"


@requirement("FR-12")
async def test_another_skill_takes_the_place_of_one_that_failed(platform: Platform) -> None:
    platform.model.decides(
        scripted(
            {
                "fancy": broken,
                "plain": lambda given: {"plain": given["n"]},
                "send": lambda given: {"sent": given},
            }
        )
    )

    run = await platform.run(
        skill("fancy", on_failure="fallback:plain"),
        skill("plain"),
        skill("send", order=2),
        input_data={"n": 4},
    )

    assert (run["status"], run["result"]) == ("completed", {"sent": {"plain": 4}})
    assert statuses(run) == {"fancy": "failed", "plain": "completed", "send": "completed"}


@requirement("FR-12")
async def test_a_fallback_is_skipped_when_nothing_failed(platform: Platform) -> None:
    platform.model.decides(
        scripted({"fancy": lambda given: {"fancy": True}, "send": lambda given: given})
    )

    run = await platform.run(
        skill("fancy", on_failure="fallback:plain"), skill("plain"), skill("send", order=2)
    )

    assert run["result"] == {"fancy": True}
    assert statuses(run) == {"fancy": "completed", "plain": "skipped", "send": "completed"}


@requirement("FR-12")
async def test_a_condition_that_cannot_be_worked_out_fails_its_skill(platform: Platform) -> None:
    run = await platform.run(skill("one", when="input.missing.deeper > 1"), input_data={"n": 1})

    assert run["status"] == "failed"
    assert (run["error_code"], run["error_skill"]) == ("condition_failed", "one")


@requirement("DUR-5")
async def test_a_run_with_branches_and_items_replays_identically(platform: Platform) -> None:
    platform.model.decides(
        scripted(
            {
                "double": lambda given: {"twice": given["item"] * 2},
                "small": lambda given: {"small": True},
                "fancy": broken,
                "plain": lambda given: {"plain": True},
            }
        )
    )
    run = await platform.run(
        skill("double", for_each="input.rows"),
        skill("small", order=2, when="size(steps.double.output) > 5"),
        skill("fancy", order=2, on_failure="fallback:plain"),
        skill("plain"),
        input_data={"rows": [1, 2, 3]},
    )
    asked = len(platform.model.asked)

    started = await platform.api.post(f"/api/v1/executions/{run['id']}/replay")
    replay = await platform.ended(started.json()["execution_id"])
    compared = await platform.api.get(f"/api/v1/executions/{replay['id']}/comparison")

    assert run["status"] == replay["status"] == "completed", replay["error"]
    assert compared.json()["identical"], compared.json()["difference"]
    assert len(platform.model.asked) == asked
