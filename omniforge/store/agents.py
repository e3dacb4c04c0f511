"""Agents and their versions."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, bindparam, case, func, insert, select, update

from omniforge import clock
from omniforge.agents.config import ActsAs, AgentConfig, AgentStatus, UsageStats
from omniforge.agents.modes import RunMode
from omniforge.agents.runs import Run, RunStatus, RunTrigger
from omniforge.agents.versions import AgentVersion
from omniforge.errors import AgentChanged, AgentInvalid, AgentNotFound
from omniforge.integrations.accounts import Accounts
from omniforge.store.repository import Repository
from omniforge.store.sql import Page, page_of
from omniforge.store.tables import agent_configs, agent_executions, agent_versions, schedules

# A few kilobytes each; more than the agents that are busy at one time.
MAX_VERSIONS_KEPT = 1_000
_versions: dict[tuple[str, str, int], AgentVersion] = {}

# Rehearsals, tests, replays and forks are no work of the agent's, and no figure counts them.
IS_AT_WORK = agent_executions.c.mode == RunMode.LIVE

_NAME = select(agent_configs.c.name, agent_configs.c.version).where(
    agent_configs.c.tenant_id == bindparam("tenant"), agent_configs.c.id == bindparam("agent")
)
_VERSION = select(agent_versions).where(
    agent_versions.c.tenant_id == bindparam("tenant"),
    agent_versions.c.agent_id == bindparam("agent"),
    agent_versions.c.version == bindparam("number"),
)


class AgentRepository(Repository):
    def add(self, agent: AgentConfig, version: AgentVersion) -> None:
        """
        Raises:
            AgentInvalid: It wants to run agents that are not there.
        """
        self._check_sub_agents(agent)
        self._connection.execute(
            insert(agent_configs), [agent.model_dump(mode="python") | _json(agent)]
        )
        self.add_version(version)

    def add_version(self, version: AgentVersion) -> None:
        row = version.model_dump(mode="json") | {"created_at": version.created_at}
        self._connection.execute(insert(agent_versions), [row])

    def get(self, agent_id: str) -> AgentConfig:
        """
        Raises:
            AgentNotFound: Missing, or another tenant's.
        """
        query = select(agent_configs).where(self._mine(), agent_configs.c.id == agent_id)
        row = self._connection.execute(query).mappings().first()
        if row is None:
            raise AgentNotFound(agent_id)
        return AgentConfig.model_validate(dict(row))

    def name_and_version(self, agent_id: str) -> tuple[str, int]:
        """What a run needs of an agent's row: its name and its newest version.

        Raises:
            AgentNotFound: Missing, or another tenant's.
        """
        place = {"tenant": self._tenant_id, "agent": agent_id}
        row = self._connection.execute(_NAME, place).first()
        if row is None:
            raise AgentNotFound(agent_id)
        return row.name, row.version

    def version(self, agent_id: str, number: int) -> AgentVersion:
        """A version of an agent. It never changes, so each process reads it once."""
        key = (self._tenant_id, agent_id, number)
        if (known := _versions.get(key)) is None:
            names = ("tenant", "agent", "number")
            row = (
                self._connection.execute(_VERSION, dict(zip(names, key, strict=True)))
                .mappings()
                .one()
            )
            known = AgentVersion.model_validate(dict(row))
            if len(_versions) >= MAX_VERSIONS_KEPT:
                _versions.clear()
            _versions[key] = known
        return known

    def accounts(self, run: Run, version: AgentVersion) -> Accounts | None:
        """The accounts that a run may act on. What time or an event starts acts as the agent's owner."""
        if not version.integrations:
            return None
        user_id = run.triggered_by
        if version.acts_as is ActsAs.OWNER or run.trigger_type is not RunTrigger.ON_DEMAND:
            user_id = self.get(run.agent_id).created_by
        return Accounts(self._tenant_id, user_id, version.integrations, version.connections)

    def page(self, limit: int, cursor: str | None, status: AgentStatus | None) -> Page[AgentConfig]:
        """Newest first. Archived agents are listed only when asked for by status."""
        wanted = (
            agent_configs.c.status != AgentStatus.ARCHIVED
            if status is None
            else agent_configs.c.status == status
        )
        query = select(agent_configs).where(self._mine(), wanted)
        return page_of(
            self._connection,
            query,
            agent_configs,
            limit,
            cursor,
            lambda row: AgentConfig.model_validate(dict(row)),
        )

    def change(self, agent: AgentConfig, of_version: int, version: AgentVersion | None) -> None:
        """Overwrite what a person can change, and add the new version if there is one.

        Raises:
            AgentChanged: The agent is no longer at the version that the change was made from.
            AgentInvalid: It wants to run agents that are not there, or that run it.
        """
        self._check_sub_agents(agent)
        columns = agent.model_dump(
            include={"name", "description", "trigger_type", "version"}
        ) | _json(agent)
        self._update(
            agent.id,
            agent_configs.c.version == of_version,
            columns | {"updated_at": agent.updated_at},
        )
        if version is not None:
            self.add_version(version)

    def set_status(self, agent_id: str, status: AgentStatus) -> None:
        """Switch an agent on or off, or put it away.

        Raises:
            AgentChanged: It was archived meanwhile, which is for good.
        """
        alive, at = agent_configs.c.status != AgentStatus.ARCHIVED, clock.now()
        self._update(agent_id, alive, {"status": status, "updated_at": at})
        # Whether Temporal's schedules are there, and paused, depends on their agent.
        mine = (schedules.c.tenant_id == self._tenant_id, schedules.c.agent_id == agent_id)
        newer = {"revision": schedules.c.revision + 1, "updated_at": at}
        self._connection.execute(update(schedules).where(*mine).values(newer))

    def _update(self, agent_id: str, only_if: ColumnElement[bool], values: dict[str, Any]) -> None:
        statement = update(agent_configs).where(
            self._mine(), agent_configs.c.id == agent_id, only_if
        )
        if self._connection.execute(statement.values(values)).rowcount != 1:
            raise AgentChanged(agent_id)

    def usage(self, agent_ids: Sequence[str]) -> dict[str, UsageStats]:
        """Counted from the runs now; an agent without runs has no entry."""
        runs = agent_executions.c
        query = (
            select(
                runs.agent_id,
                func.count().label("total_runs"),
                func.sum(case((runs.status == RunStatus.COMPLETED, 1), else_=0)).label(
                    "successful_runs"
                ),
                func.max(runs.started_at).label("last_run"),
            )
            .where(runs.tenant_id == self._tenant_id, runs.agent_id.in_(agent_ids), IS_AT_WORK)
            .group_by(runs.agent_id)
        )
        rows = self._connection.execute(query).mappings()
        return {row["agent_id"]: UsageStats.model_validate(dict(row)) for row in rows}

    def names(self, agent_ids: Sequence[str]) -> dict[str, str]:
        """The names of those of these agents that are there."""
        query = select(agent_configs.c.id, agent_configs.c.name)
        rows = self._connection.execute(
            query.where(self._mine(), agent_configs.c.id.in_(agent_ids))
        )
        return {row.id: row.name for row in rows}

    def _check_sub_agents(self, agent: AgentConfig) -> None:
        """Look at whom an agent wants to run, and whom those would run."""
        ahead: list[tuple[str, tuple[str, ...]]] = [(name, (name,)) for name in agent.sub_agents]
        seen: set[str] = set()
        while ahead:
            found, way = ahead.pop()
            if found == agent.id:
                raise AgentInvalid(
                    f"sub_agents: the agents would run each other in a circle: {' -> '.join(way)}."
                )
            if found in seen:
                continue
            seen.add(found)
            try:
                further = self.get(found).sub_agents
            except AgentNotFound as error:
                raise AgentInvalid(f"sub_agents: {error.message}") from error
            ahead += [(name, (*way, name)) for name in further]

    def _mine(self) -> ColumnElement[bool]:
        return agent_configs.c.tenant_id == self._tenant_id


_DOCUMENTS = {
    *("skills", "integrations", "limits", "permissions", "sub_agents", "mcp_servers"),
    *("shared_with", "event_config", "connections", "acts_as"),
}


def _json(agent: AgentConfig) -> dict[str, Any]:
    """The columns that hold documents, as JSON."""
    return agent.model_dump(mode="json", include=_DOCUMENTS)
