"""The graph of an agent's skills: pure, so that workflow, SDK engine and builder share it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from typing import Any

from omniforge.agents.config import SkillReference
from omniforge.errors import PlanInvalid

# A plan is drawn, checked and kept in workflow memory as a whole; the builder makes a handful of skills.
MAX_SKILLS = 100
# Each item is a node with a journal of its own.
MAX_ITEMS = 1_000


class NodeEnd(StrEnum):
    """How a node ended in a run that goes on after it."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Plan:
    """Who depends on whom. Nodes keep the order in which the agent lists its skills.

    Skills on demand are no nodes: they are read by those that are. Who needs a skill waits for those
    that may take its place as well.
    """

    depends_on: Mapping[str, tuple[str, ...]]
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The dependencies as they were declared, without those that may take their place."""
    fallbacks: Mapping[str, str] = field(default_factory=dict)
    """Who takes a skill's place when it fails."""
    deciding: frozenset[str] = frozenset()
    """Skills with a condition of their own: it decides, also when all before them were skipped."""

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
        fallbacks = {skill.id: skill.fallback for skill in steps if skill.fallback}
        _refuse_unfit_as_fallback(fallbacks, {skill.id: skill for skill in steps})
        regular = [skill for skill in steps if skill.id not in fallbacks.values()]
        needs = {skill.id: _needs(skill, regular, fallbacks) for skill in steps}
        _refuse_unknown(needs, fallbacks)
        graph = {node: tuple(_with_fallbacks(before, fallbacks)) for node, before in needs.items()}
        graph |= {stand_in: (of, *graph[stand_in]) for of, stand_in in fallbacks.items()}
        _refuse_cycles(graph)
        return cls(graph, needs, fallbacks, frozenset(skill.id for skill in steps if skill.when))

    def ready(self, started: Mapping[str, object], ended: Mapping[str, object]) -> list[str]:
        """The nodes whose turn it is, in the agent's order."""
        return [
            node
            for node, needed in self.depends_on.items()
            if node not in started and all(dependency in ended for dependency in needed)
        ]

    def is_passed_over(self, node: str, ends: Mapping[str, NodeEnd]) -> bool:
        """Whether a node whose turn it is has nothing to do, as far as that is seen from others.

        A fallback is not needed after success. A skill without a condition of its own goes the way of
        those before it: when all of them were skipped, so is it.
        """
        if (replaced := self.replaced_by(node)) is not None:
            return ends[replaced] is not NodeEnd.FAILED
        before = self.needs[node]
        if not before or node in self.deciding:
            return False
        return all(ends[name] is NodeEnd.SKIPPED for name in before)

    def replaced_by(self, node: str) -> str | None:
        """The skill in whose place a fallback runs; None for any other skill."""
        return next((of for of, stand_in in self.fallbacks.items() if stand_in == node), None)

    def output_of(self, node: str, outputs: Mapping[str, Any]) -> Any:
        """What a skill, or whoever took its place, gave; None when nobody did."""
        while node not in outputs and node in self.fallbacks:
            node = self.fallbacks[node]
        return outputs.get(node)

    def before(self, node: str) -> set[str]:
        """The nodes that a node depends on, also by way of others."""
        found: set[str] = set()
        rest = list(self.depends_on[node])
        while rest:
            if (name := rest.pop()) not in found:
                found.add(name)
                rest += self.depends_on[name]
        return found

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
        """The skills on which nothing depends: their outputs are the run's result."""
        needed = {dependency for needs in self.needs.values() for dependency in needs}
        stand_ins = set(self.fallbacks.values())
        return [node for node in self.needs if node not in needed | stand_ins]


def hand_on(plan: Plan, node: str, outputs: Mapping[str, Any], input_data: Any) -> Any:
    """A skill's input: the run's, or its predecessor's output, or several outputs by skill id.

    `outputs` are those of the skills that were not skipped and came to an answer. A fallback is given
    what the skill was given in whose place it runs.
    """
    if (replaced := plan.replaced_by(node)) is not None:
        return hand_on(plan, replaced, outputs, input_data)
    before = plan.needs[node]
    given = {
        name: plan.output_of(name, outputs)
        for name in before
        if any(each in outputs for each in _with_fallbacks((name,), plan.fallbacks))
    }
    if not given:
        return input_data
    return given[before[0]] if len(before) == 1 else given


