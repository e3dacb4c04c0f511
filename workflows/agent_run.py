"""One run of one agent: which skill runs when, what it waits for, how it ends."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    TimeoutError,
    TimeoutType,
)

with workflow.unsafe.imports_passed_through():
    from activities.payloads import (
        AgentRun,
        Beginning,
        Child,
        Decided,
        Finish,
        NodeRef,
        OpenWait,
        RecordedEnd,
        RunOutcome,
        RunSkill,
        SegmentResult,
        Waiting,
    )
    from activities.runs import RunActivities
    from activities.skills import SkillActivities
    from omniforge.agents.config import SkillReference
    from omniforge.agents.plan import Plan
    from omniforge.agents.runs import ErrorInfo, RunStatus
    from omniforge.errors import NoProgress
    from workflows.attributes import OF_STATUS, run_attributes, run_workflow_id
    from workflows.policies import (
        BOOKKEEPING,
        GRACE,
        HEARTBEAT_TIMEOUT,
        SEGMENT_ATTEMPTS,
        SEGMENT_RETRY,
    )

DECIDE = "decide"


class SkillEnded(Exception):
    """A skill ended without its answer, and so does the run."""

    def __init__(self, status: RunStatus, error: ErrorInfo) -> None:
        super().__init__(error.message)
        self.status, self.error = status, error


@workflow.defn(name="AgentRun")
class AgentRunWorkflow:
    """One run of one agent, from accepted to a final status."""

    @workflow.init
    def __init__(self, job: AgentRun) -> None:
        self._job = job
        self._waits: dict[str, str] = {}
        """Open questions: wait id -> its kind."""
        self._progress: dict[str, str] = {}
        self._at_work: set[str] = set()
        """Skills whose work, or whose record, has not come to its end."""
        self._recorded_end: RecordedEnd | None = None

    @workflow.run
    async def run(self, job: AgentRun) -> RunOutcome:
        beginning = await self._begin()
        if beginning.status.is_final:
            return RunOutcome(status=beginning.status)
        self._recorded_end = beginning.recorded_end
        try:
            await self._run_skills(beginning)
        except SkillEnded as ended:
            return await self._finish(ended.status, ended.error)
        except asyncio.CancelledError:
            error = ErrorInfo(code="cancelled", message="The run was cancelled.")
            return await self._finish(RunStatus.CANCELLED, error)
        return await self._finish(RunStatus.COMPLETED)

    @workflow.update(name=DECIDE)
    async def decide(self, decision: Decided) -> None:
        """A person's decision of something this run waits for."""
        await workflow.execute_local_activity_method(RunActivities.decide, decision, **BOOKKEEPING)
        self._waits.pop(decision.approval_id, None)

    @decide.validator
    def _refuse_unless_waiting(self, decision: Decided) -> None:
        if decision.approval_id not in self._waits:
            raise ApplicationError(
                f"The run does not wait for {decision.approval_id!r}.", type="not_waiting"
            )

    # ---- the plan ----------------------------------------------------------------------------

    async def _run_skills(self, beginning: Beginning) -> None:
        plan = Plan.of(beginning.skills)
        skills = {skill.id: skill for skill in beginning.skills}
        self._progress = dict.fromkeys(skills, "to do")
        running: dict[str, asyncio.Task[None]] = {}
        completed: dict[str, None] = {}
        try:
            while len(completed) < len(skills):
                for node in plan.ready({**running, **completed}, completed):
                    limit = skills[node].timeout_s or beginning.skill_timeout_s
                    running[node] = asyncio.create_task(self._run_skill(skills[node], limit))
                    self._at_work.add(node)
                await workflow.wait(running.values(), return_when=asyncio.FIRST_COMPLETED)
                for node in [node for node, task in running.items() if task.done()]:
                    await running.pop(node)
                    completed[node] = None
        finally:
            await _stop(list(running.values()))

    async def _run_skill(self, skill: SkillReference, limit: float) -> None:
        """All segments of one skill, until it is done.

        Raises:
            SkillEnded: It failed, timed out, or lost its worker too often.
        """
        segment, recorded, active = 0, 0, 0.0
        while True:
            self._show(skill.id, "running")
            try:
                result = await self._segment(skill, segment, limit - active)
            except ActivityError as lost:
                # A segment whose worker was lost after new steps has earned another one.
                steps = await self._count_steps(skill)
                if steps <= recorded or not _is_lost_worker(lost):
                    raise _ended(skill, lost) from lost
                recorded = steps
            else:
                if result.status == "done":
                    self._show(skill.id, "done")
                    self._at_work.discard(skill.id)
                    return
                if self._recorded_end is not None and not _goes_on(result):
                    await self._end_as_recorded(skill, self._recorded_end)
                if result.interruption == "stop":
                    raise asyncio.CancelledError
                if result.error is not None:
                    raise _failed(skill, result)
                active = result.active_s
                await self._wait(skill, result)
            segment += 1

    async def _end_as_recorded(self, skill: SkillReference, end: RecordedEnd) -> None:
        """End a replay as its original ended, once all skills are played to where that left them.

        Raises:
            SkillEnded: Always, in the end.
        """
        self._show(skill.id, "played to the end of its record")
        self._at_work.discard(skill.id)
        await workflow.wait_condition(lambda: not self._at_work)
        raise SkillEnded(end.status, end.error)

    async def _segment(self, skill: SkillReference, segment: int, left: float) -> SegmentResult:
        return await workflow.execute_activity_method(
            SkillActivities.run_skill,
            RunSkill(
                execution_id=self._job.execution_id,
                tenant_id=self._job.tenant_id,
                node=skill.id,
                segment=segment,
            ),
            activity_id=f"{skill.id}#{segment}",
            summary=f"{skill.name}, segment {segment + 1}" if segment else skill.name,
            start_to_close_timeout=timedelta(seconds=max(0.0, left)) + GRACE,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            retry_policy=SEGMENT_RETRY,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )

    async def _wait(self, skill: SkillReference, result: SegmentResult) -> None:
        """Hold the skill until all it waits for has come. No worker slot is held meanwhile."""
        if not result.waits:
            return
        mine = [wait.id for wait in result.waits]
        self._waits |= {wait.id: wait.kind for wait in result.waits}
        self._show(
            skill.id, f"waiting: {_WAITING_FOR[result.waits[0].kind]} {result.waits[0].tool}"
        )
        await self._mark(next(iter(self._waits.values())))
        children = [
            asyncio.create_task(self._run_child(wait))
            for wait in result.waits
            if wait.kind == "child"
        ]
        try:
            await workflow.wait_condition(lambda: not any(wait in self._waits for wait in mine))
        finally:
            await _stop(children)
        await self._mark(next(iter(self._waits.values()), None))

    async def _run_child(self, wait: OpenWait) -> None:
        """Run the agent that a skill waits for, from its start to word of its end."""
        child = Child(
            parent_id=self._job.execution_id,
            tenant_id=self._job.tenant_id,
            execution_id=wait.id,
        )
        child = await workflow.execute_local_activity_method(
            RunActivities.order_child, child, **BOOKKEEPING
        )
        if not child.refusal:
            await self._start_child(child)
        await workflow.execute_local_activity_method(
            RunActivities.child_ended, child, **BOOKKEEPING
        )
        self._waits.pop(wait.id, None)

    async def _start_child(self, child: Child) -> None:
        job = AgentRun(
            execution_id=child.execution_id,
            tenant_id=child.tenant_id,
            agent_id=child.agent_id,
            trigger_type=self._job.trigger_type,
            triggered_by=child.triggered_by,
            parent_id=child.parent_id,
        )
        try:
            await workflow.execute_child_workflow(
                AgentRunWorkflow.run,
                job,
                id=run_workflow_id(child.tenant_id, child.execution_id),
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
                search_attributes=run_attributes(child.tenant_id, child.agent_id),
            )
        except ChildWorkflowError:
            # What became of it is in its own row, which the waiting skill reads.
            workflow.logger.warning("child_failed", extra={"execution_id": child.execution_id})

    # ---- the run's row -----------------------------------------------------------------------

    async def _begin(self) -> Beginning:
        return await workflow.execute_local_activity_method(
            RunActivities.begin, self._job, **BOOKKEEPING
        )

    async def _mark(self, waiting_for: str | None) -> None:
        status = RunStatus.WAITING if waiting_for else RunStatus.RUNNING
        workflow.upsert_search_attributes([OF_STATUS.value_set(status)])
        waiting = Waiting(
            execution_id=self._job.execution_id,
            tenant_id=self._job.tenant_id,
            waiting_for=waiting_for,
        )
        await workflow.execute_local_activity_method(
            RunActivities.mark_waiting, waiting, **BOOKKEEPING
        )

    async def _count_steps(self, skill: SkillReference) -> int:
        node = NodeRef(
            execution_id=self._job.execution_id, tenant_id=self._job.tenant_id, node=skill.id
        )
        return await workflow.execute_local_activity_method(
            RunActivities.count_steps, node, **BOOKKEEPING
        )

    async def _finish(self, status: RunStatus, error: ErrorInfo | None = None) -> RunOutcome:
        if status is not RunStatus.COMPLETED:
            workflow.upsert_search_attributes([OF_STATUS.value_set(status)])
        finish = Finish(
            execution_id=self._job.execution_id,
            tenant_id=self._job.tenant_id,
            status=status,
            error=error,
        )
        outcome = await workflow.execute_local_activity_method(
            RunActivities.finish, finish, **BOOKKEEPING
        )
        await workflow.wait_condition(workflow.all_handlers_finished)
        return outcome

    def _show(self, node: str, state: str) -> None:
        """What the Web UI says of the run at this moment."""
        self._progress[node] = state
        lines = (f"- **{name}**: {state}" for name, state in self._progress.items())
        workflow.set_current_details("\n".join(lines))


