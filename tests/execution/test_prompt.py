"""What a model is told, and what its last words are as data."""

import pytest

from omniforge.execution.prompt import output_of, system_prompt


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


def test_a_skill_without_files_is_told_of_none() -> None:
    prompt = system_prompt("report", "Sum up.", "", 5)

    assert "read_skill_file" not in prompt
    assert "Sum up." in prompt
    assert "at most 5 turns" in prompt


def test_a_skill_with_files_is_told_how_to_read_them() -> None:
    assert "`read_skill_file`" in system_prompt("report", "Sum up.", "- references/a.md", 5)
