"""What the parts are started with."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from dev import environment
from omniforge.settings import Settings


def settings(**values: Any) -> Settings:  # Any: pydantic checks them
    return Settings(_env_file=None, **values)


def test_settings_set_in_code_reach_the_parts(tmp_path: Path) -> None:
    exported = environment.exported(
        settings(
            home=tmp_path,
            offline_pace=0.5,
            http_allow_private=("localhost:9000",),
            anthropic_api_key=SecretStr("sk-1"),
        )
    )

    assert exported["OMNIFORGE_HOME"] == str(tmp_path)
    assert exported["OMNIFORGE_OFFLINE_PACE"] == "0.5"
    assert exported["OMNIFORGE_HTTP_ALLOW_PRIVATE"] == '["localhost:9000"]'
    assert exported["ANTHROPIC_API_KEY"] == "sk-1"
    assert "OMNIFORGE_LLM_MODEL" not in exported


def test_exported_settings_read_back_as_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = settings(home=tmp_path, http_allow_private=("a", "b"), max_upload_mb=7)

    for name, value in environment.exported(original).items():
        monkeypatch.setenv(name, value)

    assert settings() == original


def test_another_temporals_settings_do_not_reach_the_parts_beside_our_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEMPORAL_API_KEY", "of the cloud")

    beside = environment.of_parts(settings(), own_temporal=True, TEMPORAL_ADDRESS="127.0.0.1:1")
    elsewhere = environment.of_parts(settings(), own_temporal=False)

    assert "TEMPORAL_API_KEY" not in beside
    assert beside["TEMPORAL_ADDRESS"] == "127.0.0.1:1"
    assert elsewhere["TEMPORAL_API_KEY"] == "of the cloud"


def test_the_temporal_server_gets_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-1")

    assert "sk-1" not in environment.of_temporal().values()
