"""Skills that are read when they are needed are no steps of the plan."""

from typing import Any

import pytest

from omniforge.agents.config import SkillReference
from omniforge.agents.plan import Plan
from omniforge.errors import PlanInvalid
from tests.support.requirements import requirement


def step(name: str, order: int = 1, **more: Any) -> SkillReference:
    return SkillReference(name=name, order=order, **more)


def read(name: str, **more: Any) -> SkillReference:
    return SkillReference(name=name, on_demand=True, **more)


@requirement("SKL-3")
def test_a_plan_is_made_of_the_steps_alone() -> None:
    plan = Plan.of([read("tone", order=0), step("find"), read("maths", order=1), step("post", 2)])

    assert plan.depends_on == {"find": (), "post": ("find",)}
    assert plan.last == ["post"]


@pytest.mark.parametrize(
    ("skills", "why"),
    [
        ([read("tone")], "All skills of the agent are on demand"),
        ([step("find", depends_on=("tone",)), read("tone")], "depends on 'tone', which is not"),
        ([step("find"), read("tone", depends_on=("find",))], "depends_on would mean nothing"),
        (
            [step("find"), read("tone", config={"a": 1}, model="m")],
            "config, model would mean nothing",
        ),
        (
            [step("find"), read("tone"), read("tone", id="again")],
            "Two skills on demand are called 'tone'",
        ),
        ([step("tone"), read("tone")], "Two skills have the id 'tone'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(
    skills: list[SkillReference], why: str
) -> None:
    with pytest.raises(PlanInvalid, match=why):
        Plan.of(skills)


def test_a_skill_may_be_a_step_and_be_read_by_others() -> None:
    plan = Plan.of([step("tone"), read("tone", id="tone-to-read"), step("find", 2)])

    assert list(plan.depends_on) == ["tone", "find"]
