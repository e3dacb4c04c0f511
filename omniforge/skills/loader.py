"""Skills by name, nearest layer first."""

from dataclasses import dataclass

from omniforge.errors import SkillNotFound
from omniforge.skills.document import Finding, Report, Skill
from omniforge.skills.parser import Reading, SkillParser
from omniforge.skills.storage import SkillStorageManager, StorageLayer, StoredSkill


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """What a list of skills says of one. A broken skill is listed, with its findings."""

    name: str
    description: str
    layer: StorageLayer
    findings: tuple[Finding, ...] = ()
    is_broken: bool = False


class SkillLoader:
    """Reads skills from the layered folders. Every call reads the disk: what is there now counts."""

    def __init__(self, storage: SkillStorageManager) -> None:
        self._storage, self._parser = storage, SkillParser()

    def resolve(self, name: str) -> Skill:
        """Find a skill by name, nearest layer first: agent, tenant, public, global.

        The first match wins even when it cannot be read, so a broken override is reported rather
        than silently replaced by the public skill of the same name.

        Raises:
            SkillNotFound: No layer has a skill of that name.
            SkillInvalid: The nearest one is broken.
        """
        place = self._storage.find(name)
        if place is None:
            raise SkillNotFound(name, self._storage.searched)
        return self._read(place).skill_or_raise()

    def catalogue(self) -> tuple[CatalogueEntry, ...]:
        """Every skill that `resolve` could find, sorted by name."""
        return tuple(self._entry(place) for place in self._storage.every_skill())

    def _entry(self, place: StoredSkill) -> CatalogueEntry:
        reading = self._read(place)
        description = reading.skill.description if reading.skill else ""
        return CatalogueEntry(
            place.name, description, place.layer, reading.findings, reading.skill is None
        )

    def _read(self, place: StoredSkill) -> Reading:
        if place.folder.is_symlink():
            report = Report(place.name)
            report.error(1, "symlink", "a skill's folder in a layer may not be a link")
            return Reading(place.name, None, report.findings)
        return self._parser.read_path(place.folder, place.layer)
