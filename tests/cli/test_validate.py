"""`omniforge validate`."""

from pathlib import Path

from tests.cli.driving import EXAMPLE, SKILL, CommandLine, a_skill
from tests.support.requirements import requirement

WARNED = SKILL + "\nSee [the guide](references/guide.md).\n"


@requirement("SDK-3", "SKL-5")
def test_a_good_agent_is_valid_without_a_platform(alone: CommandLine) -> None:
    checked = alone.run("validate", str(EXAMPLE), str(EXAMPLE / "skills"))

    assert (checked.status, checked.out) == (0, "")
    assert checked.err == "Valid: no findings.\n"


def test_findings_have_file_line_severity_rule_and_message(
    alone: CommandLine, tmp_path: Path
) -> None:
    folder = a_skill(tmp_path / "greet", SKILL.replace("name: greet", "name: Greet!"))

    checked = alone.run("validate", str(folder))

    assert checked.status == 1
    assert checked.out.startswith(f"{folder}/SKILL.md:2: error name")
    assert "1 error, 0 warnings" in checked.err


def test_warnings_are_errors_only_when_asked(alone: CommandLine, tmp_path: Path) -> None:
    folder = a_skill(tmp_path / "greet", WARNED)

    checked, strict = (
        alone.run("validate", str(folder)),
        alone.run("validate", str(folder), "--strict"),
    )

    assert ": warning " in checked.out
    assert (checked.status, strict.status) == (0, 1)


def test_findings_as_json(alone: CommandLine, tmp_path: Path) -> None:
    checked = alone.run("validate", str(tmp_path / "nothing"), "--json")

    assert checked.status == 1
    assert checked.document["errors"] == 1
    assert checked.document["findings"][0]["rule"] == "skill-md-missing"


def test_the_wiring_of_an_agent_is_checked_too(alone: CommandLine, tmp_path: Path) -> None:
    a_skill(tmp_path / "skills" / "greet")
    (tmp_path / "agent.json").write_text('{"skills": [{"name": "wave"}]}')

    checked = alone.run("validate", str(tmp_path))

    assert checked.status == 1
    assert checked.out.startswith(f"{tmp_path}/agent.json:1: error agent-json: ")
