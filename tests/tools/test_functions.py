"""Tools made of typed functions."""

import threading
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from omniforge.errors import ToolInvalid, TryAgain
from omniforge.journal.memory import MemoryBlobs
from omniforge.journal.steps import EffectClass
from omniforge.tools.functions import FunctionTool, tool
from omniforge.tools.modules import tools_of
from omniforge.tools.protocol import ToolCallContext
from omniforge.tools.registry import ToolRegistry
from omniforge.tools.workspace import Workspace
from tests.support.requirements import requirement


class Invoice(BaseModel):
    number: str
    due: date
    total: Decimal


@tool
async def find_invoice(
    number: Annotated[str, Field(description="Such as R-2026-17.", max_length=20)],
    currency: Literal["EUR", "USD"] = "EUR",
) -> Invoice:
    """Look an invoice up by its number."""
    return Invoice(number=f"{number} {currency}", due=date(2026, 12, 1), total=Decimal("12.50"))


async def call(made: FunctionTool, tmp_path: Path, **arguments: Any) -> Any:
    context = ToolCallContext(
        "tn", "ex_1", "ex_1", Workspace(tmp_path, MemoryBlobs()), effect_id="of-1"
    )
    ToolRegistry([made]).schema_of(made.spec.name).check(arguments)
    return await made.run(arguments, context)


def properties(made: FunctionTool) -> Mapping[str, Any]:
    found: Mapping[str, Any] = made.spec.parameters["properties"]
    return found


@requirement("TOOL-1")
async def test_a_typed_function_is_a_tool_with_its_schema(tmp_path: Path) -> None:
    spec = find_invoice.spec

    assert (spec.name, spec.description) == (
        "find_invoice",
        "Look an invoice up by its number.",
    )
    assert spec.parameters["required"] == ["number"]
    assert spec.parameters["additionalProperties"] is False
    assert properties(find_invoice)["number"]["description"] == "Such as R-2026-17."
    assert properties(find_invoice)["currency"]["enum"] == ["EUR", "USD"]
    assert await call(find_invoice, tmp_path, number="R-1") == {
        "number": "R-1 EUR",
        "due": "2026-12-01",
        "total": "12.50",
    }


async def test_arguments_reach_the_function_as_the_types_it_names(tmp_path: Path) -> None:
    @tool
    async def weekday(day: date) -> str:
        """The weekday of a date."""
        return f"{day:%A}"

    assert await call(weekday, tmp_path, day="2026-11-21") == "Saturday"
    with pytest.raises(TryAgain, match="day"):
        await call(weekday, tmp_path, day="soon")


async def test_the_context_is_filled_in_and_hidden_from_the_model(tmp_path: Path) -> None:
    @tool(name="send", effect="keyed")
    async def anything(text: str, context: ToolCallContext) -> str:
        """Send a text."""
        return f"{text} under {context.effect_id} for {context.tenant_id}"

    assert anything.spec.name == "send"
    assert anything.spec.effect is EffectClass.KEYED
    assert list(properties(anything)) == ["text"]
    assert await call(anything, tmp_path, text="hi") == "hi under of-1 for tn"


async def test_a_function_that_blocks_holds_nobody_else_up(tmp_path: Path) -> None:
    @tool
    def whose_thread() -> bool:
        """Whether this runs beside the loop."""
        return threading.current_thread() is not threading.main_thread()

    assert await call(whose_thread, tmp_path) is True


def test_a_function_that_says_nothing_of_its_effects_is_one_that_cannot_be_repeated() -> None:
    assert find_invoice.spec.effect is EffectClass.ASK


def test_what_a_model_could_not_use_is_refused_when_it_is_made() -> None:
    def untyped(value):  # type: ignore[no-untyped-def]
        """Does something."""

    def silent(value: str) -> None:
        pass

    def starred(*values: str) -> None:
        """Does something."""

    def strange(value: threading.Thread) -> None:
        """Does something."""

    for function, problem in (
        (untyped, "needs a type"),
        (silent, "docstring"),
        (starred, "by name"),
        (strange, "strange"),
    ):
        with pytest.raises(ToolInvalid, match=problem):
            tool(function)


def module(folder: Path, name: str, text: str, patch: pytest.MonkeyPatch) -> str:
    (folder / f"{name}.py").write_text(text)
    patch.syspath_prepend(str(folder))
    return name


async def test_an_operator_adds_tools_by_naming_their_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "from omniforge import tool\n\n@tool\ndef double(n: int) -> int:\n"
        '    """Twice a number."""\n    return 2 * n\n'
    )
    name = module(tmp_path, "house_tools", text, monkeypatch)

    (double,) = tools_of([name])

    assert await call(double, tmp_path / "files", n=21) == 42


@pytest.mark.parametrize(
    ("text", "problem"),
    [("x = 1\n", "no function under @tool"), ("1 / 0\n", "ZeroDivisionError")],
)
def test_a_module_without_tools_ends_the_start_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    name = module(tmp_path, f"no_tools_{len(problem)}", text, monkeypatch)

    with pytest.raises(ToolInvalid, match=problem):
        tools_of([name])
