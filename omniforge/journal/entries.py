"""Steps and events as they are written: begun, settled, told."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from omniforge import clock
from omniforge.agents.budgets import billionths
from omniforge.journal.events import EventBody, NewEvent, SkillResumed, SkillStarted
from omniforge.journal.ports import Announce, NodeState
from omniforge.journal.steps import Fence, NodeKey, Performed, Slot, Step, StepStatus, as_recorded


def announcement(key: NodeKey, skill_name: str, fence: Fence, told: int | None = None) -> Announce:
    """What watchers are told when a node is claimed: that its skill starts, or that it is resumed.

    `told` is how many steps of it they have seen in an earlier generation, if there was one.
    """

    def announce(state: NodeState) -> NewEvent:
        body: EventBody = SkillStarted(skill_name=skill_name)
        if not state.is_new or told is not None:
            body = SkillResumed(
                skill_name=skill_name,
                segment=fence.segment,
                attempt=fence.attempt,
                recorded_steps=max(len(state.steps), told or 0),
                anew_from=told if state.is_new else None,
            )
        return new_event(key, body, fence_name(fence))

    return announce


def new_event(key: NodeKey, body: EventBody, suffix: str) -> NewEvent:
    dedupe_key = f"{key.node}/{key.generation}/{body.type}/{suffix}"
    return NewEvent(dedupe_key=dedupe_key, node=key.node, at=clock.now(), body=body)


def fence_name(fence: Fence) -> str:
    return f"{fence.segment}.{fence.attempt}"


def started(slot: Slot, fence: Fence, at: datetime) -> Step:
    held = slot.request.effect if slot.request.is_held else None
    return Step(
        number=slot.number,
        kind=slot.request.kind,
        name=slot.request.name,
        hash=slot.hash,
        status=StepStatus.PLANNED,
        arguments=slot.request.arguments,
        edit=slot.request.edit,
        effect_class=held.kind if held else None,
        fence=fence,
        started_at=at,
    )


def seconds_of(step: Step) -> float:
    if step.started_at is None or step.ended_at is None:
        return 0.0
    return (step.ended_at - step.started_at).total_seconds()


def settled(step: Step, performed: Performed, at: datetime) -> Step:
    return replace(
        step,
        status=StepStatus.FAILED if performed.error else StepStatus.CONFIRMED,
        answer=as_recorded(performed.answer),
        error=performed.error,
        usage=step.usage + performed.usage,
        cost=billionths(step.cost + performed.cost),
        reserved=Decimal(0),
        model=performed.model,
        workspace=performed.workspace,
        origin=performed.origin,
        ended_at=at,
    )
