"""The store: a database and its blobs, opened for one tenant at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, select

from omniforge.agents.runs import Run
from omniforge.identity import Principal
from omniforge.journal.blobs import BlobStore
from omniforge.journal.entries import announcement
from omniforge.journal.journal import Journal
from omniforge.journal.ports import NodeState
from omniforge.journal.recording import Recording
from omniforge.journal.steps import Fence, NodeKey
from omniforge.store.access import principal_of
from omniforge.store.admission import AdmissionRepository
from omniforge.store.agents import AgentRepository
from omniforge.store.approvals import ApprovalRepository
from omniforge.store.apps import AppRepository
from omniforge.store.audit import AuditRepository
from omniforge.store.blobs import FolderBlobs
from omniforge.store.briefs import NodeBrief
from omniforge.store.budgets import BudgetRepository
from omniforge.store.children import ChildRepository
from omniforge.store.connections import ConnectionRepository
from omniforge.store.control import ControlRepository
from omniforge.store.database import Database, open_database
from omniforge.store.deliveries import DeliveryRepository
from omniforge.store.fires import FireRepository
from omniforge.store.history import HistoryRepository
from omniforge.store.invitations import InvitationRepository
from omniforge.store.journal import SqlJournalStore
from omniforge.store.keys import KeyRepository
from omniforge.store.links import LinkRepository
from omniforge.store.mcp_servers import McpServerRepository
from omniforge.store.members import MemberRepository
from omniforge.store.nodes import NodeRepository
from omniforge.store.overlap import OverlapRepository
from omniforge.store.recordings import RecordingRepository
from omniforge.store.retries import RetryRepository
from omniforge.store.runs import RunRepository
from omniforge.store.schedules import ScheduleRepository
from omniforge.store.tables import agent_executions
from omniforge.store.triggers import TriggerRepository
from omniforge.store.waits import WaitRepository

T = TypeVar("T")


class Repositories:
    """All nouns of one tenant in one transaction."""

    def __init__(self, connection: Connection, tenant_id: str, platform_cap: int = 0) -> None:
        self._connection, self._tenant_id = connection, tenant_id
        self._platform_cap = platform_cap

    @cached_property
    def agents(self) -> AgentRepository:
        return AgentRepository(self._connection, self._tenant_id)

    @cached_property
    def runs(self) -> RunRepository:
        return RunRepository(self._connection, self._tenant_id, self.admission)

    @cached_property
    def admission(self) -> AdmissionRepository:
        return AdmissionRepository(self._connection, self._tenant_id, self._platform_cap)

    @cached_property
    def apps(self) -> AppRepository:
        return AppRepository(self._connection, self._tenant_id)

    @cached_property
    def links(self) -> LinkRepository:
        return LinkRepository(self._connection, self._tenant_id)

    @cached_property
    def connections(self) -> ConnectionRepository:
        return ConnectionRepository(self._connection, self._tenant_id)

    @cached_property
    def overlap(self) -> OverlapRepository:
        return OverlapRepository(self._connection, self._tenant_id, self.admission)

    @cached_property
    def fires(self) -> FireRepository:
        return FireRepository(self._connection, self._tenant_id, self.overlap)

    @cached_property
    def schedules(self) -> ScheduleRepository:
        return ScheduleRepository(self._connection, self._tenant_id)

    @cached_property
    def triggers(self) -> TriggerRepository:
        return TriggerRepository(self._connection, self._tenant_id)

    @cached_property
    def deliveries(self) -> DeliveryRepository:
        return DeliveryRepository(self._connection, self._tenant_id)

    @cached_property
    def nodes(self) -> NodeRepository:
        return NodeRepository(self._connection, self._tenant_id)

    @cached_property
    def control(self) -> ControlRepository:
        return ControlRepository(self._connection, self._tenant_id)

    @cached_property
    def children(self) -> ChildRepository:
        return ChildRepository(self._connection, self._tenant_id)

    @cached_property
    def history(self) -> HistoryRepository:
        return HistoryRepository(self._connection, self._tenant_id)

    @cached_property
    def recordings(self) -> RecordingRepository:
        return RecordingRepository(self._connection, self._tenant_id)

    @cached_property
    def waits(self) -> WaitRepository:
        return WaitRepository(self._connection, self._tenant_id)

    @cached_property
    def retries(self) -> RetryRepository:
        return RetryRepository(self._connection, self._tenant_id)

    @cached_property
    def approvals(self) -> ApprovalRepository:
        return ApprovalRepository(self._connection, self._tenant_id)

    @cached_property
    def mcp_servers(self) -> McpServerRepository:
        return McpServerRepository(self._connection, self._tenant_id)

    @cached_property
    def budgets(self) -> BudgetRepository:
        return BudgetRepository(self._connection, self._tenant_id)

    @cached_property
    def members(self) -> MemberRepository:
        return MemberRepository(self._connection, self._tenant_id)

    @cached_property
    def keys(self) -> KeyRepository:
        return KeyRepository(self._connection, self._tenant_id)

    @cached_property
    def invitations(self) -> InvitationRepository:
        return InvitationRepository(self._connection, self._tenant_id)

    @cached_property
    def audit(self) -> AuditRepository:
        return AuditRepository(self._connection, self._tenant_id)


class TenantStore:
    """One tenant's view. Each `read` or `write` is one transaction, and its work may be run twice."""

    def __init__(self, database: Database, tenant_id: str, platform_cap: int = 0) -> None:
        self._database, self.tenant_id = database, tenant_id
        self._platform_cap = platform_cap

    async def read(self, work: Callable[[Repositories], T]) -> T:
        return await self._database.read(lambda c: work(self._on(c)))

    async def write(self, work: Callable[[Repositories], T]) -> T:
        return await self._database.write(lambda c: work(self._on(c)))

    async def open_node(
        self, key: NodeKey, fence: Fence, should_stop: Callable[[], str | None]
    ) -> tuple[NodeBrief, Journal]:
        """Claim a skill of a run and read what it works from, in one transaction.

        Raises:
            Fenced: A later segment or attempt is already at work.
            RecordEnded: The run is a replay, and the original never began this skill.
        """

        def work(connection: Connection) -> tuple[NodeBrief, NodeState, Recording]:
            db = self._on(connection)
            brief = db.runs.brief(key.stream_id, key.node)
            recording = db.recordings.of(brief.run, brief.plan, key.node)
            brief = replace(brief, script=db.recordings.script(brief.run, key.node))
            name = brief.skill.reference.name
            announce = announcement(key, name, fence, recording.told)
            state = self.journal.claim_on(connection, key, name, fence, announce)
            return brief, state, recording

        brief, state, recording = await self._database.write(work)
        return brief, Journal(self.journal, key, fence, state, should_stop, recording)

    @cached_property
    def journal(self) -> SqlJournalStore:
        return SqlJournalStore(self._database, self.tenant_id)

    def _on(self, connection: Connection) -> Repositories:
        return Repositories(connection, self.tenant_id, self._platform_cap)


