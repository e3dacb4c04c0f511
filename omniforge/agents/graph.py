"""A plan as a picture of it needs it: nodes, edges, and Mermaid's text."""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import BaseModel

from omniforge.agents.config import SkillReference
from omniforge.agents.plan import Plan


class PlanNode(BaseModel, frozen=True):
    """A skill's step. `level` counts from 0: none of those before it has the same or a higher one."""

    id: str
    name: str
    source: Literal["custom", "public"]
    level: int
    when: str | None
    input: str | None
    for_each: str | None
    on_failure: str
    timeout_s: float | None
    model: str | None


class PlanEdge(BaseModel, frozen=True):
    """`then` hands on; a `fallback` takes the place of what it comes from when that fails."""

    source: str
    target: str
    kind: Literal["then", "fallback"]


class PlanGraph(BaseModel, frozen=True):
    """What runs after what. Skills on demand are no steps; every step may read them."""

    nodes: tuple[PlanNode, ...]
    edges: tuple[PlanEdge, ...]
    on_demand: tuple[str, ...] = ()
    max_parallel: int | None = None

    @classmethod
    def of(cls, skills: Sequence[SkillReference], max_parallel: int | None = None) -> "PlanGraph":
        """
        Raises:
            PlanInvalid: The skills make no graph that can run.
        """
        plan = Plan.of(skills)
        levels = _levels(plan)
        steps = [skill for skill in skills if not skill.on_demand]
        return cls(
            nodes=tuple(_node(skill, levels[skill.id]) for skill in steps),
            edges=tuple(_edges(plan)),
            on_demand=tuple(skill.name for skill in skills if skill.on_demand),
            max_parallel=max_parallel,
        )

    def mermaid(self) -> str:
        """The graph as a Mermaid flowchart."""
        places = {node.id: f"n{place}" for place, node in enumerate(self.nodes)}
        lines = ["flowchart TD"]
        lines += [f'    {places[node.id]}["{_label(node)}"]' for node in self.nodes]
        for edge in self.edges:
            arrow = "-->" if edge.kind == "then" else "-. if it fails .->"
            lines.append(f"    {places[edge.source]} {arrow} {places[edge.target]}")
        return "\n".join(lines) + "\n"


def _node(skill: SkillReference, level: int) -> PlanNode:
    known = skill.model_dump(include=set(PlanNode.model_fields))
    return PlanNode.model_validate({**known, "level": level})


def _edges(plan: Plan) -> Iterator[PlanEdge]:
    for node, needs in plan.needs.items():
        for before in needs:
            yield PlanEdge(source=before, target=node, kind="then")
    for of, stand_in in plan.fallbacks.items():
        yield PlanEdge(source=of, target=stand_in, kind="fallback")


def _levels(plan: Plan) -> dict[str, int]:
    levels: dict[str, int] = {}
    while len(levels) < len(plan.depends_on):
        for node in plan.ready(levels, levels):
            before = [levels[name] for name in plan.depends_on[node]]
            levels[node] = max(before, default=-1) + 1
    return levels


def _label(node: PlanNode) -> str:
    told = [node.id if node.id == node.name else f"{node.id}: {node.name}"]
    told += [
        f"{word} {text}"
        for word, text in (("when", node.when), ("for each of", node.for_each))
        if text is not None
    ]
    if node.on_failure == "continue":
        told.append("goes on when it fails")
    return "<br/>".join(map(_escaped, told))


def _escaped(text: str) -> str:
    """Text that means nothing to Mermaid or HTML: all but letters, digits and the harmless as its number."""
    return "".join(
        letter if letter.isalnum() or letter in " .,:-" else f"#{ord(letter)};" for letter in text
    )
