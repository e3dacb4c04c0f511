"""Agents as they lie on a disk: a folder, a single skill's folder, or a zip of folders."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omniforge.errors import AgentInvalid

AGENT_JSON = "agent.json"

# Far more than a wiring needs; a zip can claim to hold anything.
_MAX_AGENT_JSON = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """An agent ready to be sent. Either `files` (`skill/path` -> content) or `archive` has its skills."""

    agent: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)
    archive: bytes | None = None
    example_input: Mapping[str, Any] = field(default_factory=dict)
    """What `agent.json` shows as an input to try; no part of the agent."""


def read_upload(path: Path) -> Upload:
    """An agent's folder (`agent.json` and `skills/`), one skill's folder, or a zip of either.

    Raises:
        AgentInvalid: There is no agent at that path; the message says what is missing.
        SkillInvalid: A skill's folder cannot be sent: it has too many files, or a link out of it.
    """
    if path.is_file():
        return _zip(path)
    if (path / AGENT_JSON).is_file():
        return _agent_folder(path)
    if (path / "SKILL.md").is_file():
        return _skill_folder(path.resolve())
    raise AgentInvalid(
        f"{path} holds no agent: it needs {AGENT_JSON} and skills/, or a SKILL.md of its own."
    )


def described(text: str | bytes, where: str) -> dict[str, Any]:
    """The object in an `agent.json`.

    Raises:
        AgentInvalid: It is not a JSON object.
    """
    try:
        agent = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AgentInvalid(f"{where} is not JSON: {error}") from error
    if not isinstance(agent, dict):
        raise AgentInvalid(f"{where} has to hold a JSON object.")
    return agent


def _agent_folder(path: Path) -> Upload:
    agent = described(_content(path / AGENT_JSON), str(path / AGENT_JSON))
    folders = sorted(each for each in (path / "skills").glob("*") if each.is_dir())
    missing = _custom(agent) - {folder.name for folder in folders}
    if missing:
        raise AgentInvalid(
            f"{path / AGENT_JSON} names the skill {sorted(missing)[0]!r}, and there is no folder"
            f" {path / 'skills' / sorted(missing)[0]}."
        )
    files = {name: content for folder in folders for name, content in _files(folder).items()}
    return _upload(agent, files=files)


def _skill_folder(path: Path) -> Upload:
    from omniforge.skills.parser import SkillParser

    skill = SkillParser().read_path(path).skill
    agent = {"name": path.name, "description": skill.description if skill else ""}
    return Upload(agent, files=_files(path))


def _zip(path: Path) -> Upload:
    content = _content(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            text = _agent_in(archive)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise AgentInvalid(f"{path} is neither a folder nor a zip: {error}") from error
    agent = described(text, f"{AGENT_JSON} in {path}") if text else {"name": path.stem}
    return _upload(agent, archive=content)


def _agent_in(archive: zipfile.ZipFile) -> bytes | None:
    for entry in archive.infolist():
        folder, _, name = entry.filename.rpartition("/")
        if name == AGENT_JSON and "/" not in folder:
            with archive.open(entry) as file:
                return file.read(_MAX_AGENT_JSON)
    return None


def _upload(
    agent: dict[str, Any], files: Mapping[str, bytes] | None = None, archive: bytes | None = None
) -> Upload:
    example = agent.pop("input", {})
    return Upload(agent, files or {}, archive, example if isinstance(example, dict) else {})


def _custom(agent: Mapping[str, Any]) -> set[str]:
    skills = agent.get("skills") or []
    named = [skill for skill in skills if isinstance(skill, dict)]
    return {str(skill.get("name")) for skill in named if skill.get("source") != "public"}


def _files(folder: Path) -> dict[str, bytes]:
    from omniforge.skills.archive import read_folder

    return {f"{folder.name}/{name}": content for name, content in read_folder(folder).items()}


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AgentInvalid(f"{path} cannot be read: {error.strerror}.") from error
