"""One run of one agent: admitted, walked through its plan, steered by people, ended."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.payloads import (
        AgentRun,
        Beginning,
        Decided,
        Raise,
        RunOutcome,
        Steer,
        Wished,
    )
    from omniforge.agents.runs import ErrorInfo, RunStatus
    from omniforge.journal.steps import Wish
    from workflows.attributes import (
        ADMIT,
        AGENT_RUN,
        DECIDE,
        FOLLOW,
        LOOK_FOR_CONNECTION,
        LOOK_FOR_MONEY,
        OF_STATUS,
        RAISE_BUDGET,
        STEER,
        WISH,
        run_workflow_id,
    )
    from workflows.bookkeeping import Bookkeeping
    from workflows.children import Children
    from workflows.node_run import RunState, SkillEnded
    from workflows.waits import ENDED_BY_STOP, Waits
    from workflows.walk import Walk

CANCELLED = ErrorInfo(code="cancelled", message="The run was cancelled.")

# For so long a message waits for the next skill when none is at work.
BETWEEN_SKILLS = timedelta(seconds=2)


@workflow.defn(name=AGENT_RUN)
class AgentRunWorkflow:
    """One run of one agent, from accepted to a final status."""

    @workflow.init
    def __init__(self, job: AgentRun) -> None:
        self._job = job = job if job.execution_id else _fired(job)
        self._books = Bookkeeping(job)
        self._waits = Waits(self._books, self._admit)
        self._children = Children(job, self._books)
        self._run: RunState | None = None
        """Nothing before the run has begun."""
        self._is_queued = self._is_admitted = self._is_over = False
        self._wished: Wish | None = None
        """What was asked for last; the run follows it once it is written."""
        self._obeying = asyncio.Lock()

    @workflow.run
    async def run(self, job: AgentRun) -> RunOutcome:
        try:
            beginning = await self._begun()
            if beginning.status.is_final:
                return await self._left(
                    RunOutcome(status=beginning.status, error=beginning.refusal)
                )
            await self._walk(beginning)
        except SkillEnded as ended:
            return await self._finish(ended.status, ended.error)
        except asyncio.CancelledError:
            return await self._finish(RunStatus.CANCELLED, CANCELLED)
        return await self._finish(RunStatus.COMPLETED)

    async def _begun(self) -> Beginning:
        """Begin, which may have to wait for other runs to make room, or for events to cease."""
        while not _has_begun(beginning := await self._books.begin()):
            self._is_queued = True
            if beginning.later_s:
                workflow.set_current_details("Waits until no more events come.")
                await workflow.sleep(beginning.later_s)
                continue
            workflow.set_current_details("Queued behind other runs.")
            await workflow.wait_condition(lambda: self._is_admitted)
            self._is_admitted = False
        self._is_queued = False
        if beginning.refusal is not None:
            workflow.set_current_details(beginning.refusal.message)
            workflow.upsert_search_attributes([OF_STATUS.value_set("skipped")])
        return beginning

    async def _walk(self, beginning: Beginning) -> None:
        """
        Raises:
            SkillEnded: A skill ended without its answer, and so does the run.
        """
        self._waits.patience = beginning.patience
        slots = asyncio.Semaphore(beginning.max_parallel)
        self._wished = self._wished or beginning.wish
        self._run = RunState(
            self._job,
            beginning,
            self._books,
            self._waits,
            self._children,
            slots,
            beginning.wish,
        )
        walk = Walk(self._run)
        await walk.go_on()
        if not walk.is_done:
            # What ended and what is asked of the run is in the database, so nothing is carried over.
            await workflow.wait_condition(workflow.all_handlers_finished)
            workflow.continue_as_new(self._job)

    async def _finish(self, status: RunStatus, error: ErrorInfo | None = None) -> RunOutcome:
        if status is not RunStatus.COMPLETED:
            workflow.upsert_search_attributes([OF_STATUS.value_set(status)])
        outcome = await self._books.finish(status, error)
        await self._admit(outcome.admitted)
        return await self._left(outcome)

    async def _left(self, outcome: RunOutcome) -> RunOutcome:
        """Nothing more can be told to this run; who is about to, hears so."""
        self._is_over = True
        await workflow.wait_condition(workflow.all_handlers_finished)
        return outcome

    # ---- what others tell it -----------------------------------------------------------------

    @workflow.update(name=DECIDE)
    async def decide(self, decision: Decided) -> None:
        """A person's decision of something this run waits for."""
        await self._books.decide(decision)
        self._waits.end(decision.approval_id)

    @decide.validator
    def _refuse_unless_waiting(self, decision: Decided) -> None:
        self._waits.refuse_unless_open(decision.approval_id)

    @workflow.update(name=WISH)
    async def wish(self, wished: Wished) -> None:
        """Pause, stop after the steps under way, or go on."""
        self._wished = wished.wish
        await self._obey(await self._under_way(), wished)

    @wish.validator
    def _refuse_what_is_so(self, wished: Wished) -> None:
        self._refuse_before_and_after()
        if wished.wish == self._wished == "pause":
            raise ApplicationError("The run is paused already.", type="already_paused")
        if wished.wish == self._wished:
            raise ApplicationError("The run is not paused.", type="not_paused")

    @workflow.signal(name=FOLLOW)
    async def follow(self, wished: Wished) -> None:
        """What is asked of the run that waits for this one is asked of this one, too."""
        if self._wished in {wished.wish, "stop"}:
            return
        self._wished = wished.wish
        await workflow.wait_condition(lambda: self._run is not None or self._is_over)
        if self._run is not None and not self._is_over:
            await self._obey(self._run, wished)

    @workflow.update(name=STEER)
    async def steer(self, message: Steer) -> None:
        """Hand a person's message to the skills at work, or to the ones it names."""
        run = await self._under_way()
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(lambda: bool(run.at_work), timeout=BETWEEN_SKILLS)
        nodes = message.nodes or tuple(run.at_work)
        if not nodes or not run.at_work.keys() >= set(nodes):
            what = ", ".join(message.nodes) or "No skill of the run"
            raise ApplicationError(f"{what} is not at work now.", type="nothing_to_steer")
        await self._books.steer(message.model_copy(update={"nodes": nodes}))

    @steer.validator
    def _refuse_to_be_steered(self, message: Steer) -> None:
        self._refuse_before_and_after()

    def _refuse_before_and_after(self) -> None:
        if self._is_queued:
            raise ApplicationError("The run is queued and has not begun.", type="run_not_begun")
        if self._wished == "stop":
            raise ApplicationError("The run is stopping.", type="run_stopping")
        if self._is_over:
            raise _ended()

    async def _under_way(self) -> RunState:
        """The run once it has begun, which it is about to."""
        await workflow.wait_condition(lambda: self._run is not None or self._is_over)
        if self._run is None or self._is_over:
            raise _ended()
        return self._run

    async def _obey(self, run: RunState, wished: Wished) -> None:
        """In the order in which things were asked for, whoever's writing comes first."""
        async with self._obeying:
            await self._books.wish(wished)
            run.wish = wished.wish
            await self._children.tell(wished)
            self._waits.end_all(ENDED_BY_STOP if wished.wish == "stop" else {"pause"})

    @workflow.update(name=RAISE_BUDGET)
    async def raise_budget(self, more: Raise) -> None:
        """Let the run spend more, and look whether that is enough for what waits for money."""
        await self._books.raise_budget(more)
        await self._waits.look_for_money()

    @raise_budget.validator
    def _refuse_to_raise(self, more: Raise) -> None:
        self._refuse_before_and_after()

    @workflow.signal(name=LOOK_FOR_MONEY)
    async def look_for_money(self) -> None:
        """A cap over this run was raised, or a new period has begun."""
        await self._waits.look_for_money()

    @workflow.signal(name=LOOK_FOR_CONNECTION)
    async def look_for_connection(self) -> None:
        """An account was connected that this run may wait for."""
        await self._waits.look_for_connections()

    @workflow.signal(name=ADMIT)
    def admit(self) -> None:
        """There may be room for this run. `begin` decides."""
        self._is_admitted = True

    async def _admit(self, execution_ids: Sequence[str]) -> None:
        """Tell queued runs that there is room. One that is not told is found by the reconciler."""
        for execution_id in execution_ids:
            queued = workflow.get_external_workflow_handle(
                run_workflow_id(self._job.tenant_id, execution_id)
            )
            try:
                await queued.signal(ADMIT)
            except FailureError:
                workflow.logger.warning("not_admitted", extra={"execution_id": execution_id})


def _fired(job: AgentRun) -> AgentRun:
    """A run that a schedule starts: the server has made its id of the schedule's and the time."""
    info = workflow.info()
    execution_id = info.workflow_id.rpartition("/")[2]
    return job.model_copy(
        update={"execution_id": execution_id, "fired_at": info.workflow_start_time}
    )


def _has_begun(beginning: Beginning) -> bool:
    return beginning.status is not RunStatus.QUEUED and not beginning.later_s


def _ended() -> ApplicationError:
    return ApplicationError("The run has ended.", type="run_finished")
