"""docs/configuration.md knows every setting, and no other."""

import re
from typing import get_args

import pytest

from omniforge.cli.session import ApiKey, ApiUrl
from omniforge.settings import Settings
from tests.docs.pages import ROOT, with_backticks


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "configuration.md").read_text()


def variable_of(name: str) -> str:
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else f"OMNIFORGE_{name.upper()}"


def test_every_setting_is_explained(page: str) -> None:
    explained = with_backticks(page)

    assert {variable_of(name) for name in Settings.model_fields} - explained == set()


def test_no_setting_is_explained_that_does_not_exist(page: str) -> None:
    of_processes = {variable_of(name) for name in Settings.model_fields}
    of_the_command_line = {get_args(option)[1].envvar for option in (ApiUrl, ApiKey)}
    of_compose = set(re.findall(r"\$\{(OMNIFORGE_\w+)", (ROOT / "docker-compose.yml").read_text()))

    named = set(re.findall(r"\bOMNIFORGE_[A-Z_]+\b", page))

    assert named - of_processes - of_the_command_line - of_compose == set()
