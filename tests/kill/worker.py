"""`python -m tests.kill.worker URL SECONDS`: the product's worker with tools that can be held still.

URL is the outside service; SECONDS is how long a call may take.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

import httpx2
import temporalio.client
import temporalio.worker
import uvloop
from temporalio import activity

from omniforge.agents.runs import TokenUsage
from omniforge.errors import OutcomeUnknown
from omniforge.journal.ports import Transition
from omniforge.journal.steps import EffectClass, Fence, Json, NodeKey, StepKind, StepStatus
from omniforge.llm.protocol import Author, Completion, OnDelta, Turn
from omniforge.llm.sections import input_section
from omniforge.logs import set_up_logs
from omniforge.settings import Settings, load_settings
from omniforge.store.database import Database
from omniforge.store.journal import SqlJournalStore
from omniforge.store.shared_storage import prove_shared
from omniforge.store.store import Store, TenantStore, open_store
from omniforge.tools.protocol import Tool, ToolCallContext, ToolSpec
from tests.kill.moments import Moment, gate_of
from tests.support.scripted import answer, calling
from worker.main import make_worker
from workflows.wire import connect, register_search_attributes

VISIBLE_AFTER = timedelta(seconds=0.3)


class Outside:
    """The way to the outside service."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.AsyncClient(
            base_url=url, timeout=None, trust_env=False, limits=httpx2.Limits(max_connections=None)
        )

    async def gate(self, name: str) -> None:
        """Go on, or be held here until the process is gone."""
        await self._http.post("/gate", json={"name": name})

    async def post(self, arguments: Mapping[str, str], kind: EffectClass, key: str) -> Json:
        asked = {**arguments, "kind": kind, "key": key}
        try:
            reply = await self._http.post("/commits", json=asked)
            return reply.raise_for_status().json()
        except httpx2.HTTPError as error:
            raise OutcomeUnknown(f"no answer: {error}") from error

    async def look_up(self, key: str) -> Json:
        return (await self._http.post("/lookups", json={"key": key})).raise_for_status().json()


