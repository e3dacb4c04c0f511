"""Tenants' own apps at services. Their secrets come and go encrypted."""

from typing import TYPE_CHECKING

from sqlalchemy import RowMapping, delete, func, insert, select, update

from omniforge.errors import AppInUse, AppNotFound
from omniforge.integrations.apps import OwnApp
from omniforge.integrations.oauth.connection import ConnectionStatus
from omniforge.store.repository import Repository
from omniforge.store.tables import credentials, oauth_apps

if TYPE_CHECKING:
    from omniforge.store.store import Store


class AppRepository(Repository):
    def all(self) -> list[OwnApp]:
        query = select(oauth_apps).where(oauth_apps.c.tenant_id == self._tenant_id)
        rows = self._connection.execute(query.order_by(oauth_apps.c.integration_id)).mappings()
        return [_app_of(row) for row in rows]

    def of(self, integration_id: str) -> OwnApp | None:
        return next((app for app in self.all() if app.integration_id == integration_id), None)

    def get(self, app_id: str) -> OwnApp | None:
        return next((app for app in self.all() if app.id == app_id), None)

    def put(self, app: OwnApp) -> None:
        """Set an integration's app, or give the one that is there another secret.

        Raises:
            AppInUse: Another app is set, and connections live on it.
        """
        row = {
            "id": app.id,
            "tenant_id": self._tenant_id,
            "integration_id": app.integration_id,
            "client_id": app.client_id,
            "client_secret_encrypted": app.secret,
            "created_by": app.created_by,
            "created_at": app.created_at,
        }
        known = self.of(app.integration_id)
        if known is not None and known.id == app.id:
            mine = oauth_apps.c.tenant_id == self._tenant_id, oauth_apps.c.id == app.id
            self._connection.execute(update(oauth_apps).where(*mine).values(row))
            return
        if known is not None:
            self.remove(app.integration_id)
        self._connection.execute(insert(oauth_apps), [row])

    def remove(self, integration_id: str) -> None:
        """
        Raises:
            AppNotFound: There is none.
            AppInUse: Connections live on it.
        """
        app = self.of(integration_id)
        if app is None:
            raise AppNotFound(integration_id)
        made_with_it = (
            credentials.c.tenant_id == self._tenant_id,
            credentials.c.app_id == app.id,
        )
        alive = credentials.c.status != ConnectionStatus.DISCONNECTED
        query = select(func.count()).select_from(credentials).where(*made_with_it, alive)
        if count := self._connection.execute(query).scalar_one():
            raise AppInUse(
                f"{count} connections were made with this app, and only it can refresh them."
                " Disconnect them first."
            )
        self._connection.execute(update(credentials).where(*made_with_it).values(app_id=None))
        mine = oauth_apps.c.tenant_id == self._tenant_id, oauth_apps.c.id == app.id
        self._connection.execute(delete(oauth_apps).where(*mine))


class StoredApps:
    """Tenants' apps as connections are made with them."""

    def __init__(self, store: "Store") -> None:
        self._store = store

    async def current(self, tenant_id: str, integration_id: str) -> OwnApp | None:
        mine = self._store.for_tenant(tenant_id)
        return await mine.read(lambda db: db.apps.of(integration_id))

    async def get(self, tenant_id: str, app_id: str) -> OwnApp | None:
        return await self._store.for_tenant(tenant_id).read(lambda db: db.apps.get(app_id))


def _app_of(row: RowMapping) -> OwnApp:
    return OwnApp(
        id=row["id"],
        tenant_id=row["tenant_id"],
        integration_id=row["integration_id"],
        client_id=row["client_id"],
        secret=row["client_secret_encrypted"],
        created_by=row["created_by"],
        created_at=row["created_at"],
    )
