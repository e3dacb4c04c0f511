"""A workspace that may have a few runs under way at once: the others are queued, and none is lost."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import update
from temporalio.client import WorkflowHandle

from api.launch import Launch
from api.reconciler import Reconciler
from omniforge.llm.protocol import Completion, Turn
from omniforge.store.access import create_key, create_tenant
from omniforge.store.tables import tenants
from tests.support.platform import PATIENCE, Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer, calling


class Workspace(Platform):
    """A workspace of its own on the session's platform, whose model answers when it is let."""

    def __init__(self, platform: Platform, api: httpx2.AsyncClient, tenant_id: str) -> None:
        super().__init__(api, platform.store, platform.temporal, tenant_id)
        self.model, self.service = platform.model, platform.service
        self._answers = asyncio.Semaphore(0)
        self.at_work = self.most_at_work = 0
        self.model.decides(self._answer)

    def let(self, answers: int = 1_000) -> None:
        """Have the model give some more answers; else it thinks."""
        for _ in range(answers):
            self._answers.release()

    async def limit(self, runs: int | None, weight: float = 1.0) -> dict[str, Any]:
        body = {"max_concurrent_runs": runs, "fairness_weight": weight}
        response = await self.api.put("/api/v1/workspace/limits", json=body)
        assert response.status_code == 200, response.text
        limits: dict[str, Any] = response.json()
        return limits

    async def begun(self, agent_id: str, **body: Any) -> str:
        """A run that has come as far as it can for now: under way, or queued."""
        execution = await self.start(agent_id, **body)
        await self.until(execution, {"running", "queued"})
        return execution

    async def until_started(self, execution: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while (await self.execution(execution))["started_at"] is None:
                await asyncio.sleep(0.03)

    async def position(self, execution: str) -> int | None:
        found = await self.execution(execution)
        position: int | None = found["queue_position"]
        return position

    async def all_ended(self, executions: list[str]) -> list[dict[str, Any]]:
        return [await self.ended(execution) for execution in executions]

    async def order(self, executions: list[str]) -> list[int]:
        """In which order runs began."""
        runs = [await self.execution(execution) for execution in executions]
        return sorted(range(len(runs)), key=lambda number: str(runs[number]["started_at"]))

    def reconciler(self) -> Reconciler:
        return Reconciler(self.store, self.temporal, Launch(self.store, self.temporal))

    def handle(self, execution: str) -> WorkflowHandle[Any, Any]:
        return self.temporal.get_workflow_handle(self.workflow_id(execution))

    async def _answer(self, _: Completion) -> Turn:
        self.at_work += 1
        self.most_at_work = max(self.at_work, self.most_at_work)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._answers.acquire()
        finally:
            self.at_work -= 1
        return answer("done")


@pytest.fixture
async def crowded(platform: Platform) -> AsyncIterator[Workspace]:
    database = platform.store.database
    owner = await database.write(lambda c: create_tenant(c, "Crowded", "Anna"))
    key = await database.write(lambda c: create_key(c, owner, "test"))
    async with httpx2.AsyncClient(
        base_url=platform.api.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=30
    ) as api:
        workspace = Workspace(platform, api, owner.tenant_id)
        yield workspace
        workspace.let()


@requirement("NFR-5")
async def test_runs_over_the_cap_are_queued_in_the_order_they_came(crowded: Workspace) -> None:
    await crowded.limit(2)
    agent = await crowded.agent(skill("slow"))
    runs = [await crowded.begun(agent) for _ in range(10)]

    positions = [await crowded.position(run) for run in runs]
    listed = (await crowded.api.get("/api/v1/executions?status=queued")).json()["executions"]
    limits = (await crowded.api.get("/api/v1/workspace/limits")).json()
    for run in runs[2:]:
        crowded.let(1)
        await crowded.until_started(run)
    crowded.let()
    ended = await crowded.all_ended(runs)

    assert positions == [None, None, *range(1, 9)]
    assert {run["id"]: run["queue_position"] for run in listed} == dict(
        zip(runs[2:], range(1, 9), strict=True)
    )
    assert (limits["running"], limits["queued"], limits["cap"]) == (2, 8, 2)
    assert {run["status"] for run in ended} == {"completed"}
    assert await crowded.order(runs) == list(range(10))
    assert crowded.most_at_work == 2


@requirement("NFR-5")
async def test_interactive_work_comes_before_bulk(crowded: Workspace) -> None:
    await crowded.limit(1)
    agent = await crowded.agent(skill("slow"))
    first = await crowded.begun(agent)
    kinds = ("bulk", "normal", "interactive")
    bulk, normal, interactive = [await crowded.begun(agent, priority=kind) for kind in kinds]

    positions = [await crowded.position(run) for run in (bulk, normal, interactive)]
    crowded.let()
    await crowded.all_ended([first, bulk, normal, interactive])

    assert positions == [3, 2, 1]
    assert await crowded.order([first, interactive, normal, bulk]) == [0, 1, 2, 3]


async def test_the_event_stream_says_that_a_run_is_queued_and_when_it_begins(
    crowded: Workspace,
) -> None:
    await crowded.limit(1)
    agent = await crowded.agent(skill("slow"))
    await crowded.begun(agent)
    await crowded.begun(agent)
    last = await crowded.begun(agent)

    crowded.let()
    events = await crowded.events(last)

    assert [event["body"]["type"] for event in events[:2]] == ["run_queued", "run_started"]
    assert events[0]["body"]["position"] == 2
    assert events[-1]["body"]["type"] == "run_finished"


@requirement("NFR-5")
async def test_a_run_that_waits_for_a_person_gives_its_place_to_the_next(
    crowded: Workspace,
) -> None:
    await crowded.limit(1)
    crowded.model.decides(
        lambda request: (
            calling(("post_keyed", {"text": "hello"}))
            if len(request.messages) == 1 and "asks" in request.system
            else answer("done")
        )
    )
    asks = await crowded.agent(skill("asks"), permissions=[{"action": "ask", "tool": "post_*"}])
    waiting = await crowded.start(asks)
    await crowded.until(waiting, {"waiting"})

    other = await crowded.ended(await crowded.start(await crowded.agent(skill("other"))))
    (question,) = (await crowded.api.get("/api/v1/approvals")).json()["approvals"]
    path = f"/api/v1/approvals/{question['id']}"
    await crowded.api.post(path, json={"decision": "approve", "reason": ""})
    first = await crowded.ended(waiting)

    assert (other["status"], first["status"]) == ("completed", "completed")


@requirement("NFR-5")
async def test_a_queued_run_can_be_cancelled_and_those_behind_it_move_up(
    crowded: Workspace,
) -> None:
    await crowded.limit(1)
    agent = await crowded.agent(skill("slow"))
    first, second, third = [await crowded.begun(agent) for _ in range(3)]

    await crowded.api.post(f"/api/v1/executions/{second}/cancel")
    cancelled = await crowded.ended(second)
    position = await crowded.position(third)
    crowded.let()
    others = await crowded.all_ended([first, third])

    assert (cancelled["status"], cancelled["started_at"]) == ("cancelled", None)
    assert position == 1
    assert {run["status"] for run in others} == {"completed"}


@requirement("NFR-5")
async def test_a_raised_cap_lets_queued_runs_begin_at_once(crowded: Workspace) -> None:
    await crowded.limit(1)
    agent = await crowded.agent(skill("slow"))
    runs = [await crowded.begun(agent) for _ in range(4)]

    limits = await crowded.limit(3)
    for run in runs[:3]:
        await crowded.until(run, {"running"})
    position = await crowded.position(runs[3])
    unlimited = await crowded.limit(0)
    crowded.let()
    await crowded.all_ended(runs)

    assert (limits["running"], limits["queued"], position) == (3, 1, 1)
    assert (unlimited["running"], unlimited["queued"]) == (4, 0)


@requirement("NFR-5", "DUR-1")
async def test_a_run_that_was_not_told_of_its_place_is_found(crowded: Workspace) -> None:
    await crowded.limit(1)
    agent = await crowded.agent(skill("slow"))
    runs = [await crowded.begun(agent) for _ in range(3)]

    # As if the process had died between the commit and the signal, and before the commit.
    await crowded.mine.write(lambda db: db.admission.set_limits(2, 1.0))
    more = update(tenants).where(tenants.c.id == crowded.tenant_id).values(max_concurrent_runs=3)
    await crowded.store.database.write(lambda c: c.execute(more))
    untold = await crowded.execution(runs[1])
    await crowded.reconciler().reconcile(timedelta(0))
    crowded.let()
    ended = await crowded.all_ended(runs)

    assert (untold["status"], untold["waiting_for"]) == ("running", "admission")
    assert {run["status"] for run in ended} == {"completed"}


@requirement("NFR-5")
async def test_a_run_that_another_one_starts_works_in_its_place(crowded: Workspace) -> None:
    await crowded.limit(1, weight=2.5)
    inner = await crowded.agent(skill("inner"))
    crowded.model.decides(
        lambda request: (
            calling(("run_agent", {"agent": inner, "input": {}}))
            if len(request.messages) == 1 and "outer" in request.system
            else answer("done")
        )
    )
    outer = await crowded.agent(skill("outer"), sub_agents=[inner])

    run = await crowded.ended(await crowded.start(outer, priority="bulk"))
    executions = (await crowded.api.get("/api/v1/executions")).json()["executions"]

    assert run["status"] == "completed"
    assert {one["priority"] for one in executions} == {"bulk"}
    assert len(executions) == 2
    for one in executions:
        described = await crowded.handle(one["id"]).describe()
        priority = described.raw_description.workflow_execution_info.priority
        assert (priority.priority_key, priority.fairness_key, priority.fairness_weight) == (
            5,
            crowded.tenant_id,
            2.5,
        )


@pytest.mark.parametrize(
    "body",
    [
        {"max_concurrent_runs": -1, "fairness_weight": 1},
        {"max_concurrent_runs": 2, "fairness_weight": 0},
        {"max_concurrent_runs": 2, "fairness_weight": 1001},
        {"max_concurrent_runs": "many", "fairness_weight": 1},
        {"fairness_weight": 1},
        {"max_concurrent_runs": 2, "fairness_weight": 1, "runs": 3},
    ],
)
async def test_limits_that_make_no_sense_are_refused(
    crowded: Workspace, body: dict[str, Any]
) -> None:
    before = (await crowded.api.get("/api/v1/workspace/limits")).json()

    refused = await crowded.api.put("/api/v1/workspace/limits", json=body)

    assert refused.status_code == 422
    assert (await crowded.api.get("/api/v1/workspace/limits")).json() == before
