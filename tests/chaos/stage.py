"""The product in processes of its own, on either database, and a caller who is not put off by faults."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx2
from pydantic import SecretStr

from dev.platform import Platform
from dev.supervisor import Pace
from omniforge.settings import Settings
from tests.chaos.cases import Case
from tests.chaos.model import Model
from tests.chaos.outside import OutsideService
from tests.support.model_server import ModelServer
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer

# A part that is killed on purpose does not lose its supervisor's trust.
PACE = Pace(first_pause=0.1, longest_pause=0.1, early=0.0, grace=3.0)
PATIENCE = 120.0
PAGE = 200


class FaultyDatabase(Protocol):
    url: str

    async def strike(self, seconds: float) -> str:
        """Be away for a while, at least; what was done, for people."""
        ...


class LockedSqlite:
    """Somebody else holds the file's one write lock."""

    def __init__(self, path: Path) -> None:
        self.url, self._path = f"sqlite:///{path}", path

    async def strike(self, seconds: float) -> str:
        await asyncio.to_thread(self._lock, seconds)
        return f"database locked for {seconds:.0f} s"

    def _lock(self, seconds: float) -> None:
        with contextlib.closing(sqlite3.connect(self._path, timeout=30)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            connection.rollback()


class RestartedPostgres:
    """The server is shut down and comes back; every connection is gone."""

    def __init__(self, server: PostgresServer) -> None:
        self.url, self._server = server.new_database(), server

    async def strike(self, seconds: float) -> str:
        await asyncio.to_thread(self._server.restart, seconds)
        return f"database restarted, {seconds:.0f} s away"


@dataclass(frozen=True, slots=True)
class Luck:
    """How things go. The seed draws who is refused, and when what is killed."""

    seed: int
    is_kind: bool = False
    """Services and models do not fail by themselves."""


class Stage:
    """One platform, the world around it, and an HTTP client that asks again until it has an answer."""

    def __init__(
        self,
        platform: Platform,
        world: OutsideService,
        model: Model,
        database: FaultyDatabase,
        http: httpx2.AsyncClient,
    ) -> None:
        self.platform, self.world, self.model, self.database = platform, world, model, database
        self._http = http
        self._doors = asyncio.Semaphore(16)

    @classmethod
    @contextlib.asynccontextmanager
    async def set(cls, home: Path, database: FaultyDatabase, luck: Luck) -> AsyncIterator["Stage"]:
        """Everything up, in `home`, on ports of its own."""
        model = Model(luck.seed, **({"fails": 0.0} if luck.is_kind else {}))
        async with (
            OutsideService(luck.seed, is_kind=luck.is_kind) as world,
            ModelServer() as provider,
        ):
            provider.decides(model)
            settings = Settings(
                _env_file=None,
                home=home,
                database_url=database.url,
                port=free_port(),
                tools=("tests.chaos.tools",),
                llm_provider="anthropic",
                ANTHROPIC_API_KEY=SecretStr("sk-chaos"),
                ANTHROPIC_BASE_URL=provider.url,
                log_level="WARNING",
                rate_limit=0,
                tenant_rate_limit=0,
            )
            async with Platform.start(settings, pace=PACE) as platform:
                headers = {"Authorization": f"Bearer {platform.credentials.api_key}"}
                async with httpx2.AsyncClient(
                    base_url=platform.api_url, headers=headers, timeout=30, trust_env=False
                ) as http:
                    yield cls(platform, world, model, database, http)

    async def new_agent(self, case: Case) -> str:
        """The agent of a case, with the agents that it runs."""
        body = {"name": case.name, "status": "active", "skills": case.skills, **case.agent}
        if case.child is not None:
            child = await self.new_agent(case.child)
            body["sub_agents"] = [child]
            body["skills"] = [_with_child(each, child) for each in case.skills]
        return str((await self.ask("POST", "/api/v1/agents", json=body))["id"])

    async def start(self, agent: str, run: str) -> str:
        """Start a run, and again until it is known to be accepted; its execution id."""
        given = {"input_data": {"run": run, "world": self.world.url}}
        path, once = f"/api/v1/agents/{agent}/run", {"Idempotency-Key": run}
        return str((await self.ask("POST", path, json=given, headers=once))["execution_id"])

    async def newest_runs(self) -> list[dict[str, Any]]:
        found = await self.ask("GET", "/api/v1/executions", params={"limit": PAGE})
        return list(found["executions"])

    async def run(self, execution: str) -> dict[str, Any]:
        return dict(await self.ask("GET", f"/api/v1/executions/{execution}"))

    async def questions(self) -> list[dict[str, Any]]:
        return list(
            (await self.ask("GET", "/api/v1/approvals", params={"limit": PAGE}))["approvals"]
        )

    async def ask(self, method: str, path: str, **more: Any) -> Any:
        """The answer, asked for until there is one. A refusal is one, too, with its `code`."""
        give_up_at = time.monotonic() + PATIENCE
        while time.monotonic() < give_up_at:
            with contextlib.suppress(httpx2.TransportError):
                async with self._doors:
                    answer = await self._http.request(method, path, **more)
                if not answer.is_server_error:
                    return answer.json()
            await asyncio.sleep(0.1)
        raise RuntimeError(f"{method} {path} was not answered in {PATIENCE:.0f} s.")


def _with_child(made: dict[str, Any], child: str) -> dict[str, Any]:
    files = {path: text.replace("{child}", child) for path, text in made["files"].items()}
    return {**made, "files": files}
