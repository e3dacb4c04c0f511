"""The graph of an agent's skills."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniforge.agents.config import SkillReference
from omniforge.agents.plan import MAX_SKILLS, Plan, hand_on, with_config
from omniforge.errors import PlanInvalid


def a_skill(name: str, order: int = 1, **more: Any) -> SkillReference:
    return SkillReference(name=name, order=order, **more)


def test_a_skill_waits_for_all_skills_of_the_next_lower_order() -> None:
    plan = Plan.of([a_skill("read", 1), a_skill("sum", 5), a_skill("sort", 5), a_skill("send", 9)])

    assert plan.depends_on == {
        "read": (),
        "sum": ("read",),
        "sort": ("read",),
        "send": ("sum", "sort"),
    }


def test_equal_orders_run_side_by_side() -> None:
    plan = Plan.of([a_skill("left"), a_skill("right")])

    assert plan.ready({}, {}) == ["left", "right"]


def test_orders_count_wherever_the_skill_stands_in_the_list() -> None:
    plan = Plan.of([a_skill("send", 2), a_skill("read", 1)])

    assert plan.ready({}, {}) == ["read"]
    assert plan.last == ["send"]


def test_depends_on_takes_the_place_of_the_order() -> None:
    free = a_skill("free", 7, depends_on=())
    plan = Plan.of([a_skill("read", 1), free, a_skill("send", 2, depends_on=("free",))])

    assert plan.depends_on == {"read": (), "free": (), "send": ("free",)}
    assert plan.last == ["read", "send"]


def test_one_skill_may_be_used_twice_under_two_ids() -> None:
    plan = Plan.of([a_skill("send", 1, id="send-first"), a_skill("send", 2, id="send-second")])

    assert plan.depends_on["send-second"] == ("send-first",)


def test_a_dependency_named_twice_is_one_dependency() -> None:
    plan = Plan.of([a_skill("read"), a_skill("send", depends_on=("read", "read"))])

    assert hand_on(plan, "send", {"read": 1}, {}) == 1


def test_an_unknown_dependency_is_named_with_those_that_are_known() -> None:
    with pytest.raises(PlanInvalid, match=r"'send' depends on 'raed'.*Known: read, send\."):
        Plan.of([a_skill("read"), a_skill("send", depends_on=("raed",))])


def test_two_skills_with_one_id_are_refused() -> None:
    with pytest.raises(PlanInvalid, match="id 'read'"):
        Plan.of([a_skill("read", 1), a_skill("read", 2)])


def test_an_agent_without_skills_is_refused() -> None:
    with pytest.raises(PlanInvalid, match="at least one skill"):
        Plan.of([])


def test_an_agent_with_too_many_skills_is_refused() -> None:
    with pytest.raises(PlanInvalid, match=f"{MAX_SKILLS} skills; this one has {MAX_SKILLS + 1}"):
        Plan.of([a_skill(f"s{number}") for number in range(MAX_SKILLS + 1)])


def test_the_message_about_a_cycle_names_the_skills_in_it_and_no_other() -> None:
    circle = [a_skill("one", depends_on=("two",)), a_skill("two", depends_on=("one",))]
    with pytest.raises(PlanInvalid) as refusal:
        Plan.of([a_skill("outside", depends_on=()), *circle])

    assert refusal.value.message in {
        "The skills wait for each other: one -> two -> one.",
        "The skills wait for each other: two -> one -> two.",
    }


def test_a_skill_that_waits_for_itself_is_a_cycle() -> None:
    with pytest.raises(PlanInvalid, match="echo -> echo"):
        Plan.of([a_skill("echo", depends_on=("echo",))])


# ---- what a skill is given ---------------------------------------------------------------------


def test_the_first_skill_is_given_the_runs_input() -> None:
    plan = Plan.of([a_skill("read", 1), a_skill("send", 2)])

    assert hand_on(plan, "read", {}, {"week": 27}) == {"week": 27}


def test_a_single_predecessors_output_is_handed_on_as_it_is() -> None:
    plan = Plan.of([a_skill("read", 1), a_skill("send", 2)])

    assert hand_on(plan, "send", {"read": [1, 2]}, {"week": 27}) == [1, 2]


def test_several_outputs_are_handed_on_by_skill_id() -> None:
    plan = Plan.of([a_skill("left"), a_skill("right"), a_skill("join", 2)])
    outputs = {"left": 1, "right": 2, "elsewhere": 3}

    assert hand_on(plan, "join", outputs, {}) == {"left": 1, "right": 2}


def test_what_the_input_has_wins_over_the_configuration() -> None:
    skill = a_skill("send", config={"channel": "#all", "quiet": True})

    assert with_config(skill, {"channel": "#ops"}) == {"channel": "#ops", "quiet": True}


def test_an_input_that_is_no_object_is_left_alone() -> None:
    assert with_config(a_skill("send", config={"channel": "#all"}), "plain words") == "plain words"


# ---- for every graph ---------------------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> list[SkillReference]:
    """Skills that depend on earlier ones by id, or by order, listed in any order."""
    names = [f"s{number}" for number in range(draw(st.integers(1, 12)))]
    skills = [
        a_skill(
            name,
            depends_on=tuple(draw(st.lists(st.sampled_from(names[:place]), unique=True)))
            if place
            else (),
        )
        for place, name in enumerate(names)
    ]
    if draw(st.booleans()):
        skills = [a_skill(name, draw(st.integers(0, 4))) for name in names]
    return draw(st.permutations(skills))


@settings(deadline=None, max_examples=80)
@given(graphs(), st.data())
def test_every_skill_starts_exactly_once_and_only_after_what_it_depends_on(
    skills: list[SkillReference], data: st.DataObject
) -> None:
    plan = Plan.of(skills)
    started: dict[str, None] = {}
    completed: dict[str, None] = {}
    while len(completed) < len(skills):
        for node in plan.ready(started, completed):
            assert node not in started
            assert set(plan.depends_on[node]) <= set(completed)
            started[node] = None
        under_way = [node for node in started if node not in completed]
        assert under_way, "the plan came to a standstill"
        completed[data.draw(st.sampled_from(under_way))] = None

    assert plan.ready(started, completed) == []
    assert set(started) == {skill.id for skill in skills}


@settings(deadline=None, max_examples=40)
@given(graphs(), st.randoms(use_true_random=False))
def test_what_may_start_is_told_in_the_agents_order_however_it_is_asked(
    skills: list[SkillReference], chance: Any
) -> None:
    plan = Plan.of(skills)
    done = [skill.id for skill in skills if chance.random() < 0.5]
    ready = plan.ready({}, dict.fromkeys(done))

    assert ready == plan.ready({}, dict.fromkeys(reversed(done)))
    assert ready == [skill.id for skill in skills if skill.id in ready]
