"""Agents: create, read, change, switch on and off."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import PlainTextResponse

from api.access.auditing import AuditedStore
from api.agent_forms import SkillFiles, files_of, read_new_agent
from api.dependencies import (
    AllData,
    Audited,
    Caller,
    Cursor,
    Limit,
    Mine,
    Operators,
    OwnAgent,
    refuse_unknown_servers,
    refuse_unusable_accounts,
)
from api.errors import responses
from api.schemas.agents import AgentBody, AgentChange, AgentCreated, AgentList, NewAgent
from api.triggers.schedules import AgentScheduler, Scheduling
from api.triggers.shorthand import put_first
from omniforge import clock
from omniforge.agents.config import AgentConfig, AgentStatus, SkillReference, TriggerType
from omniforge.agents.graph import PlanGraph
from omniforge.agents.plan import Plan
from omniforge.agents.strategies import wire
from omniforge.agents.versions import AgentVersion, PinnedSkill
from omniforge.errors import (
    AgentArchived,
    AgentChanged,
    AgentInvalid,
    AgentNotFound,
    ArchiveRejected,
    CronInvalid,
    Forbidden,
    PlanInvalid,
    ScheduleInvalid,
    SkillInvalid,
    SkillNotFound,
    TimeZoneUnknown,
    Unauthenticated,
    UploadTooLarge,
)
from omniforge.execution.plans.checks import refuse_unsound
from omniforge.identity import Principal, new_id
from omniforge.skills.loader import SkillLoader
from omniforge.skills.pinned import PinnedSkills, pin
from omniforge.skills.storage import SkillStorageManager, create_builder_storage_config
from omniforge.store.audit import Act
from omniforge.store.store import Repositories, TenantStore

router = APIRouter(prefix="/api/v1/agents", tags=["agents"], responses=responses(Unauthenticated))

_ACTS = {
    AgentStatus.ACTIVE: Act.AGENT_ACTIVATED,
    AgentStatus.PAUSED: Act.AGENT_PAUSED,
    AgentStatus.ARCHIVED: Act.AGENT_ARCHIVED,
}

_REFUSALS = responses(
    *(CronInvalid, TimeZoneUnknown, ScheduleInvalid),
    AgentInvalid,
    PlanInvalid,
    SkillInvalid,
    SkillNotFound,
    ArchiveRejected,
    UploadTooLarge,
)

_FORM = {
    "type": "object",
    "required": ["agent"],
    "properties": {
        "agent": {"type": "string", "description": "The agent as JSON, without its skills' files."},
        "archive": {"type": "string", "format": "binary", "description": "A zip of skill folders."},
        "files": {
            "type": "array",
            "items": {"type": "string", "format": "binary"},
            "description": "Single files named `my-skill/SKILL.md`.",
        },
    },
}


class Pinning:
    """Turns the skills of a request into pinned ones."""

    def __init__(self, request: Request, store: AllData, caller: Caller) -> None:
        self._blobs, self._caller = store.blobs, caller
        self._storage = request.app.state.storage

    async def pin(
        self,
        skills: Sequence[SkillReference],
        folders: SkillFiles,
        kept: Mapping[str, PinnedSkill],
    ) -> tuple[PinnedSkill, ...]:
        """Pin each skill: from the request, from the agent as it is, or from the layered folders.

        Raises:
            PlanInvalid: An expression of the plan is certain to fail.
        """
        config = create_builder_storage_config(self._caller.tenant_id, None, self._storage)
        loader = SkillLoader(SkillStorageManager(config))
        pinned = []
        for reference in skills:
            files = folders.get(reference.name)
            if files is None and reference.name in kept:
                known = kept[reference.name].content_hash
                pinned.append(PinnedSkill(reference=reference, content_hash=known))
            else:
                pinned.append(await pin(reference, files, self._blobs, loader))
        await self._check(pinned)
        return tuple(pinned)

    async def _check(self, pinned: list[PinnedSkill]) -> None:
        """
        Raises:
            PlanInvalid: An expression of the plan is certain to fail.
        """
        stored = PinnedSkills(self._blobs)
        folders = {
            skill.reference.name: await stored.get(skill.reference.name, skill.content_hash)
            for skill in pinned
        }
        references = [skill.reference for skill in pinned]
        await asyncio.to_thread(refuse_unsound, references, folders)


NeedsPinning = Annotated[Pinning, Depends()]


@router.post(
    "",
    status_code=201,
    responses=_REFUSALS,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/NewAgent"}},
                "multipart/form-data": {"schema": _FORM},
            },
        }
    },
)
async def create_agent(
    request: Request,
    mine: Mine,
    audited: Audited,
    pinning: NeedsPinning,
    operators: Operators,
    scheduler: Scheduling,
) -> AgentCreated:
    """Create an agent from its skills: as JSON with the files in it, or as a form with a zip or folder."""
    body, folders = await read_new_agent(request)
    references = [skill.reference() for skill in body.skills]
    wiring = wire(body.strategy, references) if body.strategy else None
    if wiring is None:
        Plan.of(references)
    else:
        references = list(wiring.skills)
    await refuse_unknown_servers(body.mcp_servers, mine, operators)
    await refuse_unusable_accounts(body.integrations, body.connections, mine, audited.caller)
    pinned = await pinning.pin(references, folders, {})
    caller = audited.caller
    agent = _new_agent(body, pinned, caller)

    def add(db: Repositories) -> AgentCreated:
        if agent.status is AgentStatus.ACTIVE:
            audited.record(db, Act.AGENT_ACTIVATED, agent.id)
        db.agents.add(agent, _version_of(agent, pinned, caller))
        if body.times:
            put_first(db, agent.id, body.times, caller)
        return AgentCreated.of(agent, None, db.schedules.first([agent.id]).get(agent.id))

    created = await mine.write(add)
    if body.times:
        await scheduler.follow(agent.tenant_id, agent.id)
    if wiring is None:
        return created
    return created.model_copy(update={"strategy": wiring.strategy, "because": wiring.because})


@router.get("")
async def list_agents(
    mine: Mine, limit: Limit = 50, cursor: Cursor = None, status: AgentStatus | None = None
) -> AgentList:
    """The agents of the workspace, newest first. Archived ones only with `status=archived`."""

    def work(db: Repositories) -> AgentList:
        page = db.agents.page(limit, cursor, status)
        ids = [agent.id for agent in page.items]
        usage, first = db.agents.usage(ids), db.schedules.first(ids)
        bodies = [AgentBody.of(one, usage.get(one.id), first.get(one.id)) for one in page.items]
        return AgentList(agents=bodies, next_cursor=page.next_cursor)

    return await mine.read(work)


@router.get("/{agent_id}", responses=responses(AgentNotFound))
async def get_agent(agent: OwnAgent, mine: Mine) -> AgentBody:
    """One agent, with its usage counted from its runs."""
    return await _body(mine, agent)


@router.get(
    "/{agent_id}/plan",
    response_model=PlanGraph,
    responses={**responses(AgentNotFound), 200: {"content": {"text/plain": {}}}},
)
async def get_plan(
    agent: OwnAgent, how: Annotated[Literal["json", "mermaid"], Query(alias="format")] = "json"
) -> PlanGraph | PlainTextResponse:
    """What runs after what, for whoever draws it; with `format=mermaid` the text of a flowchart."""
    graph = PlanGraph.of(agent.skills, agent.limits.max_parallel)
    return graph if how == "json" else PlainTextResponse(graph.mermaid())


@router.patch(
    "/{agent_id}",
    responses=_REFUSALS | responses(AgentNotFound, AgentArchived, AgentChanged, Forbidden),
)
async def change_agent(
    change: AgentChange,
    agent: OwnAgent,
    mine: Mine,
    audited: Audited,
    pinning: NeedsPinning,
    operators: Operators,
    scheduler: Scheduling,
) -> AgentBody:
    """Change an agent. What its runs do differently makes a new version; runs keep theirs."""
    _refuse_archived(agent)
    _refuse_another_hand(agent, change, audited.caller)
    await refuse_unknown_servers(change.mcp_servers or (), mine, operators)
    if change.integrations is not None or change.connections is not None:
        names = agent.integrations if change.integrations is None else change.integrations
        pins = agent.connections if change.connections is None else change.connections
        await refuse_unusable_accounts(names, pins, mine, audited.caller)
    current = await mine.read(lambda db: db.agents.version(agent.id, agent.version))
    pinned = current.skills
    if change.skills is not None:
        references = [skill.reference() for skill in change.skills]
        Plan.of(references)
        kept = {skill.reference.name: skill for skill in current.skills}
        pinned = await pinning.pin(references, files_of(change.skills), kept)
    changed = _changed(agent, change, pinned)
    is_new = changed.version != agent.version
    version = _version_of(changed, pinned, audited.caller) if is_new else None

    def work(db: Repositories) -> None:
        db.agents.change(changed, agent.version, version)
        if changed.permissions != agent.permissions:
            audited.record(db, Act.AGENT_PERMISSIONS_CHANGED, agent.id, version=changed.version)
        if change.times:
            put_first(db, agent.id, change.times, audited.caller)

    await mine.write(work)
    if change.times:
        await scheduler.follow(agent.tenant_id, agent.id)
    return await _body(mine, changed)


@router.post(
    "/{agent_id}/activate", responses=responses(AgentNotFound, AgentArchived, AgentChanged)
)
async def activate_agent(
    agent: OwnAgent, mine: Mine, audited: Audited, scheduler: Scheduling
) -> AgentBody:
    """Let the agent be run. Its schedules fire from now on."""
    return await _body(mine, await _switch(audited, scheduler, agent, AgentStatus.ACTIVE))


@router.post("/{agent_id}/pause", responses=responses(AgentNotFound, AgentArchived, AgentChanged))
async def pause_agent(
    agent: OwnAgent, mine: Mine, audited: Audited, scheduler: Scheduling
) -> AgentBody:
    """Accept no new runs; those under way go on. Its schedules do not fire meanwhile."""
    return await _body(mine, await _switch(audited, scheduler, agent, AgentStatus.PAUSED))


@router.post("/{agent_id}/archive", responses=responses(AgentNotFound, AgentChanged))
async def archive_agent(
    agent: OwnAgent, mine: Mine, audited: Audited, scheduler: Scheduling
) -> AgentBody:
    """Put the agent away for good. Its runs stay readable."""
    if agent.status is not AgentStatus.ARCHIVED:
        agent = await _switch(audited, scheduler, agent, AgentStatus.ARCHIVED)
    return await _body(mine, agent)


async def _switch(
    audited: AuditedStore, scheduler: AgentScheduler, agent: AgentConfig, status: AgentStatus
) -> AgentConfig:
    _refuse_archived(agent)
    await audited.write(_ACTS[status], agent.id, lambda db: db.agents.set_status(agent.id, status))
    await scheduler.follow(agent.tenant_id, agent.id)
    return agent.model_copy(update={"status": status})


def _refuse_another_hand(agent: AgentConfig, change: AgentChange, caller: Principal) -> None:
    """
    Raises:
        Forbidden: The change would have its owner's accounts do what somebody else says.
    """
    acts_on_accounts = agent.integrations or change.integrations
    if acts_on_accounts and change.makes_version and agent.created_by != caller.user_id:
        raise Forbidden(
            "This agent acts on accounts of whoever made it, so only they can change what it does."
        )


def _refuse_archived(agent: AgentConfig) -> None:
    if agent.status is AgentStatus.ARCHIVED:
        raise AgentArchived(agent.id)


async def _body(mine: TenantStore, agent: AgentConfig) -> AgentBody:
    ids = [agent.id]
    usage, first = await mine.read(lambda db: (db.agents.usage(ids), db.schedules.first(ids)))
    return AgentBody.of(agent, usage.get(agent.id), first.get(agent.id))


def _new_agent(body: NewAgent, pinned: tuple[PinnedSkill, ...], caller: Principal) -> AgentConfig:
    at = clock.now()
    return AgentConfig(
        id=new_id("ag"),
        tenant_id=caller.tenant_id,
        name=body.name,
        description=body.description,
        status=body.status,
        trigger_type=body.trigger_type,
        skills=tuple(skill.reference for skill in pinned),
        integrations=body.integrations,
        connections=body.connections,
        acts_as=body.acts_as,
        limits=body.limits,
        permissions=body.permissions,
        sub_agents=body.sub_agents,
        mcp_servers=body.mcp_servers,
        created_by=caller.user_id,
        created_at=at,
        updated_at=at,
    )


def _changed(
    agent: AgentConfig, change: AgentChange, pinned: tuple[PinnedSkill, ...]
) -> AgentConfig:
    update: dict[str, Any] = change.model_dump(exclude_none=True, include={"name", "description"})
    if change.makes_version:
        update["version"] = agent.version + 1
    update["skills"] = tuple(skill.reference for skill in pinned)
    update["limits"] = change.limits or agent.limits
    if change.permissions is not None:
        update["permissions"] = change.permissions
    if change.sub_agents is not None:
        update["sub_agents"] = change.sub_agents
    for name in ("mcp_servers", "integrations", "connections", "acts_as"):
        if (value := getattr(change, name)) is not None:
            update[name] = value
    if change.times:
        update["trigger_type"] = TriggerType.SCHEDULED
    update["updated_at"] = clock.now()
    return agent.model_copy(update=update)


def _version_of(
    agent: AgentConfig, pinned: tuple[PinnedSkill, ...], caller: Principal
) -> AgentVersion:
    return AgentVersion(
        agent_id=agent.id,
        tenant_id=agent.tenant_id,
        version=agent.version,
        skills=pinned,
        limits=agent.limits,
        permissions=agent.permissions,
        sub_agents=agent.sub_agents,
        mcp_servers=agent.mcp_servers,
        integrations=agent.integrations,
        connections=agent.connections,
        acts_as=agent.acts_as,
        created_by=caller.user_id,
        created_at=agent.updated_at,
    )
