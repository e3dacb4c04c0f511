"""Puts the API together from settings: the composition root of this process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from typing import Any

from fastapi import FastAPI

from api import errors
from api.access.gate import Gate
from api.access.issuers import Keys, PinnedKey, PublishedKeys
from api.access.limits import Buckets, RateLimits
from api.access.permissions import refuse_unlisted
from api.access.tokens import Issuer, Tokens
from api.access.usage import KeyUses
from api.connecting.desk import Desk
from api.connecting.tending import ConnectionTender
from api.connecting.workflows import ConnectionWorkflows
from api.dependencies import caller_of
from api.launch import Launch
from api.middleware import BodyLimit
from api.reconciler import Reconciler
from api.routes import (
    agents,
    approvals,
    budgets,
    connections,
    control,
    executions,
    health,
    history,
    hooks,
    mcp_servers,
    modes,
    oauth,
    schedules,
    triggers,
    workspace,
)
from api.routes.access import audit, invitations, keys, members
from api.routes.codec import create_codec
from api.triggers.healing import ScheduleHealer
from api.triggers.intake import Intake
from api.triggers.schedules import AgentScheduler
from omniforge.assembly import (
    apps_from,
    connections_from,
    price_list_from,
    services_from,
    vault_from,
)
from omniforge.errors import Forbidden, OmniForgeError, TooManyRequests
from omniforge.execution.model_call.forecast import Forecaster
from omniforge.integrations.http.access import HttpAccess
from omniforge.settings import Settings
from omniforge.store.bell import listening
from omniforge.store.keys_in_use import prove_keys
from omniforge.store.resealing import reseal
from omniforge.store.shared_storage import prove_shared
from omniforge.store.store import Store, open_store
from omniforge.tools.egress import Egress
from omniforge.tools.mcp.servers import read_servers
from workflows.codec import EncryptingCodec
from workflows.wire import connect

UNGUARDED = (hooks, health)
# After those: routes are tried in order, and hooks come by the thousand.
GUARDED = (
    agents,
    executions,
    control,
    modes,
    approvals,
    budgets,
    history,
    mcp_servers,
    workspace,
    schedules,
    triggers,
    connections,
    oauth,
    keys,
    members,
    invitations,
    audit,
)

DESCRIPTION = """\
Agents made of standard SKILL.md folders, run durably. Send `Authorization: Bearer of_sk_...`.
Errors are problem documents (RFC 9457) with a stable `code`.
"""


def create_app(settings: Settings) -> FastAPI:
    """The API. It needs its database to start; without Temporal it starts, and `/readyz` says so."""
    app = FastAPI(
        title="OmniForge",
        version="0.1.0",
        description=DESCRIPTION,
        lifespan=lambda app: _lifespan(app, settings),
    )
    app.state.storage = settings.storage_path
    app.state.temporal_ui_url = settings.temporal_ui_url
    app.state.public_url = settings.public_url
    app.state.mcp_servers = read_servers(settings.mcp_servers)
    app.state.keys = settings.key_ring
    app.state.egress = Egress(settings.http_allow_private)
    app.state.forecaster = Forecaster(
        partial(price_list_from, settings), settings.llm_fallbacks, settings.context_window
    )
    app.add_middleware(BodyLimit, max_bytes=settings.max_upload_mb * 1024 * 1024)
    errors.install(app)
    for routes in UNGUARDED:
        app.include_router(routes.router)
    for routes in GUARDED:
        app.include_router(routes.router, responses=errors.responses(Forbidden, TooManyRequests))
    refuse_unlisted(app, caller_of)
    if settings.codec_token is not None:
        codec, token = EncryptingCodec(settings.key_ring), settings.codec_token.get_secret_value()
        app.mount("/api/v1/codec", create_codec(codec, token, settings.temporal_ui_url))
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    cap = settings.max_concurrent_runs
    store = open_store(settings.database, settings.storage_path, cap)
    try:
        await prove_shared(store, "API")
        await prove_keys(store.database, settings.key_ring)
        await store.database.write(lambda c: reseal(c, settings.key_ring))
        client = await connect(settings.key_ring, lazy=True)
        async with listening(store.database) as bell:
            app.state.store, app.state.temporal, app.state.bell = store, client, bell
            uses = KeyUses(store)
            app.state.gate = _gate(store, uses, settings)
            app.state.launch = launch = Launch(store, client)
            app.state.intake = intake = Intake(store, launch, settings.key_ring)
            app.state.scheduler = AgentScheduler(store, client, launch)
            workflows = ConnectionWorkflows(client)
            services = services_from(settings)
            app.state.desk = _desk(settings, store, services, workflows, launch)
            async with (
                contextlib.aclosing(services),
                _going_on(ConnectionTender(store, client, workflows).keep_going()),
                _going_on(ScheduleHealer(store, client).keep_going()),
                _going_on(Reconciler(store, client, launch).keep_going()),
                _going_on(intake.keep_starting()),
                _going_on(uses.keep_writing()),
            ):
                yield
    finally:
        await store.close()


def _desk(
    settings: Settings,
    store: Store,
    services: HttpAccess,
    workflows: ConnectionWorkflows,
    launch: Launch,
) -> Desk:
    apps, vault = apps_from(settings, store), vault_from(settings)
    manager = connections_from(settings, store, apps, services=services)
    return Desk(store, manager, apps, vault, workflows, launch)


def _gate(store: Store, uses: KeyUses, settings: Settings) -> Gate:
    limits = RateLimits(settings.rate_limit, settings.tenant_rate_limit)
    issuer = _issuer(settings)
    tokens = None if issuer is None else Tokens(issuer, store)
    return Gate(store, uses, tokens, limits, Buckets(settings.failed_sign_ins))


def _issuer(settings: Settings) -> Issuer | None:
    if not settings.jwt_issuer:
        return None
    keys: Keys
    if settings.jwt_public_key:
        keys = PinnedKey(settings.jwt_public_key)
    else:
        keys = PublishedKeys(settings.jwt_jwks_url, Egress(settings.http_allow_private))
    return Issuer(
        settings.jwt_issuer,
        settings.jwt_audience,
        settings.jwt_algorithms,
        keys,
        settings.jwt_tenant_claim,
        settings.jwt_role_claim,
    )


@contextlib.asynccontextmanager
async def _going_on(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, OmniForgeError):
            await task
