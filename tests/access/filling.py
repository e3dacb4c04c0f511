"""A workspace with one of everything, and callers of every role."""

from collections.abc import Mapping
from typing import Any, Protocol

import httpx2

from omniforge import clock
from omniforge.identity import Principal, Role, new_id
from omniforge.integrations.oauth.connection import Connection, ConnectionStatus, SealedTokens
from omniforge.store.access import create_key, create_tenant
from omniforge.store.store import Store, TenantStore
from tests.e2e.asking import asking
from tests.support.platform import Platform
from tests.triggers.hooked import Hooked
from tests.webhooks.senders import custom

MCP_URL = "http://127.0.0.1:9/mcp"


class Served(Protocol):
    """What there is of a platform where only the API runs."""

    @property
    def api(self) -> httpx2.AsyncClient: ...
    @property
    def store(self) -> Store: ...


class Workspace:
    """A tenant of its own on a running platform, as its owner sees it."""

    def __init__(self, platform: Served, owner: Principal, key: str) -> None:
        self.platform, self.owner, self.key = platform, owner, key

    @property
    def mine(self) -> TenantStore:
        return self.platform.store.for_tenant(self.owner.tenant_id)

    @classmethod
    async def new(cls, platform: Served, name: str = "Acme") -> "Workspace":
        database = platform.store.database
        owner = await database.write(lambda c: create_tenant(c, name, "Anna"))
        return cls(platform, owner, await database.write(lambda c: create_key(c, owner, "first")))

    @classmethod
    async def of(cls, platform: Served) -> "Workspace":
        """The platform's own tenant."""
        key = platform.api.headers["Authorization"].removeprefix("Bearer ")
        return cls(platform, await platform.store.authenticate(key), key)

    async def member(self, role: Role, name: str = "Bob") -> tuple[str, str]:
        """A new person of this role: id and key."""
        member = await self.mine.write(lambda db: db.members.add(name, role, is_service=False))
        who = Principal(self.owner.tenant_id, member.user_id, role)
        database = self.platform.store.database
        return member.user_id, await database.write(lambda c: create_key(c, who, "test"))

    async def send(
        self, method: str, path: str, key: str = "", body: Any = None
    ) -> httpx2.Response:
        """A request of the owner, or of whoever has the key. Of a stream, the first part only."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        async with self.platform.api.stream(method, path, headers=headers, json=body) as response:
            if "event-stream" not in response.headers.get("content-type", ""):
                await response.aread()
        return response


async def filled(hooked: Hooked) -> dict[str, str]:
    """One of everything in the platform's own tenant: path parameter -> id."""
    platform = hooked.platform
    question = await asking(platform)
    agent_id = question["agent_id"]
    trigger = await hooked.trigger(agent_id=agent_id)
    sent = await hooked.send(trigger, custom(at=clock.now()))
    schedule = await made(platform, "schedules", agent_id=agent_id, cron_expression="0 3 1 1 *")
    service = await made(platform, "members", name="Robot", role="viewer")
    server = await made(platform, "mcp-servers", name=new_id("mcp")[-8:], url=MCP_URL)
    path = f"members/{service['user_id']}/keys"
    return {
        "agent_id": agent_id,
        "execution_id": question["execution_id"],
        "approval_id": question["id"],
        "trigger_id": trigger.id,
        "delivery_id": sent.json()["delivery_id"],
        "schedule_id": schedule["id"],
        "user_id": service["user_id"],
        "key_id": (await made(platform, path, name="robot's"))["id"],
        "invitation_id": (await made(platform, "invitations", role="viewer"))["id"],
        "name": server["name"],
        "path:path": "report.txt",
        "scope": "agent",
        "connection_id": await connected(platform),
        "integration_id": "github",
        "subject": agent_id,
        "period": "day",
    }


async def connected(platform: Platform) -> str:
    """A connection whose tokens nobody can read any more, as after a lost key."""
    at = clock.now()
    who = await platform.store.authenticate(platform.api.headers["Authorization"][7:])
    connection = Connection(
        id=new_id("co"),
        tenant_id=who.tenant_id,
        user_id=who.user_id,
        integration_id="github",
        account_id=new_id("account"),
        status=ConnectionStatus.BROKEN,
        created_at=at,
        updated_at=at,
    )
    mine = platform.store.for_tenant(who.tenant_id)
    tokens = SealedTokens(b"", None, "bearer", None, ())
    await mine.write(lambda db: db.connections.save(connection, tokens))
    return connection.id


async def made(platform: Platform, what: str, **body: Any) -> dict[str, Any]:
    response = await platform.api.post(f"/api/v1/{what}", json=body)
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


def path_with(path: str, ids: Mapping[str, str]) -> str:
    """A route's path with ids in it. A parameter without one is a KeyError: add it to `filled`."""
    parts = (ids[part[1:-1]] if part.startswith("{") else part for part in path.split("/"))
    return "/".join(parts)
