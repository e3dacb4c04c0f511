"""How skills become a plan, and by which rule."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniforge.agents.config import SkillReference
from omniforge.agents.plan import Plan
from omniforge.agents.strategies import Strategy, wire
from omniforge.errors import PlanInvalid
from tests.support.requirements import requirement


def a_skill(name: str, **more: Any) -> SkillReference:
    return SkillReference.model_validate({"name": name, **more})


def needs(skills: tuple[SkillReference, ...]) -> dict[str, tuple[str, ...]]:
    return dict(Plan.of(skills).needs)


@requirement("ENG-6")
def test_multi_is_a_chain_in_which_each_sees_the_task_and_what_the_one_before_it_gave() -> None:
    wiring = wire(
        Strategy.MULTI, [a_skill(name) for name in ("reviewer", "architect", "developer")]
    )

    assert needs(wiring.skills) == {
        "architect": (),
        "developer": ("architect",),
        "reviewer": ("developer",),
    }
    assert [skill.input for skill in wiring.skills] == [
        None,
        '{"task": input, "architect": steps["architect"].output}',
        '{"task": input, "developer": steps["developer"].output}',
    ]


def test_multi_without_skills_takes_those_that_are_called_like_the_roles() -> None:
    assert [skill.name for skill in wire(Strategy.MULTI, []).skills] == [
        "architect",
        "developer",
        "reviewer",
    ]


def test_a_chain_of_other_skills_keeps_their_order_and_what_they_say_themselves() -> None:
    plain = [a_skill("draft"), a_skill("check", input="steps.draft.output", timeout_s=5)]

    wiring = wire(Strategy.MULTI, plain)

    assert needs(wiring.skills) == {"draft": (), "check": ("draft",)}
    assert wiring.skills[1].input == "steps.draft.output"
    assert wiring.skills[1].timeout_s == 5


def test_a_chain_keeps_fallbacks_and_skills_on_demand() -> None:
    skills = [
        a_skill("a", on_failure="fallback:c"),
        a_skill("c"),
        a_skill("b"),
        a_skill("style", on_demand=True),
    ]

    wiring = wire(Strategy.MULTI, skills)

    assert needs(wiring.skills) == {"a": (), "b": ("a",), "c": ()}
    assert wiring.skills[-1].on_demand


@requirement("ENG-6", "FR-11")
def test_parallel_is_the_graph_that_is_declared() -> None:
    declared = [a_skill("a"), a_skill("b"), a_skill("c", depends_on=("a", "b"))]
    by_order = [a_skill("a", order=1), a_skill("b", order=2)]

    assert needs(wire(Strategy.PARALLEL, declared).skills) == {"a": (), "b": (), "c": ("a", "b")}
    assert needs(wire(Strategy.PARALLEL, by_order).skills) == {"a": (), "b": ("a",)}


@requirement("ENG-6")
def test_single_is_one_skill_and_refuses_more() -> None:
    assert needs(wire(Strategy.SINGLE, [a_skill("a")]).skills) == {"a": ()}
    with pytest.raises(PlanInvalid, match="takes one skill that is a step; here are 2"):
        wire(Strategy.SINGLE, [a_skill("a"), a_skill("b")])


def test_a_chain_refuses_skills_that_say_what_they_wait_for() -> None:
    with pytest.raises(PlanInvalid, match="`depends_on` of 'b' would mean nothing"):
        wire(Strategy.MULTI, [a_skill("a"), a_skill("b", depends_on=("a",))])


@requirement("ENG-6")
@pytest.mark.parametrize(
    ("skills", "strategy", "because"),
    [
        ([], "multi", "no skills are named"),
        ([a_skill("a"), a_skill("b", on_demand=True)], "single", "there is one skill"),
        ([a_skill("a"), a_skill("b", order=2)], "parallel", "say themselves"),
        ([a_skill("a"), a_skill("b", depends_on=())], "parallel", "say themselves"),
        ([a_skill("developer"), a_skill("lead-architect")], "multi", "has a role"),
        ([a_skill("developer"), a_skill("web-developer")], "parallel", "nothing says"),
        ([a_skill("a"), a_skill("b")], "parallel", "nothing says"),
    ],
)
def test_the_first_rule_that_fits_decides(
    skills: list[SkillReference], strategy: str, because: str
) -> None:
    chosen = wire("auto", skills)

    assert chosen.strategy == strategy
    assert because in chosen.because


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(["a", "b", "architect", "x-developer"]), min_size=1, unique=True))
def test_what_auto_chooses_always_makes_a_plan_and_always_the_same(names: list[str]) -> None:
    skills = [a_skill(name) for name in names]

    assert wire("auto", skills) == wire("auto", skills)
    assert set(needs(wire("auto", skills).skills)) == set(names)
