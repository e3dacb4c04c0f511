"""Skills and folders for the tests of this package."""

from collections.abc import Iterator
from pathlib import Path

from omniforge.errors import SkillInvalid
from omniforge.skills import Finding, Skill, validate

DESCRIPTION = "Sums up the week. Use when someone asks for a weekly report."
BODY = "# Weekly report\n\nRead the tasks and sum them up."


def skill_md(*lines: str, name: str = "weekly-report", body: str = BODY) -> bytes:
    """A valid SKILL.md with these further lines in its frontmatter, the first of them on line 4."""
    front = "\n".join([f"name: {name}", f"description: {DESCRIPTION}", *lines])
    return f"---\n{front}\n---\n\n{body}\n".encode()


def folder(*lines: str, body: str = BODY, **more: bytes) -> dict[str, bytes]:
    return {"SKILL.md": skill_md(*lines, body=body), **more}


def a_skill(name: str = "weekly-report", **fields: object) -> Skill:
    values: dict[str, object] = {"description": DESCRIPTION, "body": BODY, **fields}
    return Skill(name=name, **values)  # type: ignore[arg-type]  # tests name the fields they change


def found(*lines: str, body: str = BODY) -> list[tuple[int, str]]:
    """Line and rule of everything that a SKILL.md with these lines gives."""
    return line_and_rule(validate(folder(*lines, body=body), "weekly-report"))


def line_and_rule(findings: list[Finding]) -> list[tuple[int, str]]:
    return [(finding.line, finding.rule) for finding in findings]


def rules_of(error: SkillInvalid) -> Iterator[str]:
    findings = error.details["findings"]
    assert isinstance(findings, list)
    return (finding["rule"] for finding in findings)


def put(root: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root
