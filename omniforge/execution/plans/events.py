"""CEL over an event from outside: whether it leads to a run, and what the run is given."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from omniforge.execution.plans import cost
from omniforge.execution.plans.checks import PlanFinding, problems
from omniforge.execution.plans.conditions import evaluated, truth
from omniforge.execution.plans.shapes import BOOL, STRING, object_of
from omniforge.execution.plans.tree import Path, written
from omniforge.journal.steps import Json

# A tenth of a second for a filter, and for all of a mapping: meanwhile, the API hears no other delivery.
_MAX_COST = cost.MAX_COST // 10
_EVENT = {"type": STRING, "id": STRING, "payload": object_of(None), "at": STRING}
_NAMES = {"event": object_of(_EVENT)}


@dataclass(frozen=True, slots=True)
class OutsideEvent:
    """What a trigger's expressions see as `event`. `at` is when its sender sent it, or else when it came."""

    type: str
    id: str
    payload: Mapping[str, Json]
    at: datetime

    def document(self) -> dict[str, Json]:
        at = self.at.astimezone(UTC).isoformat()
        return {"type": self.type, "id": self.id, "payload": dict(self.payload), "at": at}


def passes(expression: str | None, event: OutsideEvent) -> bool:
    """Whether an event leads to a run. Without a filter, each does.

    Raises:
        ConditionFailed: The filter cannot be evaluated, or gives neither true nor false.
    """
    if expression is None:
        return True
    return truth(expression, evaluated(expression, {"event": event.document()}, _MAX_COST))


def mapped(mapping: Mapping[str, str] | None, event: OutsideEvent) -> dict[str, Json]:
    """The input of the run that an event leads to. Without a mapping, it is the whole event.

    Raises:
        ConditionFailed: An expression cannot be evaluated.
    """
    roots = {"event": event.document()}
    if mapping is None:
        return roots
    share = _MAX_COST // max(1, len(mapping))
    return {name: evaluated(expression, roots, share) for name, expression in mapping.items()}


def check_filter(expression: str) -> tuple[PlanFinding, ...]:
    """What is certain to go wrong with a filter."""
    found = problems(expression, _NAMES, _problem_of, BOOL, "no delivery would lead to a run")
    return tuple(PlanFinding("filter", message) for message in found)


def check_mapping(mapping: Mapping[str, str]) -> tuple[PlanFinding, ...]:
    """What is certain to go wrong with a mapping, in its order."""
    return tuple(
        PlanFinding(written(("mapping", name)), message)
        for name, expression in mapping.items()
        for message in problems(expression, _NAMES, _problem_of)
    )


def _problem_of(path: Path) -> str:
    root = path[0]
    if root == "event":
        return ""  # its fields are looked at with their types
    if root in _EVENT:
        return f"There is no `{root}`. Write event.{written(path)}."
    return f"There is no `{root}`. There is event, with {', '.join(sorted(_EVENT))}."
