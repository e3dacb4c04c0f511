"""Where people begin to connect an account, and come back from its service."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response

from api.access.gate import address_of
from api.connecting.workflows import ConnectionWorkflows
from api.launch import Launch
from omniforge.integrations.apps import CALLBACK, Apps
from omniforge.integrations.oauth.connection import Connection
from omniforge.integrations.oauth.manager import CONSENT_LASTS, OAuthManager
from omniforge.store.audit import Act, Actor
from omniforge.store.store import Store
from omniforge.vault import Vault


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants to connect what; with a `connection_id`, to mend that one."""

    tenant_id: str
    user_id: str
    integration_id: str
    connection_id: str | None = None
    session_id: str = ""


class Desk:
    def __init__(
        self,
        store: Store,
        manager: OAuthManager,
        apps: Apps,
        vault: Vault,
        workflows: ConnectionWorkflows,
        launch: Launch,
    ) -> None:
        self._store, self.manager, self.apps, self.vault = store, manager, apps, vault
        self.workflows, self._launch = workflows, launch

    async def send(self, wish: Wish, request: Request, response: Response) -> tuple[str, str]:
        """Where to send a person, and the `state`; the way back is bound to the response's browser.

        Raises:
            IntegrationUnknown, ConnectionNotFound: As `OAuthManager.initiate_flow` says.
        """
        browser = secrets.token_urlsafe(32)
        url, state = await self.manager.initiate_flow(
            wish.integration_id,
            wish.user_id,
            wish.tenant_id,
            wish.session_id,
            browser=browser,
            connection_id=wish.connection_id,
        )
        response.set_cookie(
            _cookie(state),
            browser,
            max_age=int(CONSENT_LASTS.total_seconds()),
            path=CALLBACK,
            secure=is_https(request),
            httponly=True,
            samesite="lax",
        )
        return url, state

    async def take_back(self, request: Request, *, code: str, state: str, error: str) -> Connection:
        """Finish what `send` began. Raises as `OAuthManager.connect` does."""
        browser = request.cookies.get(_cookie(state), "")
        connection = await self.manager.connect(code, state, browser=browser, error=error)
        await self.connected(connection, "consent", request)
        return connection

    async def connected(self, connection: Connection, credential: str, request: Request) -> None:
        """Write down who connected what, and let go on what has waited for it."""
        actor = Actor(connection.user_id, credential, address_of(request))
        details = {"integration": connection.integration_id, "account": connection.account_id}
        await self._store.for_tenant(connection.tenant_id).write(
            lambda db: db.audit.add(actor, Act.CONNECTION_MADE, connection.id, details)
        )
        if connection.is_refreshed:
            await self.workflows.look(connection.tenant_id, connection.id)
        await self._launch.reconnect(connection.tenant_id)


def forget_browser(response: Response, state: str) -> None:
    """A way back can be taken once, so its cookie is of no further use."""
    response.delete_cookie(_cookie(state), path=CALLBACK)


def is_https(request: Request) -> bool:
    public: str = request.app.state.public_url
    return public.startswith("https://") or request.url.scheme == "https"


def _cookie(state: str) -> str:
    """One a consent, so that a person can be under way to several services at once."""
    return f"of_consent_{hashlib.sha256(state.encode()).hexdigest()[:16]}"


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


Connecting = Annotated[Desk, Depends(_desk)]
