"""Rows to domain objects and back, where more than one repository needs it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping

from omniforge.agents.runs import ErrorInfo, Run, RunPriority, TokenUsage
from omniforge.journal.events import Edit
from omniforge.journal.ports import NodeStatus, Outcome
from omniforge.journal.steps import (
    EffectClass,
    Fence,
    NodeKey,
    Origin,
    Step,
    StepKind,
    StepStatus,
)


def run_of(row: Mapping[str, Any] | RowMapping) -> Run:
    error = (
        ErrorInfo(code=row["error_code"], message=row["error"], skill=row["error_skill"])
        if row["error_code"]
        else None
    )
    priority = RunPriority.ranked(row["priority"])
    return Run.model_validate(
        {**row, "error": error, "cost_usd": row["cost"], "priority": priority}
    )


def error_of(document: Any) -> ErrorInfo | None:
    return None if document is None else ErrorInfo.model_validate(document)


def document_of(error: ErrorInfo | None) -> Any:
    return None if error is None else error.model_dump()


def outcome_of(row: RowMapping) -> Outcome | None:
    """A node's outcome, once it has a final one."""
    status = NodeStatus(row["status"])
    if not status.is_final:
        return None
    return Outcome(status, row["output"], error_of(row["error"]))


def step_of(row: RowMapping) -> Step:
    return Step(
        number=row["number"],
        kind=StepKind(row["kind"]),
        name=row["name"],
        hash=row["hash"],
        status=StepStatus(row["status"]),
        arguments=row["arguments"],
        edit=None if row["edit"] is None else Edit.model_validate(row["edit"]),
        answer=row["answer"],
        error=error_of(row["error"]),
        effect_class=EffectClass(row["effect_class"]) if row["effect_class"] else None,
        effect_id=row["effect_id"],
        sent_at=row["sent_at"],
        send_by=row["send_by"],
        sends=row["sends"],
        usage=TokenUsage.model_validate(row["usage"]),
        cost=row["cost"],
        reserved=row["reserved"],
        is_cost_assumed=row["is_cost_assumed"],
        model=row["model"],
        workspace=row["workspace"],
        origin=Origin(row["origin"]),
        generation=row["generation"],
        fence=Fence(row["segment"], row["attempt"]),
        started_at=row["started_at"],
        ended_at=row["ended_at"],
    )


def row_of_step(key: NodeKey, tenant_id: str, step: Step) -> dict[str, Any]:
    return {
        "stream_id": key.stream_id,
        "node": key.node,
        "generation": key.generation,
        "number": step.number,
        "tenant_id": tenant_id,
        "kind": step.kind,
        "name": step.name,
        "hash": step.hash,
        "status": step.status,
        "arguments": step.arguments,
        "edit": None if step.edit is None else step.edit.model_dump(),
        "answer": step.answer,
        "error": document_of(step.error),
        "effect_class": step.effect_class,
        "effect_id": step.effect_id,
        "sent_at": step.sent_at,
        "send_by": step.send_by,
        "sends": step.sends,
        "usage": step.usage.model_dump(exclude_defaults=True),
        "cost": step.cost,
        "reserved": step.reserved,
        "is_cost_assumed": step.is_cost_assumed,
        "model": step.model,
        "workspace": None if step.workspace is None else dict(step.workspace),
        "origin": step.origin,
        "segment": step.fence.segment,
        "attempt": step.fence.attempt,
        "started_at": step.started_at,
        "ended_at": step.ended_at,
    }
