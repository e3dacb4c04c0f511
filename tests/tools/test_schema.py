from typing import Any

import pytest

from omniforge.errors import GaveUp, TryAgain
from omniforge.tools.registry import ToolRegistry
from omniforge.tools.schema import ArgumentSchema
from tests.support.requirements import requirement
from tests.tools.bench import Bench

QUERY: dict[str, Any] = {"path": "a.csv"}


def problem(registry: ToolRegistry, tool: str, arguments: object) -> str:
    with pytest.raises(TryAgain) as caught:
        registry.schema_of(tool).check(arguments)
    return caught.value.message


@requirement("TOOL-1")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "'path' is missing (a string)"),
        (QUERY | {"limit": "10"}, "'limit' must be a whole number, but is \"10\""),
        (QUERY | {"whre": []}, "'whre' is not a field (did you mean 'where'?)"),
        (QUERY | {"where": [{}]}, "'op' is missing in 'where[0]' (a string)"),
        (QUERY | {"sort_by": [5]}, "'sort_by[0]' must be a string or null, but is 5"),
        (QUERY | {"where": "status"}, "'where' must be a list, but is \"status\""),
        ([], "the arguments must be an object, but is []"),
    ],
)
def test_wrong_arguments_are_told_by_field_expectation_and_value(
    bench: Bench, arguments: object, says: str
) -> None:
    assert says in problem(bench.registry, "table_query", arguments)


def test_a_value_outside_a_closed_set_names_the_nearest_member(bench: Bench) -> None:
    arguments = QUERY | {"where": [{"column": "a", "op": "befor"}]}

    said = problem(bench.registry, "table_query", arguments)

    assert "'where[0].op' must be one of eq, ne, lt" in said
    assert "did you mean 'before'?" in said


def test_alternatives_are_told_in_one_phrase(bench: Bench) -> None:
    said = problem(bench.registry, "table_join", {"left": "a", "right": "b", "on": [7]})

    assert "'on[0]' must be a string or an object, but is 7" in said


def test_at_most_three_problems_are_told_and_the_rest_is_counted(bench: Bench) -> None:
    said = problem(bench.registry, "clock", {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5})

    assert said.count("is not a field") == 3
    assert "and 2 more problems" in said
    assert said.endswith("It takes timezone.")


def test_references_to_other_documents_are_never_fetched() -> None:
    reference = {"$ref": "http://127.0.0.1:9/schema.json"}
    schema = ArgumentSchema("far", {"type": "object", "properties": {"a": reference}})

    with pytest.raises(GaveUp, match="127"):
        schema.check({"a": 1})
