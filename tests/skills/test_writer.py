"""Writing skills: the portable profile, whole or not at all, and never outside the storage root."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import skills_ref
from hypothesis import given, settings
from hypothesis import strategies as st

from omniforge.errors import Rejected, SkillInvalid, SkillNotFound, StorageUnavailable
from omniforge.skills import (
    Skill,
    SkillParser,
    SkillWriter,
    content_hash,
    portable,
    read_folder,
    render,
)
from tests.skills.making import a_skill, folder, put, rules_of
from tests.support.requirements import requirement

NAMES = st.from_regex(r"[a-z0-9]{1,12}(-[a-z0-9]{1,12}){0,3}", fullmatch=True)
TEXT = st.text(max_size=60)
NASTY = st.sampled_from(
    [
        "yes",
        "1.0",
        "null",
        "---",
        "a --- b",
        "a: b",
        "#x",
        "'",
        '"',
        "\\",
        "- x",
        "|",
        "2024-01-01",
        "é\u2028",
        "\ufeff",
        "\x85",
        "\U0001f600",
        "a\nb",
        "{x}",
        "*a",
        "&a",
        "!t",
        "%",
        "@",
        "`",
        "~",
        "0o7",
        "=",
        "<<",
    ]
)
WORDS = st.one_of(TEXT, NASTY)
FILLED = WORDS.filter(lambda text: bool(text.strip()))
RULES = st.sampled_from(["Read", "notion_search", "Bash(git diff:*)", "mcp__a__*", "t(a, b)"])


@st.composite
def skills(draw: st.DrawFn) -> Skill:
    return Skill(
        name=draw(NAMES),
        description=draw(FILLED),
        body=draw(FILLED),
        license=draw(st.none() | FILLED),
        compatibility=draw(st.none() | FILLED),
        allowed_tools=draw(st.none() | st.lists(RULES, max_size=3).map(tuple)),
        metadata=draw(st.dictionaries(WORDS.filter(bool), WORDS, max_size=3)),
        files={"references/notes.md": draw(st.binary(max_size=20))},
    )


@requirement("SKL-1")
@given(skill=skills())
@settings(deadline=None, max_examples=150)
def test_what_is_rendered_reads_as_what_was_meant(skill: Skill) -> None:
    written = portable(skill)

    again = SkillParser().parse(
        {**written.files, "SKILL.md": render(written).encode()}, written.name
    )

    assert again == written
    assert written.description == skill.description.strip()
    assert written.metadata == skill.metadata
    assert written.allowed_tools == skill.allowed_tools


@requirement("SKL-1")
@given(skill=skills())
@settings(deadline=None, max_examples=40)
def test_what_is_rendered_passes_the_reference_validator(skill: Skill) -> None:
    with TemporaryDirectory() as root:
        place = put(Path(root) / skill.name, dict(portable(skill).files))

        assert skills_ref.validate(place) == []
        properties = skills_ref.read_properties(place)

    assert properties.description == skill.description.strip()
    assert (properties.metadata or {}) == skill.metadata


@requirement("SKL-1", "FR-6")
def test_only_the_six_standard_fields_are_written() -> None:
    skill = a_skill(
        license="MIT",
        compatibility="any",
        allowed_tools=("Read",),
        model="claude-opus",
        priority=3,
        tags=("reports", "slack"),
        argument_hint="[x]",
    )

    assert render(skill).split("---\n")[1].splitlines() == [
        "name: weekly-report",
        "description: Sums up the week. Use when someone asks for a weekly report.",
        "license: MIT",
        "compatibility: any",
        "allowed-tools: Read",
        "metadata:",
        "  omniforge.tags: reports, slack",
    ]


@requirement("SKL-1", "SKL-8")
def test_a_skill_is_written_whole_and_replaces_the_one_before(tmp_path: Path) -> None:
    writer = SkillWriter(tmp_path)
    writer.write_skill("t1", "a1", a_skill(files={"references/old.md": b"old"}))

    path = writer.write_skill("t1", "a1", a_skill(files={"scripts/new.py": b"new"}))

    place = tmp_path / "tenants/t1/agents/a1/skills/weekly-report"
    assert path == place / "SKILL.md"
    assert sorted(read_folder(place)) == ["SKILL.md", "scripts/new.py"]
    assert [each.name for each in place.parent.iterdir()] == ["weekly-report"]
    assert SkillParser().parse_full(path) == portable(a_skill(files={"scripts/new.py": b"new"}))


@requirement("SKL-1")
@pytest.mark.parametrize(
    ("skill", "rule"),
    [
        (a_skill(description=""), "description-missing"),
        (a_skill("../../evil"), "name-format"),
        (a_skill(body=" \n"), "body-empty"),
        (a_skill(files={"../evil": b""}), "path"),
        (a_skill(allowed_tools=("Bash(",)), "allowed-tools-form"),
        (a_skill(body="lone \ud800"), "not-utf8"),
    ],
)
def test_what_does_not_validate_is_never_written(tmp_path: Path, skill: Skill, rule: str) -> None:
    with pytest.raises(SkillInvalid) as refused:
        SkillWriter(tmp_path).write_skill("t1", "a1", skill)

    assert rule in rules_of(refused.value)
    assert list(tmp_path.iterdir()) == []


@requirement("SKL-1")
@pytest.mark.parametrize(
    ("tenant", "agent"), [("..", "a1"), ("t1", "../x"), ("", "a1"), ("t/1", "a")]
)
def test_an_id_never_leads_out_of_the_storage_root(tmp_path: Path, tenant: str, agent: str) -> None:
    with pytest.raises(Rejected):
        SkillWriter(tmp_path).write_skill(tenant, agent, a_skill())


def test_a_link_in_the_way_never_leads_out_of_the_storage_root(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "root/tenants").mkdir(parents=True)
    (tmp_path / "root/tenants/t1").symlink_to(outside)

    with pytest.raises(Rejected):
        SkillWriter(tmp_path / "root").write_skill("t1", "a1", a_skill())

    assert list(outside.iterdir()) == []


def test_a_disk_that_takes_no_files_is_named_as_the_cause(tmp_path: Path) -> None:
    place = put(tmp_path / "tenants/t1/agents/a1", {"skills": b"a file where a folder should be"})

    with pytest.raises(StorageUnavailable):
        SkillWriter(tmp_path).write_skill("t1", "a1", a_skill())

    assert [each.name for each in place.iterdir()] == ["skills"]


def test_writers_of_one_skill_leave_one_whole_skill(tmp_path: Path) -> None:
    versions = [a_skill(body=f"version {n}", files={f"{n}.md": b""}) for n in range(6)]
    writer = SkillWriter(tmp_path)

    with ThreadPoolExecutor(6) as pool:
        paths = list(pool.map(lambda skill: writer.write_skill("t1", "a1", skill), versions * 3))

    assert SkillParser().parse_full(paths[0]) in map(portable, versions)
    assert [each.name for each in paths[0].parent.parent.iterdir()] == ["weekly-report"]


@requirement("SKL-8")
def test_a_deleted_skill_is_gone_and_deleting_again_is_no_error(tmp_path: Path) -> None:
    writer = SkillWriter(tmp_path)
    path = writer.write_skill("t1", "a1", a_skill())

    writer.delete_skill("t1", "a1", "weekly-report")
    writer.delete_skill("t1", "a1", "weekly-report")

    assert list(path.parent.parent.iterdir()) == []
    with pytest.raises(SkillNotFound):
        writer.delete_skill("t1", "a1", "../a2")


def test_the_content_hash_covers_every_byte_of_the_folder() -> None:
    skill = SkillParser().parse(folder(), "weekly-report")

    assert skill.content_hash == content_hash(dict(reversed(folder().items())))
    assert skill.content_hash != content_hash(folder() | {"a": b""})
