"""Agents on a disk, ready to be sent."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from omniforge.client import read_upload
from omniforge.errors import AgentInvalid, SkillInvalid

EXAMPLE = Path(__file__).parents[2] / "examples" / "overdue-tasks"
SKILL = "---\nname: greet\ndescription: Greets. Use when greeting.\n---\n\nSay hello.\n"


def folder_with(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def an_agent(folder: Path, wiring: str = '{"name": "greeter"}') -> Path:
    folder_with(folder / "skills" / "greet", **{"SKILL.md": SKILL})
    return folder_with(folder, **{"agent.json": wiring})


def test_the_example_is_an_agent_with_two_skills_and_an_input_to_try() -> None:
    upload = read_upload(EXAMPLE)

    assert sorted(upload.files) == [
        "find-overdue-tasks/SKILL.md",
        "write-overdue-report/SKILL.md",
    ]
    assert upload.example_input["file"] == "tasks.csv"
    assert "input" not in upload.agent


def test_a_skill_alone_is_an_agent_with_its_name_and_description(tmp_path: Path) -> None:
    upload = read_upload(folder_with(tmp_path / "greet", **{"SKILL.md": SKILL}))

    assert upload.agent == {"name": "greet", "description": "Greets. Use when greeting."}
    assert list(upload.files) == ["greet/SKILL.md"]


@pytest.mark.parametrize("top", ["", "greeter/"])
def test_a_zip_is_sent_as_it_is_with_the_wiring_in_it(tmp_path: Path, top: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{top}skills/greet/SKILL.md", SKILL)
        archive.writestr(f"{top}agent.json", json.dumps({"name": "greeter"}))
    path = tmp_path / "any.zip"
    path.write_bytes(packed.getvalue())

    upload = read_upload(path)

    assert upload.agent == {"name": "greeter"}
    assert upload.archive == packed.getvalue()


def test_a_zip_without_wiring_is_named_after_its_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "greet.zip", "w") as archive:
        archive.writestr("greet/SKILL.md", SKILL)

    assert read_upload(tmp_path / "greet.zip").agent == {"name": "greet"}


@pytest.mark.parametrize(
    ("wiring", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "has to hold a JSON object"),
        ('{"skills": [{"name": "greet"}, {"name": "wave"}]}', "names the skill 'wave'"),
    ],
)
def test_a_wiring_that_cannot_be_used_is_named(tmp_path: Path, wiring: str, words: str) -> None:
    with pytest.raises(AgentInvalid, match=words):
        read_upload(an_agent(tmp_path, wiring))


def test_public_skills_need_no_folder(tmp_path: Path) -> None:
    wiring = '{"skills": [{"name": "greet"}, {"name": "wave", "source": "public"}]}'

    assert read_upload(an_agent(tmp_path, wiring)).agent["skills"]


def test_a_path_without_an_agent_is_refused(tmp_path: Path) -> None:
    folder_with(tmp_path, notes="hello")

    with pytest.raises(AgentInvalid, match="holds no agent"):
        read_upload(tmp_path)
    with pytest.raises(AgentInvalid, match="neither a folder nor a zip"):
        read_upload(tmp_path / "notes")
    with pytest.raises(AgentInvalid, match="holds no agent"):
        read_upload(tmp_path / "nothing")


def test_a_link_out_of_a_skill_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    agent = an_agent(tmp_path / "agent")
    (agent / "skills" / "greet" / "secret.txt").symlink_to(folder_with(tmp_path, key="k") / "key")

    with pytest.raises(SkillInvalid, match="link leaves"):
        read_upload(agent)
