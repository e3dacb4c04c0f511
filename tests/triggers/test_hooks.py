"""The address that outside services send to: whom it believes, what it keeps, what it answers."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from omniforge import clock
from omniforge.agents.triggers.events import DeadReason, DeliveryStatus
from omniforge.webhooks.delivery import Incoming
from omniforge.webhooks.payloads import MAX_BYTES
from tests.support.requirements import requirement
from tests.triggers.hooked import Hooked, sealed_for
from tests.webhooks.senders import (
    JSON,
    OTHER_SECRET,
    PROOFS,
    SECRET,
    SENDERS,
    bearer,
    changed,
    custom,
    github,
    json_of,
    notion,
    slack,
    without,
)

each_sender = pytest.mark.parametrize("sender", SENDERS)


def sent(sender: str, **options: Any) -> Incoming:
    options.setdefault("at", clock.now())
    return SENDERS[sender][1](**options)


# ---- known senders --------------------------------------------------------------------------


@requirement("FR-10")
@each_sender
async def test_a_signed_event_becomes_a_run_and_its_repeat_does_not(
    hooked: Hooked, sender: str
) -> None:
    trigger = await hooked.trigger(SENDERS[sender][0])

    first = await hooked.send(trigger, sent(sender))
    again = await hooked.send(trigger, sent(sender))
    body = first.json()
    run = await hooked.ended(body["execution_id"])
    (kept,) = await hooked.kept(trigger)

    assert (first.status_code, body["status"]) == (202, "accepted")
    assert (again.status_code, again.json()) == (200, {**body, "status": "duplicate"})
    assert run["result"] == {"got": kept.delivery_id}
    assert (run["trigger_type"], run["triggered_by"]) == ("event_driven", trigger.created_by)
    assert (kept.id, kept.status) == (body["delivery_id"], DeliveryStatus.RUN)
    assert await hooked.runs(trigger) == [run["id"]]


@requirement("FR-10")
async def test_a_delivery_that_is_sent_many_times_at_once_leads_to_one_run(hooked: Hooked) -> None:
    trigger = await hooked.trigger()

    answers = await asyncio.gather(
        *(hooked.send(trigger, sent("custom", delivery_id="same")) for _ in range(20))
    )
    (execution_id,) = {answer.json()["execution_id"] for answer in answers}
    await hooked.ended(execution_id)

    assert Counter(answer.status_code for answer in answers) == {202: 1, 200: 19}
    assert await hooked.runs(trigger) == [execution_id]


async def test_a_delivery_is_known_by_its_id_and_not_by_what_it_says(hooked: Hooked) -> None:
    trigger = await hooked.trigger()

    one, other = [
        await hooked.send(trigger, sent("custom", delivery_id=name)) for name in ("a", "b")
    ]

    assert (one.status_code, other.status_code) == (202, 202)
    assert one.json()["execution_id"] != other.json()["execution_id"]


# ---- nobody we know -------------------------------------------------------------------------


@requirement("FR-10")
@each_sender
async def test_what_is_not_signed_with_a_secret_of_the_trigger_is_not_even_kept(
    hooked: Hooked, sender: str
) -> None:
    trigger = await hooked.trigger(SENDERS[sender][0])
    good = sent(sender)
    wrong = [
        sent(sender, secret=OTHER_SECRET),
        without(good, PROOFS[sender]),
        changed(good, good.body + b" ") if sender != "bearer" else sent(sender, secret="x"),
    ]

    answers = [await hooked.send(trigger, each) for each in wrong]

    assert {answer.status_code for answer in answers} == {401}
    assert {answer.json()["code"] for answer in answers} == {"signature_invalid"}
    assert await hooked.kept(trigger) == []


@pytest.mark.parametrize("sender", ["slack", "linear", "custom", "notion"])
async def test_a_recorded_delivery_is_refused_when_it_is_played_again_later(
    hooked: Hooked, sender: str
) -> None:
    trigger = await hooked.trigger(SENDERS[sender][0])

    answer = await hooked.send(trigger, sent(sender, at=clock.now() - timedelta(days=3)))

    assert (answer.status_code, answer.json()["code"]) == (401, "delivery_stale")
    assert await hooked.kept(trigger) == []


async def test_a_trigger_that_was_removed_and_one_that_never_was_answer_alike(
    hooked: Hooked,
) -> None:
    trigger = await hooked.trigger()
    await hooked.platform.mine.write(lambda db: db.triggers.remove(trigger.id))

    gone, never = [await hooked.send(one, sent("custom")) for one in (trigger.id, "tr_0")]

    assert gone.status_code == never.status_code == 404
    assert gone.json()["detail"].replace(trigger.id, "tr_0") == never.json()["detail"]


async def test_a_signature_for_one_trigger_is_none_for_another(hooked: Hooked) -> None:
    theirs = await hooked.trigger(secrets=[OTHER_SECRET])

    assert (await hooked.send(theirs, sent("custom"))).status_code == 401


async def test_without_a_secret_nobody_is_believed(hooked: Hooked) -> None:
    trigger = await hooked.trigger("slack", secrets=[])

    assert (await hooked.send(trigger, sent("slack", secret=""))).status_code == 401


# ---- bad input ------------------------------------------------------------------------------

_NESTED = b'{"a":' * 10_000 + b"1" + b"}" * 10_000


@pytest.mark.parametrize(
    ("incoming", "status", "code"),
    [
        (lambda: custom(b"x" * 10_000_000, at=clock.now()), 413, "upload_too_large"),
        (lambda: custom(b"x" * (MAX_BYTES + 1), at=clock.now()), 413, "delivery_too_large"),
        (lambda: custom(_NESTED, at=clock.now()), 400, "delivery_invalid"),
        (lambda: custom(b"[1]", at=clock.now()), 400, "delivery_invalid"),
        (lambda: custom(b'{"a": NaN}', at=clock.now()), 400, "delivery_invalid"),
        (lambda: custom(b"\xff", at=clock.now()), 400, "delivery_invalid"),
        (lambda: changed(sent("custom"), Content_Type="text/plain"), 400, "delivery_invalid"),
        (lambda: sent("custom", delivery_id=""), 400, "delivery_invalid"),
    ],
)
async def test_what_cannot_be_an_event_is_refused_with_a_reason(
    hooked: Hooked, incoming: Any, status: int, code: str
) -> None:
    trigger = await hooked.trigger()

    answer = await hooked.send(trigger, incoming())

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert await hooked.kept(trigger) == []


async def test_a_body_that_does_not_say_how_large_it_is_is_not_read_to_its_end(
    hooked: Hooked,
) -> None:
    trigger = await hooked.trigger()
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        for _ in range(200):
            given += 1
            yield b"x" * 100_000
            await asyncio.sleep(0)

    path = f"/api/v1/hooks/{trigger.id}"
    answer = await hooked.outside.post(path, content=endless(), headers=JSON)

    assert (answer.status_code, answer.json()["code"]) == (413, "delivery_too_large")


async def test_a_body_as_large_as_allowed_is_taken(hooked: Hooked) -> None:
    trigger = await hooked.trigger(filter="false")
    body = json_of({"type": "big", "text": "x" * (MAX_BYTES - 100)})

    answer = await hooked.send(trigger, custom(body, at=clock.now()))

    assert answer.status_code == 202, answer.text


# ---- handshakes -----------------------------------------------------------------------------


async def test_slack_gets_its_challenge_back_and_github_its_pong(hooked: Hooked) -> None:
    of_slack, of_github = await hooked.trigger("slack"), await hooked.trigger("github")
    challenge = json_of({"type": "url_verification", "challenge": "3eZbrw1a"})

    answers = [
        await hooked.send(of_slack, slack(challenge, at=clock.now())),
        await hooked.send(of_github, github(event="ping")),
    ]

    assert [(one.status_code, one.text) for one in answers] == [(200, "3eZbrw1a"), (200, "pong")]
    assert await hooked.kept(of_slack) == await hooked.kept(of_github) == []


@requirement("FR-10")
async def test_notions_token_is_kept_once_and_signs_from_then_on(hooked: Hooked) -> None:
    trigger = await hooked.trigger("notion", secrets=[])
    hello, forged = [
        Incoming(json_of({"verification_token": token}), JSON)
        for token in (
            "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl",
            "secret_of_a_stranger_1",
        )
    ]

    first, second = await hooked.send(trigger, hello), await hooked.send(trigger, forged)
    token = json.loads(hello.body)["verification_token"]
    signed = await hooked.send(trigger, notion(secret=token, at=clock.now()))
    stored = await hooked.platform.mine.read(lambda db: db.triggers.secrets(trigger.id))

    assert (first.status_code, second.status_code, signed.status_code) == (200, 401, 202)
    assert [one.is_unread for one in stored] == [True]
    assert token not in stored[0].model_dump_json()


# ---- secrets that change --------------------------------------------------------------------


async def test_a_secret_that_was_replaced_is_taken_until_its_time_is_over(hooked: Hooked) -> None:
    trigger = await hooked.trigger()
    mine = hooked.platform.mine

    async def statuses() -> list[int]:
        requests = [bearer(secret=secret) for secret in (SECRET, OTHER_SECRET)]
        return [(await hooked.send(trigger, each)).status_code for each in requests]

    before = await statuses()
    new, soon = sealed_for(trigger, OTHER_SECRET), clock.now() + timedelta(hours=1)
    await mine.write(lambda db: db.triggers.rotate(trigger.id, new, soon))
    overlap = await statuses()
    await mine.write(lambda db: db.triggers.rotate(trigger.id, new, clock.now()))
    after = await statuses()

    assert (before, overlap, after) == ([202, 401], [200, 200], [401, 200])


# ---- too much -------------------------------------------------------------------------------


async def test_beyond_its_rate_a_trigger_keeps_dead_letters_and_then_turns_senders_away(
    hooked: Hooked,
) -> None:
    trigger = await hooked.trigger(max_per_minute=1)

    answers = [await hooked.send(trigger, sent("custom", delivery_id=f"d-{n}")) for n in range(11)]
    kept = await hooked.kept(trigger)

    assert [one.status_code for one in answers] == [202] * 10 + [429]
    assert [one.json()["status"] for one in answers[:10]] == ["accepted", *["dead"] * 9]
    assert answers[1].json()["execution_id"] is None
    assert answers[-1].headers["Retry-After"] == "60"
    assert answers[-1].json()["code"] == "too_many_deliveries"
    assert Counter(one.reason for one in kept) == {None: 1, DeadReason.RATE_CAPPED: 9}


async def test_the_address_is_part_of_the_described_api(hooked: Hooked) -> None:
    described = (await hooked.outside.get("/openapi.json")).json()

    operation = described["paths"]["/api/v1/hooks/{trigger_id}"]["post"]
    assert {"200", "202", "400", "401", "404", "413", "429"} <= set(operation["responses"])
    assert "security" not in operation
