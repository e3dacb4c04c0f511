"""From the bytes of a folder to a `Skill`, or to the list of what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from omniforge.skills.allowed_tools import AllowedTools
from omniforge.skills.archive import MAX_SKILL_MD_BYTES, check_files, scan_folder
from omniforge.skills.body import check_body, check_references, check_steps
from omniforge.skills.document import SKILL_MD, Finding, Report, Skill, errors_in, skill_invalid
from omniforge.skills.fields import Fields
from omniforge.skills.frontmatter import Halves, decode, read_table, split


@dataclass(frozen=True, slots=True)
class Reading:
    """A folder as read. `skill` is None exactly when the findings hold an error."""

    name: str
    skill: Skill | None
    findings: tuple[Finding, ...]

    def skill_or_raise(self) -> Skill:
        """The skill.

        Raises:
            SkillInvalid: It has errors; the details hold every finding, warnings too.
        """
        if self.skill is None:
            raise skill_invalid(self.name, self.findings)
        return self.skill


class SkillParser:
    """Reads skills in the portable and in the claude-code profile."""

    def parse_full(self, path: Path, storage_layer: str = "") -> Skill:
        """The skill at a path: its folder, or the SKILL.md in it.

        Raises:
            SkillInvalid: It has errors, or there is nothing at that path.
        """
        return self.read_path(path, storage_layer).skill_or_raise()

    def parse(self, files: Mapping[str, bytes], folder_name: str) -> Skill:
        """The skill that these files make, as if they stood in a folder of that name.

        Raises:
            SkillInvalid: It has errors; the details hold every finding, warnings too.
        """
        return self.read(files, folder_name).skill_or_raise()

    def read_path(self, path: Path, storage_layer: str = "") -> Reading:
        """Like `parse_full`, with the findings instead of an exception."""
        folder = (path.parent if path.is_file() else path).resolve()
        files, findings = scan_folder(folder)
        if errors_in(findings):
            return Reading(folder.name, None, findings)
        return self.read(files, folder.name, storage_layer)

    def read(
        self, files: Mapping[str, bytes], folder_name: str, storage_layer: str = ""
    ) -> Reading:
        """Like `parse`, with the findings instead of an exception. Never raises."""
        report = Report()
        check_files(files, report)
        halves = _halves(files, report)
        skill = _skill(halves, files, folder_name, report) if halves else None
        if skill is None or report.has_errors:
            return Reading(folder_name, None, report.findings)
        return Reading(folder_name, replace(skill, storage_layer=storage_layer), report.findings)


def _halves(files: Mapping[str, bytes], report: Report) -> Halves | None:
    content = files.get(SKILL_MD)
    if content is None:
        other = next((path for path in files if path.lower() == SKILL_MD.lower()), None)
        hint = f"; rename {other!r}" if other else ""
        report.error(1, "skill-md-missing", f"the folder has no {SKILL_MD}{hint}")
        return None
    if len(content) > MAX_SKILL_MD_BYTES:
        report.error(1, "skill-md-too-large", f"{SKILL_MD} may have {MAX_SKILL_MD_BYTES} bytes")
        return None
    text = decode(content, report)
    return split(text, report) if text is not None else None


def _skill(
    halves: Halves, files: Mapping[str, bytes], folder_name: str, report: Report
) -> Skill | None:
    table = read_table(halves.frontmatter, report)
    if table is None:
        return None
    fields = Fields(table, report)
    fields.check_names()
    skill = _from_fields(fields, halves.body, folder_name, files)
    check_body(skill.body, halves.body_line, report)
    check_references(skill.body, halves.body_line, files, report)
    check_steps(skill.body, halves.body_line, AllowedTools(skill.allowed_tools), report)
    return skill


def _from_fields(fields: Fields, body: str, folder_name: str, files: Mapping[str, bytes]) -> Skill:
    metadata = fields.metadata()
    return Skill(
        name=fields.name(folder_name),
        description=fields.description(),
        body=body,
        allowed_tools=fields.allowed_tools(),
        license=fields.text("license"),
        compatibility=fields.compatibility(),
        metadata=metadata,
        files=dict(files),
        model=fields.text("model"),
        context=fields.choice("context", "inherit", "fork"),
        user_invocable=fields.flag("user-invocable", default=True),
        disable_model_invocation=fields.flag("disable-model-invocation", default=False),
        argument_hint=fields.text("argument-hint"),
        arguments=fields.words("arguments"),
        priority=fields.number("priority"),
        tags=fields.tags(metadata),
        version=fields.text("version"),
    )


# ---- findings alone --------------------------------------------------------------------------


def validate(files: Mapping[str, bytes], folder_name: str) -> list[Finding]:
    """Everything that is wrong with a skill's files, errors and warnings, in the order of the file."""
    return list(SkillParser().read(files, folder_name).findings)


def validate_path(path: Path) -> list[Finding]:
    """The same for a skill's folder, a SKILL.md, or a folder of skill folders; files carry the path."""
    if not path.exists():
        report = Report(str(path))
        report.error(1, "skill-md-missing", "there is nothing at this path")
        return list(report.findings)
    folder = path if path.is_dir() else path.parent
    skills = [folder] if path.is_file() or _looks_like_a_skill(folder) else _skill_folders(folder)
    return [finding for skill in skills or [folder] for finding in _validated(skill)]


def _skill_folders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir() and _looks_like_a_skill(each))


def _looks_like_a_skill(folder: Path) -> bool:
    return any(entry.name.lower() == SKILL_MD.lower() for entry in folder.iterdir())


def _validated(folder: Path) -> list[Finding]:
    findings = SkillParser().read_path(folder).findings
    return [replace(each, file=str(folder / each.file)) for each in findings]
