"""Uploads: zips and JSON bodies from people we do not know."""

import base64
import io
import stat
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniforge.errors import ArchiveRejected, SkillInvalid
from omniforge.skills import ArchiveLimits, SkillParser, from_json, read_zip
from tests.skills.making import folder, skill_md
from tests.support.requirements import requirement

Entry = tuple[str | zipfile.ZipInfo, bytes]


def a_zip(*entries: Entry, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


WEEKLY: Entry = ("weekly-report/SKILL.md", skill_md())
MONTHLY: Entry = ("monthly/SKILL.md", skill_md(name="monthly"))


@requirement("SKL-1")
@pytest.mark.parametrize("top", ["", "pack/", "pack-main/skills/"])
def test_skills_are_found_with_or_without_a_top_folder(top: str) -> None:
    data = a_zip(
        (f"{top}weekly-report/", b""),
        (f"{top}weekly-report/SKILL.md", skill_md()),
        (f"{top}weekly-report/scripts/a.py", b"a"),
        (f"{top}weekly-report/assets/template/SKILL.md", b"belongs to the skill around it"),
        (f"{top}monthly/SKILL.md", skill_md(name="monthly")),
        (f"{top}README.md", b"left out"),
        (f"__MACOSX/{top}weekly-report/._SKILL.md", b"junk"),
        (f"{top}weekly-report/.DS_Store", b"junk"),
    )

    skills = read_zip(data)

    assert sorted(skills) == ["monthly", "weekly-report"]
    assert sorted(skills["weekly-report"]) == [
        "SKILL.md",
        "assets/template/SKILL.md",
        "scripts/a.py",
    ]
    assert SkillParser().parse(skills["monthly"], "monthly").name == "monthly"


@requirement("SKL-1")
def test_a_zip_of_a_folders_content_takes_the_name_from_the_frontmatter() -> None:
    skills = read_zip(a_zip(("SKILL.md", skill_md()), ("scripts/a.py", b"a")))

    assert {name: sorted(files) for name, files in skills.items()} == {
        "weekly-report": ["SKILL.md", "scripts/a.py"]
    }
    with pytest.raises(ArchiveRejected, match=r"SKILL\.md"):
        read_zip(a_zip(("SKILL.md", b"no frontmatter")))


def linked(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@requirement("SKL-1")
@pytest.mark.parametrize(
    "entry",
    [
        ("../evil", b""),
        ("weekly-report/../../evil", b""),
        ("/etc/passwd", b""),
        ("C:/evil", b""),
        ("weekly-report\\evil", b""),
        ("weekly-report//evil", b""),
        ("__MACOSX/../../evil", b""),
        ("weekly-report/" + "x" * 300, b""),
        (linked("weekly-report/link"), b"/etc/passwd"),
        ("weekly-report/skill.md", b"differs by case"),
        ("weekly-report/SKILL.md/x", b"a file under a file"),
        ("strange/notes.md", b"belongs to no skill"),
    ],
)
def test_an_unsafe_entry_is_refused_by_name(entry: Entry) -> None:
    name = entry[0] if isinstance(entry[0], str) else entry[0].filename

    with pytest.raises(ArchiveRejected) as refused:
        read_zip(a_zip(WEEKLY, entry))

    assert repr(name) in refused.value.message


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_entry_twice_is_refused() -> None:
    with pytest.raises(ArchiveRejected, match="clashes"):
        read_zip(a_zip(WEEKLY, WEEKLY))


def test_two_skills_of_one_name_are_refused() -> None:
    with pytest.raises(ArchiveRejected, match="is a second skill 'weekly-report'"):
        read_zip(a_zip(WEEKLY, ("other/weekly-report/SKILL.md", skill_md())))


def test_an_encrypted_entry_is_refused() -> None:
    data = bytearray(a_zip(WEEKLY))
    central = data.index(b"PK\x01\x02")
    data[6] |= 1
    data[central + 8] |= 1

    with pytest.raises(ArchiveRejected, match="encrypted"):
        read_zip(bytes(data))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_cannot_be_unpacked_in_bounded_pieces_are_refused(method: int) -> None:
    with pytest.raises(ArchiveRejected, match=r"weekly-report/SKILL\.md"):
        read_zip(a_zip(WEEKLY, method=method))


@requirement("SKL-1")
def test_a_zip_bomb_is_refused_by_its_ratio() -> None:
    with pytest.raises(ArchiveRejected, match="times its size"):
        read_zip(a_zip(WEEKLY, ("weekly-report/bomb", bytes(8_000_000))))


@requirement("SKL-1")
def test_many_small_bombs_are_refused_by_their_sum() -> None:
    limits = ArchiveLimits(total_bytes=5_000_000)
    bombs = [(f"weekly-report/{n}", bytes(1_000_000)) for n in range(6)]

    with pytest.raises(ArchiveRejected, match="in all"):
        read_zip(a_zip(WEEKLY, *bombs), limits)


@requirement("SKL-1")
def test_a_bomb_that_lies_about_its_size_is_refused() -> None:
    data = bytearray(a_zip(("weekly-report/bomb", bytes(8_000_000)), WEEKLY))
    central = data.index(b"PK\x01\x02")
    for at in (22, central + 24):
        data[at : at + 4] = struct.pack("<I", 100)

    with pytest.raises(ArchiveRejected, match="weekly-report/bomb"):
        read_zip(bytes(data))


@requirement("SKL-1")
def test_entries_that_share_their_bytes_cannot_multiply_them() -> None:
    data = bytearray(
        a_zip(WEEKLY, ("weekly-report/a", b"x" * 500), ("weekly-report/b", b"x" * 500))
    )
    third = data.rindex(b"PK\x01\x02")
    second = data.rindex(b"PK\x01\x02", 0, third)
    data[third + 42 : third + 46] = data[second + 42 : second + 46]

    with pytest.raises(ArchiveRejected):
        read_zip(bytes(data))


def test_too_many_entries_are_refused() -> None:
    limits = ArchiveLimits(entries=10)
    for count in (11, 30):
        with pytest.raises(ArchiveRejected, match="more than 10 entries"):
            read_zip(a_zip(*((f"weekly-report/{n}", b"") for n in range(count))), limits)
    with pytest.raises(ArchiveRejected, match="larger than"):
        read_zip(bytes(101), ArchiveLimits(archive_bytes=100))


@pytest.mark.parametrize(
    "data", [b"", b"not a zip", a_zip(), a_zip(("notes.md", b"")), a_zip(WEEKLY)[:-30]]
)
def test_what_is_no_zip_of_skills_is_refused(data: bytes) -> None:
    with pytest.raises(ArchiveRejected):
        read_zip(data)


@given(at=st.integers(0, 2_000), byte=st.integers(0, 255), cut=st.integers(0, 2_000))
@settings(deadline=None, max_examples=200)
def test_a_damaged_zip_is_read_or_refused_and_nothing_else(at: int, byte: int, cut: int) -> None:
    data = bytearray(a_zip(WEEKLY, MONTHLY))
    data[at % len(data)] = byte
    del data[cut : cut + cut % 7]

    try:
        skills = read_zip(bytes(data))
    except ArchiveRejected:
        return
    assert all("SKILL.md" in files for files in skills.values())


@requirement("SKL-1")
def test_files_from_json_are_text_or_base64() -> None:
    files = from_json(
        {
            "SKILL.md": skill_md().decode(),
            "assets/logo": {"base64": base64.b64encode(b"\xff\x00").decode()},
        }
    )

    assert files == {**folder(), "assets/logo": b"\xff\x00"}


@requirement("SKL-1")
@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a", {"base64": "not base64!"}),
        ("a", {"base64": "YQ"}),
        ("a", {"base64": "é"}),
        ("a", {"hex": "00"}),
        ("a", {}),
        ("a", "lone \ud800"),
        ("../a", "x"),
        ("/a", "x"),
        ("a\\b", "x"),
        ("a\x00", "x"),
        ("\ud800", "x"),
        ("", "x"),
    ],
)
def test_bad_paths_and_contents_from_json_are_refused(
    path: str, content: str | dict[str, str]
) -> None:
    with pytest.raises(SkillInvalid):
        from_json({path: content})