_WAITING_FOR = {
    "effect": "someone must say whether this took effect:",
    "approval": "someone must allow a call of",
    "input": "someone must answer a question of",
    "child": "another agent's run must end:",
}


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel skills under way and let each of them finish cancelling."""
    for task in tasks:
        task.cancel()
    if tasks:
        await workflow.wait(tasks)


def _goes_on(result: SegmentResult) -> bool:
    """Whether another segment follows this one."""
    return result.error is None and result.interruption != "stop"


def _failed(skill: SkillReference, result: SegmentResult) -> SkillEnded:
    error = result.error or ErrorInfo(code="failed", message="The skill failed.")
    status = RunStatus.TIMED_OUT if result.status == "timed_out" else RunStatus.FAILED
    return SkillEnded(status, error.model_copy(update={"skill": skill.id}))


def _is_lost_worker(error: ActivityError) -> bool:
    cause = error.cause
    return isinstance(cause, TimeoutError) and cause.type is TimeoutType.HEARTBEAT


def _ended(skill: SkillReference, error: ActivityError) -> SkillEnded:
    """A skill whose activity failed for good, in the words of the one who reads the run."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        info = ErrorInfo(code=cause.type or "failed", message=cause.message, skill=skill.id)
        return SkillEnded(RunStatus.FAILED, info)
    if _is_lost_worker(error):
        message = f"The worker was lost {SEGMENT_ATTEMPTS} times in a row without one new step."
        return SkillEnded(
            RunStatus.FAILED, ErrorInfo(code=NoProgress.code, message=message, skill=skill.id)
        )
    message = "The skill did not end by its deadline."
    return SkillEnded(
        RunStatus.TIMED_OUT, ErrorInfo(code="skill_timed_out", message=message, skill=skill.id)
    )
