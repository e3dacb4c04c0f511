"""Ways to wire an agent's skills into a plan, and the rules by which one is chosen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from omniforge.agents.config import SkillReference
from omniforge.agents.plan import Plan
from omniforge.errors import PlanInvalid

ROLES = ("architect", "developer", "reviewer")
"""Who hands on to whom in a chain of roles. A skill has the role that its id ends with."""


class Strategy(StrEnum):
    SINGLE = "single"
    """One skill does it all."""
    MULTI = "multi"
    """A chain: each is given the run's input as `task`, and what its predecessor gave under that one's id."""
    PARALLEL = "parallel"
    """The graph that the skills declare; those that wait for nobody run side by side."""


StrategyName = Strategy | Literal["auto"]


@dataclass(frozen=True, slots=True)
class Wiring:
    """Skills with everything in them that a strategy says of their order, and why it was that one."""

    strategy: Strategy
    because: str
    skills: tuple[SkillReference, ...]


def wire(asked: StrategyName, skills: Sequence[SkillReference]) -> Wiring:
    """Wire skills by a strategy; `auto` is that of the first rule that fits, the same for the same skills.

    Without skills, `multi` takes the three that are called like the roles.

    Raises:
        PlanInvalid: The strategy does not fit these skills. The message says why.
    """
    steps = _steps(skills)
    if isinstance(asked, Strategy):
        strategy, because = asked, "it was asked for"
    else:
        strategy, because = next((chosen, why) for fits, chosen, why in _RULES if fits(steps))
    return Wiring(strategy, because, _wired(strategy, steps, skills))


def _wired(
    strategy: Strategy, steps: Sequence[SkillReference], skills: Sequence[SkillReference]
) -> tuple[SkillReference, ...]:
    if strategy is Strategy.MULTI and not steps:
        steps = [SkillReference(name=role) for role in ROLES]
    if strategy is Strategy.MULTI:
        steps = _chain(steps)
    elif strategy is Strategy.PARALLEL:
        steps = _side_by_side(steps)
    elif len(steps) != 1:
        raise PlanInvalid(
            f"The strategy `single` takes one skill that is a step; here are {len(steps)}. `multi` and"
            " `parallel` take more."
        )
    all_of_them = (*steps, *(skill for skill in skills if skill.on_demand))
    Plan.of(all_of_them)
    return all_of_them


def _role_of(skill: SkillReference) -> str | None:
    return next((role for role in ROLES if skill.id == role or skill.id.endswith(f"-{role}")), None)


def _steps(skills: Sequence[SkillReference]) -> list[SkillReference]:
    return [skill for skill in skills if not skill.on_demand]


def _is_wired(steps: Sequence[SkillReference]) -> bool:
    """Whether somebody has said already what waits for what."""
    return len({skill.order for skill in steps}) > 1 or any(
        skill.depends_on is not None or skill.fallback for skill in steps
    )


def _plays_all_roles(steps: Sequence[SkillReference]) -> bool:
    """Whether each skill has a role of its own."""
    roles = [_role_of(skill) for skill in steps]
    return None not in roles and len(set(roles)) == len(roles)


_RULES: tuple[tuple[Callable[[Sequence[SkillReference]], bool], Strategy, str], ...] = (
    (lambda steps: not steps, Strategy.MULTI, "no skills are named, so the three roles work"),
    (lambda steps: len(steps) == 1, Strategy.SINGLE, "there is one skill"),
    (_is_wired, Strategy.PARALLEL, "the skills say themselves what waits for what"),
    (_plays_all_roles, Strategy.MULTI, "each skill has a role in the chain"),
    (lambda _: True, Strategy.PARALLEL, "nothing says that one skill needs another"),
)


def _chain(steps: Sequence[SkillReference]) -> list[SkillReference]:
    if wired_already := [skill.id for skill in steps if skill.depends_on is not None]:
        raise PlanInvalid(
            f"In the strategy `multi` each skill waits for the one before it, so `depends_on` of"
            f" {wired_already[0]!r} would mean nothing. Take it out, or choose `parallel`."
        )
    stand_ins = {skill.fallback for skill in steps}
    links = [skill for skill in steps if skill.id not in stand_ins]
    if _plays_all_roles(links):
        links.sort(key=lambda skill: ROLES.index(_role_of(skill) or ""))
    chain = [
        skill.model_copy(
            update={"depends_on": (before.id,), "input": skill.input or _handed_over(before)}
            if before is not None
            else {"depends_on": ()}
        )
        for before, skill in zip((None, *links), links, strict=False)
    ]
    return [*chain, *(skill for skill in steps if skill.id in stand_ins)]


def _handed_over(before: SkillReference) -> str:
    return f'{{"task": input, "{before.id}": steps["{before.id}"].output}}'


def _side_by_side(steps: Sequence[SkillReference]) -> list[SkillReference]:
    """Skills by `order` keep it: that is a graph, too."""
    if len({skill.order for skill in steps}) > 1:
        return list(steps)
    stand_ins = {skill.fallback for skill in steps}
    return [
        skill
        if skill.depends_on is not None or skill.id in stand_ins
        else skill.model_copy(update={"depends_on": ()})
        for skill in steps
    ]
