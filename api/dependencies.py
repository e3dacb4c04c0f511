"""What routes ask for: who calls, and the store as that caller sees it."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from temporalio.client import Client

from omniforge.agents.config import AgentConfig
from omniforge.agents.runs import Run
from omniforge.errors import AgentInvalid, Unauthenticated
from omniforge.identity import Principal
from omniforge.store.store import Store, TenantStore
from omniforge.tools.mcp.servers import OperatorServers

_bearer = HTTPBearer(auto_error=False, description="An API key: `Bearer of_sk_...`")


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


AllData = Annotated[Store, Depends(_store)]


async def _principal(
    store: AllData,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Principal:
    if credentials is None:
        raise Unauthenticated("Send an API key: `Authorization: Bearer of_sk_...`.")
    return await store.authenticate(credentials.credentials)


Caller = Annotated[Principal, Depends(_principal)]


def _mine(store: AllData, caller: Caller) -> TenantStore:
    return store.for_tenant(caller.tenant_id)


Mine = Annotated[TenantStore, Depends(_mine)]


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
