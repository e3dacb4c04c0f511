"""One node of a run: its segments, one after another, until it has ended."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError, TimeoutType

with workflow.unsafe.imports_passed_through():
    from activities.payloads import AgentRun, Beginning, OpenWait, RunSkill, SegmentResult
    from activities.skills import SkillActivities
    from omniforge.agents.config import SkillReference
    from omniforge.agents.plan import NodeEnd
    from omniforge.agents.runs import ErrorInfo, RunStatus
    from omniforge.errors import NoProgress, StorageUnavailable
    from omniforge.journal.steps import Wish
    from workflows.bookkeeping import Bookkeeping
    from workflows.children import Children
    from workflows.policies import GRACE, HEARTBEAT_TIMEOUT, SEGMENT_ATTEMPTS, SEGMENT_RETRY
    from workflows.progress import Progress
    from workflows.waits import Waits

INTERRUPTED = ErrorInfo(code="interrupted", message="The run was stopped after its last step.")


class SkillEnded(Exception):
    """A skill ended without its answer, and so does the run."""

    def __init__(self, status: RunStatus, error: ErrorInfo) -> None:
        super().__init__(error.message)
        self.status, self.error = status, error


@dataclass(slots=True)
class RunState:
    """What the nodes of one run share."""

    job: AgentRun
    beginning: Beginning
    books: Bookkeeping
    waits: Waits
    children: Children
    slots: asyncio.Semaphore
    """Held by a node while it is at work, and not while it waits."""
    wish: Wish | None = None
    progress: Progress = field(default_factory=Progress)
    at_work: dict[str, None] = field(default_factory=dict)
    """Nodes whose work, or whose record, has not come to its end."""

    @contextlib.asynccontextmanager
    async def without_slot(self) -> AsyncIterator[None]:
        self.slots.release()
        try:
            yield
        finally:
            await self.slots.acquire()

    async def while_paused(self, node: str) -> None:
        """Hold a node as long as the run is paused.

        Raises:
            SkillEnded: The run is to stop.
        """
        if self.wish == "pause":
            self.progress.show(node, "paused")
            await self.hold_while_paused(node)
        self.refuse_if_stopping()

    async def hold_while_paused(self, what: str) -> None:
        while self.wish == "pause":
            await self.waits.hold([OpenWait(id=f"pause/{what}", kind="pause")])

    def refuse_if_stopping(self) -> None:
        """
        Raises:
            SkillEnded: The run is to stop.
        """
        if self.wish == "stop":
            raise SkillEnded(RunStatus.CANCELLED, INTERRUPTED)


class NodeRun:
    """A node of a skill. It is given a slot, and has given it back when it has ended."""

    def __init__(self, run: RunState, skill: SkillReference, node: str) -> None:
        self._run, self._skill, self._node = run, skill, node

    async def to_its_end(self) -> NodeEnd:
        """
        Raises:
            SkillEnded: It failed, timed out, or lost its worker too often, and the run ends with it.
        """
        self._run.at_work[self._node] = None
        try:
            await self._segments()
            end = NodeEnd.DONE
        except SkillEnded as ended:
            if self._skill.on_failure == "stop" or ended.status is RunStatus.CANCELLED:
                raise
            await self._run.books.fail(self._node, ended.error)
            end = NodeEnd.FAILED
        finally:
            self._run.slots.release()
        self._run.progress.show(self._node, end)
        self._run.at_work.pop(self._node)
        return end

    async def _segments(self) -> None:
        segment, recorded, active = 0, 0, 0.0
        while True:
            if self._run.wish is not None:
                async with self._run.without_slot():
                    await self._run.while_paused(self._node)
            self._run.progress.show(self._node, "running")
            try:
                async with self._run.waits.segment_under_way():
                    result = await self._segment(segment, active)
            except ActivityError as lost:
                # A segment whose worker was lost after new steps has earned another one, and so has
                # one that the store was away from: by the time its steps are counted, it is back.
                steps = await self._run.books.count_steps(self._node)
                is_on_its_way = _is_lost_worker(lost) and steps > recorded
                if not (is_on_its_way or _is_store_away(lost)):
                    raise self._ended(lost) from lost
                recorded = steps
            else:
                if result.status == "done":
                    return
                await self._refuse_to_go_on(result)
                active = result.active_s
                await self._wait(result)
            segment += 1

    async def _refuse_to_go_on(self, result: SegmentResult) -> None:
        """
        Raises:
            SkillEnded: No other segment follows this one.
        """
        end = self._run.beginning.recorded_end
        is_stopped = result.interruption in {"stop", "cancelled"}
        is_last = result.error is not None or is_stopped
        if is_last and end is not None and self._skill.on_failure == "stop":
            # A replay ends as its original did, once all nodes are played to where that left them.
            self._run.progress.show(self._node, "played to the end of its record")
            self._run.at_work.pop(self._node, None)
            await workflow.wait_condition(lambda: not self._run.at_work)
            raise SkillEnded(end.status, end.error)
        if is_stopped:
            # A segment may hear of the wish to stop before this does.
            if result.interruption == "stop" and end is None:
                raise SkillEnded(RunStatus.CANCELLED, INTERRUPTED)
            raise asyncio.CancelledError
        if result.error is not None:
            status = RunStatus.TIMED_OUT if result.status == "timed_out" else RunStatus.FAILED
            raise SkillEnded(status, result.error.model_copy(update={"skill": self._node}))

    async def _segment(self, segment: int, active: float) -> SegmentResult:
        limit = self._skill.timeout_s or self._run.beginning.skill_timeout_s
        name = self._node if self._node != self._skill.id else self._skill.name
        result = await workflow.execute_activity_method(
            SkillActivities.run_skill,
            RunSkill(
                execution_id=self._run.job.execution_id,
                tenant_id=self._run.job.tenant_id,
                node=self._node,
                segment=segment,
                generation=self._run.job.generation,
            ),
            activity_id=f"{self._node}#{segment}",
            summary=f"{name}, segment {segment + 1}" if segment else name,
            start_to_close_timeout=timedelta(seconds=max(0.0, limit - active)) + GRACE,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            retry_policy=SEGMENT_RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        if (task := asyncio.current_task()) is not None and task.cancelling():
            # An activity that ends in that very moment has used the cancellation up.
            raise asyncio.CancelledError
        return result

    async def _wait(self, result: SegmentResult) -> None:
        """Hold the node until all it waits for has come."""
        if not result.waits:
            return
        self._run.refuse_if_stopping()
        first = result.waits[0]
        self._run.progress.show(self._node, f"waiting: {_WAITING_FOR[first.kind]} {first.tool}")
        async with self._run.without_slot():
            await self._run.waits.hold(result.waits, self._child)

    async def _child(self, wait: OpenWait) -> None:
        await self._run.hold_while_paused(wait.id)
        if self._run.wish != "stop":
            await self._run.children.run(wait)

    # ---- failures ----------------------------------------------------------------------------

    def _ended(self, error: ActivityError) -> SkillEnded:
        """A node whose activity failed for good, in the words of the one who reads the run."""
        cause = error.cause
        if isinstance(cause, ApplicationError):
            return self._failed(cause.type or "failed", cause.message)
        if _is_lost_worker(error):
            return self._failed(
                NoProgress.code,
                f"The worker was lost {SEGMENT_ATTEMPTS} times in a row without one new step.",
            )
        message = "The skill did not end by its deadline."
        info = ErrorInfo(code="skill_timed_out", message=message, skill=self._node)
        return SkillEnded(RunStatus.TIMED_OUT, info)

    def _failed(self, code: str, message: str) -> SkillEnded:
        return SkillEnded(RunStatus.FAILED, ErrorInfo(code=code, message=message, skill=self._node))


_WAITING_FOR = {
    "effect": "someone must say whether this took effect:",
    "approval": "someone must allow a call of",
    "input": "someone must answer a question of",
    "budget": "someone must allow it to spend more than",
    "connection": "someone must connect an account for",
    "child": "another agent's run must end:",
}


def _is_lost_worker(error: ActivityError) -> bool:
    cause = error.cause
    return isinstance(cause, TimeoutError) and cause.type is TimeoutType.HEARTBEAT


def _is_store_away(error: ActivityError) -> bool:
    cause = error.cause
    return isinstance(cause, ApplicationError) and cause.type == StorageUnavailable.code
