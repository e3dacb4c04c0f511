"""From a `Skill` to a folder on disk: the portable profile, and nothing else."""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from omniforge.errors import Rejected, SkillNotFound, StorageUnavailable
from omniforge.skills.document import SKILL_MD, Skill, is_skill_name
from omniforge.skills.fields import TAGS, reads_as_text
from omniforge.skills.parser import SkillParser
from omniforge.skills.storage import agent_skills_folder

_PLAIN = re.compile(r"[A-Za-z](?:[\w ,.;/()'!?+=%-]|:(?=[^\s]))*", re.ASCII)
# Quotes, what YAML does not print or takes for a line end, and `---`: some readers cut the file at the
# first three hyphens, wherever they stand.
_ESCAPED = re.compile(
    r"[\"\\]|-{3,}|[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
# Another writer put the same skill in place in between. Each of them wins in its turn.
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
_SWAPS = 100


def render(skill: Skill) -> str:
    """The skill as a SKILL.md of the six standard fields. Tags go to the metadata as `omniforge.tags`.

    Pure. Says nothing about whether the skill is valid; `portable` does.
    """
    return "---\n" + "".join(f"{line}\n" for line in _frontmatter(skill)) + f"---\n\n{skill.body}\n"


def portable(skill: Skill) -> Skill:
    """The same skill as it reads after it was written: standard fields, and a SKILL.md that says so.

    Raises:
        SkillInvalid: What would be written breaks the standard.
    """
    # Reading trims; the second pass writes the trimmed text, which then reads as itself.
    return _as_read(_as_read(skill))


def _as_read(skill: Skill) -> Skill:
    # Lone surrogates are passed on, so that the parser can refuse them as a finding.
    text = render(skill).encode("utf-8", "surrogatepass")
    return SkillParser().parse({**skill.files, SKILL_MD: text}, skill.name)


class SkillWriter:
    """Writes an agent's skills below a storage root. Working copies: rows and blobs are the truth."""

    def __init__(self, base_path: Path) -> None:
        self._base = base_path

    def write_skill(self, tenant_id: str, agent_id: str, skill: Skill) -> Path:
        """Put the skill's whole folder in place of the old one and return the path of its SKILL.md.

        The folder is made beside its place, flushed to disk, then renamed, so what stands there is
        the old files or the new ones, for an instant between two renames neither, never a mixture.

        Raises:
            SkillInvalid: The skill breaks the standard; nothing was written.
            Rejected: An id would lead out of the storage root.
            StorageUnavailable: The disk does not take the files.
        """
        folder = self._skills_folder(tenant_id, agent_id)
        files = portable(skill).files
        try:
            _put_in_place(files, folder / skill.name)
        except OSError as error:
            raise StorageUnavailable(
                f"The skill {skill.name!r} cannot be stored: {error}."
            ) from error
        return folder / skill.name / SKILL_MD

    def delete_skill(self, tenant_id: str, agent_id: str, skill_name: str) -> None:
        """Remove a skill's folder. Removing what is not there is no error.

        Raises:
            SkillNotFound: The name could not be a skill's.
            Rejected: An id would lead out of the storage root.
        """
        folder = self._skills_folder(tenant_id, agent_id)
        if not is_skill_name(skill_name):
            raise SkillNotFound(skill_name)
        aside = _temporary_beside(folder / skill_name)
        with suppress(FileNotFoundError):
            (folder / skill_name).rename(aside)
            _discard(aside)
            _flush_folder(folder)

    def _skills_folder(self, tenant_id: str, agent_id: str) -> Path:
        folder = agent_skills_folder(self._base, tenant_id, agent_id)
        if not folder.resolve().is_relative_to(self._base.resolve()):
            raise Rejected(f"The skills of agent {agent_id!r} are not inside the storage root.")
        return folder


# ---- the text --------------------------------------------------------------------------------


def _frontmatter(skill: Skill) -> Iterator[str]:
    yield f"name: {_scalar(skill.name)}"
    yield f"description: {_scalar(skill.description)}"
    if skill.license is not None:
        yield f"license: {_scalar(skill.license)}"
    if skill.compatibility is not None:
        yield f"compatibility: {_scalar(skill.compatibility)}"
    if skill.allowed_tools is not None:
        yield f"allowed-tools: {_scalar(' '.join(skill.allowed_tools))}"
    yield from _metadata(skill)


def _metadata(skill: Skill) -> Iterator[str]:
    metadata = dict(skill.metadata)
    if skill.tags:
        metadata[TAGS] = ", ".join(skill.tags)
    if metadata:
        yield "metadata:"
    for key, value in metadata.items():
        yield f"  {_scalar(key)}: {_scalar(value)}"


def _scalar(text: str) -> str:
    """Plain where every YAML reader agrees on the text, else in double quotes."""
    looks_plain = _PLAIN.fullmatch(text) and not text.endswith((" ", ":"))
    if looks_plain and reads_as_text(text) and "---" not in text:
        return text
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(found: re.Match[str]) -> str:
    return "".join(_code(character) for character in found[0])


def _code(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    number = ord(character)
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


# ---- the disk --------------------------------------------------------------------------------


def _put_in_place(files: Mapping[str, bytes], place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = _temporary_beside(place)
    try:
        for path, content in files.items():
            _write(fresh / PurePosixPath(path), content)
        _flush_tree(fresh)
        _swap(fresh, place)
        _flush_folder(place.parent)
    finally:
        _discard(fresh)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _swap(fresh: Path, place: Path) -> None:
    """Rename the new folder into place. A folder cannot be renamed over another, so the old goes first."""
    for attempt in range(1, _SWAPS + 1):
        aside = _temporary_beside(place)
        with suppress(FileNotFoundError):
            place.rename(aside)
        try:
            fresh.rename(place)
            return
        except OSError as error:
            if error.errno not in _TAKEN or attempt == _SWAPS:
                _restore(aside, place)
                raise
        finally:
            _discard(aside)


def _restore(aside: Path, place: Path) -> None:
    with suppress(OSError):
        aside.rename(place)


def _temporary_beside(place: Path) -> Path:
    return place.parent / f".{place.name}.{secrets.token_hex(8)}"


def _discard(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _flush_tree(folder: Path) -> None:
    for each in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        _flush_folder(each)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
