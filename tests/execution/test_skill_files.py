"""The files a skill came with, and skills by their hash."""

from pathlib import Path

import pytest

from omniforge.agents.config import SkillReference
from omniforge.errors import BlobMissing, SkillInvalid, SkillNotFound
from omniforge.journal.blobs import digest_of
from omniforge.journal.memory import MemoryBlobs
from omniforge.skills import pinned
from omniforge.skills.loader import SkillLoader
from omniforge.skills.pinned import PinnedSkills, pin
from omniforge.skills.storage import SkillStorageManager, create_builder_storage_config
from tests.execution.making import Bench, a_skill
from tests.support.requirements import requirement

TEXT = b"---\nname: report\ndescription: Sums up. Use when testing.\n---\n\nSum up.\n"
REPORT = SkillReference(name="report")


async def test_a_skill_reads_its_supporting_files(bench: Bench) -> None:
    files = {"SKILL.md": TEXT, "references/form.md": "Grüße".encode(), "logo.png": b"\x89PNG\xff"}
    paths = ["references/form.md", "references/from.md", "logo.png"]
    bench.model.calls(*(("read_skill_file", {"path": path}) for path in paths)).answers("Done.")

    await bench.run(skill=a_skill(files=files))

    told = bench.observed()
    assert told[0] == "Grüße"
    assert (
        "has no file 'references/from.md'. Did you mean 'references/form.md'?"
        " It has: SKILL.md, logo.png, references/form.md" in told[1]
    )
    assert told[2] == "logo.png is not text."


def loader(root: Path) -> SkillLoader:
    return SkillLoader(SkillStorageManager(create_builder_storage_config("tn_1", None, root)))


@requirement("SKL-7")
async def test_a_pinned_skill_is_the_one_that_was_pinned_whatever_is_edited(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    first = await pin(REPORT, {"SKILL.md": TEXT}, blobs, loader(tmp_path))
    edited = await pin(REPORT, {"SKILL.md": TEXT + b"More.\n"}, blobs, loader(tmp_path))

    skills = PinnedSkills(blobs)

    assert first.content_hash != edited.content_hash
    assert (await skills.get("report", first.content_hash)).body.strip() == "Sum up."
    assert "More." in (await skills.get("report", edited.content_hash)).body


@requirement("SKL-7")
async def test_a_skill_without_files_is_pinned_from_the_layers(tmp_path: Path) -> None:
    folder = tmp_path / "public-skills" / "report"
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_bytes(TEXT)
    blobs = MemoryBlobs()

    found = await pin(REPORT, None, blobs, loader(tmp_path))
    (folder / "SKILL.md").unlink()

    assert (await PinnedSkills(blobs).get("report", found.content_hash)).name == "report"


async def test_what_cannot_be_pinned_says_why(tmp_path: Path) -> None:
    with pytest.raises(SkillNotFound):
        await pin(REPORT, None, MemoryBlobs(), loader(tmp_path))
    with pytest.raises(SkillInvalid):
        await pin(REPORT, {"SKILL.md": b"no frontmatter"}, MemoryBlobs(), loader(tmp_path))
    with pytest.raises(BlobMissing):
        await PinnedSkills(MemoryBlobs()).get("report", digest_of(b"never"))


async def test_one_hash_is_read_once_and_only_so_many_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pinned, "MAX_KEPT", 2)
    blobs = MemoryBlobs()
    texts = [TEXT + b"%d\n" % number for number in range(3)]
    hashes = [
        (await pin(REPORT, {"SKILL.md": text}, blobs, loader(tmp_path))).content_hash
        for text in texts
    ]
    skills = PinnedSkills(blobs)

    first = await skills.get("report", hashes[0])
    assert await skills.get("report", hashes[0]) is first
    for each in hashes[1:]:
        await skills.get("report", each)
    assert await skills.get("report", hashes[0]) is not first
