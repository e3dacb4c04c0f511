"""The manifest of requirements and the marks on the tests agree, both ways.

How to flip an entry: mark a test with `@requirement("ID")`, then say `proven(...)` in
`tests/requirements.py`, or `partly(..., missing=...)` when the test shows a part of it.
"""

import ast
from collections import defaultdict
from pathlib import Path

from tests.requirements import REQUIREMENTS, State

FOLDER = Path(__file__).parent


def test_every_mark_names_a_requirement_of_the_manifest() -> None:
    unknown = {mark: files for mark, files in marks().items() if mark not in REQUIREMENTS}

    assert unknown == {}, "add the id to tests/requirements.py, or correct the mark"


def test_what_is_called_proven_has_a_test_that_names_it() -> None:
    claimed = [name for name, one in REQUIREMENTS.items() if one.state is not State.NOT_YET]

    assert sorted(set(claimed) - set(marks())) == [], (
        "no test names these: mark one, or call them not_yet(...) in tests/requirements.py"
    )


def test_what_a_test_names_is_not_called_not_yet() -> None:
    waiting = {name for name, one in REQUIREMENTS.items() if one.state is State.NOT_YET}
    proven = {name: sorted(files) for name, files in marks().items() if name in waiting}

    assert proven == {}, (
        "these tests prove something: call it proven(...) or partly(...) in tests/requirements.py"
    )


def test_an_entry_is_one_sentence_and_what_is_missing_is_said() -> None:
    for name, one in REQUIREMENTS.items():
        assert one.behaviour.endswith("."), name
        assert one.behaviour.count(". ") == 0, name
        assert (one.state is State.PROVEN) == (one.missing == ""), name


def marks() -> dict[str, set[str]]:
    """Requirement id -> the test files that name it."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for file in FOLDER.rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text(), str(file))):
            if isinstance(node, ast.Call) and is_mark(node.func):
                for name in node.args:
                    found[str(ast.literal_eval(name))].add(file.relative_to(FOLDER).as_posix())
    return dict(found)


def is_mark(function: ast.expr) -> bool:
    match function:
        case ast.Name(id="requirement") | ast.Attribute(attr="requirement"):
            return True
    return False
