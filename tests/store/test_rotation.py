"""Secrets put under a new key: all of them, beside those who use them, from wherever it was broken off."""

import pytest

from omniforge import clock
from omniforge.identity import new_id
from omniforge.integrations.oauth.connection import Connection, SealedTokens
from omniforge.keys import KeyRing, new_key
from omniforge.store import rotation
from omniforge.store.connections import StoredConnections
from omniforge.store.rotation import Rotated, count_under, rotate
from omniforge.vault import LocalKeys, Vault, key_of
from tests.store.making import Tenant
from tests.support.requirements import requirement


class Safe:
    """Connections of one tenant, under keys that change."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant, self.kept = tenant, StoredConnections(tenant.store)
        self.old = new_key()
        self.ring = KeyRing.of([new_key(), self.old])

    async def connection(self, access: str = "access", version: int = 1) -> Connection:
        vault, at = Vault(LocalKeys(KeyRing.of([self.old]))), clock.now()
        one = Connection(
            id=new_id("cn"),
            tenant_id=self.tenant.id,
            user_id=self.tenant.owner.user_id,
            integration_id="acme",
            account_id=new_id("account"),
            version=version,
            created_at=at,
            updated_at=at,
        )
        tokens = SealedTokens(
            await vault.seal(access, one.place("access_token_encrypted")),
            await vault.seal("refresh", one.place("refresh_token_encrypted")),
            "Bearer",
            None,
            (),
        )
        assert await self.kept.save(one, tokens)
        return one

    async def sealed(self, one: Connection) -> SealedTokens:
        return (await self.kept.get(self.tenant.id, one.id))[1]

    async def rotated(self) -> Rotated:
        return [told async for told in rotate(self.tenant.store.database, self.ring)][-1]

    async def left(self) -> int:
        key_id = self.ring.ids[1]
        return await self.tenant.store.database.read(lambda c: count_under(c, key_id))


@requirement("SEC-1", "SEC-7")
async def test_every_secret_is_put_under_the_newest_key_and_opens_as_before(
    tenant: Tenant,
) -> None:
    safe = Safe(tenant)
    one, two = await safe.connection("first"), await safe.connection("second")
    before = await safe.left()

    told, again = await safe.rotated(), await safe.rotated()

    newest = Vault(LocalKeys(safe.ring))
    place = two.place("access_token_encrypted")
    assert before >= 4
    assert told.rewrapped >= 4
    assert again.rewrapped == 0
    assert await safe.left() == 0
    assert await newest.open((await safe.sealed(two)).access, place) == "second"
    assert key_of((await safe.sealed(one)).access) == safe.ring.newest


@requirement("SEC-1")
async def test_it_goes_on_where_it_was_broken_off(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    safe = Safe(tenant)
    for _ in range(3):
        await safe.connection()
    before = await safe.left()
    monkeypatch.setattr(rotation, "PAGE", 1)
    async for so_far in rotate(tenant.store.database, safe.ring):
        if so_far.rewrapped:
            break
    halfway = await safe.left()
    await safe.rotated()

    assert before > halfway > 0
    assert await safe.left() == 0


@requirement("SEC-1")
async def test_what_does_not_open_is_named_and_left_as_it_is(tenant: Tenant) -> None:
    safe = Safe(tenant)
    good, bad = await safe.connection(), await safe.connection()
    sealed = await safe.sealed(bad)
    moved = await safe.sealed(good)
    assert await safe.kept.save(bad, SealedTokens(moved.access, sealed.refresh, "Bearer", None, ()))

    told = await safe.rotated()

    assert f"credentials {bad.id}" in told.unreadable
    assert (await safe.sealed(bad)).access == moved.access
    assert key_of((await safe.sealed(good)).access) == safe.ring.newest
