"""Skills that declare what their answer looks like."""

import json
from typing import Any

import pytest

from omniforge.execution.events import Ending
from omniforge.execution.loop.answers import OutputSchema
from omniforge.skills.document import Skill
from tests.execution.making import Bench, a_skill, last_words
from tests.support.requirements import requirement

TOTAL = {
    "type": "object",
    "properties": {"total": {"type": "integer"}},
    "required": ["total"],
    "additionalProperties": False,
}


def declaring(schema: Any) -> Skill:
    return a_skill(metadata={"omniforge.output-schema": json.dumps(schema)})


@requirement("RAC-2")
async def test_a_skill_is_told_its_schema_and_its_answer_is_the_object(bench: Bench) -> None:
    bench.model.answers('```json\n{"total": 3}\n```')

    result = await bench.run(skill=declaring(TOTAL))

    assert result.output == {"total": 3}
    assert json.dumps(TOTAL) in bench.model.asked[0].system


@requirement("RAC-2")
async def test_an_answer_that_does_not_fit_may_be_mended_once(bench: Bench) -> None:
    bench.model.answers('{"total": "three"}').answers('{"total": 3}')

    result = await bench.run(skill=declaring(TOTAL))

    assert result.output == {"total": 3}
    assert "- $.total: 'three' is not of type 'integer'" in last_words(bench.model.asked[1]).text


@requirement("RAC-2")
async def test_an_answer_that_never_fits_fails_the_skill_and_its_text_is_kept(bench: Bench) -> None:
    bench.model.answers("The total is three.").answers("It is three, I said.")

    result = await bench.run(skill=declaring(TOTAL))

    assert result.error is not None
    assert (result.ending, result.error.code) == (Ending.FAILED, "output_invalid")
    assert "it is not JSON" in result.error.message
    assert result.output == {"partial": "It is three, I said."}
    assert bench.asked == 2


@requirement("DUR-1")
async def test_an_answer_that_does_not_fit_is_on_record_before_it_is_mended(bench: Bench) -> None:
    bench.model.answers('{"total": "three"}').answers('{"total": 3}')
    stop = iter([None, "drain"])
    executor = await bench.executor(skill=declaring(TOTAL), should_stop=lambda: next(stop, None))
    assert (await executor.execute_sync("go")).ending is Ending.INTERRUPTED

    result = await bench.run(skill=declaring(TOTAL))

    assert result.output == {"total": 3}
    assert bench.asked == 2


async def test_the_schema_is_the_one_the_skill_began_with(bench: Bench) -> None:
    bench.model.answers('{"total": "three"}').answers('{"total": 3}')
    stop = iter([None, "drain"])
    executor = await bench.executor(skill=declaring(TOTAL), should_stop=lambda: next(stop, None))
    await executor.execute_sync("go")

    assert (await bench.run(skill=declaring({"type": "string"}))).output == {"total": 3}


@pytest.mark.parametrize(
    ("schema", "answer", "finding"),
    [
        ({"type": "array", "items": {"type": "integer"}}, "[1, 2]", None),
        ({"type": "array", "items": {"type": "integer"}}, '[1, "b"]', "$[1]: 'b' is not of type"),
        ({"type": "string"}, "plain words", None),
        ({"type": "string", "maxLength": 3}, "plain words", "it is not JSON"),
        ({"type": "object"}, "42", "$: 42 is not of type 'object'"),
        ({"$ref": "https://elsewhere.example/schema"}, "{}", "nobody can check it"),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}, "3", None),
        ({"$ref": "#"}, "{}", "nobody can check it"),
        ({"type": "object"}, '{"a":' * 5_000 + "1" + "}" * 5_000, "it is not JSON"),
        (None, "anything", None),
    ],
)
def test_findings_say_where_and_what(schema: Any, answer: str, finding: str | None) -> None:
    findings = OutputSchema(schema).findings(answer)

    assert (findings == []) if finding is None else findings[0].startswith(finding)


def test_findings_are_few_and_short() -> None:
    wanted = {"type": "array", "items": {"type": "integer"}}
    findings = OutputSchema(wanted).findings(json.dumps(["x" * 5_000 + str(n) for n in range(99)]))

    assert len(findings) == 5
    assert max(map(len, findings)) <= 300
