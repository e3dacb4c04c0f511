"""What a run did, without the way it took there: the form in which two runs are compared."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from omniforge.journal.events import Event, RunRetried, SkillResumed

RUN = "(run)"
"""Under this name stand the events of the run itself; no skill can have it."""

_LEFT_OUT: Mapping[str, frozenset[str]] = {
    "run_started": frozenset({"agent_name", "mode"}),
    "skill_started": frozenset(),
    "model_answered": frozenset({"duration_ms"}),
    "tool_answered": frozenset({"duration_ms", "origin"}),
    "conversation_compacted": frozenset({"duration_ms"}),
    "steered": frozenset(),
    "skill_completed": frozenset(),
    "skill_failed": frozenset(),
    "run_finished": frozenset({"cost_usd"}),
}
"""The events that are compared, and what of each is not: a clock's or the occasion's doing.

All others tell of the way: pieces of text, resumed workers, waits and decisions. What a run of its own
spent is not compared, since a replay spends nothing; what each call cost is.
"""

_ENDS = frozenset({"skill_completed", "skill_failed", "run_finished"})

_Told = dict[tuple[str, int], dict[str, Any]]
"""By type and step, of which nothing is told twice, the latest."""

Canonical = Mapping[str, Sequence[Mapping[str, Any]]]
"""Node -> its events, as JSON."""


class Difference(BaseModel, frozen=True):
    """The first place where two runs differ. `ours` or `theirs` is None where one has no more."""

    node: str
    place: int
    ours: dict[str, Any] | None
    theirs: dict[str, Any] | None


def canonical(events: Iterable[Event]) -> Canonical:
    """The canonical form of a run's events: per node, in the order of its steps.

    Calls of one turn end in any order, so their events stand by their numbers. Times, durations,
    sequence numbers, ids of the run and the origin of answers are left out. Of a run that was taken up
    again, what it did anew stands in the place of what it had done before.
    """
    nodes: defaultdict[str, _Told] = defaultdict(dict)
    for event in events:
        if isinstance(event.body, SkillResumed | RunRetried):
            _take_back(nodes[event.node or RUN], event.body)
        left_out = _LEFT_OUT.get(event.body.type)
        if left_out is not None:
            body = event.body.model_dump(mode="json", exclude=set(left_out))
            if (cost := body.get("cost_usd")) is not None:
                body["cost_usd"] = f"{Decimal(cost).normalize():f}"
            nodes[event.node or RUN][event.body.type, body.get("step", -1)] = body
    return {node: sorted(nodes[node].values(), key=_place) for node in sorted(nodes)}


def _take_back(told: _Told, again: SkillResumed | RunRetried) -> None:
    """Forget what was told of an end, and of steps that are done anew."""
    end = again.anew_from if isinstance(again, SkillResumed) else 0
    for kind, step in list(told) if end is not None else ():
        if kind in _ENDS or step >= (end or 0):
            del told[kind, step]


def first_difference(ours: Canonical, theirs: Canonical) -> Difference | None:
    """None when both runs did the same."""
    for node in sorted({*ours, *theirs}, key=lambda node: (node == RUN, node)):
        mine, other = ours.get(node, ()), theirs.get(node, ())
        for place in range(max(len(mine), len(other))):
            one = dict(mine[place]) if place < len(mine) else None
            two = dict(other[place]) if place < len(other) else None
            if one != two:
                return Difference(node=node, place=place, ours=one, theirs=two)
    return None


def _place(body: Mapping[str, Any]) -> tuple[bool, int]:
    return body["type"] in _ENDS, body.get("step", -1)
