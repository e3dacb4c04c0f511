"""The keys of one machine: made once, for its owner only."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from dev import environment
from dev.keys import with_keys
from omniforge.errors import KeyInvalid
from omniforge.keys import new_key
from omniforge.settings import Settings
from tests.support.requirements import requirement


def settings(**values: Any) -> Settings:  # Any: pydantic checks them
    return Settings(_env_file=None, **values)


@requirement("SEC-6")
def test_the_keys_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    first = with_keys(settings(), tmp_path)
    written = (tmp_path / "keys.json").read_bytes()
    second = with_keys(settings(), tmp_path)

    assert first == second
    assert first.key_ring
    assert (tmp_path / "keys.json").read_bytes() == written
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]


def test_what_a_killed_start_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "keys.new").write_text("{")

    assert with_keys(settings(), tmp_path).key_ring
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


def test_a_key_put_in_front_by_hand_encrypts_and_the_old_one_stays(tmp_path: Path) -> None:
    before = with_keys(settings(), tmp_path).key_ring
    kept = json.loads((tmp_path / "keys.json").read_text())
    kept["credential_keys"].insert(0, new_key())
    (tmp_path / "keys.json").write_text(json.dumps(kept))

    after = with_keys(settings(), tmp_path).key_ring

    assert after.ids[1:] == before.ids
    assert after.newest != before.newest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"credential_keys": ["canary"], "codec_token": "0123456789012345678901234567890123"}',
        '{"credential_keys": [], "codec_token": "short"}',
    ],
)
def test_a_broken_file_is_refused_and_stays_as_it_is(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text)

    with pytest.raises(KeyInvalid, match=r"keys\.json does not hold the keys") as refused:
        with_keys(settings(), tmp_path)

    assert (tmp_path / "keys.json").read_text() == text
    assert "canary" not in refused.value.message
    assert refused.value.__cause__ is None


def test_keys_that_are_set_win_over_the_file(tmp_path: Path) -> None:
    key, token = SecretStr(new_key()), SecretStr(new_key())
    own = settings(credential_encryption_key=key, codec_token=token)

    assert with_keys(own, tmp_path) is own
    assert not (tmp_path / "keys.json").exists()

    own = settings(credential_keys=(key,))
    assert with_keys(own, tmp_path).key_ring.ids == own.key_ring.ids
    assert with_keys(own, tmp_path).codec_token is not None


def test_the_parts_are_given_the_keys_and_temporal_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = with_keys(settings(), tmp_path)
    secret = ours.credential_keys[0].get_secret_value()

    for name, value in environment.exported(ours).items():
        monkeypatch.setenv(name, value)

    assert settings() == ours
    assert settings().credential_keys[0].get_secret_value() == secret
    assert secret not in "".join(environment.of_temporal().values())
