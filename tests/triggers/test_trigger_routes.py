"""Event triggers over HTTP: set up, changed, their secrets and deliveries; and what is refused."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from fastapi import Request

from api.routes.triggers import Addresses
from omniforge import clock
from omniforge.store.access import create_key, create_tenant
from tests.store.sending import a_trigger
from tests.support.platform import PATIENCE, Platform
from tests.support.requirements import requirement
from tests.triggers.hooked import ANSWERS, Hooked
from tests.webhooks import senders

TRIGGERS, DELIVERIES = "/api/v1/triggers", "/api/v1/deliveries"


async def added(hooked: Hooked, provider: str = "custom", **wishes: Any) -> dict[str, Any]:
    agent = wishes.pop("agent_id", None) or await hooked.platform.agent(ANSWERS)
    body = {"agent_id": agent, "provider": provider, **wishes}
    answered = await hooked.platform.api.post(TRIGGERS, json=body)
    assert answered.status_code == 201, answered.text
    trigger: dict[str, Any] = answered.json()
    return trigger


async def sent(hooked: Hooked, trigger: dict[str, Any], delivery_id: str, **event: Any) -> None:
    body = senders.json_of({"type": "order.paid", **event})
    incoming = senders.custom(body, trigger["secret"], clock.now(), delivery_id)
    answered = await hooked.send(trigger["id"], incoming)
    assert answered.is_success, answered.text


async def deliveries(hooked: Hooked, trigger: dict[str, Any], query: str = "") -> Any:
    answered = await hooked.platform.api.get(f"{TRIGGERS}/{trigger['id']}/deliveries{query}")
    assert answered.status_code == 200, answered.text
    return answered.json()


# ---- set up ----------------------------------------------------------------------------------


@requirement("FR-10")
async def test_a_trigger_is_set_up_and_what_its_sender_posts_to_its_url_runs(
    hooked: Hooked,
) -> None:
    trigger = await added(hooked, name="shop", filter='event.type == "order.paid"')
    path = f"{TRIGGERS}/{trigger['id']}"
    incoming = senders.custom(secret=trigger["secret"], at=clock.now())

    told = await hooked.outside.post(
        trigger["url"], content=incoming.body, headers=dict(incoming.headers)
    )
    (delivery,) = (await deliveries(hooked, trigger))["deliveries"]
    run = await hooked.ended(delivery["execution_id"])
    whole = (await hooked.platform.api.get(f"{DELIVERIES}/{delivery['id']}")).json()
    shown = (await hooked.platform.api.get(path)).json()
    listed = (await hooked.platform.api.get(f"{TRIGGERS}?agent_id={trigger['agent_id']}")).json()

    assert told.is_success
    assert trigger["url"].endswith(f"/api/v1/hooks/{trigger['id']}")
    assert (run["status"], run["trigger_type"]) == ("completed", "event_driven")
    assert (delivery["delivery_id"], delivery["event_type"]) == ("msg_1", "order.paid")
    assert "payload" not in delivery
    assert whole["payload"] == json.loads(incoming.body)
    assert shown == {name: value for name, value in trigger.items() if name != "secret"}
    assert listed == {"triggers": [shown], "next_cursor": None}


@requirement("FR-10")
async def test_what_is_filtered_out_is_listed_and_can_be_delivered_again(hooked: Hooked) -> None:
    trigger = await added(hooked, filter='event.payload.data == "yes"')
    await sent(hooked, trigger, "msg_no", data="no")
    (filtered,) = await until(hooked, trigger, "filtered")

    path = f"{TRIGGERS}/{trigger['id']}"
    changed = await hooked.platform.api.patch(path, json={"filter": None})
    again = await hooked.platform.api.post(f"{DELIVERIES}/{filtered['id']}/redeliver")
    run = await hooked.ended(again.json()["execution_id"])
    refused = await hooked.platform.api.post(f"{DELIVERIES}/{filtered['id']}/redeliver")
    (after,) = (await deliveries(hooked, trigger, "?status=run"))["deliveries"]

    assert (changed.json()["filter"], changed.status_code) == (None, 200)
    assert again.status_code == 202
    assert run["status"] == "completed"
    assert (refused.status_code, refused.json()["code"]) == (409, "delivery_not_repeated")
    assert (after["id"], after["attempt"]) == (filtered["id"], 1)


@requirement("FR-10")
async def test_a_paused_trigger_keeps_what_comes_and_all_of_it_is_delivered_later(
    hooked: Hooked,
) -> None:
    trigger = await added(hooked)
    path = f"{TRIGGERS}/{trigger['id']}"
    await hooked.platform.api.patch(path, json={"enabled": False})
    for number in range(3):
        await sent(hooked, trigger, f"msg_{number}")
    dead = (await deliveries(hooked, trigger, "?status=dead&limit=2"))["deliveries"]
    other = await hooked.platform.api.post(f"{path}/redeliver", json={"reason": "rate_capped"})
    await hooked.platform.api.patch(path, json={"enabled": True})
    again = await hooked.platform.api.post(
        f"{path}/redeliver", json={"reason": "trigger_paused", "since": trigger["created_at"]}
    )
    runs = [
        await hooked.ended(one["execution_id"]) for one in await until(hooked, trigger, "run", 3)
    ]

    assert [one["reason"] for one in dead] == ["trigger_paused"] * 2
    assert other.json() == {"redelivered": 0}
    assert (again.status_code, again.json()) == (202, {"redelivered": 3})
    assert [run["status"] for run in runs] == ["completed"] * 3


async def until(
    hooked: Hooked, trigger: dict[str, Any], status: str, count: int = 1
) -> list[dict[str, Any]]:
    """The deliveries of a status, once there are as many."""
    query = f"?status={status}"
    async with asyncio.timeout(PATIENCE):
        while len(found := (await deliveries(hooked, trigger, query))["deliveries"]) < count:
            await asyncio.sleep(0.03)
    return list(found)


# ---- secrets ---------------------------------------------------------------------------------


@requirement("FR-10")
async def test_a_secret_is_rotated_and_the_old_one_counts_a_while(hooked: Hooked) -> None:
    trigger = await added(hooked)
    path = f"{TRIGGERS}/{trigger['id']}/rotate-secret"

    rotated = (await hooked.platform.api.post(path, json={"overlap_s": 3_600})).json()
    await sent(hooked, trigger, "by-the-old")
    await sent(hooked, {**trigger, "secret": rotated["secret"]}, "by-the-new")
    await hooked.platform.api.post(path, json={})
    refused = await hooked.send(
        trigger["id"], senders.custom(secret=trigger["secret"], at=clock.now())
    )

    assert rotated["secret"] not in (None, trigger["secret"])
    assert rotated["old_valid_until"] > trigger["created_at"]
    assert (refused.status_code, refused.json()["code"]) == (401, "signature_invalid")
    assert len((await deliveries(hooked, trigger))["deliveries"]) == 2


@requirement("FR-10")
async def test_a_secret_that_the_service_makes_comes_after_its_url_was_given(
    hooked: Hooked,
) -> None:
    trigger = await added(hooked, "linear")
    path = f"{TRIGGERS}/{trigger['id']}/rotate-secret"
    incoming = senders.linear(secret=senders.SECRET, at=clock.now())

    before = await hooked.send(trigger["id"], incoming)
    without = await hooked.platform.api.post(path, json={})
    given = await hooked.platform.api.post(path, json={"secret": senders.SECRET})
    after = await hooked.send(trigger["id"], incoming)

    assert trigger["secret"] is None
    assert before.status_code == 401
    assert (without.status_code, without.json()["code"]) == (400, "webhook_secret_invalid")
    assert given.json()["secret"] is None
    assert after.is_success


@requirement("FR-10")
async def test_notions_token_is_shown_once(hooked: Hooked) -> None:
    trigger = await added(hooked, "notion")
    path = f"{TRIGGERS}/{trigger['id']}/verification-token"
    token = f"secret_{'t' * 43}"

    before = await hooked.platform.api.get(path)
    await hooked.outside.post(trigger["url"], json={"verification_token": token})
    shown = await hooked.platform.api.get(path)
    again = await hooked.platform.api.get(path)

    assert (before.status_code, before.json()["code"]) == (409, "token_not_there")
    assert shown.json() == {"verification_token": token}
    assert again.status_code == 409


@requirement("FR-10")
async def test_no_secret_is_in_what_is_listed_shown_or_refused(
    hooked: Hooked, caplog: pytest.LogCaptureFixture
) -> None:
    short, known = "too-short-1", senders.OTHER_SECRET
    agent = await hooked.platform.agent(ANSWERS)
    trigger = await added(hooked, "slack", agent_id=agent, secret=known)
    body = {"agent_id": agent, "provider": "slack", "secret": short}
    path = f"{TRIGGERS}/{trigger['id']}"

    answers = [
        await hooked.platform.api.post(TRIGGERS, json=body),
        await hooked.platform.api.post(TRIGGERS, json={**body, "secret": [known]}),
        await hooked.platform.api.post(f"{path}/rotate-secret", json={"secret": short}),
        await hooked.platform.api.get(path),
        await hooked.platform.api.get(f"{TRIGGERS}?agent_id={agent}"),
    ]

    assert trigger["secret"] is None
    assert [one.status_code for one in answers] == [400, 422, 400, 200, 200]
    told = "".join(one.text for one in answers) + caplog.text
    assert short not in told
    assert known not in told


# ---- refused ---------------------------------------------------------------------------------

BAD_TRIGGERS: list[tuple[dict[str, Any], int, str, str]] = [
    ({"filter": "event.nothing == 1"}, 422, "malformed_request", "body.filter"),
    ({"filter": "event.type"}, 422, "malformed_request", "body.filter"),
    ({"filter": "event.type =="}, 422, "malformed_request", "body.filter"),
    ({"filter": "x" * 501}, 422, "malformed_request", "body.filter"),
    ({"mapping": {"a": "event.what"}}, 422, "malformed_request", "body.mapping"),
    ({"mapping": {"not a name": "event.id"}}, 422, "malformed_request", "body.mapping"),
    ({"provider": "carrier-pigeon"}, 422, "malformed_request", "body.provider"),
    ({"max_per_minute": 0}, 422, "malformed_request", "body.max_per_minute"),
    ({"debounce_s": -1}, 422, "malformed_request", "body.debounce_s"),
    ({"surprise": 1}, 422, "malformed_request", "body.surprise"),
    ({"secret": "short"}, 400, "webhook_secret_invalid", ""),
    ({"agent_id": "ag_none"}, 404, "agent_not_found", ""),
]


@requirement("FR-10")
@pytest.mark.parametrize(("wish", "status", "code", "place"), BAD_TRIGGERS)
async def test_a_bad_trigger_is_refused_with_a_code_and_the_place(
    hooked: Hooked, wish: dict[str, Any], status: int, code: str, place: str
) -> None:
    agent = await hooked.platform.agent(ANSWERS)
    body = {"agent_id": agent, "provider": "custom", **wish}

    refused = await hooked.platform.api.post(TRIGGERS, json=body)
    listed = (await hooked.platform.api.get(f"{TRIGGERS}?agent_id={agent}")).json()

    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (status, code), refused.text
    places = [one["place"] for one in problem.get("problems", [{"place": ""}])]
    assert any(one.startswith(place) for one in places), places
    assert listed["triggers"] == []


@pytest.mark.parametrize(
    ("public", "base"),
    [("https://agents.example.com/", "https://agents.example.com"), ("", "http://inside:8000")],
)
def test_the_address_begins_with_the_public_one_where_there_is_one(public: str, base: str) -> None:
    app = SimpleNamespace(state=SimpleNamespace(public_url=public))
    headers = [(b"host", b"inside:8000")]
    scope = {"type": "http", "scheme": "http", "path": "/", "headers": headers, "app": app}
    trigger = a_trigger("tenant", "agent")

    assert Addresses(Request(scope)).of(trigger) == f"{base}/api/v1/hooks/{trigger.id}"


async def test_without_a_key_to_encrypt_with_no_secret_is_kept(platform: Platform) -> None:
    body = {"agent_id": await platform.agent(ANSWERS), "provider": "github"}

    refused = await platform.api.post(TRIGGERS, json=body)

    assert (refused.status_code, refused.json()["code"]) == (503, "key_missing")
    assert "new-key" in refused.json()["detail"]


async def test_an_archived_agent_gets_no_trigger(hooked: Hooked) -> None:
    agent = await hooked.platform.agent(ANSWERS)
    await hooked.platform.api.post(f"/api/v1/agents/{agent}/archive")

    refused = await hooked.platform.api.post(
        TRIGGERS, json={"agent_id": agent, "provider": "github"}
    )

    assert (refused.status_code, refused.json()["code"]) == (409, "agent_archived")


async def test_a_bad_change_changes_nothing(hooked: Hooked) -> None:
    trigger = await added(hooked, name="kept")
    path = f"{TRIGGERS}/{trigger['id']}"
    bodies: list[dict[str, Any]] = [{}, {"name": None}, {"filter": "1"}, {"provider": "slack"}]

    answers = [await hooked.platform.api.patch(path, json={**body}) for body in bodies]
    shown = (await hooked.platform.api.get(path)).json()

    assert [one.status_code for one in answers] == [422] * 4
    assert (shown["name"], shown["filter"], shown["provider"]) == ("kept", None, "custom")


@requirement("SEC-3")
async def test_a_foreign_trigger_is_as_missing_as_one_that_never_was(hooked: Hooked) -> None:
    trigger = await added(hooked)
    await sent(hooked, trigger, "msg_1")
    (delivery,) = (await deliveries(hooked, trigger))["deliveries"]
    database = hooked.platform.store.database
    owner = await database.write(lambda c: create_tenant(c, "Other", "Someone"))
    key = await database.write(lambda c: create_key(c, owner, "test"))

    async def answers(trigger_id: str, delivery_id: str) -> list[tuple[int, str]]:
        path, one = f"{TRIGGERS}/{trigger_id}", f"{DELIVERIES}/{delivery_id}"
        told = [
            await stranger.get(path),
            await stranger.patch(path, json={"name": "mine"}),
            await stranger.delete(path),
            await stranger.post(f"{path}/rotate-secret", json={}),
            await stranger.get(f"{path}/verification-token"),
            await stranger.get(f"{path}/deliveries"),
            await stranger.post(f"{path}/redeliver", json={}),
            await stranger.get(one),
            await stranger.post(f"{one}/redeliver"),
        ]
        return [(one.status_code, one.json()["code"]) for one in told]

    headers = {"Authorization": f"Bearer {key}"}
    base = hooked.platform.api.base_url
    async with httpx2.AsyncClient(base_url=base, headers=headers) as stranger:
        theirs = await answers(trigger["id"], delivery["id"])
        nobodys = await answers("tr_none", "dl_none")
        listed = (await stranger.get(TRIGGERS)).json()

    missing = [(404, "trigger_not_found")] * 7 + [(404, "delivery_not_found")] * 2
    assert theirs == nobodys == missing
    assert listed == {"triggers": [], "next_cursor": None}


async def test_a_removed_trigger_is_gone_and_its_deliveries_can_still_be_read(
    hooked: Hooked,
) -> None:
    trigger = await added(hooked)
    await sent(hooked, trigger, "msg_1")

    removed = await hooked.platform.api.delete(f"{TRIGGERS}/{trigger['id']}")
    gone = await hooked.platform.api.get(f"{TRIGGERS}/{trigger['id']}")
    refused = await hooked.send(
        trigger["id"], senders.custom(secret=trigger["secret"], at=clock.now())
    )

    assert (removed.status_code, gone.status_code, refused.status_code) == (204, 404, 404)
    assert len((await deliveries(hooked, trigger))["deliveries"]) == 1
