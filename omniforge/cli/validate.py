"""`omniforge validate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omniforge.cli.exits import ExitCode
from omniforge.cli.output import Output
from omniforge.cli.session import AsJson

if TYPE_CHECKING:
    from omniforge.skills import Finding


def validate(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Skill folders, SKILL.md files, folders of skills, or agent folders."),
    ],
    strict: Annotated[bool, typer.Option("--strict", help="Take warnings for errors.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check skills against the standard. Needs no platform."""
    from omniforge.skills import Severity

    out = Output(as_json)
    findings = [finding for path in paths for finding in _findings(path)]
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    warnings = len(findings) - errors
    if as_json:
        out.document({"findings": findings, "errors": errors, "warnings": warnings})
    else:
        for finding in findings:
            typer.echo(str(finding))
        out.note(_counted(errors, warnings))
    if errors or (strict and warnings):
        raise typer.Exit(ExitCode.FAILED)


def _findings(path: Path) -> "list[Finding]":
    from omniforge.client.folders import AGENT_JSON
    from omniforge.skills import validate_path

    if not (path / AGENT_JSON).is_file():
        return validate_path(path)
    return [*_of_wiring(path), *validate_path(path / "skills")]


def _of_wiring(path: Path) -> "list[Finding]":
    from omniforge.client.folders import AGENT_JSON, read_upload
    from omniforge.errors import AgentInvalid, SkillInvalid
    from omniforge.skills import Finding, Severity

    try:
        read_upload(path)
    except SkillInvalid:
        return []  # the skills are checked on their own
    except AgentInvalid as error:
        where = str(path / AGENT_JSON)
        return [Finding(where, 1, Severity.ERROR, "agent-json", error.message)]
    return _of_plan(path)


def _of_plan(path: Path) -> "list[Finding]":
    from omniforge.cli.modes.local import agent_in
    from omniforge.client.folders import AGENT_JSON
    from omniforge.errors import AgentInvalid, PlanInvalid
    from omniforge.execution.plans.checks import findings
    from omniforge.skills import Finding, Severity
    from omniforge.skills.parser import SkillParser

    try:
        agent, folder = agent_in(path.resolve())
        read = {skill.name: SkillParser().read_path(folder / skill.name) for skill in agent.skills}
        skills = {name: report.skill for name, report in read.items() if report.skill is not None}
        problems = [f"{one.place}: {one.message}" for one in findings(agent.skills, skills)]
    except (AgentInvalid, PlanInvalid) as error:
        problems = [error.message]
    where = str(path / AGENT_JSON)
    return [Finding(where, 1, Severity.ERROR, "plan", problem) for problem in problems]


def _counted(errors: int, warnings: int) -> str:
    if not errors + warnings:
        return "Valid: no findings."
    return f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}"
