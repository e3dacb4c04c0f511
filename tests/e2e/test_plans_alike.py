"""The platform and the SDK's engine follow a plan by the same rules: the same random plans on both."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from omniforge.agents.config import SkillReference
from omniforge.errors import ModelRefused
from omniforge.llm.protocol import Completion
from tests.execution.office import Office
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import Reply, answer

INPUT = {"yes": True, "no": False, "rows": [1, 2, {"id": 3}]}
STATUSES = {"skill_completed": "completed", "skill_failed": "failed", "skill_skipped": "skipped"}


def a_plan(chance: random.Random) -> list[dict[str, Any]]:
    """Skills with every field that a place in a plan has, none of which ends the run."""
    names = [f"s{number}" for number in range(6)]
    plan: list[dict[str, Any]] = []
    for place, name in enumerate(names):
        before = sorted(chance.sample(names[:place], chance.randint(0, min(place, 2))))
        wiring: dict[str, Any] = {"name": name, "depends_on": before, "on_failure": "continue"}
        if chance.random() < 0.4:
            read = f"steps.{before[0]}.status == 'done'" if before else "input.yes"
            wiring["when"] = chance.choice(["input.no", "input.yes", read])
        kind = chance.choice(["plain", "input", "items", "fallback"])
        if kind == "input" and before:
            wiring["input"] = f'{{"saw": steps.{before[0]}.output, "yes": input.yes}}'
        if kind == "items":
            wiring["for_each"] = "input.rows"
        if kind == "fallback":
            wiring["on_failure"] = f"fallback:{name}-b"
            plan.append({"name": f"{name}-b", "on_failure": "continue"})
        plan.append(wiring)
    return plan


def reply_to(asked: Completion) -> Reply:
    """Skills tell what they were given. Two of them fail, and so does the second item of any."""
    name = asked.system.split('<skill name="')[1].split('"')[0]
    text = asked.messages[0].text
    given = json.loads(text.removeprefix("<input>\n").removesuffix("\n</input>"))
    if name in ("s1", "s3") or given == {"item": 2}:
        return ModelRefused("no")
    return answer(json.dumps({"by": name, "given": given}))


async def on_the_platform(platform: Platform, plan: list[dict[str, Any]]) -> dict[str, Any]:
    platform.model.decides(reply_to)
    run = await platform.run(*(skill(**wiring) for wiring in plan), input_data=INPUT)
    assert run["status"] == "completed", run
    return {one["id"]: (one["status"], one["output"]) for one in run["skill_results"]}


async def in_process(root: Path, plan: list[dict[str, Any]]) -> dict[str, Any]:
    office = Office(root)
    for wiring in plan:
        office.skill(wiring["name"], reply_to)
    skills = [SkillReference.model_validate(wiring) for wiring in plan]
    events = await office.run(*skills, input_data=INPUT)
    return {
        event.node: (STATUSES[event.type], event.data.get("output"))
        for event in events
        if event.type in STATUSES
    }


@requirement("EXE-1", "FR-11", "FR-12")
@pytest.mark.parametrize("seed", range(6))
async def test_a_plan_comes_to_the_same_on_the_platform_and_in_process(
    platform: Platform, tmp_path: Path, seed: int
) -> None:
    plan = a_plan(random.Random(seed))  # noqa: S311  # not for secrets

    there, here = await on_the_platform(platform, plan), await in_process(tmp_path, plan)

    assert here == there
