"""Connections: accounts of outside services. A person sees their own, an admin those of the workspace."""

from dataclasses import replace

from fastapi import APIRouter, Request, Response

from api.connecting.desk import Connecting, Wish
from api.dependencies import Audited, Caller, Cursor, Limit, Mine
from api.errors import responses
from api.schemas.connections import (
    AppBody,
    AppList,
    AppSecret,
    Begun,
    BroughtToken,
    ConnectionBody,
    ConnectionList,
    IntegrationBody,
    IntegrationList,
)
from omniforge import clock
from omniforge.errors import (
    AppInUse,
    AppNotFound,
    ConnectionNotFound,
    IntegrationUnknown,
    KeyMissing,
    TemporalUnavailable,
    TokenDenied,
    TokenNotAsked,
    Unauthenticated,
)
from omniforge.identity import Permission, Principal, new_id
from omniforge.integrations.apps import OwnApp
from omniforge.integrations.catalog import all_integrations, integration
from omniforge.integrations.oauth.connection import Connection, ConnectionStatus
from omniforge.store.audit import Act
from omniforge.store.store import Repositories, TenantStore

router = APIRouter(prefix="/api/v1", tags=["connections"], responses=responses(Unauthenticated))


@router.get("/connections")
async def list_connections(
    mine: Mine, caller: Caller, limit: Limit = 50, cursor: Cursor = None
) -> ConnectionList:
    """Connections that have not been ended, newest first."""
    of_person = None if _sees_all(caller) else caller.user_id
    page = await mine.read(lambda db: db.connections.page(limit, cursor, of_person))
    bodies = [ConnectionBody.of(one) for one in page.items]
    return ConnectionList(connections=bodies, next_cursor=page.next_cursor)


@router.post(
    "/connections",
    status_code=201,
    responses=responses(TokenDenied, IntegrationUnknown, TokenNotAsked, KeyMissing),
)
async def bring_token(
    body: BroughtToken, request: Request, caller: Caller, desk: Connecting
) -> ConnectionBody:
    """Connect the account of a token that the service gave out itself. Its service is asked whose it is.

    Nobody refreshes such a token: it is good until it is revoked there.
    """
    connection = await desk.manager.adopt(
        body.integration_id, caller.user_id, caller.tenant_id, body.token.get_secret_value()
    )
    await desk.connected(connection, caller.credential, request)
    return ConnectionBody.of(connection)


@router.get("/connections/{connection_id}", responses=responses(ConnectionNotFound))
async def get_connection(connection_id: str, mine: Mine, caller: Caller) -> ConnectionBody:
    """One connection."""
    return ConnectionBody.of(await _visible(connection_id, mine, caller))


@router.delete(
    "/connections/{connection_id}",
    status_code=204,
    responses=responses(ConnectionNotFound, TemporalUnavailable),
)
async def disconnect(
    connection_id: str, mine: Mine, caller: Caller, audited: Audited, desk: Connecting
) -> None:
    """End a connection, at its service too where that can be asked. No token of it is kept."""
    connection = await _visible(connection_id, mine, caller)
    await desk.workflows.disconnect(connection)
    details = {"integration": connection.integration_id, "account": connection.account_id}
    await audited.note(Act.CONNECTION_ENDED, connection.id, **details)


@router.post(
    "/connections/{connection_id}/reconnect",
    responses=responses(ConnectionNotFound, IntegrationUnknown, KeyMissing),
)
async def reconnect(
    connection_id: str,
    request: Request,
    response: Response,
    mine: Mine,
    caller: Caller,
    desk: Connecting,
) -> Begun:
    """Begin to connect the same account again, in the browser that asks. Only its owner can."""
    known = await _visible(connection_id, mine, caller)
    wish = Wish(caller.tenant_id, caller.user_id, known.integration_id, connection_id)
    url, state = await desk.send(wish, request, response)
    return Begun(authorize_url=url, state=state)


@router.get("/integrations")
async def list_integrations(mine: Mine, caller: Caller, desk: Connecting) -> IntegrationList:
    """All services that can be connected, and what skills can do there."""
    own = {app.integration_id for app in await mine.read(lambda db: db.apps.all())}

    def app_of(name: str) -> str | None:
        return "own" if name in own else "platform" if desk.apps.is_set_up(name) else None

    found = all_integrations().values()
    return IntegrationList(
        integrations=[IntegrationBody.of(one, app_of(one.name)) for one in found]
    )


# ---- a workspace's own apps ------------------------------------------------------------------


@router.get("/oauth/apps")
async def list_apps(mine: Mine) -> AppList:
    """The workspace's own apps. Their secrets are never shown."""
    return AppList(apps=[AppBody.of(app) for app in await mine.read(lambda db: db.apps.all())])


@router.get("/oauth/apps/{integration_id}", responses=responses(AppNotFound))
async def get_app(integration_id: str, mine: Mine) -> AppBody:
    """One of the workspace's own apps."""
    return AppBody.of(await mine.read(lambda db: _app(db, integration_id)))


@router.put(
    "/oauth/apps/{integration_id}",
    responses=responses(IntegrationUnknown, AppInUse, KeyMissing),
)
async def set_app(
    integration_id: str, body: AppSecret, mine: Mine, audited: Audited, desk: Connecting
) -> AppBody:
    """Connect through the workspace's own app from now on, or give the one that is set another secret."""
    integration(integration_id)
    known = await mine.read(lambda db: db.apps.of(integration_id))
    is_same = known is not None and known.client_id == body.client_id
    caller = audited.caller
    app = OwnApp(
        id=known.id if known is not None and is_same else new_id("app"),
        tenant_id=caller.tenant_id,
        integration_id=integration_id,
        client_id=body.client_id,
        secret=b"",
        created_by=caller.user_id,
        created_at=clock.now(),
    )
    secret = await desk.vault.seal(body.client_secret.get_secret_value(), app.place)
    app = replace(app, secret=secret)
    await audited.write(Act.APP_SET, integration_id, lambda db: db.apps.put(app))
    return AppBody.of(app)


@router.delete(
    "/oauth/apps/{integration_id}", status_code=204, responses=responses(AppNotFound, AppInUse)
)
async def remove_app(integration_id: str, audited: Audited) -> None:
    """Connect through the platform's app again, where there is one."""
    await audited.write(Act.APP_REMOVED, integration_id, lambda db: db.apps.remove(integration_id))


def _app(db: Repositories, integration_id: str) -> OwnApp:
    if (app := db.apps.of(integration_id)) is None:
        raise AppNotFound(integration_id)
    return app


def _sees_all(caller: Principal) -> bool:
    return Permission.CONNECTIONS in caller.permissions


async def _visible(connection_id: str, mine: TenantStore, caller: Principal) -> Connection:
    """
    Raises:
        ConnectionNotFound: It is missing, ended, or not the caller's to see.
    """
    connection, _ = await mine.read(lambda db: db.connections.get(connection_id))
    is_theirs = connection.user_id == caller.user_id or _sees_all(caller)
    if not is_theirs or connection.status is ConnectionStatus.DISCONNECTED:
        raise ConnectionNotFound(connection_id)
    return connection
