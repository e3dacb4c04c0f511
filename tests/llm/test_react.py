"""Tool calls as JSON text, and the wrapper that hides them."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniforge.agents.runs import TokenUsage
from omniforge.errors import AnswerUnusable, TryAgain
from omniforge.llm.failures import spent
from omniforge.llm.protocol import (
    LLM,
    Author,
    Completion,
    Message,
    OnDelta,
    StopReason,
    ToolAnswer,
    ToolSchema,
    Turn,
)
from omniforge.llm.react import ReActLLM, ReActParser, ReActStep, react_instructions
from tests.support.requirements import requirement

CALL = {"thought": "Look.", "action": "table_query", "action_input": {"t": "}{"}, "is_final": False}
FINAL = {"thought": "Done.", "final_answer": "3 late", "is_final": True}
AS_STEP = ReActStep("Look.", "table_query", {"t": "}{"})


def parse(text: str) -> ReActStep:
    return ReActParser().parse(text)


@requirement("RAC-4")
@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "```json\n{}\n```",
        "Sure! Here is my step:\n\n{}\n\nI hope {{this}} helps.",
        'Given {{"rows": 3}} and {{curly}} prose: {}',
        '{}\n{{"thought": "second", "final_answer": "no", "is_final": true}}',
    ],
)
def test_a_step_is_found_wherever_it_stands(around: str) -> None:
    assert parse(around.format(json.dumps(CALL))) == AS_STEP
    assert parse(around.format(json.dumps(CALL, indent=2))) == AS_STEP


@pytest.mark.parametrize(
    ("found", "step"),
    [
        (FINAL, ReActStep("Done.", final_answer="3 late")),
        ({"final_answer": {"late": 3}}, ReActStep("", final_answer='{"late": 3}')),
        ({"final_answer": ""}, ReActStep("", final_answer="")),
        ({**FINAL, "action": None}, ReActStep("Done.", final_answer="3 late")),
        ({"action": "now"}, ReActStep("", "now", {})),
        ({"action": "now", "action_input": None}, ReActStep("", "now", {})),
        ({"action": "now", "action_input": '{"a": 1}'}, ReActStep("", "now", {"a": 1})),
        ({"thought": 7, "action": "now", "final_answer": None}, ReActStep("", "now", {})),
    ],
)
def test_small_liberties_are_taken_as_meant(found: dict[str, Any], step: ReActStep) -> None:
    assert parse(json.dumps(found)) == step
    assert step.is_final == (step.final_answer is not None)


def test_line_breaks_in_strings_are_accepted() -> None:
    assert parse('{"final_answer": "two\nlines"}').final_answer == "two\nlines"


@requirement("RAC-4")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no JSON object"),
        ("Three tasks are late.", "no JSON object"),
        ('{"rows": 3}', "no JSON object"),
        ('{"thought": "x",}', "broken or cut off"),
        (json.dumps(CALL)[:-1], "broken or cut off"),
        ('{"thought": "x", "action": "a", "action_input": {"action": "drop"}', "cut off"),
        (json.dumps({**CALL, **FINAL}), "both an action and a final_answer"),
        ('{"thought": "hm", "is_final": false}', "neither"),
        ('{"thought": "hm", "action": "", "is_final": true}', "neither"),
        ('{"action": "a", "is_final": true}', "is_final is true"),
        ('{"action": ["a"]}', "name of a tool"),
        ('{"action": "a", "action_input": [1]}', "must be a JSON object"),
        ('{"action": "a", "action_input": "tasks"}', "must be a JSON object"),
        ('{"action":' + "[" * 5_000, "broken or cut off"),
    ],
)
def test_what_cannot_be_carried_out_goes_back_with_a_sentence(text: str, says: str) -> None:
    with pytest.raises(TryAgain, match=says):
        parse(text)


@given(st.text(max_size=80) | st.lists(st.sampled_from([*'{}[]":,', *CALL])).map("".join))
def test_any_text_is_a_step_or_a_sentence(text: str) -> None:
    try:
        step = parse(text)
    except TryAgain:
        return
    assert (step.action is None) != (step.final_answer is None)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
)


@given(
    thought=st.text(max_size=20),
    tool=st.text(min_size=1, max_size=10),
    arguments=st.dictionaries(st.text(max_size=5), VALUES, max_size=3),
    prose=st.text(alphabet="ab {}`\n", max_size=10),
)
def test_what_a_model_writes_is_what_is_read(
    thought: str, tool: str, arguments: dict[str, Any], prose: str
) -> None:
    written = {"thought": thought, "action": tool, "action_input": arguments, "is_final": False}

    assert parse(f"{prose}\n{json.dumps(written)} {prose}") == ReActStep(thought, tool, arguments)


@given(st.integers(1, len(json.dumps(CALL)) - 1))
def test_no_prefix_of_a_step_is_a_step(length: int) -> None:
    with pytest.raises(TryAgain):
        parse(json.dumps(CALL)[:length])


# ---- the wrapper -----------------------------------------------------------------------------


class TextOnly:
    """A model that knows text alone and keeps what it was asked."""

    name = "small"
    default_model = "small-1"
    has_native_tools = False

    def __init__(self, *answers: str, stop: StopReason = StopReason.END) -> None:
        self._answers = list(answers)
        self._stop = stop
        self.asked: list[Completion] = []

    async def complete(self, request: Completion, on_delta: OnDelta | None = None) -> Turn:
        self.asked.append(request)
        text = self._answers.pop(0)
        if on_delta is not None:
            on_delta(text)
        usage = TokenUsage(input_tokens=7, output_tokens=2, model_calls=1)
        return Turn(text, (), self._stop, usage, "small-1b")

    def price(self, model: str, usage: TokenUsage) -> Decimal | None:
        return Decimal(usage.input_tokens)

    def window(self, model: str) -> int | None:
        return None

    async def aclose(self) -> None:
        return None


QUERY = ToolSchema("table_query", "Reads rows.", {"type": "object"})
GO = Message(Author.USER, "Go")


def asking(*messages: Message, tools: tuple[ToolSchema, ...] = (QUERY,)) -> Completion:
    return Completion("small-1", "You are an agent.", messages or (GO,), tools)


@requirement("RAC-4")
async def test_a_text_model_works_through_a_tool_loop() -> None:
    inner = TextOnly(json.dumps(CALL), json.dumps(FINAL))
    llm: LLM = ReActLLM(inner)
    seen: list[str] = []

    first = await llm.complete(asking(), seen.append)
    history = (
        GO,
        Message(Author.ASSISTANT, first.text, first.calls),
        Message(Author.USER, answers=(ToolAnswer(first.calls[0].id, "3 rows", is_error=False),)),
    )
    last = await llm.complete(asking(*history), seen.append)

    assert (first.text, first.stop) == ("Look.", StopReason.TOOL_CALLS)
    assert (first.calls[0].name, first.calls[0].arguments) == ("table_query", {"t": "}{"})
    assert (last.text, last.calls, last.stop) == ("3 late", (), StopReason.END)
    assert seen == ["Look.", "3 late"]
    spoken = inner.asked[1]
    assert spoken.tools == ()
    assert react_instructions([QUERY]) in spoken.system
    assert json.loads(spoken.messages[1].text) == CALL
    assert spoken.messages[2].text == "Observation from table_query: 3 rows"


async def test_nonsense_surfaces_with_its_text_and_its_cost() -> None:
    inner = TextOnly("I would rather not.", stop=StopReason.MAX_TOKENS)

    with pytest.raises(AnswerUnusable, match=r"was cut.*no JSON object") as caught:
        await ReActLLM(inner).complete(asking())

    assert caught.value.text == "I would rather not."
    assert spent(caught.value) == TokenUsage(input_tokens=7, output_tokens=2, model_calls=1)


async def test_without_tools_the_text_is_the_answer() -> None:
    inner = TextOnly("A summary.")
    seen: list[str] = []

    turn = await ReActLLM(inner).complete(asking(tools=()), seen.append)

    assert turn.text == "A summary."
    assert seen == ["A summary."]
    assert inner.asked == [asking(tools=())]
