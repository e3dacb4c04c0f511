"""What the settings become, wherever skills run: in a worker, and in the command line on its own."""

from datetime import timedelta
from urllib.parse import urlsplit

from pydantic import SecretStr

from omniforge.integrations.apps import CALLBACK, Apps, PlatformApp
from omniforge.integrations.catalog import all_integrations, whose_account
from omniforge.integrations.http.access import HttpAccess
from omniforge.integrations.oauth.manager import OAuthManager, Refresher
from omniforge.integrations.oauth.token_endpoint import TokenEndpoint
from omniforge.llm.pricing import Pricing
from omniforge.llm.protocol import LLM
from omniforge.llm.providers import Access, OpenAIAccess, make_llm
from omniforge.settings import Settings
from omniforge.store.apps import StoredApps
from omniforge.store.connections import StoredConnections
from omniforge.store.store import Store
from omniforge.tools.builtin import builtin_tools
from omniforge.tools.egress import Egress
from omniforge.tools.modules import tools_of
from omniforge.tools.protocol import Tool
from omniforge.tools.sandbox.probe import Mode, ProbedSandbox
from omniforge.tools.sandbox.protocol import MEGABYTE, Limits
from omniforge.vault import LocalKeys, Vault


def llm_from(settings: Settings) -> LLM:
    """The model providers.

    Raises:
        ModelAuthFailed: The chosen provider has no key.
        PricesInvalid: The file with prices cannot be used.
    """
    return _llm(settings)


def price_list_from(settings: Settings) -> LLM:
    """The same models, for what they cost and hold alone: without a key they would refuse every call.

    Raises:
        PricesInvalid: The file with prices cannot be used.
    """
    return _llm(settings, missing_key="none")


def _llm(settings: Settings, missing_key: str = "") -> LLM:
    return make_llm(
        settings.provider,
        model=settings.llm_model,
        anthropic=Access(
            _shown(settings.anthropic_api_key) or missing_key, settings.anthropic_base_url
        ),
        openai=OpenAIAccess(
            _shown(settings.openai_api_key) or missing_key,
            settings.openai_base_url,
            api=settings.openai_api,
            has_native_tools=settings.openai_native_tools,
            reasoning_effort=settings.openai_reasoning_effort,
        ),
        pace=settings.offline_pace,
        prices=Pricing(settings.prices) if settings.prices else None,
    )


def tools_from(settings: Settings) -> list[Tool]:
    """The tools of every skill: the built-in ones, and the operator's own.

    Raises:
        ToolInvalid: A module with tools cannot be used.
    """
    timeout = timedelta(seconds=settings.http_timeout_s)
    return [*builtin_tools(settings.http_allow_private, timeout), *tools_of(settings.tools)]


def services_from(settings: Settings) -> HttpAccess:
    """The way to the services that people connect."""
    return HttpAccess(base_urls=_base_urls(settings))


def vault_from(settings: Settings) -> Vault:
    return Vault(LocalKeys(settings.key_ring))


def apps_from(settings: Settings, store: Store) -> Apps:
    """The apps that people are asked to allow."""
    platform = {
        name: PlatformApp(one.client_id, _shown(one.client_secret), one.redirect_uri)
        for name, one in settings.services.items()
        if one.client_id and name in all_integrations()
    }
    url = settings.public_url or f"http://localhost:{settings.port}"
    callback = url.rstrip("/") + CALLBACK
    own, vault = StoredApps(store), vault_from(settings)
    return Apps(platform, own, vault, callback, _base_urls(settings))


def connections_from(
    settings: Settings,
    store: Store,
    apps: Apps,
    refresher: Refresher | None = None,
    services: HttpAccess | None = None,
) -> OAuthManager:
    """The accounts that people have connected.

    Without a refresher no token is brought anew, without services no new account is connected.
    """
    hosts = [urlsplit(url).netloc for url in _base_urls(settings).values()]
    return OAuthManager(
        apps,
        vault_from(settings),
        StoredConnections(store),
        TokenEndpoint(Egress(hosts)),
        refresher,
        None if services is None else whose_account(services),
    )


def _base_urls(settings: Settings) -> dict[str, str]:
    return {name: one.base_url for name, one in settings.services.items() if one.base_url}


def sandbox_from(settings: Settings) -> ProbedSandbox:
    """The sandbox for scripts of skills."""
    limits = Limits(
        memory_bytes=settings.sandbox_memory_mb * MEGABYTE,
        cpu_s=settings.sandbox_timeout_s,
        wall_s=settings.sandbox_timeout_s,
        processes=settings.sandbox_processes,
        output_bytes=settings.sandbox_output_kb * 1024,
        workspace_bytes=settings.sandbox_disk_mb * MEGABYTE,
    )
    return ProbedSandbox(Mode(settings.sandbox), limits)


def _shown(key: SecretStr | None) -> str:
    return key.get_secret_value() if key else ""
