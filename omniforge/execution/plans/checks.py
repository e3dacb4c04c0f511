"""What is certain to go wrong in a plan, said when it is saved instead of when it runs."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

from omniforge.agents.config import SkillReference
from omniforge.agents.plan import Plan
from omniforge.errors import ConditionFailed, PlanInvalid
from omniforge.execution.plans.conditions import compiled, evaluated
from omniforge.execution.plans.shapes import (
    ANY,
    BOOL,
    INT,
    STRING,
    Shape,
    Shapes,
    list_of,
    object_of,
    of_schema,
)
from omniforge.execution.plans.syntax import parse
from omniforge.execution.plans.tree import Expression, Path, paths
from omniforge.skills.document import Skill
from omniforge.skills.fields import OUTPUT_SCHEMA

_PARTS = ("output", "status", "error")
_NEEDED = {"when": BOOL, "for_each": list_of(ANY)}


@dataclass(frozen=True, slots=True)
class PlanFinding:
    """One thing wrong with an expression or a plan. `place` is where in the agent: `skills[2].when`."""

    place: str
    message: str


def refuse_unsound(skills: Sequence[SkillReference], folders: Mapping[str, Skill]) -> None:
    """Check the graph and all expressions in it. `folders` are the skills themselves, by name.

    Raises:
        PlanInvalid: With the first finding in the message and all of them in the details.
    """
    if found := findings(skills, folders):
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise PlanInvalid(
            f"{found[0].place}: {found[0].message}{more}", findings=[asdict(one) for one in found]
        )


def findings(
    skills: Sequence[SkillReference], folders: Mapping[str, Skill]
) -> tuple[PlanFinding, ...]:
    """What is wrong with the expressions of a plan, in the order of its skills.

    Raises:
        PlanInvalid: The skills make no graph at all, so there is nothing to check them in.
    """
    plan = Plan.of(skills)
    outputs = {skill.id: _output_of(skill, folders.get(skill.name)) for skill in skills}
    found: list[PlanFinding] = []
    for index, skill in enumerate(skills):
        if not skill.on_demand:
            before = frozenset(plan.before(skill.id))
            check = _SkillCheck(plan, before, skill, outputs, folders.get(skill.name))
            found += (replace(one, place=f"skills[{index}]{one.place}") for one in check.findings())
    return tuple(found)


def problems(
    source: str,
    names: Mapping[str, Shape],
    problem_of: Callable[[Path], str],
    needed: Shape | None = None,
    unless: str = "",
) -> Iterable[str]:
    """What is wrong with one expression. Types are looked at when all it names is there.

    `problem_of` says what is wrong with a path, empty if nothing is. `unless` is what follows from an
    answer that is always no, or always an empty list.
    """
    try:
        compiled(source)
    except ConditionFailed as refusal:
        return (refusal.why,)
    expression = parse(source)
    read = tuple(paths(expression))
    found = [problem for path in read if (problem := problem_of(path))]
    found = found or list(_of_types(expression, names, needed))
    if not read and not found:
        found = list(_of_constant(source, needed, unless))
    return dict.fromkeys(found)


def _of_types(
    expression: Expression, names: Mapping[str, Shape], needed: Shape | None
) -> Iterator[str]:
    shapes = Shapes(names)
    result = shapes.of(expression)
    yield from shapes.problems
    if needed and result.kind not in (needed.kind, "any"):
        yield f"It gives {result}; {needed} is needed."
    elif not needed and result.kind in ("timestamp", "duration"):
        yield f"It gives {result}, which JSON does not know; string(...) makes text of it."


def _of_constant(source: str, needed: Shape | None, unless: str) -> Iterator[str]:
    """What becomes of an expression that reads nothing, so that it is the same each time."""
    try:
        result = evaluated(source, {})
    except ConditionFailed as problem:
        yield problem.why
        return
    if needed is BOOL and result is False:
        yield f"It is never true, so {unless}."
    elif needed and result == []:
        yield f"It is always empty, so {unless}."


@dataclass(frozen=True, slots=True)
class _SkillCheck:
    plan: Plan
    before: frozenset[str]
    """The steps that are sure to have ended when the skill's turn comes."""
    skill: SkillReference
    outputs: Mapping[str, Shape]
    folder: Skill | None

    def findings(self) -> Iterator[PlanFinding]:
        for part in ("when", "for_each", "input"):
            if (expression := getattr(self.skill, part)) is not None:
                for message in self._of(part, expression):
                    yield PlanFinding(f".{part}", message)
        yield from self._of_arguments()

    def _of(self, part: str, source: str) -> Iterable[str]:
        unless = f"{self.skill.id!r} could not be reached"
        problem_of = partial(self._problem_of, part)
        return problems(source, self._names(), problem_of, _NEEDED.get(part), unless)

    def _problem_of(self, part: str, path: Path) -> str:
        """What is wrong with a path; empty when what it names is there."""
        root, *fields = path
        if root in ("item", "index"):
            if part == "input" and self.skill.for_each is not None:
                return ""
            return f"`{root}` is there only in the `input` of a skill that has a `for_each`."
        if root == "input":
            return ""
        if root != "steps":
            return (
                f"There is no `{root}`. There are input, steps, and in a for_each item and index."
            )
        if not fields:
            return "Say which step is meant: steps.<id>.output."
        return self._problem_of_step(*fields[:2])

    def _problem_of_step(self, name: str, part: str = "output") -> str:
        known = f"Steps before it: {', '.join(sorted(self.before)) or 'none'}."
        if name == self.skill.id:
            return f"A skill cannot read what itself gives. {known}"
        if name not in self.plan.depends_on:
            return f"There is no step {name!r}. {known}"
        if name not in self.before:
            return (
                f"Step {name!r} is not sure to have ended before {self.skill.id!r}; let one depend on the"
                f" other. {known}"
            )
        if part not in _PARTS:
            return f"A step has {', '.join(_PARTS)}, but no {part!r}."
        return ""

    def _names(self) -> dict[str, Shape]:
        steps = {
            name: object_of({"output": self.outputs[name], "status": STRING, "error": ANY})
            for name in self.before
        }
        names = {"input": ANY, "steps": object_of(steps)}
        if self.skill.for_each is None:
            return names
        try:
            items = Shapes(names).of(parse(self.skill.for_each))
        except ValueError:  # told where it stands
            items = ANY
        return {**names, "item": items.each or ANY, "index": INT}

    def _of_arguments(self) -> Iterator[PlanFinding]:
        """Arguments that a skill declares, and that are in nothing that it is given."""
        given = self._given()
        if self.folder is None or given is None or given.fields is None:
            return
        known = {*given.fields, *self.skill.config}
        if missing := [name for name in self.folder.arguments if name not in known]:
            place = ".input" if self.skill.input is not None else ""
            yield PlanFinding(
                place,
                f"Skill {self.skill.id!r} takes {', '.join(missing)}, which what it is given does not have:"
                f" {', '.join(sorted(given.fields)) or 'an empty object'}. Say it in `input` or `config`.",
            )

    def _given(self) -> Shape | None:
        """What the skill is given; None where nothing is known of it."""
        if self.skill.input is not None:
            try:
                return Shapes(self._names()).of(parse(self.skill.input))
            except ValueError:  # told where it stands
                return None
        before = self.plan.needs[self.skill.id]
        if self.skill.for_each is not None or len(before) != 1 or before[0] in self.plan.deciding:
            return None
        return self.outputs[before[0]]


def _output_of(skill: SkillReference, folder: Skill | None) -> Shape:
    """What others read as a skill's output, where it is the same however the skill ends."""
    schema = folder.metadata.get(OUTPUT_SCHEMA) if folder is not None else None
    shape = of_schema(json.loads(schema)) if schema and skill.on_failure == "stop" else ANY
    return list_of(shape) if skill.for_each is not None else shape
