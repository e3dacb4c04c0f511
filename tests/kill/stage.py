"""The product in processes of its own, and one caller who is not put off by their deaths."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2

from dev.platform import Platform
from dev.processes import Part
from dev.supervisor import Pace
from omniforge.journal.ports import Decision
from omniforge.settings import Settings
from tests.kill.cases import Case
from tests.kill.outside import OutsideService
from tests.support.platform import skill
from tests.support.ports import free_port

# A part that is killed on purpose does not lose its supervisor's trust.
PACE = Pace(first_pause=0.1, longest_pause=0.1, early=0.0, grace=3.0)
PATIENCE = 60.0
# What arrived is committed this long before its sender's deadline: as late as a service may.
MARGIN = 1.0
TOO_LATE = 409  # a decision that was made before the API died, and is now repeated


class Stage:
    """One platform, its outside world, and an HTTP client that asks again until the API is back."""

    def __init__(
        self, platform: Platform, service: OutsideService, http: httpx2.AsyncClient
    ) -> None:
        self.platform, self.service, self._http = platform, service, http
        self._doors = asyncio.Semaphore(16)

    @classmethod
    @contextlib.asynccontextmanager
    async def set(cls, home: Path, call_timeout: float) -> AsyncIterator["Stage"]:
        """Everything up, in `home`, on ports of its own. A tool call takes at most `call_timeout`."""
        settings = Settings(
            _env_file=None,
            home=home,
            port=free_port(),
            llm_provider="offline",
            log_level="WARNING",
        )
        async with OutsideService(slowness=call_timeout - MARGIN) as service:
            kind = _with_worker(("tests.kill.worker", service.url, str(call_timeout)))
            async with kind.start(settings, pace=PACE) as platform:
                headers = {"Authorization": f"Bearer {platform.credentials.api_key}"}
                async with httpx2.AsyncClient(
                    base_url=platform.api_url, headers=headers, timeout=30, trust_env=False
                ) as http:
                    yield cls(platform, service, http)

    async def new_agent(self, **more: Any) -> str:
        follow = skill("follow", "Follow it.")
        agent = {"name": "matrix", "status": "active", "skills": [follow], **more}
        return str((await self._ask("POST", "/api/v1/agents", json=agent))["id"])

    async def start(self, agent: str, case: Case) -> str:
        """Start a run of the case; its execution id."""
        run = await self._ask(
            "POST",
            f"/api/v1/agents/{agent}/run",
            json={"input_data": case.script},
            headers={"Idempotency-Key": case.id},
        )
        return str(run["execution_id"])

    async def runs(self, agent: str) -> dict[str, dict[str, Any]]:
        """All runs of the agent by their id; there are at most 200."""
        found = await self._ask("GET", f"/api/v1/agents/{agent}/executions", params={"limit": 200})
        return {run["id"]: run for run in found["executions"]}

    async def questions(self) -> list[dict[str, Any]]:
        found = await self._ask("GET", "/api/v1/approvals", params={"limit": 200})
        return list(found["approvals"])

    async def decide(self, approval_id: str, decision: Decision, **more: Any) -> None:
        """Decide, and again until it is known that the decision counts."""
        body = {"decision": decision, **more}
        await self._ask("POST", f"/api/v1/approvals/{approval_id}", json=body)

    async def steps(self, execution: str) -> list[dict[str, Any]]:
        return list((await self._ask("GET", f"/api/v1/executions/{execution}/steps"))["steps"])

    async def events(self, execution: str) -> list[dict[str, Any]]:
        """All events of a run that has ended."""
        path = f"/api/v1/executions/{execution}/events"
        async with (
            self._doors,
            asyncio.timeout(PATIENCE),
            self._http.stream("GET", path) as answer,
        ):
            return [
                json.loads(line.removeprefix("data: "))
                async for line in answer.aiter_lines()
                if line.startswith("data: ")
            ]

    async def _ask(self, method: str, path: str, **more: Any) -> Any:
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(httpx2.TransportError):
                    async with self._doors:
                        answer = await self._http.request(method, path, **more)
                    if answer.is_success or answer.status_code == TOO_LATE:
                        return answer.json()
                    if answer.is_client_error:
                        answer.raise_for_status()
                await asyncio.sleep(0.1)


def _with_worker(words: tuple[str, ...]) -> type[Platform]:
    class WithWorker(Platform):
        """The platform with another worker program in the place of its own."""

        def _part(self, name: str, **changed: str) -> Part:
            part = super()._part(name, **changed)
            if name != "worker":
                return part
            return replace(part, command=(sys.executable, "-P", "-m", *words))

    return WithWorker
