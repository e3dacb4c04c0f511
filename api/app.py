"""Puts the API together from settings: the composition root of this process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

from fastapi import FastAPI
from temporalio.client import Client

from api import errors
from api.launch import Launch
from api.middleware import BodyLimit
from api.reconciler import Reconciler
from api.routes import (
    agents,
    approvals,
    budgets,
    control,
    executions,
    health,
    history,
    mcp_servers,
    modes,
    workspace,
)
from api.routes.codec import create_codec
from omniforge.assembly import price_list_from
from omniforge.errors import OmniForgeError
from omniforge.execution.model_call.forecast import Forecaster
from omniforge.settings import Settings
from omniforge.store.bell import listening
from omniforge.store.keys_in_use import prove_keys
from omniforge.store.shared_storage import prove_shared
from omniforge.store.store import Store, open_store
from omniforge.tools.egress import Egress
from omniforge.tools.mcp.servers import read_servers
from workflows.codec import EncryptingCodec
from workflows.wire import connect

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
    app.state.mcp_servers = read_servers(settings.mcp_servers)
    app.state.egress = Egress(settings.http_allow_private)
    app.state.forecaster = Forecaster(
        partial(price_list_from, settings), settings.llm_fallbacks, settings.context_window
    )
    app.add_middleware(BodyLimit, max_bytes=settings.max_upload_mb * 1024 * 1024)
    errors.install(app)
    for routes in (
        health,
        agents,
        executions,
        control,
        modes,
        approvals,
        budgets,
        history,
        mcp_servers,
        workspace,
    ):
        app.include_router(routes.router)
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
        client = await connect(settings.key_ring, lazy=True)
        async with listening(store.database) as bell:
            app.state.store, app.state.temporal, app.state.bell = store, client, bell
            app.state.launch = Launch(store, client)
            async with _reconciling(store, client, app.state.launch):
                yield
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def _reconciling(store: Store, client: Client, launch: Launch) -> AsyncIterator[None]:
    task = asyncio.create_task(Reconciler(store, client, launch).keep_going())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, OmniForgeError):
            await task