@dataclass(frozen=True)
class Post:
    """Posts under the effect id. Without a ledger there is none, and the call counts as a read."""

    outside: Outside
    kind: EffectClass
    timeout: timedelta
    has_ledger: bool = True

    @cached_property
    def spec(self) -> ToolSpec:
        text = {"type": "string"}
        return ToolSpec(
            name=f"post_{self.kind}" if self.has_ledger else f"post_{self.kind}_unledgered",
            description="Post.",
            parameters={"type": "object", "properties": {"place": text, "moment": text}},
            effect=self.kind if self.has_ledger else EffectClass.READ,
            timeout=self.timeout,
            key_lifetime=timedelta(hours=1),
            visible_after=VISIBLE_AFTER,
        )

    def effect_of(self, arguments: Mapping[str, Any]) -> EffectClass:
        return self.spec.effect

    async def run(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        place, moment = arguments["place"], arguments["moment"]
        if moment == Moment.BEFORE_SENDING:
            await self.outside.gate(place)
        key = context.effect_id if self.has_ledger else ""
        posted = await self.outside.post(arguments, self.kind, key)
        if moment == Moment.BEFORE_RECORD:
            await self.outside.gate(place)
        return posted

    async def find(
        self, effect_id: str, arguments: Mapping[str, Any], context: ToolCallContext
    ) -> Json | None:
        return await self.outside.look_up(effect_id)


def tools(outside: Outside, limit: timedelta) -> list[Tool]:
    return [Post(outside, kind, limit, ledger) for kind in EffectClass for ledger in (True, False)]


HELD_AT = {
    StepStatus.SENT: Moment.SENT_RECORDED,
    StepStatus.UNKNOWN: Moment.UNKNOWN_RECORDED,
    StepStatus.CONFIRMED: Moment.ANSWER_RECORDED,
}


class HeldJournal(SqlJournalStore):
    """Can be held right after a commit."""

    def __init__(self, database: Database, tenant_id: str, outside: Outside) -> None:
        super().__init__(database, tenant_id)
        self._outside = outside
        self._sent: dict[str, Mapping[str, str]] = {}
        """Effect id -> the arguments it was sent with."""

    async def commit(self, key: NodeKey, fence: Fence, change: Transition) -> None:
        await super().commit(key, fence, change)
        for step in change.steps:
            if step.kind is StepKind.TOOL:
                self._sent[step.effect_id or ""] = step.made_with
                await self._gate(step.made_with, HELD_AT.get(step.status))
        for wait in change.outcome.waits if change.outcome else ():
            asked_about = self._sent.get(wait.id.partition(".")[0], {})
            await self._gate(asked_about, Moment.QUESTION_RECORDED)

    async def _gate(self, arguments: Mapping[str, str], moment: Moment | None) -> None:
        if arguments.get("moment") == moment:
            await self._outside.gate(arguments["place"])


class HeldTenantStore(TenantStore):
    def __init__(self, database: Database, tenant_id: str, outside: Outside) -> None:
        super().__init__(database, tenant_id)
        self._held = HeldJournal(database, tenant_id, outside)

    @property
    def journal(self) -> SqlJournalStore:
        return self._held


class HeldStore(Store):
    def __init__(self, store: Store, outside: Outside) -> None:
        super().__init__(store.database, store.blobs)
        self._outside = outside

    def for_tenant(self, tenant_id: str) -> TenantStore:
        return HeldTenantStore(self.database, tenant_id, self._outside)


class HeldDecisions(temporalio.client.Interceptor, temporalio.worker.Interceptor):
    """Can be held before and after a decision is written."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def intercept_activity(
        self, next: temporalio.worker.ActivityInboundInterceptor
    ) -> temporalio.worker.ActivityInboundInterceptor:
        return HeldActivities(next, self._outside)


class HeldActivities(temporalio.worker.ActivityInboundInterceptor):
    def __init__(
        self, next: temporalio.worker.ActivityInboundInterceptor, outside: Outside
    ) -> None:
        super().__init__(next)
        self._outside = outside

    async def execute_activity(self, input: temporalio.worker.ExecuteActivityInput) -> Any:
        if activity.info().activity_type != "decide":
            return await super().execute_activity(input)
        name = input.args[0].approval_id
        await self._outside.gate(gate_of(name, Moment.BEFORE_DECISION))
        result = await super().execute_activity(input)
        await self._outside.gate(gate_of(name, Moment.AFTER_DECISION))
        return result


class ScriptFollower:
    """A model that asks for the turns that the run's input holds."""

    name = "script"
    default_model = "script-1"
    has_native_tools = True

    async def complete(self, request: Completion, on_delta: OnDelta | None = None) -> Turn:
        turns = json.loads(input_section(request.messages[0].text) or "{}")["turns"]
        said = sum(message.author is Author.ASSISTANT for message in request.messages)
        if said == len(turns):
            return answer('{"done": true}')
        return calling(*((name, arguments) for name, arguments in turns[said]))

    def price(self, model: str, usage: TokenUsage) -> Decimal | None:
        return Decimal(0)

    def window(self, model: str) -> int | None:
        return None

    async def aclose(self) -> None:
        return None


async def work(settings: Settings, outside: Outside, limit: timedelta) -> None:
    """Work until killed."""
    store = HeldStore(open_store(settings.database, settings.storage_path), outside)
    await prove_shared(store, "worker")
    client = await connect(settings.key_ring, interceptors=[HeldDecisions(outside)])
    await register_search_attributes(client)
    async with make_worker(client, store, ScriptFollower(), settings, tools(outside, limit)):
        await asyncio.Event().wait()


def main() -> None:
    url, seconds = sys.argv[1:]
    settings = load_settings()
    set_up_logs(settings.log_level, settings.log_file)
    uvloop.run(work(settings, Outside(url), timedelta(seconds=float(seconds))))


if __name__ == "__main__":
    main()
