"""The key ring: what one key sealed, that key opens, and nothing else does."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.main import main
from omniforge.errors import CiphertextInvalid, KeyInvalid, KeyMissing, Rejected
from omniforge.keys import KeyRing, Sealed, new_key
from omniforge.settings import Settings, load_settings
from tests.support.requirements import requirement

OLD, NEW = new_key(), new_key()
RING, ROTATED = KeyRing.of([OLD]), KeyRing.of([NEW, OLD])


@given(st.binary(), st.binary(max_size=40))
def test_what_was_sealed_opens_with_its_key_also_behind_a_newer_one(
    text: bytes, bound: bytes
) -> None:
    sealed = RING.seal("tests", text, bound)

    assert RING.open("tests", sealed, bound) == text
    assert ROTATED.open("tests", sealed, bound) == text


def test_the_newest_key_seals_and_no_two_texts_look_alike() -> None:
    first, second = (ROTATED.seal("tests", b"same", b"") for _ in range(2))

    assert first.key_id == second.key_id == KeyRing.of([NEW]).newest
    assert first.data != second.data
    assert ROTATED.ids == (first.key_id, RING.newest)


@given(st.binary(min_size=1), st.data())
def test_a_changed_text_does_not_open(text: bytes, data: st.DataObject) -> None:
    key_id, sealed = RING.seal("tests", text, b"")
    place = data.draw(st.integers(0, len(sealed) - 1))
    changed = bytearray(sealed)
    changed[place] ^= data.draw(st.integers(1, 255))

    with pytest.raises(CiphertextInvalid):
        RING.open("tests", Sealed(key_id, bytes(changed)), b"")


@given(st.integers(0, 27))
def test_a_text_that_was_cut_off_does_not_open(length: int) -> None:
    key_id, sealed = RING.seal("tests", b"", b"")

    with pytest.raises(CiphertextInvalid):
        RING.open("tests", Sealed(key_id, sealed[:length]), b"")


def test_what_is_sealed_for_one_thing_does_not_open_as_another() -> None:
    sealed = RING.seal("tests", b"text", b"row 1")

    for purpose, bound in (("tests", b"row 2"), ("credentials", b"row 1")):
        with pytest.raises(CiphertextInvalid):
            RING.open(purpose, sealed, bound)
    with pytest.raises(CiphertextInvalid):  # under the name of the other key
        ROTATED.open("tests", Sealed(ROTATED.newest, sealed.data), b"row 1")


def test_a_missing_key_is_named_with_what_to_do() -> None:
    sealed = ROTATED.seal("tests", b"text", b"")

    with pytest.raises(KeyMissing) as one:
        RING.open("tests", sealed, b"")
    with pytest.raises(KeyMissing) as none:
        KeyRing().open("tests", sealed, b"")

    assert sealed.key_id in one.value.message
    assert f"only {RING.newest!r}" in one.value.message
    assert "OMNIFORGE_CREDENTIAL_KEYS" in one.value.message
    assert "no key at all" in none.value.message


def test_a_key_is_taken_in_every_form_that_base64_has() -> None:
    secret = b"\xfb\xff" * 16
    texts = [
        base64.b64encode(secret).decode(),
        base64.urlsafe_b64encode(secret).decode(),
        base64.urlsafe_b64encode(secret).decode().rstrip("="),
        f" {base64.b64encode(secret).decode()}\n",
    ]

    assert len({KeyRing.of([text]).newest for text in texts}) == 1
    with pytest.raises(KeyInvalid, match="key 2 is the same as key 1"):
        KeyRing.of(texts[:2])


@pytest.mark.parametrize(
    "text",
    ["", "password", "ü" * 43, "a" * 44, "a" * 22, "a" * 64],
)
def test_what_is_no_key_is_refused_with_how_to_make_one_and_is_not_repeated(text: str) -> None:
    with pytest.raises(KeyInvalid) as refused:
        KeyRing.of([NEW, text])

    assert "key 2 cannot be used" in refused.value.message
    assert "python -m api new-key" in refused.value.message
    assert not text or text not in refused.value.message


def test_a_ring_does_not_show_its_keys() -> None:
    key = next(iter(ROTATED._keys.values()))

    for shown in (repr(ROTATED), repr(key), str(vars(ROTATED))):
        assert NEW not in shown
        assert repr(base64.urlsafe_b64decode(NEW + "=")) not in shown


# ---- settings --------------------------------------------------------------------------------


def settings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(f"OMNIFORGE_{name}", value)
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    return load_settings()


@requirement("CFG-1")
def test_keys_come_as_a_list_or_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not settings(monkeypatch).key_ring
    with monkeypatch.context() as patch:
        listed = settings(patch, CREDENTIAL_KEYS=json.dumps([NEW, OLD])).key_ring
    with monkeypatch.context() as patch:
        single = settings(patch, CREDENTIAL_ENCRYPTION_KEY=OLD).key_ring

    assert listed.ids == ROTATED.ids
    assert single.ids == RING.ids


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"CREDENTIAL_KEYS": '["canary"]'}, "OMNIFORGE_CREDENTIAL_KEYS: key 1 cannot be used"),
        ({"CREDENTIAL_KEYS": "canary"}, "lists are written as JSON"),
        ({"CREDENTIAL_KEYS": json.dumps([OLD, OLD])}, "key 2 is the same as key 1"),
        ({"CREDENTIAL_ENCRYPTION_KEY": "canary"}, "python -m api new-key"),
        ({"CREDENTIAL_KEYS": f'["{NEW}"]', "CREDENTIAL_ENCRYPTION_KEY": OLD}, "not both"),
        ({"CODEC_TOKEN": "canary"}, "OMNIFORGE_CODEC_TOKEN: .*32 or more"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str
) -> None:
    with pytest.raises(Rejected, match=words) as refused:
        settings(monkeypatch, **variables)

    for secret in ("canary", OLD, NEW):
        assert secret not in refused.value.message


def test_a_command_makes_a_key_also_where_the_settings_lack_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMNIFORGE_CREDENTIAL_KEYS", "broken")

    assert main(["new-key"]) == 0

    made = capsys.readouterr().out.strip()
    assert KeyRing.of([made])
    assert settings(monkeypatch, CREDENTIAL_KEYS=f'["{made}"]', CODEC_TOKEN=made).key_ring