class Store:
    """All of a platform's data.

    `platform_cap` is how many runs of a tenant that has set nothing may be under way; 0: any number.
    """

    def __init__(self, database: Database, blobs: BlobStore, platform_cap: int = 0) -> None:
        self.database, self.blobs, self._platform_cap = database, blobs, platform_cap

    def for_tenant(self, tenant_id: str) -> TenantStore:
        """The store as one tenant sees it. The id comes from a credential or from a workflow's input."""
        return TenantStore(self.database, tenant_id, self._platform_cap)

    async def authenticate(self, api_key: str) -> Principal:
        """
        Raises:
            Unauthenticated: The key is unknown or revoked.
        """
        return await self.database.read(lambda connection: principal_of(connection, api_key))

    async def check(self) -> None:
        """Ask the database for something that only a migrated one has.

        Raises:
            StorageUnavailable: It does not answer, or has not been migrated.
        """
        await self.database.read(_probe)

    async def close(self) -> None:
        await self.database.close()


def _probe(connection: Connection) -> None:
    """Reads at most one id; fails where the table is missing."""
    connection.execute(select(agent_executions.c.id).limit(1)).first()


class StoredChildren:
    """Agents and runs as the tool for sub-agents reads them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def names(self, tenant_id: str, agent_ids: Sequence[str]) -> Mapping[str, str]:
        return await self._store.for_tenant(tenant_id).read(lambda db: db.agents.names(agent_ids))

    async def result(self, tenant_id: str, run_id: str) -> Run:
        return await self._store.for_tenant(tenant_id).read(lambda db: db.runs.get(run_id))


def open_store(database_url: str, storage: Path, platform_cap: int = 0) -> Store:
    """The store of a process. Connects on first use; close it at the end."""
    return Store(open_database(database_url), FolderBlobs(storage / "blobs"), platform_cap)
