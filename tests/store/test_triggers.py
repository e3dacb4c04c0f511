"""Triggers and their secrets."""

from datetime import timedelta

import pytest

from omniforge import clock
from omniforge.errors import (
    AgentNotFound,
    CiphertextInvalid,
    KeyMissing,
    Rejected,
    TokenNotThere,
    TriggerNotFound,
)
from omniforge.keys import NO_KEYS, KeyRing, new_key
from omniforge.store.keys_in_use import prove_keys, retire_key
from omniforge.store.resealing import reseal
from omniforge.store.sealed import SealedSecret, open_secret, seal_secret
from tests.store.making import Tenant
from tests.store.sending import Sender, a_trigger
from tests.support.requirements import requirement

BEFORE, OTHER = KeyRing.of([new_key()]), KeyRing.of([new_key()])


def sealed(sender: Sender, value: str, keys: KeyRing = BEFORE) -> SealedSecret:
    return seal_secret(keys, sender.tenant.id, sender.trigger.id, value)


def opened(sender: Sender, secret: SealedSecret, keys: KeyRing = BEFORE) -> str:
    return open_secret(keys, sender.tenant.id, sender.trigger.id, secret).value


async def secrets_of(sender: Sender) -> tuple[SealedSecret, ...]:
    return await sender.tenant.mine.read(lambda db: db.triggers.secrets(sender.trigger.id))


async def test_a_trigger_is_kept_changed_and_removed(tenant: Tenant) -> None:
    sender, other = await Sender.new(tenant), await Sender.new(tenant)
    await sender.becomes(name="orders", filter="true", mapping={"n": "1"}, enabled=False)
    agent_id = sender.trigger.agent_id

    listed = await tenant.mine.read(lambda db: db.triggers.page(10, None))
    of_agent = await tenant.mine.read(lambda db: db.triggers.page(10, None, agent_id))
    await tenant.mine.write(lambda db: db.triggers.remove(sender.trigger.id))
    left = await tenant.mine.read(lambda db: db.triggers.page(10, None))

    assert [one.id for one in listed.items] == [other.trigger.id, sender.trigger.id]
    assert of_agent.items == [sender.trigger]
    assert (sender.trigger.mapping, sender.trigger.enabled) == ({"n": "1"}, False)
    assert [one.id for one in left.items] == [other.trigger.id]
    for missing in (tenant.mine.read, tenant.mine.write):
        with pytest.raises(TriggerNotFound):
            await missing(lambda db: db.triggers.get(sender.trigger.id))


async def test_triggers_and_agents_of_others_are_not_there(tenant: Tenant) -> None:
    sender, stranger = await Sender.new(tenant), await Tenant.new(tenant.store, "Other")
    theirs = a_trigger(stranger.id, sender.trigger.agent_id)

    with pytest.raises(TriggerNotFound):
        await stranger.mine.read(lambda db: db.triggers.get(sender.trigger.id))
    with pytest.raises(TriggerNotFound):
        await stranger.mine.write(lambda db: db.triggers.change(sender.trigger))
    with pytest.raises(AgentNotFound):
        await stranger.mine.write(lambda db: db.triggers.add(theirs, []))


@requirement("SEC-6")
async def test_a_secret_opens_for_its_own_trigger_and_with_its_key_only(tenant: Tenant) -> None:
    sender, other = await Sender.new(tenant), await Sender.new(tenant)
    secret = sealed(sender, "whsec_of_orders")

    assert opened(sender, secret) == "whsec_of_orders"
    assert "orders" not in secret.model_dump_json()
    with pytest.raises(CiphertextInvalid):
        opened(other, secret)
    with pytest.raises(KeyMissing):
        opened(sender, secret, OTHER)
    with pytest.raises(KeyMissing, match="OMNIFORGE_CREDENTIAL_KEYS"):
        sealed(sender, "x", NO_KEYS)


async def test_a_replaced_secret_keeps_the_sooner_of_its_ends_and_then_is_forgotten(
    tenant: Tenant,
) -> None:
    sender = await Sender.new(tenant)
    first, second, third = [sealed(sender, name) for name in ("one", "two", "three")]
    soon, later = clock.now() + timedelta(hours=1), clock.now() + timedelta(hours=2)

    async def rotate(new: SealedSecret | None, until: object) -> list[tuple[str, object]]:
        await tenant.mine.write(
            lambda db: db.triggers.rotate(sender.trigger.id, new, until)  # type: ignore[arg-type]
        )
        return [(opened(sender, one), one.until) for one in await secrets_of(sender)]

    assert await rotate(first, soon) == [("one", None)]
    assert await rotate(second, soon) == [("two", None), ("one", soon)]
    assert await rotate(third, later) == [("three", None), ("two", later), ("one", soon)]
    assert await rotate(None, clock.now()) == []


async def test_a_token_is_taken_while_none_is_there_and_read_once(tenant: Tenant) -> None:
    sender = await Sender.new(tenant, provider="notion")
    trigger_id, mine = sender.trigger.id, tenant.mine
    token, forged = [
        sealed(sender, value).model_copy(update={"is_unread": True}) for value in ("good", "forged")
    ]

    with pytest.raises(TokenNotThere):
        await mine.write(lambda db: db.triggers.read_token(trigger_id))
    assert await mine.write(lambda db: db.triggers.take_token(trigger_id, token))
    assert not await mine.write(lambda db: db.triggers.take_token(trigger_id, forged))
    read = await mine.write(lambda db: db.triggers.read_token(trigger_id))
    with pytest.raises(TokenNotThere):
        await mine.write(lambda db: db.triggers.read_token(trigger_id))

    assert opened(sender, read) == "good"
    await mine.write(lambda db: db.triggers.rotate(trigger_id, None, clock.now()))
    assert await mine.write(lambda db: db.triggers.take_token(trigger_id, forged))


@requirement("SEC-6")
async def test_a_key_is_retired_when_no_secret_needs_it_any_more(tenant: Tenant) -> None:
    sender, database = await Sender.new(tenant), tenant.store.database
    old, new = new_key(), new_key()
    before, both, after = KeyRing.of([old]), KeyRing.of([new, old]), KeyRing.of([new])
    until = clock.now() + timedelta(hours=1)
    for name in ("one", "two"):
        secret = sealed(sender, name, before)
        await tenant.mine.write(
            lambda db, new=secret: db.triggers.rotate(sender.trigger.id, new, until)  # type: ignore[misc]
        )
    await prove_keys(database, before)

    with pytest.raises(Rejected, match=r"under key .*: 1\."):
        await retire_key(database, before.newest)
    counts = [await database.write(lambda c: reseal(c, both)) for _ in range(2)]
    await retire_key(database, before.newest)
    secrets = await secrets_of(sender)

    assert counts == [1, 0]
    assert [opened(sender, one, after) for one in secrets] == ["two", "one"]
    assert secrets[1].until == until
