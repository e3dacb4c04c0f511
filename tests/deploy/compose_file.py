"""docker-compose.yml as typed data."""

import re
from pathlib import Path

import yaml
from pydantic import BaseModel

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"

# ${NAME}, ${NAME:-default} and ${NAME:?message}, as Compose resolves them.
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


class Build(BaseModel):
    context: str
    dockerfile: str


class Dependency(BaseModel):
    condition: str


class Healthcheck(BaseModel):
    test: list[str] = []
    disable: bool = False


class Service(BaseModel):
    image: str
    restart: str
    build: Build | None = None
    depends_on: dict[str, Dependency] = {}
    environment: dict[str, str | None] = {}
    entrypoint: list[str] = []
    command: list[str] = []
    volumes: list[str] = []
    networks: list[str] = []
    ports: list[str] = []
    healthcheck: Healthcheck | None = None

    @property
    def ends(self) -> bool:
        """Whether it is a job: restarted only when it failed."""
        return self.restart.startswith("on-failure")

    @property
    def mounts(self) -> dict[str, str]:
        """Where each file, folder or named volume is seen inside."""
        return {volume.split(":")[0]: volume.split(":")[1] for volume in self.volumes}


class Compose(BaseModel):
    services: dict[str, Service]
    networks: dict[str, dict[str, bool] | None]
    volumes: dict[str, None]

    @property
    def ours(self) -> dict[str, Service]:
        """The services that run our image."""
        return {name: service for name, service in self.services.items() if service.build}


def load_compose() -> Compose:
    return Compose.model_validate(yaml.safe_load(COMPOSE.read_text()))


def resolved(text: str) -> str:
    """The text with every variable at its default; a required one reads `secret`."""
    return _VARIABLE.sub(lambda found: found[3] if found[2] == "-" else "secret", text)


def required_variables() -> set[str]:
    return {found[1] for found in _VARIABLE.finditer(COMPOSE.read_text()) if found[2] == "?"}
