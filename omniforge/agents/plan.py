"""The graph of an agent's skills: pure, so that workflow, SDK engine and builder share it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from omniforge.agents.config import SkillReference
from omniforge.errors import PlanInvalid

# A plan is drawn, checked and kept in workflow memory as a whole; the builder makes a handful of skills.
MAX_SKILLS = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """Who depends on whom. Nodes keep the order in which the agent lists its skills.

    Skills on demand are no nodes: they are read by those that are.
    """

    depends_on: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, skills: Sequence[SkillReference]) -> "Plan":
        """Build and check the graph.

        Raises:
            PlanInvalid: Two skills share an id, a dependency is unknown, or the graph has a cycle.
        """
        _refuse_duplicates(skills)
        _refuse_unfit_for_loading([skill for skill in skills if skill.on_demand])
        steps = [skill for skill in skills if not skill.on_demand]
        if not steps:
            raise PlanInvalid(
                "All skills of the agent are on demand, so none would run. One at least has to be a step."
            )
        graph = {skill.id: _predecessors(skill, steps) for skill in steps}
        _refuse_unknown(graph)
        _refuse_cycles(graph)
        return cls(graph)

    def ready(self, started: Mapping[str, object], completed: Mapping[str, object]) -> list[str]:
        """The nodes that may start now, in the agent's order."""
        return [
            node
            for node, needed in self.depends_on.items()
            if node not in started and all(dependency in completed for dependency in needed)
        ]

    def after(self, node: str) -> set[str]:
        """The nodes that depend on a node, also by way of others."""
        found: set[str] = set()
        # A dependency has its place before those that need it, so once through is enough.
        for name in TopologicalSorter(self.depends_on).static_order():
            if not found.union({node}).isdisjoint(self.depends_on[name]):
                found.add(name)
        return found

    @property
    def last(self) -> list[str]:
        """The nodes on which nothing depends: their outputs are the run's result."""
        needed = {dependency for needs in self.depends_on.values() for dependency in needs}
        return [node for node in self.depends_on if node not in needed]


def hand_on(plan: Plan, node: str, outputs: Mapping[str, Any], input_data: Any) -> Any:
    """A skill's input: the run's, or its predecessor's output, or several outputs by skill id."""
    before = plan.depends_on[node]
    if not before:
        return input_data
    return outputs[before[0]] if len(before) == 1 else {name: outputs[name] for name in before}


def with_config(skill: SkillReference, skill_input: Any) -> Any:
    """The input with the skill's configuration laid under it."""
    return {**skill.config, **skill_input} if isinstance(skill_input, dict) else skill_input


def _predecessors(skill: SkillReference, skills: Sequence[SkillReference]) -> tuple[str, ...]:
    if skill.depends_on is not None:
        return tuple(dict.fromkeys(skill.depends_on))
    lower = [other.order for other in skills if other.order < skill.order]
    return tuple(other.id for other in skills if lower and other.order == max(lower))


def _refuse_duplicates(skills: Sequence[SkillReference]) -> None:
    if not skills:
        raise PlanInvalid("An agent needs at least one skill.")
    if len(skills) > MAX_SKILLS:
        raise PlanInvalid(f"An agent may have {MAX_SKILLS} skills; this one has {len(skills)}.")
    seen: set[str] = set()
    for skill in skills:
        if skill.id in seen:
            raise PlanInvalid(
                f"Two skills have the id {skill.id!r}; give one of them another `id`."
            )
        seen.add(skill.id)


def _refuse_unfit_for_loading(skills: Sequence[SkillReference]) -> None:
    """What says how a step is run means nothing of a skill that is read; and it is read by its name."""
    names: set[str] = set()
    for skill in skills:
        of_steps = {
            "depends_on": skill.depends_on is not None,
            "config": bool(skill.config),
            "timeout_s": skill.timeout_s is not None,
            "model": skill.model is not None,
            "fallback_models": bool(skill.fallback_models),
        }
        if wrong := [name for name, is_given in of_steps.items() if is_given]:
            raise PlanInvalid(
                f"Skill {skill.id!r} is on demand, so {', '.join(wrong)} would mean nothing. Take it out."
            )
        if skill.name in names:
            raise PlanInvalid(f"Two skills on demand are called {skill.name!r}; one is enough.")
        names.add(skill.name)


def _refuse_unknown(graph: Mapping[str, tuple[str, ...]]) -> None:
    for node, needs in graph.items():
        for dependency in needs:
            if dependency not in graph:
                raise PlanInvalid(
                    f"Skill {node!r} depends on {dependency!r}, which is not in this agent."
                    f" Known: {', '.join(graph)}."
                )


def _refuse_cycles(graph: Mapping[str, tuple[str, ...]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise PlanInvalid(
            f"The skills wait for each other: {' -> '.join(error.args[1])}."
        ) from None
