"""Agents, runs and transitions for the tests of the store."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, insert

from omniforge import clock
from omniforge.agents.config import AgentConfig, AgentLimits, AgentStatus, SkillReference
from omniforge.agents.runs import Run, RunStatus, RunTrigger
from omniforge.agents.versions import AgentVersion, PinnedSkill
from omniforge.identity import Principal, new_id
from omniforge.journal.events import NewEvent, SkillStarted, Wait
from omniforge.journal.ports import NodeState, NodeStatus, Outcome, Transition
from omniforge.journal.steps import Fence, Json, NodeKey, Step, StepKind, StepStatus
from omniforge.store.access import create_tenant
from omniforge.store.store import Store, TenantStore

USER = "us_anna"


class Tenant:
    """One tenant of a store, with short ways to fill it."""

    def __init__(self, store: Store, owner: Principal) -> None:
        self.store, self.owner, self.id = store, owner, owner.tenant_id

    @classmethod
    async def new(cls, store: Store, name: str = "Acme") -> "Tenant":
        return cls(store, await store.database.write(lambda c: create_tenant(c, name, "Anna")))

    @property
    def mine(self) -> TenantStore:
        return self.store.for_tenant(self.id)

    async def agent(self, *skills: SkillReference, cap: str | None = None, **more: Any) -> str:
        """An agent with its first version; its id."""
        chosen = skills or (SkillReference(name="report"),)
        agent = an_agent(self.id, chosen, cap, **more)
        version = a_version(agent)
        await self.mine.write(lambda db: db.agents.add(agent, version))
        return agent.id

    async def run(self, agent_id: str, **more: Any) -> Run:
        """An accepted run that nobody began."""
        run = a_run(self.id, agent_id, **more)
        await self.mine.write(lambda db: db.runs.add(run, {}, None))
        return run

    async def begun(self, *skills: SkillReference, cap: str | None = None, **more: Any) -> Run:
        """A run under way."""
        run = await self.run(await self.agent(*skills, cap=cap), **more)
        await self.mine.write(lambda db: db.runs.begin(run))
        return run

    async def does(self, run: Run, node: str, output: Json, *steps: Step, **more: Any) -> NodeKey:
        """One skill of a run, from claim to its last commit."""
        key = NodeKey(run.id, node)
        await self.mine.journal.claim(key, node, Fence(0, 1), announcing(node))
        outcome = Outcome(NodeStatus.COMPLETED, output)
        change = Transition(steps=list(steps), outcome=outcome, **more)
        await self.mine.journal.commit(key, Fence(0, 1), change)
        return key

    async def ended(
        self, agent_id: str, status: RunStatus = RunStatus.COMPLETED, node: str = "report"
    ) -> Run:
        """A run of a one-skill agent from beginning to end."""
        run = await self.run(agent_id)
        await self.mine.write(lambda db: db.runs.begin(run))
        await self.does(run, node, {"answer": "done"})
        return await self.mine.write(lambda db: db.runs.finish(run.id, status, None))


def an_agent(
    tenant_id: str, skills: tuple[SkillReference, ...], cap: str | None = None, **more: Any
) -> AgentConfig:
    at = clock.now()
    values: dict[str, Any] = {
        "id": new_id("ag"),
        "tenant_id": tenant_id,
        "name": "weekly",
        "status": AgentStatus.ACTIVE,
        "skills": skills,
        "limits": AgentLimits(budget_usd=None if cap is None else Decimal(cap)),
        "created_by": USER,
        "created_at": at,
        "updated_at": at,
    }
    return AgentConfig(**{**values, **more})


def a_version(agent: AgentConfig) -> AgentVersion:
    pinned = (PinnedSkill(reference=skill, content_hash="0" * 64) for skill in agent.skills)
    return AgentVersion(
        agent_id=agent.id,
        tenant_id=agent.tenant_id,
        version=agent.version,
        skills=tuple(pinned),
        limits=agent.limits,
        created_by=agent.created_by,
        created_at=agent.created_at,
    )


def a_run(tenant_id: str, agent_id: str, **more: Any) -> Run:
    values: dict[str, Any] = {
        "id": new_id("ex"),
        "agent_id": agent_id,
        "tenant_id": tenant_id,
        "status": RunStatus.PENDING,
        "trigger_type": RunTrigger.ON_DEMAND,
        "triggered_by": USER,
        "input_data": {"week": 27},
        "created_at": clock.now(),
    }
    return Run(**{**values, **more})


def a_step(number: int = 0, status: StepStatus = StepStatus.CONFIRMED, **more: Any) -> Step:
    values: dict[str, Any] = {
        "number": number,
        "kind": StepKind.TOOL,
        "name": "read",
        "hash": f"{number:064d}",
        "status": status,
        "started_at": clock.now(),
    }
    return Step(**{**values, **more})


def an_event(name: str, at: datetime | None = None) -> NewEvent:
    body = SkillStarted(skill_name=name)
    return NewEvent(dedupe_key=f"test/{name}", node="report", at=at or clock.now(), body=body)


def announcing(name: str) -> Any:
    """What a claim says, once for each state it finds."""

    def announce(state: NodeState) -> NewEvent:
        return an_event(f"{name} after {len(state.steps)}, {new_id('x')}")

    return announce


def waiting(wait_id: str) -> Outcome:
    question = Wait(kind="effect", id=wait_id, question="Did it happen?")
    return Outcome(NodeStatus.WAITING, waits=(question,))


def later(seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)


def add_member(connection: Connection, principal: Principal) -> None:
    from omniforge.store.tables import memberships, users

    connection.execute(
        insert(users), [{"id": principal.user_id, "name": "Bob", "created_at": clock.now()}]
    )
    row = {
        "tenant_id": principal.tenant_id,
        "user_id": principal.user_id,
        "role": principal.role,
    }
    connection.execute(insert(memberships), [row])
