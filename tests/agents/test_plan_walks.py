"""Ways through a plan: for every graph, every outcome and every order in which skills end."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from omniforge.agents.config import SkillReference
from omniforge.agents.plan import NodeEnd, Plan, hand_on
from tests.support.requirements import requirement


@dataclass(frozen=True)
class Outcome:
    """What becomes of a skill when its turn comes."""

    holds: bool
    fails: bool


@dataclass
class Walk:
    """Through a plan, with the skills that are under way ending in an order by chance."""

    plan: Plan
    outcomes: Mapping[str, Outcome]
    stops: frozenset[str]
    ends: dict[str, NodeEnd] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    given: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    is_stopped: bool = False

    def to_its_end(self, chance: random.Random) -> "Walk":
        under_way: list[str] = []
        while not self.is_stopped and len(self.ends) < len(self.plan.depends_on):
            for node in self.plan.ready(dict.fromkeys(under_way) | self.ends, self.ends):
                assert set(self.plan.depends_on[node]) <= set(self.ends)
                if self._is_skipped(node):
                    self.ends[node] = NodeEnd.SKIPPED
                    continue
                self.started.append(node)
                self.given[node] = hand_on(self.plan, node, self.outputs, "the run's input")
                under_way.append(node)
            if under_way:
                self._end(under_way.pop(chance.randrange(len(under_way))))
        return self

    def _is_skipped(self, node: str) -> bool:
        if self.plan.is_passed_over(node, self.ends):
            return True
        return node in self.plan.deciding and not self.outcomes[node].holds

    def _end(self, node: str) -> None:
        if not self.outcomes[node].fails:
            self.ends[node], self.outputs[node] = NodeEnd.DONE, node
        elif node in self.stops:
            self.is_stopped = True
        else:
            self.ends[node] = NodeEnd.FAILED


@st.composite
def plans(draw: st.DrawFn) -> list[SkillReference]:
    """Skills with conditions and fallbacks, of which some fall back on another one still."""
    names = [f"s{number}" for number in range(draw(st.integers(1, 10)))]
    skills = []
    for place, name in enumerate(names):
        before = draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else []
        when = draw(st.sampled_from([None, "input.go"]))
        fails_to = draw(st.sampled_from(["stop", "continue", f"fallback:{name}-b"]))
        known: dict[str, Any] = {"depends_on": before, "when": when, "on_failure": fails_to}
        skills.append(SkillReference.model_validate({"name": name, **known}))
        if skills[-1].fallback:
            further = draw(st.sampled_from(["stop", "continue", f"fallback:{name}-c"]))
            skills.append(SkillReference(name=f"{name}-b", on_failure=further))
            if skills[-1].fallback:
                skills.append(SkillReference(name=f"{name}-c", on_failure="continue"))
    return draw(st.permutations(skills))


@requirement("FR-11", "FR-12")
@settings(deadline=None, max_examples=300)
@given(plans(), st.data())
def test_every_way_through_a_plan_ends_and_is_the_same_in_any_order(
    skills: list[SkillReference], data: st.DataObject
) -> None:
    plan = Plan.of(skills)
    outcomes = {
        node: Outcome(data.draw(st.booleans()), data.draw(st.booleans()))
        for node in plan.depends_on
    }
    stops = frozenset(skill.id for skill in skills if skill.on_failure == "stop")

    orders = data.draw(st.lists(st.randoms(use_true_random=False), min_size=3, max_size=3))
    walks = [Walk(plan, outcomes, stops).to_its_end(order) for order in orders]

    first = walks[0]
    for walk in walks:
        _refuse_impossible(walk)
        assert walk.is_stopped == first.is_stopped
        if not walk.is_stopped:
            assert set(walk.ends) == set(plan.depends_on)
            assert (walk.ends, walk.outputs, walk.given) == (first.ends, first.outputs, first.given)


def _refuse_impossible(walk: Walk) -> None:
    """What holds of every walk, also of one that a failure has stopped."""
    plan = walk.plan
    assert len(set(walk.started)) == len(walk.started)
    for node in walk.started:
        assert walk.ends.get(node) is not NodeEnd.SKIPPED
        if (replaced := plan.replaced_by(node)) is not None:
            assert walk.ends[replaced] is NodeEnd.FAILED
    for of, stand_in in plan.fallbacks.items():
        if walk.ends.get(of) is NodeEnd.FAILED and not walk.is_stopped:
            assert stand_in in walk.started
            assert walk.given[stand_in] == walk.given[of]
    for node, end in walk.ends.items():
        before = plan.needs[node]
        ends = [walk.ends[name] for name in before]
        if before and set(ends) == {NodeEnd.SKIPPED} and node not in plan.deciding:
            assert end is NodeEnd.SKIPPED


@settings(deadline=None, max_examples=100)
@given(plans())
def test_before_and_after_are_each_others_mirror(skills: list[SkillReference]) -> None:
    plan = Plan.of(skills)

    for node in plan.depends_on:
        assert plan.before(node) == {one for one in plan.depends_on if node in plan.after(one)}
