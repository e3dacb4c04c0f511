"""docker-compose.yml says what can be started, as far as a file can show it without an engine."""

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from omniforge.settings import Settings
from tests.deploy.compose_file import (
    COMPOSE,
    ROOT,
    Compose,
    load_compose,
    required_variables,
    resolved,
)
from tests.support.requirements import requirement

pytestmark = requirement("OPS-2")

OF_THE_TEMPORAL_SDK = {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"}


@pytest.fixture(scope="module")
def compose() -> Compose:
    return load_compose()


def is_file_of_ours(mount: str) -> bool:
    return mount.startswith(("./", "/"))


def known_variables() -> set[str]:
    names = OF_THE_TEMPORAL_SDK.copy()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        names.add(alias if isinstance(alias, str) else f"OMNIFORGE_{name.upper()}")
    return names


def test_the_file_follows_the_compose_format() -> None:
    schema = yaml.safe_load((Path(__file__).parent / "compose.schema.yaml").read_text())

    problems = Draft202012Validator(schema).iter_errors(yaml.safe_load(COMPOSE.read_text()))

    assert [f"{problem.json_path}: {problem.message}" for problem in problems] == []


def test_every_dependency_can_be_fulfilled(compose: Compose) -> None:
    for name, service in compose.services.items():
        for other, dependency in service.depends_on.items():
            waited_for = compose.services[other]
            if dependency.condition == "service_healthy":
                assert waited_for.healthcheck is not None, (name, other)
                assert waited_for.healthcheck.test, (name, other)
            else:
                assert waited_for.ends, (name, other)


def test_nothing_waits_for_itself(compose: Compose) -> None:
    waiting = {name: set(service.depends_on) for name, service in compose.services.items()}
    while ready := {name for name, others in waiting.items() if not others}:
        waiting = {n: others - ready for n, others in waiting.items() if n not in ready}

    assert waiting == {}


def test_services_that_must_talk_share_a_network(compose: Compose) -> None:
    for name, service in compose.services.items():
        for other, dependency in service.depends_on.items():
            if dependency.condition == "service_healthy":
                shared = set(service.networks) & set(compose.services[other].networks)
                assert shared, (name, other)


def test_networks_and_volumes_are_declared_and_used(compose: Compose) -> None:
    services = compose.services.values()

    networks = {network for service in services for network in service.networks}
    volumes = {mount for s in services for mount in s.mounts if not is_file_of_ours(mount)}

    assert networks == set(compose.networks)
    assert volumes == set(compose.volumes)


def test_every_mounted_file_is_in_the_repository(compose: Compose) -> None:
    mounted = {m for s in compose.services.values() for m in s.mounts if is_file_of_ours(m)}

    assert mounted
    assert [mount for mount in mounted if not (ROOT / mount).is_file()] == []


def test_a_script_that_is_run_is_mounted_there(compose: Compose) -> None:
    for service in compose.services.values():
        if service.entrypoint[:1] == ["/bin/sh"]:
            assert service.entrypoint[1] in service.mounts.values()


def test_api_and_worker_work_on_one_store(compose: Compose) -> None:
    api, worker = compose.services["api"], compose.services["worker"]

    assert api.environment == worker.environment | {"OMNIFORGE_CODEC_TOKEN": None}
    assert api.mounts == worker.mounts
    assert "omniforge-data" in api.mounts


def test_our_services_get_only_variables_that_something_reads(compose: Compose) -> None:
    given = {name for service in compose.ours.values() for name in service.environment}

    assert given - known_variables() == set()


def test_the_values_are_settings_that_can_be_used(
    compose: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in compose.services["api"].environment.items():
        if value is not None:
            monkeypatch.setenv(name, resolved(value))

    settings = Settings(_env_file=None)

    assert settings.database == "postgresql+asyncpg://omniforge:secret@postgres:5432/omniforge"


def test_our_commands_name_modules_that_exist(compose: Compose) -> None:
    for name, service in compose.ours.items():
        python, option, module, *_ = service.command
        assert (python, option) == ("python", "-m"), name
        assert importlib.util.find_spec(f"{module}.__main__") is not None, name


def test_our_image_can_be_built_from_here(compose: Compose) -> None:
    builds = {(s.build.context, s.build.dockerfile) for s in compose.ours.values() if s.build}

    assert builds == {(".", "Dockerfile")}
    assert (ROOT / "Dockerfile").is_file()
    assert set(compose.ours) == {"migrate", "api", "worker"}


def test_nothing_is_published_beyond_this_machine_unasked(compose: Compose) -> None:
    published = [resolved(port) for s in compose.services.values() for port in s.ports]

    assert sorted(published) == ["127.0.0.1:8000:8000", "127.0.0.1:8233:8080"]


def test_no_password_has_a_default() -> None:
    assert required_variables() == {
        "POSTGRES_PASSWORD",
        "OMNIFORGE_DB_PASSWORD",
        "TEMPORAL_DB_PASSWORD",
    }


def test_the_server_orders_a_backlog_fairly() -> None:
    values = yaml.safe_load((ROOT / "deploy/temporal/dynamicconfig.yaml").read_text())

    assert values["matching.enableFairness"] == [{"value": True}]
    assert values["matching.numTaskqueueReadPartitions"] == [{"value": 1}]
    assert values["matching.numTaskqueueWritePartitions"] == [{"value": 1}]


def docker_compose(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    environment |= dict.fromkeys(required_variables(), "secret")
    return subprocess.run(
        ["docker", "compose", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_docker_compose_itself_accepts_the_file() -> None:
    try:
        present = docker_compose("version").returncode == 0
    except FileNotFoundError:
        present = False
    if not present:
        pytest.skip("the docker client with its compose plugin is not installed here")

    checked = docker_compose("config", "--quiet")

    assert checked.returncode == 0, checked.stderr
