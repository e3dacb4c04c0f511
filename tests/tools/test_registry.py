from collections.abc import Mapping
from typing import Any

import pytest

from omniforge.errors import ToolInvalid
from omniforge.journal.steps import EffectClass, Json
from omniforge.tools.builtin import builtin_tools
from omniforge.tools.functions import FunctionTool
from omniforge.tools.parameters import parameters
from omniforge.tools.protocol import ToolCallContext, ToolSpec
from omniforge.tools.registry import ToolRegistry
from tests.support.requirements import requirement


async def _nothing(arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
    return None


def a_tool(name: str, schema: Mapping[str, Any] | None = None) -> FunctionTool:
    return FunctionTool(
        ToolSpec(
            name,
            "Does nothing.",
            schema or parameters(),
            effect=EffectClass.READ,
        ),
        _nothing,
    )


@requirement("TOOL-1")
def test_tools_are_found_by_name_and_keep_their_order() -> None:
    registry = ToolRegistry([a_tool("b"), a_tool("a")])

    found = registry.get("a")

    assert registry.names == ("b", "a")
    assert found is not None
    assert found.spec.name == "a"
    assert registry.get("c") is None


def test_two_tools_of_one_name_are_refused() -> None:
    registry = ToolRegistry([a_tool("same")])

    with pytest.raises(ToolInvalid, match="two tools called 'same'"):
        registry.register(a_tool("same"))


@pytest.mark.parametrize("name", ["", "two words", "dot.ted", "a" * 65, "naïve", "new\nline"])
def test_a_name_that_no_model_accepts_is_refused(name: str) -> None:
    with pytest.raises(ToolInvalid):
        ToolRegistry([a_tool(name)])


@pytest.mark.parametrize("schema", [{"type": "objekt"}, {"type": "string"}, {"type": 7}])
def test_a_broken_schema_is_refused_when_the_tool_is_registered(schema: dict[str, Any]) -> None:
    with pytest.raises(ToolInvalid):
        ToolRegistry([a_tool("broken", schema)])


@requirement("TOOL-3")
def test_every_built_in_tool_describes_itself_and_each_of_its_fields() -> None:
    specs = ToolRegistry(builtin_tools()).specs

    for spec in specs:
        assert len(spec.description) > 40, spec.name
        assert spec.parameters["additionalProperties"] is False
        for name, schema in spec.parameters["properties"].items():
            assert schema.get("description"), f"{spec.name}.{name}"
    assert len(specs) == 14
