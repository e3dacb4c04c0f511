"""The page about SKILL.md tells the truth."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from omniforge.skills import validate
from tests.support.requirements import requirement

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/skill-md.md").read_text()
NOT_LITERAL = {"name-missing", "description-missing", "yaml-anchor", "yaml-tag"}


@requirement("SKL-1")
def test_the_examples_are_valid_skills() -> None:
    examples = re.findall(r"```markdown\n(.*?)```", PAGE, re.DOTALL)

    names = [re.findall(r"name: (.*)", example)[0] for example in examples]

    assert names == ["weekly-report", "count-by-status"]
    for name, example in zip(names, examples, strict=True):
        assert validate({"SKILL.md": example.encode()}, name) == []


@requirement("SKL-1")
def test_the_table_of_rules_lists_every_rule_there_is() -> None:
    rows = re.findall(r"^\| (.*?) \| (?:error|warning) \|", PAGE, re.MULTILINE)
    listed = {rule for row in rows for rule in re.findall(r"`(.*?)`", row)}

    assert listed == set(rules_in_the_source()) | NOT_LITERAL


def rules_in_the_source() -> Iterator[str]:
    for path in (ROOT / "omniforge/skills").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="error" | "warning"),
                    args=[_, ast.Constant(value=str(rule)), *_],
                ):
                    yield rule