def with_config(skill: SkillReference, skill_input: Any) -> Any:
    """The input with the skill's configuration laid under it."""
    return {**skill.config, **skill_input} if isinstance(skill_input, dict) else skill_input


def item_node(node: str, index: int) -> str:
    """The node of one item of a `for_each`."""
    return f"{node}[{index}]"


def skill_of(node: str) -> str:
    """The id of the skill that a node is of."""
    return node.partition("[")[0]


def index_of(node: str) -> int | None:
    """Which item of a `for_each` a node is; None when it is a whole skill."""
    _, bracket, rest = node.partition("[")
    return int(rest.removesuffix("]")) if bracket else None


def _needs(
    skill: SkillReference, regular: Sequence[SkillReference], fallbacks: Mapping[str, str]
) -> tuple[str, ...]:
    if skill.id in fallbacks.values():
        return ()
    if skill.depends_on is not None:
        return tuple(dict.fromkeys(skill.depends_on))
    lower = [other.order for other in regular if other.order < skill.order]
    return tuple(other.id for other in regular if lower and other.order == max(lower))


def _with_fallbacks(nodes: Sequence[str], fallbacks: Mapping[str, str]) -> Iterator[str]:
    """Nodes, each followed by those that may take its place. A circle of them is left once through."""
    for node in nodes:
        seen: dict[str, None] = {}
        while node and node not in seen:
            seen[node] = None
            node = fallbacks.get(node, "")
        yield from seen


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
            "when": skill.when is not None,
            "input": skill.input is not None,
            "for_each": skill.for_each is not None,
            "on_failure": skill.on_failure != "stop",
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


def _refuse_unfit_as_fallback(
    fallbacks: Mapping[str, str], skills: Mapping[str, SkillReference]
) -> None:
    """A fallback runs when, and only when, the one skill fails that names it."""
    named: dict[str, str] = {}
    for of, stand_in in fallbacks.items():
        if stand_in not in skills:
            raise PlanInvalid(
                f"Skill {of!r} falls back on {stand_in!r}, which is not a step of this agent."
                f" Known: {', '.join(skills)}."
            )
        if stand_in in named:
            raise PlanInvalid(
                f"Both {named[stand_in]!r} and {of!r} fall back on {stand_in!r}; give each its own."
            )
        named[stand_in] = of
        if skills[of].for_each is not None:
            raise PlanInvalid(
                f"Skill {of!r} runs for each item of a list, so no other skill can take its place. Say"
                " `continue` or `stop`."
            )
        skill = skills[stand_in]
        told = {"depends_on": skill.depends_on, "when": skill.when, "for_each": skill.for_each}
        if wrong := [name for name, value in told.items() if value is not None]:
            raise PlanInvalid(
                f"Skill {stand_in!r} takes the place of {of!r} when that fails, so {', '.join(wrong)}"
                " would mean nothing. Take it out."
            )


def _refuse_unknown(needs: Mapping[str, tuple[str, ...]], fallbacks: Mapping[str, str]) -> None:
    instead = {stand_in: of for of, stand_in in fallbacks.items()}
    for node, before in needs.items():
        for dependency in before:
            if dependency not in needs:
                raise PlanInvalid(
                    f"Skill {node!r} depends on {dependency!r}, which is not in this agent."
                    f" Known: {', '.join(needs)}."
                )
            if dependency in instead:
                raise PlanInvalid(
                    f"Skill {node!r} depends on {dependency!r}, which only runs when"
                    f" {instead[dependency]!r} fails. Depend on {instead[dependency]!r}: its place is taken."
                )


def _refuse_cycles(graph: Mapping[str, tuple[str, ...]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise PlanInvalid(
            f"The skills wait for each other: {' -> '.join(error.args[1])}."
        ) from None
