"""Secrets at rest: what was sealed opens in its own place, with its own key, and nowhere else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniforge.errors import CiphertextInvalid, KeyMissing
from omniforge.keys import KeyRing, new_key
from omniforge.vault import LocalKeys, Place, Vault, key_of
from tests.support.requirements import requirement

OLD, NEW = new_key(), new_key()
PLACE = Place("tn_1", "credentials", "cn_1", "access_token")
VAULT = Vault(LocalKeys(KeyRing.of([OLD])))
ROTATED = Vault(LocalKeys(KeyRing.of([NEW, OLD])))
WITHOUT_OLD = Vault(LocalKeys(KeyRing.of([NEW])))


@requirement("SEC-1")
@given(st.text(st.characters(codec="utf-8")))
async def test_a_secret_opens_and_no_two_look_alike(text: str) -> None:
    first, second = [await VAULT.seal(text, PLACE) for _ in range(2)]

    assert await VAULT.open(first, PLACE) == await ROTATED.open(second, PLACE) == text
    assert first != second
    assert len(text) < 4 or text.encode() not in first


@requirement("SEC-1")
@pytest.mark.parametrize("part", ["tenant_id", "table", "row_id", "column"])
async def test_a_secret_does_not_open_in_another_place(part: str) -> None:
    sealed = await VAULT.seal("xoxb-1", PLACE)

    for move in (VAULT.open, ROTATED.rewrap):
        with pytest.raises(CiphertextInvalid):
            await move(sealed, replace(PLACE, **{part: "other"}))


@requirement("SEC-1")
@given(st.data())
async def test_a_changed_secret_does_not_open(data: st.DataObject) -> None:
    sealed = bytearray(await VAULT.seal("xoxb-1", PLACE))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises((CiphertextInvalid, KeyMissing)):
        await VAULT.open(bytes(sealed), PLACE)


@given(st.binary(max_size=200))
async def test_bytes_of_any_kind_are_refused(junk: bytes) -> None:
    with pytest.raises((CiphertextInvalid, KeyMissing)):
        await VAULT.open(junk, PLACE)


@requirement("SEC-1")
async def test_a_rotated_key_wraps_anew_what_the_old_one_had_wrapped() -> None:
    sealed = await VAULT.seal("xoxb-1", PLACE)

    again = await ROTATED.rewrap(sealed, PLACE)

    assert again is not None
    assert (key_of(sealed), key_of(again)) == tuple(KeyRing.of([OLD, NEW]).ids)
    assert await WITHOUT_OLD.open(again, PLACE) == "xoxb-1"
    assert await ROTATED.rewrap(again, PLACE) is None
    with pytest.raises(KeyMissing):
        await WITHOUT_OLD.open(sealed, PLACE)
