"""What a model is told, and what its last words are as data."""

from dataclasses import replace

import pytest

from omniforge.execution.loop.answers import output_of
from omniforge.execution.loop.prompt import Brief


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        ('{"total": 3}', {"total": 3}),
        ('  {"total": 3}\n', {"total": 3}),
        ('```json\n{"total": 3}\n```', {"total": 3}),
        ('```\n{"total": 3}\n```', {"total": 3}),
        ('```JSON\n{"total": 3}\n```', {"total": 3}),
        ('```json\n{"code": "`x`"}\n```', {"code": "`x`"}),
        ("[1, 2]", {"answer": [1, 2]}),
        ("42", {"answer": 42}),
        ("Done.", {"answer": "Done."}),
        ("", {"answer": ""}),
        ("  Done.\n", {"answer": "  Done.\n"}),
        ('Here it is: {"total": 3}', {"answer": 'Here it is: {"total": 3}'}),
        ("```python\nprint()\n```", {"answer": "```python\nprint()\n```"}),
        ("```", {"answer": "```"}),
        ("NaN", {"answer": "NaN"}),
        ('{"a": Infinity}', {"answer": '{"a": Infinity}'}),
        ("[" * 100_000, {"answer": "[" * 100_000}),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_final_answer_is_its_json_object_or_the_text(answer: str, output: object) -> None:
    assert output_of(answer) == output


BRIEF = Brief(name="report", body="Sum up.", max_iterations=5, mark="c0ffee")


def test_a_skill_is_told_its_text_its_limit_and_what_frames_text_from_outside() -> None:
    prompt = BRIEF.prompt()

    assert "read_skill_file" not in prompt
    assert "load_skill" not in prompt
    assert "Sum up." in prompt
    assert "at most 5 turns" in prompt
    assert "`</outside-c0ffee>`" in prompt


def test_what_a_skill_has_besides_is_told_where_it_is() -> None:
    more = replace(BRIEF, files="- references/a.md", catalogue="- tone: How we write.")
    prompt = replace(more, output_schema={"type": "object"}).prompt()

    assert "`read_skill_file`" in prompt
    assert "- tone: How we write." in prompt
    assert prompt.index("</skill>") < prompt.index('{"type": "object"}')
