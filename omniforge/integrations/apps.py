"""The apps at services that people are asked to allow: the platform's, and tenants' own."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

from omniforge.errors import IntegrationUnknown
from omniforge.integrations.catalog import all_integrations
from omniforge.integrations.oauth.config import CURRENT, OAuthConfig, OAuthProvider
from omniforge.tools.wording import listed
from omniforge.vault import Place, Vault

CALLBACK = "/api/v1/oauth/callback"
"""Where services send people back to, on the platform's public address."""


@dataclass(frozen=True, slots=True)
class PlatformApp:
    """An app of the operator's, for all tenants. Without a `redirect_uri` it is the platform's callback."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str = ""


@dataclass(frozen=True, slots=True)
class OwnApp:
    """An app of one tenant's, as it is stored."""

    id: str
    tenant_id: str
    integration_id: str
    client_id: str
    secret: bytes = field(repr=False)
    created_by: str
    created_at: datetime

    @property
    def place(self) -> Place:
        return Place(self.tenant_id, "oauth_apps", self.id, "client_secret_encrypted")


class OwnApps(Protocol):
    """Where tenants' apps are kept."""

    async def current(self, tenant_id: str, integration_id: str) -> OwnApp | None: ...

    async def get(self, tenant_id: str, app_id: str) -> OwnApp | None: ...


class Apps:
    """Finds the app for a tenant and an integration. A tenant's own goes before the platform's."""

    def __init__(
        self,
        platform: Mapping[str, PlatformApp],
        own: OwnApps,
        vault: Vault,
        callback: str,
        base_urls: Mapping[str, str],
    ) -> None:
        """`base_urls` are other addresses than the services' public ones, by integration."""
        self._platform, self._own, self._vault = platform, own, vault
        self._callback, self._base_urls = callback, base_urls

    async def __call__(
        self, tenant_id: str, integration_id: str, app_id: str | None
    ) -> OAuthConfig:
        """
        Raises:
            IntegrationUnknown: There is no such integration, or no app is set up for it.
        """
        provider = self._provider(integration_id)
        own = None
        if app_id == CURRENT:
            own = await self._own.current(tenant_id, integration_id)
        elif app_id is not None:
            own = await self._own.get(tenant_id, app_id)
        if own is not None:
            secret = await self._vault.open(own.secret, own.place)
            return self._config(provider, PlatformApp(own.client_id, secret), own.id)
        if app_id not in {None, CURRENT} or integration_id not in self._platform:
            raise IntegrationUnknown(integration_id, listed(self._platform))
        return self._config(provider, self._platform[integration_id], None)

    def is_set_up(self, integration_id: str) -> bool:
        """Whether the platform has an app for it."""
        return integration_id in self._platform

    def _config(self, provider: OAuthProvider, app: PlatformApp, app_id: str | None) -> OAuthConfig:
        return OAuthConfig(
            provider,
            app.client_id,
            app.client_secret,
            app.redirect_uri or self._callback,
            provider.scopes,
            app_id,
        )

    def _provider(self, integration_id: str) -> OAuthProvider:
        integration = all_integrations().get(integration_id)
        if integration is None:
            raise IntegrationUnknown(integration_id, listed(self._platform))
        base_url = self._base_urls.get(integration_id)
        if base_url is None:
            return integration.oauth
        return _moved(integration.oauth, integration.service.base_url, base_url)


def _moved(provider: OAuthProvider, public: str, base_url: str) -> OAuthProvider:
    """A provider at another address, with the paths that it has at the public one."""

    def move(url: str) -> str:
        if url.startswith(f"{public}/"):
            return base_url.rstrip("/") + url.removeprefix(public)
        origin, path = urlsplit(base_url), urlsplit(url).path
        return f"{origin.scheme}://{origin.netloc}{path}"

    return replace(
        provider,
        authorize_url=move(provider.authorize_url),
        token_url=move(provider.token_url),
        revoke_url=provider.revoke_url and move(provider.revoke_url),
    )
