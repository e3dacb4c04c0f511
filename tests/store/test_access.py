"""Tenants, people and their keys."""

import pytest
from sqlalchemy import Connection, select, update

from omniforge import clock
from omniforge.errors import Unauthenticated
from omniforge.identity import Principal, Role, new_id
from omniforge.store.access import KEY_PREFIX, create_key
from omniforge.store.tables import api_keys, metadata
from tests.store.making import Tenant, add_member


async def a_key(tenant: Tenant, owner: Principal, name: str = "laptop") -> str:
    return await tenant.store.database.write(lambda c: create_key(c, owner, name))


async def test_a_key_tells_whose_it_is(tenant: Tenant) -> None:
    key = await a_key(tenant, tenant.owner)

    assert key.startswith(KEY_PREFIX)
    assert await tenant.store.authenticate(key) == tenant.owner


async def test_a_member_has_the_role_of_the_membership(tenant: Tenant) -> None:
    viewer = Principal(tenant.id, new_id("us"), Role.VIEWER)
    await tenant.store.database.write(lambda c: add_member(c, viewer))
    key = await a_key(tenant, viewer)

    assert await tenant.store.authenticate(key) == viewer


@pytest.mark.parametrize("wrong", ["", "of_sk_", "of_sk_unknown", "\0", "Ω" * 100])
async def test_a_key_we_do_not_know_opens_nothing(tenant: Tenant, wrong: str) -> None:
    with pytest.raises(Unauthenticated, match="not known, or it was revoked"):
        await tenant.store.authenticate(wrong)


async def test_a_revoked_key_opens_nothing_and_the_others_go_on(tenant: Tenant) -> None:
    lost, kept = [await a_key(tenant, tenant.owner, name) for name in ("lost", "kept")]
    revoke = update(api_keys).where(api_keys.c.name == "lost", api_keys.c.tenant_id == tenant.id)
    await tenant.store.database.write(lambda c: c.execute(revoke.values(revoked_at=clock.now())))

    with pytest.raises(Unauthenticated):
        await tenant.store.authenticate(lost)
    assert await tenant.store.authenticate(kept) == tenant.owner


async def test_the_key_itself_is_in_no_column_of_any_table(tenant: Tenant) -> None:
    key = await a_key(tenant, tenant.owner)

    def everything(connection: Connection) -> str:
        return "".join(
            str(tuple(row))
            for table in metadata.sorted_tables
            for row in connection.execute(select(table))
        )

    text = await tenant.store.database.read(everything)
    assert tenant.owner.user_id in text
    assert key not in text
    assert key.removeprefix(KEY_PREFIX) not in text
