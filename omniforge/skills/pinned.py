"""Skills by content hash: what a run pinned, and the only thing it ever reads."""

from collections.abc import Mapping

from omniforge.agents.config import SkillReference
from omniforge.agents.versions import PinnedSkill
from omniforge.journal.blobs import BlobStore, get_folder, put_folder
from omniforge.skills.document import Skill
from omniforge.skills.loader import SkillLoader
from omniforge.skills.parser import SkillParser

# A parsed skill is small; this many cover the agents that are busy at one time.
MAX_KEPT = 256


class PinnedSkills:
    """Loads skills from blobs. The same hash is the same skill forever, so it is parsed once."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._kept: dict[str, Skill] = {}

    async def get(self, name: str, content_hash: str) -> Skill:
        """
        Raises:
            BlobMissing: The store does not have the skill's bytes.
        """
        if (kept := self._kept.get(content_hash)) is not None:
            return kept
        files = await get_folder(self._blobs, content_hash)
        skill = SkillParser().parse(files, name)
        if len(self._kept) >= MAX_KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[content_hash] = skill
        return skill


async def pin(
    reference: SkillReference,
    files: Mapping[str, bytes] | None,
    blobs: BlobStore,
    loader: SkillLoader,
) -> PinnedSkill:
    """Check a skill and store its folder; from then on only its hash is spoken of.

    Without `files` the skill is looked up in the layers by its name.

    Raises:
        SkillInvalid: The folder breaks the standard; the details hold file, line and rule.
        SkillNotFound: No files were given and no layer has the skill.
    """
    name = reference.name
    skill = loader.resolve(name) if files is None else SkillParser().parse(files, name)
    return PinnedSkill(reference=reference, content_hash=await put_folder(blobs, skill.files))
