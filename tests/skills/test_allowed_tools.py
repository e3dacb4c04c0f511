"""`allowed-tools`: one meaning for every spelling."""

import pytest

from omniforge.errors import SkillInvalid
from omniforge.skills import AllowedTools, SkillParser
from tests.skills.making import folder
from tests.support.requirements import requirement


@requirement("SKL-5")
@pytest.mark.parametrize(
    "value",
    [
        "Read, Bash(git add:*, x), mcp__a__*",
        "Read Bash(git add:*, x) mcp__a__*",
        "  Read,Bash(git add:*, x)\n mcp__a__* ,",
        ["Read", "Bash(git add:*, x)", "mcp__a__*"],
        ["Read Bash(git add:*, x)", "mcp__a__*"],
    ],
)
def test_every_spelling_is_the_same_list_of_rules(value: str | list[str]) -> None:
    assert AllowedTools.parse(value).rules == ("Read", "Bash(git add:*, x)", "mcp__a__*")


@requirement("SKL-5")
def test_no_declaration_allows_everything_and_an_empty_one_nothing() -> None:
    assert AllowedTools.parse(None).permits("anything", {})
    assert AllowedTools.parse(None).permits_some("anything")
    assert not AllowedTools.parse("").permits("anything", {})
    assert not AllowedTools.parse([]).permits_some("anything")


@requirement("SKL-5")
def test_a_skill_that_lists_no_tool_may_call_none() -> None:
    empty = SkillParser().parse(folder("allowed-tools:"), "weekly-report")
    absent = SkillParser().parse(folder(), "weekly-report")

    assert not AllowedTools.of(empty.allowed_tools).permits_some("Read")
    assert AllowedTools.of(absent.allowed_tools).permits_some("Read")


@requirement("SKL-5")
@pytest.mark.parametrize(
    ("rule", "tool", "argument", "is_allowed"),
    [
        ("Read", "Read", "x", True),
        ("Read", "read", "x", False),
        ("Read", "ReadAll", "x", False),
        ("mcp__notion__*", "mcp__notion__search", "x", True),
        ("mcp__notion__*", "mcp__slack__post", "x", False),
        ("Bash(git diff:*)", "Bash", "git diff --stat", True),
        ("Bash(git diff:*)", "Bash", "git push", False),
        ("Bash(git diff:*)", "Bash", "sudo git diff", False),
        ("Bash(ls)", "Bash", "ls", True),
        ("Bash(ls)", "Bash", "ls /", False),
        ("Bash(*)", "Bash", "rm", True),
        ("Bash(git *)", "Bash", "git push", False),
    ],
)
def test_a_rule_decides_by_name_and_by_the_first_string(
    rule: str, tool: str, argument: str, is_allowed: bool
) -> None:
    assert AllowedTools.parse(rule).permits(tool, {"n": 1, "command": argument}) is is_allowed


@requirement("SKL-5")
def test_with_a_schema_the_order_of_the_arguments_decides_nothing() -> None:
    limit = AllowedTools.parse("Bash(git:*)")
    schema = {
        "properties": {
            "n": {"type": "integer"},
            "command": {"type": ["string", "null"]},
            "note": {"type": "string"},
        }
    }

    assert not limit.permits("Bash", {"note": "git", "command": "rm"}, schema)
    assert not limit.permits("Bash", {"note": "git"}, schema)
    assert limit.permits("Bash", {"note": "rm", "command": "git status"}, schema)


@requirement("SKL-5")
def test_a_prompt_offers_a_tool_that_some_call_could_use() -> None:
    limit = AllowedTools.parse("Bash(git:*) mcp__a__*")

    assert limit.permits_some("Bash")
    assert limit.permits_some("mcp__a__x")
    assert not limit.permits_some("Read")
    assert not limit.permits("Bash", {"count": 3})


@requirement("SKL-5")
@pytest.mark.parametrize(
    "broken",
    [
        "Bash(",
        "Bash)",
        "Bash()",
        "Bash( )",
        "(x)",
        "*",
        "a*b",
        "Bash(a))",
        "Bash(:*)",
        "Bash(a)(b)",
    ],
)
def test_a_broken_rule_is_refused_by_name(broken: str) -> None:
    with pytest.raises(SkillInvalid):
        AllowedTools.parse(f"Read {broken}")
