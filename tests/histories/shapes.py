"""Runs of every shape that a history can have: what each does, and how it is brought about."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from api.launch import Launch
from omniforge import clock
from omniforge.errors import ConnectionBroken, ModelAuthFailed
from omniforge.identity import new_id
from omniforge.integrations.oauth.connection import Connection, SealedTokens
from omniforge.llm.protocol import Completion
from omniforge.store.connections import StoredConnections
from tests.support.platform import Platform, skill
from tests.support.scripted import Reply, answer, calling, is_of, later

Shape = Callable[[Platform], Awaitable[str]]
"""Brings a run to its end; its id."""

SHAPES: dict[str, Shape] = {}


def shape(make: Shape) -> Shape:
    SHAPES[make.__name__.replace("_", "-")] = make
    return make


@shape
async def sequential(platform: Platform) -> str:
    run = await platform.run(skill("first"), skill("second", order=2), skill("third", order=3))
    return str(run["id"])


@shape
async def parallel(platform: Platform) -> str:
    sides = [skill(f"side-{n}") for n in range(4)]
    run = await platform.run(skill("first", order=0), *sides, skill("last", order=2))
    return str(run["id"])


@shape
async def conditions_and_items(platform: Platform) -> str:
    def decide(asked: Completion) -> Reply:
        return ModelAuthFailed("no") if is_of(asked, "fancy") else answer("{}")

    platform.model.decides(decide)
    run = await platform.run(
        skill("each", for_each="input.rows", on_failure="continue"),
        skill("never", order=2, when="size(input.rows) > 5"),
        skill("fancy", order=2, on_failure="fallback:plain"),
        skill("plain"),
        skill("last", order=3),
        input_data={"rows": [1, 2, 3]},
    )
    return str(run["id"])


@shape
async def failed(platform: Platform) -> str:
    platform.model.fails(ModelAuthFailed("no"))
    return str((await platform.run(skill("one"), skill("two", order=2)))["id"])


@shape
async def timed_out(platform: Platform) -> str:
    platform.model.decides(lambda _: later(10, answer("late")))
    return str((await platform.run(skill("one", timeout_s=0.3)))["id"])


@shape
async def cancelled(platform: Platform) -> str:
    platform.model.decides(lambda _: later(10, answer("late")))
    execution = await platform.start(await platform.agent(skill("one"), skill("side")))
    await platform.until(execution, {"running"})
    await platform.api.post(f"/api/v1/executions/{execution}/cancel")
    return str((await platform.ended(execution))["id"])


async def _decided(platform: Platform, execution: str, decision: str) -> str:
    await platform.until(execution, {"waiting"})
    async with asyncio.timeout(20):
        while not (mine := await _questions(platform, execution)):
            await asyncio.sleep(0.02)
    await platform.api.post(f"/api/v1/approvals/{mine[0]}", json={"decision": decision})
    return str((await platform.ended(execution))["id"])


async def _questions(platform: Platform, execution: str) -> list[str]:
    found = (await platform.api.get("/api/v1/approvals")).json()["approvals"]
    return [one["id"] for one in found if one["execution_id"] == execution]


def _posting(asked: Completion) -> Reply:
    is_first = len(asked.messages) == 1
    return calling(("post_ask", {"text": "x"})) if is_first else answer("{}")


@shape
async def approval(platform: Platform) -> str:
    platform.model.decides(_posting)
    rules = [{"action": "ask", "tool": "post_ask"}]
    agent = await platform.agent(skill("one"), permissions=rules)
    return await _decided(platform, await platform.start(agent), "approve")


@shape
async def effect_in_doubt(platform: Platform) -> str:
    platform.model.decides(_posting)
    platform.service.lost_answers = 1
    execution = await platform.start(await platform.agent(skill("one")))
    return await _decided(platform, execution, "skip")


@shape
async def connection_awaited(platform: Platform) -> str:
    platform.model.decides(_posting)
    agent = await platform.agent(skill("one"))
    owner = (await platform.api.get("/api/v1/me")).json()["user_id"]
    acme = new_id("acme")
    platform.service.broken = ConnectionBroken(
        "Nobody is connected.", None, user_id=owner, integration_id=acme
    )
    execution = await platform.start(agent)
    await platform.until(execution, {"waiting"})
    platform.service.broken = None
    await _connect(platform, owner, acme)
    await Launch(platform.store, platform.temporal).reconnect(platform.tenant_id)
    return str((await platform.ended(execution))["id"])


async def _connect(platform: Platform, user_id: str, integration_id: str) -> None:
    """A connection without tokens: the tool that waits for it needs none."""
    at = clock.now()
    connection = Connection(
        id=new_id("cn"),
        tenant_id=platform.tenant_id,
        user_id=user_id,
        integration_id=integration_id,
        account_id="1",
        created_at=at,
        updated_at=at,
    )
    tokens = SealedTokens(b"", None, "Bearer", None, ())
    assert await StoredConnections(platform.store).save(connection, tokens)


@shape
async def child_run(platform: Platform) -> str:
    child = await platform.agent(skill("helper"), name="helper")

    def decide(asked: Completion) -> Reply:
        if is_of(asked, "parent") and len(asked.messages) == 1:
            return calling(("run_agent", {"agent": child, "input": {}}))
        return answer("{}")

    platform.model.decides(decide)
    return str((await platform.run(skill("parent"), sub_agents=[child]))["id"])


async def _tell(platform: Platform, execution: str, what: str, **body: Any) -> None:
    answered = await platform.api.post(f"/api/v1/executions/{execution}/{what}", json=body)
    assert answered.status_code < 300, answered.text


async def _slowly(asked: Completion) -> Reply:
    return await later(0.3, answer("{}"))


@shape
async def paused_and_resumed(platform: Platform) -> str:
    platform.model.decides(_slowly)
    execution = await platform.start(await platform.agent(skill("one"), skill("two", order=2)))
    await platform.until(execution, {"running"})
    await _tell(platform, execution, "pause")
    await platform.until(execution, {"waiting"})
    await _tell(platform, execution, "resume")
    return str((await platform.ended(execution))["id"])


@shape
async def interrupted(platform: Platform) -> str:
    platform.model.decides(_slowly)
    execution = await platform.start(await platform.agent(skill("one"), skill("two", order=2)))
    await platform.until(execution, {"running"})
    await _tell(platform, execution, "interrupt")
    return str((await platform.ended(execution))["id"])


@shape
async def steered(platform: Platform) -> str:
    platform.model.decides(_slowly)
    execution = await platform.start(await platform.agent(skill("one")))
    await platform.until(execution, {"running"})
    await _tell(platform, execution, "steer", message="be brief")
    return str((await platform.ended(execution))["id"])


@shape
async def retried(platform: Platform) -> str:
    platform.model.answers("{}").fails(ModelAuthFailed("no"))
    run = await platform.run(skill("one"), skill("two", order=2))
    await _tell(platform, run["id"], "retry")
    return str((await platform.ended(run["id"]))["id"])


@shape
async def waited_for_money(platform: Platform) -> str:
    platform.model.costs("0.00001").answers("{}")
    agent = await platform.agent(skill("one"), limits={"budget_usd": "0.01"})
    execution = await platform.start(agent)
    await platform.until(execution, {"waiting"})
    await _tell(platform, execution, "budget", budget_usd="10")
    return str((await platform.ended(execution))["id"])


@shape
async def given_up(platform: Platform) -> str:
    platform.model.decides(_posting)
    patience = {"remind_after_s": 0.1, "escalate_after_s": 0.2, "give_up_after_s": 0.3}
    run = await platform.run(
        skill("one"),
        permissions=[{"action": "ask", "tool": "post_ask"}],
        limits={"patience": patience},
    )
    return str(run["id"])


@shape
async def queued(platform: Platform) -> str:
    """Of two runs in a workspace that allows one at once, the second."""
    limits = "/api/v1/workspace/limits"
    await platform.api.put(limits, json={"max_concurrent_runs": 1, "fairness_weight": 1})
    platform.model.decides(_slowly)
    agent = await platform.agent(skill("one"))
    await platform.until(await platform.start(agent), {"running"})
    execution = await platform.start(agent)
    await platform.until(execution, {"queued"})
    await platform.ended(execution)
    await platform.api.put(limits, json={"max_concurrent_runs": None, "fairness_weight": 1})
    return execution
