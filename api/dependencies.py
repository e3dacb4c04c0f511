"""What routes ask for: who calls, and the store as that caller sees it."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from temporalio.client import Client

from api.access.auditing import AuditedStore
from api.access.gate import Gate, address_of
from omniforge.agents.config import AgentConfig
from omniforge.agents.runs import Run
from omniforge.errors import AgentInvalid, Unauthenticated
from omniforge.identity import Principal
from omniforge.integrations.catalog import all_integrations
from omniforge.store.store import Repositories, Store, TenantStore
from omniforge.tools.mcp.servers import OperatorServers
from omniforge.tools.wording import listed

_bearer = HTTPBearer(
    auto_error=False,
    description="An API key (`of_sk_...`), or a JWT of the issuer that is configured.",
)


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


AllData = Annotated[Store, Depends(_store)]


Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def caller_of(request: Request, credentials: Bearer) -> Principal:
    """Who calls, let in by what `api.access.permissions` says about the route."""
    if credentials is None:
        raise Unauthenticated("Send an API key: `Authorization: Bearer of_sk_...`.")
    gate: Gate = request.app.state.gate
    return await gate.admit(request, credentials.credentials)


Caller = Annotated[Principal, Depends(caller_of)]


def _mine(store: AllData, caller: Caller) -> TenantStore:
    return store.for_tenant(caller.tenant_id)


Mine = Annotated[TenantStore, Depends(_mine)]


def _audited(mine: Mine, caller: Caller, request: Request) -> AuditedStore:
    return AuditedStore(mine, caller, address_of(request))


Audited = Annotated[AuditedStore, Depends(_audited)]


async def _own_agent(agent_id: str, mine: Mine) -> AgentConfig:
    return await mine.read(lambda db: db.agents.get(agent_id))


OwnAgent = Annotated[AgentConfig, Depends(_own_agent)]


async def _own_run(execution_id: str, mine: Mine) -> Run:
    return await mine.read(lambda db: db.runs.get(execution_id))


OwnRun = Annotated[Run, Depends(_own_run)]


def _operators(request: Request) -> OperatorServers:
    servers: OperatorServers = request.app.state.mcp_servers
    return servers


Operators = Annotated[OperatorServers, Depends(_operators)]


async def refuse_unknown_servers(
    names: Sequence[str], mine: TenantStore, operators: OperatorServers
) -> None:
    """
    Raises:
        AgentInvalid: An agent names an MCP server that its workspace cannot use.
    """
    missing = [name for name in names if operators.get(name, mine.tenant_id) is None]
    if missing:
        own = await mine.read(lambda db: db.mcp_servers.named(missing))
        if unknown := [name for name in missing if name not in own]:
            raise AgentInvalid(
                f"mcp_servers: there is no MCP server {unknown[0]!r}. `omniforge mcp list` shows what"
                " there is."
            )


async def refuse_unusable_accounts(
    integrations: Sequence[str], pinned: Mapping[str, str], mine: TenantStore, caller: Principal
) -> None:
    """
    Raises:
        AgentInvalid: An agent names a service that there is none of, or somebody else's connection.
    """
    known = all_integrations()
    if unknown := [name for name in (*integrations, *pinned) if name not in known]:
        raise AgentInvalid(
            f"integrations: there is no integration {unknown[0]!r}; there are: {listed(known)}."
        )
    for name, connection_id in pinned.items():
        theirs = await mine.read(partial(_own_connections, caller.user_id, name))
        if name not in integrations or connection_id not in theirs:
            raise AgentInvalid(
                f"connections: {connection_id!r} is no connection of yours to {name!r}, or the agent"
                " does not name that in `integrations`. `omniforge connections list` shows yours."
            )


def _own_connections(user_id: str, integration_id: str, db: Repositories) -> set[str]:
    return {one.id for one in db.connections.of_person(user_id, integration_id)}


def _temporal(request: Request) -> Client:
    client: Client = request.app.state.temporal
    return client


Temporal = Annotated[Client, Depends(_temporal)]

Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.")]

# The column is as wide.
MAX_KEY = 255
IdempotencyHeader = Annotated[
    str | None, Header(alias="Idempotency-Key", max_length=MAX_KEY, min_length=1)
]
