"""One segment of one skill."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING

from temporalio import activity

from activities.failures import temporal_failures
from activities.payloads import RunSkill, SegmentResult
from omniforge.execution.work import SkillWork
from omniforge.journal.journal import Journal
from omniforge.journal.recording import RecordEnded
from omniforge.journal.steps import Fence, NodeKey

if TYPE_CHECKING:
    from omniforge.execution.events import ExecutionResult
    from omniforge.execution.segments import SegmentRunner
    from omniforge.skills.pinned import PinnedSkills
    from omniforge.store.briefs import NodeBrief
    from omniforge.store.store import Store

# The server takes a worker for dead after five silent seconds; this leaves room for two lost beats.
# Each costs about 3 ms of processor time (docs/decisions/0037).
HEARTBEAT = 1.5


class SkillActivities:
    def __init__(self, store: "Store", skills: "PinnedSkills", segments: "SegmentRunner") -> None:
        self._store, self._skills, self._segments = store, skills, segments

    @activity.defn
    async def run_skill(self, job: RunSkill) -> SegmentResult:
        """Run a skill until it is done, waits for someone, or is interrupted.

        A later attempt, or a later segment, goes on after the last recorded step.
        """
        async with beating():
            try:
                with temporal_failures():
                    return await self._run(job)
            except RecordEnded:
                return SegmentResult(status="interrupted", interruption="stop")
            except asyncio.CancelledError:
                if _was_asked_to_stop():
                    return SegmentResult(status="interrupted", interruption="cancelled")
                raise

    async def _run(self, job: RunSkill) -> SegmentResult:
        fence = Fence(job.segment, activity.info().attempt)
        brief, journal = await self._store.for_tenant(job.tenant_id).open_node(
            NodeKey(job.execution_id, job.node, job.generation), fence, _reason_to_stop
        )
        skill = await self._skills.get(brief.skill.reference.name, brief.skill.content_hash)
        others = [
            await self._skills.get(other.reference.name, other.content_hash)
            for other in brief.version.on_demand
        ]
        work = replace(_work(job, brief), on_demand=tuple(others))
        result = await self._segments.run(skill, work, journal)
        return _segment_result(result, journal)


def _work(job: RunSkill, brief: "NodeBrief") -> SkillWork:
    reference, limits = brief.skill.reference, brief.version.limits
    return SkillWork(
        tenant_id=job.tenant_id,
        task_id=job.execution_id,
        user_id=brief.user_id,
        input=brief.input,
        files=brief.workspace,
        timeout_s=reference.timeout_s or limits.skill_timeout_s,
        max_iterations=limits.max_iterations,
        model=reference.model or "",
        fallback_models=reference.fallback_models,
        has_cap=brief.has_cap,
        permissions=brief.version.permissions,
        script=brief.script,
        sub_agents=brief.version.sub_agents,
        mcp_servers=brief.version.mcp_servers,
        accounts=brief.accounts,
    )


@contextlib.asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """Tell the server that this worker is alive, from now until the block ends."""
    task = asyncio.create_task(_beat())
    try:
        yield
    finally:
        task.cancel()


async def _beat() -> None:
    while True:
        # The server counts from the start of the attempt, so a short skill costs no beat at all.
        await asyncio.sleep(HEARTBEAT)
        activity.heartbeat()


def _reason_to_stop() -> str | None:
    return "drain" if activity.is_worker_shutdown() else None


def _was_asked_to_stop() -> bool:
    """Cancelled by the run's workflow; a worker that shuts down or lost its lease looks the same else."""
    details = activity.cancellation_details()
    return details is not None and details.cancel_requested


_STATUSES = {
    "completed": "done",
    "waiting": "waiting",
    "interrupted": "interrupted",
    "failed": "failed",
    "timed_out": "timed_out",
}


def _segment_result(result: "ExecutionResult", journal: Journal) -> SegmentResult:
    return SegmentResult.model_validate(
        {
            "status": _STATUSES[result.ending],
            "waits": [wait.model_dump(include={"id", "kind", "tool"}) for wait in result.waits],
            "interruption": result.interruption,
            "error": result.error,
            "active_s": journal.active_seconds,
        }
    )
