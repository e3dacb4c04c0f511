"""`client.agents`."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from omniforge.agents.budgets import BudgetTerms
from omniforge.agents.config import AgentStatus
from omniforge.agents.graph import PlanGraph
from omniforge.agents.modes import RunMode
from omniforge.agents.runs import RunPriority, RunStatus
from omniforge.client.folders import Upload, read_upload
from omniforge.client.models import Agent, CreatedAgent, Page, Run, StartedRun
from omniforge.client.transport import Files, Transport, packed
from omniforge.errors import AgentNotFound, Rejected
from omniforge.identity import new_id

_AGENTS = "/api/v1/agents"


class Agents:
    """The agents of the workspace that the key belongs to."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(
        self, *, limit: int = 50, cursor: str | None = None, status: AgentStatus | None = None
    ) -> Page[Agent]:
        """The newest agents. Archived ones only when asked for by `status`."""
        return await self._transport.page(
            _AGENTS, "agents", Agent, limit=limit, cursor=cursor, status=status
        )

    async def every(self, status: AgentStatus | None = None) -> AsyncIterator[Agent]:
        """All agents, page by page."""
        cursor = None
        while True:
            page = await self.list(limit=200, cursor=cursor, status=status)
            for agent in page:
                yield agent
            if (cursor := page.next_cursor) is None:
                return

    async def get(self, agent_id: str) -> Agent:
        return await self._transport.get(_path(agent_id), Agent)

    async def plan(self, agent_id: str) -> PlanGraph:
        """What runs after what, and when. `mermaid()` gives the text of a flowchart."""
        return await self._transport.get(f"{_path(agent_id)}/plan", PlanGraph)

    async def find(self, id_or_name: str) -> Agent:
        """An agent by its id, or by its name when only one that is not archived has it.

        Raises:
            AgentNotFound: Neither an id nor a name.
            Rejected: Several agents have that name; the message lists their ids.
        """
        if id_or_name.isascii() and "/" not in id_or_name:
            with suppress(AgentNotFound):
                return await self.get(id_or_name)
        named = [agent async for agent in self.every() if agent.name == id_or_name]
        if not named:
            raise AgentNotFound(id_or_name)
        if len(named) > 1:
            ids = ", ".join(agent.id for agent in named)
            raise Rejected(f"{len(named)} agents are called {id_or_name!r}; say which: {ids}.")
        return named[0]

    async def create(
        self, source: Path | Upload, *, name: str | None = None, activate: bool = False
    ) -> CreatedAgent:
        """Create an agent from a folder or a zip on this machine; see `read_upload`.

        Raises:
            AgentInvalid: The path holds no agent.
            SkillInvalid: A skill breaks the standard; `details["findings"]` says where.
            PlanInvalid: Its skills make no plan that can run; `details["findings"]` says where.
        """
        upload = source if isinstance(source, Upload) else read_upload(source)
        agent = {**upload.agent, **({"name": name} if name else {})}
        if activate:
            agent["status"] = AgentStatus.ACTIVE
        files = [("files", (path, content)) for path, content in upload.files.items()]
        if upload.archive is not None:
            files.append(("archive", ("skills.zip", upload.archive)))
        return await self._transport.post(
            _AGENTS, CreatedAgent, data={"agent": json.dumps(agent)}, files=files
        )

    async def activate(self, agent_id: str) -> Agent:
        return await self._switch(agent_id, "activate")

    async def pause(self, agent_id: str) -> Agent:
        """Accept no new runs; those under way go on."""
        return await self._switch(agent_id, "pause")

    async def archive(self, agent_id: str) -> Agent:
        """Put the agent away for good. Its runs stay readable."""
        return await self._switch(agent_id, "archive")

    async def run(
        self,
        agent_id: str,
        input_data: Mapping[str, Any] | None = None,
        *,
        files: Files | None = None,
        priority: RunPriority = RunPriority.NORMAL,
        budget: BudgetTerms = BudgetTerms(),  # noqa: B008 - it is frozen
        idempotency_key: str | None = None,
    ) -> StartedRun:
        """Start a run. It is on record when this returns; a cut line never starts a second one.

        `files` are laid into the run's workspace. The `priority` says whose turn comes first while runs
        of the workspace are queued, and `budget` what happens when its money is short. With an
        `idempotency_key` of your own, calling this again, also from another process, answers with the
        run of the first time.

        Raises:
            AgentNotActive: The agent is a draft, paused or archived.
        """
        return await self._transport.post(
            f"{_path(agent_id)}/run",
            StartedRun,
            repeatable=True,
            json={
                "input_data": dict(input_data or {}),
                "files": packed(files or {}),
                "priority": priority,
                **_spending(budget),
            },
            headers={"Idempotency-Key": idempotency_key or new_id("key")},
        )

    async def test(
        self,
        agent_id: str,
        input_data: Mapping[str, Any] | None = None,
        *,
        mode: RunMode = RunMode.DRY_RUN,
        answers: Mapping[str, Any] | None = None,
        answers_of: str | None = None,
        files: Files | None = None,
    ) -> StartedRun:
        """Try an agent out, also a draft. In a dry run no effect leaves; `runs.held` shows them.

        `answers` are what tools answer instead of being called, by `tool` or `skill/tool`; `answers_of`
        is an earlier run whose answers the same calls get.
        """
        body = {
            "input_data": dict(input_data or {}),
            "files": packed(files or {}),
            "mode": mode,
            "answers": dict(answers or {}),
            "answers_of": answers_of,
        }
        return await self._transport.post(
            f"{_path(agent_id)}/test",
            StartedRun,
            repeatable=True,
            json=body,
            headers={"Idempotency-Key": new_id("key")},
        )

    async def get_executions(
        self,
        agent_id: str,
        *,
        limit: int = 50,
        cursor: str | None = None,
        status: RunStatus | None = None,
    ) -> Page[Run]:
        """The newest runs of one agent."""
        return await self._transport.page(
            f"{_path(agent_id)}/executions",
            "executions",
            Run,
            limit=limit,
            cursor=cursor,
            status=status,
        )

    async def _switch(self, agent_id: str, verb: str) -> Agent:
        return await self._transport.post(f"{_path(agent_id)}/{verb}", Agent, repeatable=True)


def _spending(budget: BudgetTerms) -> dict[str, Any]:
    if budget == BudgetTerms():
        return {}
    limit = budget.auto_proceed_limit_usd
    up_to = {} if limit is None else {"auto_proceed": True, "auto_proceed_limit_usd": f"{limit:f}"}
    return {"budget_mode": budget.mode, **up_to}


def _path(agent_id: str) -> str:
    return f"{_AGENTS}/{quote(agent_id, safe='')}"
