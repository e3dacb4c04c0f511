"""Where skills stand on disk: four layers, nearest first."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from omniforge.errors import Rejected
from omniforge.skills.archive import is_junk, path_problem

_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")


class StorageLayer(StrEnum):
    AGENT = "agent"
    TENANT = "tenant"
    PUBLIC = "public"
    GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class StorageConfig:
    """The folders that hold skill folders. A path that is None is a layer that is not searched."""

    global_path: Path | None = None
    tenant_path: Path | None = None
    plugin_paths: tuple[Path, ...] = ()
    """Public libraries, in the order they are searched."""
    agent_path: Path | None = None

    @property
    def layers(self) -> tuple[tuple[StorageLayer, Path], ...]:
        """Every layer that is searched, nearest first."""
        ordered = (
            (StorageLayer.AGENT, self.agent_path),
            (StorageLayer.TENANT, self.tenant_path),
            *((StorageLayer.PUBLIC, path) for path in self.plugin_paths),
            (StorageLayer.GLOBAL, self.global_path),
        )
        return tuple((layer, path) for layer, path in ordered if path is not None)


@dataclass(frozen=True, slots=True)
class StoredSkill:
    """A name's place: the nearest layer that has it, whether or not it can be read there."""

    name: str
    layer: StorageLayer
    folder: Path


class SkillStorageManager:
    """Finds skill folders by name across the layers. Reads no skill."""

    def __init__(self, config: StorageConfig) -> None:
        self._layers = config.layers

    @property
    def searched(self) -> str:
        """The layers by name, nearest first, for messages."""
        return ", ".join(dict.fromkeys(layer.value for layer, _ in self._layers))

    def find(self, name: str) -> StoredSkill | None:
        """The nearest folder of this name. A name that is no plain folder name is nowhere."""
        if not _is_folder_name(name):
            return None
        return next((each for each in self._places(name) if _exists(each.folder)), None)

    def every_skill(self) -> list[StoredSkill]:
        """One entry a name, sorted by name; what a nearer layer hides is not listed."""
        nearest: dict[str, StoredSkill] = {}
        for layer, path in self._layers:
            for folder in _folders_in(path):
                nearest.setdefault(folder.name, StoredSkill(folder.name, layer, folder))
        return [nearest[name] for name in sorted(nearest)]

    def _places(self, name: str) -> Iterator[StoredSkill]:
        return (StoredSkill(name, layer, path / name) for layer, path in self._layers)


def create_builder_storage_config(
    tenant_id: str, agent_id: str | None, root: Path
) -> StorageConfig:
    """The four layers as one agent sees them; without an agent, as its tenant does.

    Raises:
        Rejected: An id is not a plain folder name.
    """
    return StorageConfig(
        global_path=root / "global",
        tenant_path=tenant_folder(root, tenant_id) / "skills",
        plugin_paths=(root / "public-skills",),
        agent_path=None if agent_id is None else agent_skills_folder(root, tenant_id, agent_id),
    )


def tenant_folder(root: Path, tenant_id: str) -> Path:
    return root / "tenants" / _checked(tenant_id)


def agent_skills_folder(root: Path, tenant_id: str, agent_id: str) -> Path:
    return tenant_folder(root, tenant_id) / "agents" / _checked(agent_id) / "skills"


def _checked(identifier: str) -> str:
    if not _ID.fullmatch(identifier):
        raise Rejected(f"The id {identifier!r} cannot be the name of a folder.")
    return identifier


def _is_folder_name(name: str) -> bool:
    return path_problem(name) is None and "/" not in name and _is_visible(name)


def _is_visible(name: str) -> bool:
    # Writers prepare a folder under a name with a dot before they move it into place.
    return not name.startswith(".") and not is_junk(name)


def _folders_in(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return [each for each in path.iterdir() if _is_visible(each.name) and not each.is_file()]


def _exists(folder: Path) -> bool:
    return folder.is_symlink() or folder.is_dir()
