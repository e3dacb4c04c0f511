"""A platform that outside services send events to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
from pydantic import SecretStr
from temporalio.testing import WorkflowEnvironment

from omniforge.agents.triggers.events import Delivery, Trigger
from omniforge.keys import KeyRing, new_key
from omniforge.store.sealed import SealedSecret, seal_secret
from omniforge.webhooks.delivery import Incoming
from tests.store.sending import a_trigger
from tests.support.platform import PATIENCE, Platform, running_platform, skill
from tests.webhooks.senders import SECRET

KEY = new_key()
KEYS = KeyRing.of([KEY])

ANSWERS = skill("tells", '1. Answer: `{"got": "${input.event.id}"}`')
"""An agent of this skill, run by the offline model, answers with the id of its event."""


class Hooked:
    """A platform, and a way to it for services that have no credential of ours."""

    def __init__(self, platform: Platform, outside: httpx2.AsyncClient) -> None:
        self.platform, self.outside = platform, outside

    async def trigger(
        self, provider: str = "custom", secrets: Sequence[str] = (SECRET,), **wishes: Any
    ) -> Trigger:
        """A trigger of a new agent."""
        mine = self.platform.mine
        agent_id = wishes.pop("agent_id", None) or await self.platform.agent(ANSWERS)
        trigger = a_trigger(mine.tenant_id, agent_id, provider=provider, **wishes)
        sealed = [sealed_for(trigger, secret) for secret in secrets]
        await mine.write(lambda db: db.triggers.add(trigger, sealed))
        return trigger

    async def send(self, trigger: Trigger | str, incoming: Incoming) -> httpx2.Response:
        trigger_id = trigger if isinstance(trigger, str) else trigger.id
        return await self.outside.post(
            f"/api/v1/hooks/{trigger_id}", content=incoming.body, headers=dict(incoming.headers)
        )

    async def kept(self, trigger: Trigger) -> list[Delivery]:
        """What is on record for a trigger, oldest first."""
        mine = self.platform.mine
        page = await mine.read(lambda db: db.deliveries.page(trigger.id, 1_000, None))
        return page.items[::-1]

    async def ended(self, execution_id: str) -> dict[str, Any]:
        """A run that is there once a worker has begun it, when it has ended."""
        async with asyncio.timeout(PATIENCE):
            path = f"/api/v1/executions/{execution_id}"
            while (await self.platform.api.get(path)).status_code == 404:
                await asyncio.sleep(0.03)
        return await self.platform.ended(execution_id)

    async def runs(self, trigger: Trigger) -> list[str]:
        """The runs of a trigger's agent, by the platform's own count."""
        path = f"/api/v1/agents/{trigger.agent_id}/executions"
        answer = await self.platform.api.get(path)
        return [run["id"] for run in answer.json()["executions"]]


def sealed_for(trigger: Trigger, secret: str) -> SealedSecret:
    return seal_secret(KEYS, trigger.tenant_id, trigger.id, secret)


@contextlib.asynccontextmanager
async def hooked_platform(home: Path, temporal: WorkflowEnvironment) -> AsyncIterator[Hooked]:
    keys = (SecretStr(KEY),)
    async with (
        running_platform(home, temporal, credential_keys=keys) as platform,
        httpx2.AsyncClient(base_url=platform.api.base_url, timeout=30) as outside,
    ):
        yield Hooked(platform, outside)
