"""The whole platform inside the test process: API over real HTTP, worker, Temporal, a database.

What runs here is measured by coverage; tests that kill processes start real ones instead.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from api.app import create_app
from dev.temporal_server import find_binary
from omniforge.assembly import services_from
from omniforge.keys import KeyRing
from omniforge.settings import Settings
from omniforge.store import bootstrap
from omniforge.store.store import Store, TenantStore, open_store
from omniforge.tools.protocol import Tool
from tests.support.effects import CountingService
from tests.support.ports import free_port
from tests.support.scripted import ScriptedLLM
from tests.support.servers import serving
from worker.main import make_worker, mcp_of
from workflows.attributes import run_workflow_id
from workflows.wire import data_converter, register_search_attributes

FINAL = {"completed", "failed", "cancelled", "timed_out"}
PATIENCE = 40.0


class Platform:
    """What a test sees: an authenticated HTTP client, the store, Temporal, and the model's script."""

    def __init__(
        self, api: httpx2.AsyncClient, store: Store, temporal: Client, tenant_id: str
    ) -> None:
        self.api, self.store, self.temporal, self.tenant_id = api, store, temporal, tenant_id
        self.model = ScriptedLLM()
        self.service = CountingService()

    @property
    def mine(self) -> TenantStore:
        return self.store.for_tenant(self.tenant_id)

    async def agent(self, *skills: dict[str, Any], **more: Any) -> str:
        """Create an active agent; its id."""
        body = {"name": "test agent", "status": "active", "skills": list(skills), **more}
        response = await self.api.post("/api/v1/agents", json=body)
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    async def start(
        self, agent_id: str, input_data: dict[str, Any] | None = None, **body: Any
    ) -> str:
        response = await self.api.post(
            f"/api/v1/agents/{agent_id}/run", json={"input_data": input_data or {}, **body}
        )
        assert response.status_code == 202, response.text
        return str(response.json()["execution_id"])

    async def run(
        self, *skills: dict[str, Any], input_data: dict[str, Any] | None = None, **more: Any
    ) -> dict[str, Any]:
        """Create an agent, run it once, and give its execution when it has ended."""
        return await self.ended(await self.start(await self.agent(*skills, **more), input_data))

    async def execution(self, execution_id: str) -> dict[str, Any]:
        response = await self.api.get(f"/api/v1/executions/{execution_id}")
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    async def ended(self, execution_id: str) -> dict[str, Any]:
        return await self.until(execution_id, FINAL)

    async def until(self, execution_id: str, statuses: set[str]) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while (found := await self.execution(execution_id))["status"] not in statuses:
                await asyncio.sleep(0.03)
        return found

    async def steps(self, execution_id: str) -> list[dict[str, Any]]:
        response = await self.api.get(f"/api/v1/executions/{execution_id}/steps")
        steps: list[dict[str, Any]] = response.json()["steps"]
        return steps

    async def events(self, execution_id: str, after: int = 0) -> list[dict[str, Any]]:
        """All events of a run, as its stream tells them until it ends."""
        headers = {"Last-Event-ID": str(after)} if after else {}
        path = f"/api/v1/executions/{execution_id}/events"
        async with (
            asyncio.timeout(PATIENCE),
            self.api.stream("GET", path, headers=headers) as answer,
        ):
            return [
                json.loads(line.removeprefix("data: "))
                async for line in answer.aiter_lines()
                if line.startswith("data: ")
            ]

    def workflow_id(self, execution_id: str) -> str:
        return run_workflow_id(self.tenant_id, execution_id)


@contextlib.asynccontextmanager
async def _serving_api(settings: Settings, temporal_address: str) -> AsyncIterator[None]:
    """The API reads Temporal's address when it starts; later tests must not inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", temporal_address)
        server = serving(create_app(settings), settings.port)
        await server.__aenter__()
    try:
        yield
    finally:
        await server.__aexit__(None, None, None)


def skill(name: str, body: str = "1. Answer: done", order: int = 1, **more: Any) -> dict[str, Any]:
    """A skill in the form the API takes. `allowed` becomes its allowed-tools."""
    allowed = more.pop("allowed", None)
    limit = f"allowed-tools: {allowed}\n" if allowed is not None else ""
    text = f"---\nname: {name}\ndescription: Does {name}. Use when testing.\n{limit}---\n\n{body}\n"
    return {"name": name, "order": order, "files": {"SKILL.md": text}, **more}


@contextlib.asynccontextmanager
async def temporal_server(*settings: str) -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal dev server in memory, with our search attributes.

    `settings` are the server's: `name=value`.
    """
    options = [
        *("--dynamic-config-value", "matching.enableFairness=true"),
        *("--dynamic-config-value", "matching.numTaskqueueReadPartitions=1"),
        *("--dynamic-config-value", "matching.numTaskqueueWritePartitions=1"),
        *("--dynamic-config-value", "history.transferProcessorMaxPollRPS=300"),
        *("--dynamic-config-value", "history.timerProcessorMaxPollRPS=300"),
        *(option for each in settings for option in ("--dynamic-config-value", each)),
    ]
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(find_binary()),
        dev_server_extra_args=options,
        data_converter=data_converter(),
    ) as environment:
        await register_search_attributes(environment.client)
        yield environment


def with_keys(client: Client, keys: KeyRing) -> Client:
    """The same connection, for whoever has these keys."""
    return Client(
        client.service_client, namespace=client.namespace, data_converter=data_converter(keys)
    )


@contextlib.asynccontextmanager
async def running_platform(
    home: Path,
    temporal: WorkflowEnvironment,
    database_url: str = "",
    tools: tuple[Tool, ...] = (),
    **more: Any,
) -> AsyncIterator[Platform]:
    """API and worker in this process, on their own database. `more` are settings."""
    settings = Settings(
        _env_file=None,
        home=home,
        database_url=database_url,
        llm_provider="offline",
        port=free_port(),
        http_allow_private=("127.0.0.1",),
        max_upload_mb=4,
        **{"rate_limit": 0, "tenant_rate_limit": 0, **more},
    )
    await bootstrap.prepare(settings.database)
    url = f"http://127.0.0.1:{settings.port}"
    credentials = await bootstrap.first_credentials(
        settings.database, url, home / "credentials.json"
    )
    cap = settings.max_concurrent_runs
    store = open_store(settings.database, settings.storage_path, cap)
    client = with_keys(temporal.client, settings.key_ring)
    headers = {"Authorization": f"Bearer {credentials.api_key}"}
    async with (
        _serving_api(settings, client.service_client.config.target_host),
        httpx2.AsyncClient(base_url=url, headers=headers, timeout=30) as api,
    ):
        platform = Platform(api, store, client, credentials.tenant_id)
        extra = (*tools, *platform.service.tools())
        mcp, services = mcp_of(settings), services_from(settings)
        async with make_worker(client, store, platform.model, settings, extra, mcp, services):
            yield platform
        await mcp.aclose()
        await services.aclose()
    await store.close()
