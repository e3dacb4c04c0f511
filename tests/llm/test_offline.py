"""The offline model carries out a skill's steps, says what it does, and never pretends."""

import json
from decimal import Decimal
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniforge.agents.runs import TokenUsage
from omniforge.errors import Ended, OfflineCannot
from omniforge.llm.offline import OfflineLLM
from omniforge.llm.protocol import (
    Author,
    Completion,
    Message,
    StopReason,
    ToolAnswer,
    ToolCall,
    ToolSchema,
)
from omniforge.llm.sections import input_block, skill_block
from tests.llm.conversations import Conversation, ToolFailed, Tools
from tests.support.requirements import requirement

ROWS = {"rows": [{"name": "Tax", "days": 3}, {"name": "Rent", "days": 1}], "count": 2}
TOOLS: Tools = {
    "table_query": lambda _: ROWS,
    "slack_post": lambda arguments: {"sent": arguments["text"]},
    "say": lambda arguments: str(arguments["text"]),
}
LATE_TASKS = """
# Late tasks

1. Find what is late: `table_query {"table": "${input.table}", "limit": 20}`
2. Tell the team: `slack_post {"channel": "${input.channel|#general}",
   "text": "${steps.1.count} late, first ${steps.1.rows[0].name}", "rows": "${steps.1.rows}"}`
3. Answer: ${steps.1.count} tasks are late; the team knows.
"""


@requirement("RAC-1", "RAC-4")
async def test_a_skill_runs_from_its_input_to_its_answer() -> None:
    talk = Conversation(LATE_TASKS, {"table": "tasks"}, TOOLS)

    assert await talk.run() == "2 tasks are late; the team knows."
    assert [(call.name, call.arguments) for call in talk.calls] == [
        ("table_query", {"table": "tasks", "limit": 20}),
        (
            "slack_post",
            {"channel": "#general", "text": "2 late, first Tax", "rows": ROWS["rows"]},
        ),
    ]
    assert [turn.stop for turn in talk.turns] == [
        StopReason.TOOL_CALLS,
        StopReason.TOOL_CALLS,
        StopReason.END,
    ]


async def test_its_texts_say_what_it_is_doing() -> None:
    talk = Conversation(LATE_TASKS, {"table": "tasks"}, TOOLS)
    await talk.run()

    assert talk.turns[0].text == "Step 1 of 2: table_query (Find what is late)"
    assert talk.turns[1].text == "Step 2 of 2: slack_post (Tell the team)"


async def test_its_text_is_streamed_and_whole() -> None:
    pieces: list[str] = []
    body = '1. Think hard.\n2. `say {"text": "hi"}`'
    request = Conversation(body, {}, TOOLS).request()

    turn = await OfflineLLM().complete(request, pieces.append)

    assert len(pieces) == 2
    assert "".join(pieces) == turn.text
    assert "Item 1 calls no tool" in turn.text


async def test_without_an_answer_item_it_reports_what_it_saw_and_who_wrote_it() -> None:
    text = await Conversation(
        '1. `say {"text": "hi"}`\n2. Judge the tone.\n5. `table_query {}`', {}, TOOLS
    ).run()

    assert text.splitlines() == [
        "Written by the offline model, which followed the skill's steps and judged nothing.",
        "Step 1, say: hi",
        f"Step 5, table_query: {json.dumps(ROWS)}",
        "Left out, because it takes a model: 2.",
    ]


OBJECT = '{"late": "${steps.1.count}", "note": "${steps.1.count} of $${all}"}'


@pytest.mark.parametrize(
    "answer",
    [
        f"Answer: `{OBJECT}`",
        f"Answer:\n   ```json\n   {OBJECT}\n   ```",
        f"**Answer:**\n\n   ~~~\n   {OBJECT}\n   ~~~",
    ],
)
async def test_an_answer_may_be_a_json_object(answer: str) -> None:
    text = await Conversation(f"1. `table_query {{}}`\n2. {answer}", {}, TOOLS).run()

    assert json.loads(text) == {"late": 2, "note": "2 of ${all}"}


async def test_an_answer_alone_needs_no_tool() -> None:
    text = await Conversation("1. Answer: Hello ${input.name}!", {"name": "Ada"}).run()

    assert text == "Hello Ada!"


async def test_pace_makes_it_slow_enough_to_watch() -> None:
    request = Conversation("1. Answer: Done", {}).request()
    begun = perf_counter()

    await OfflineLLM(pace=0.05).complete(request)

    assert perf_counter() - begun >= 0.05


async def test_it_costs_nothing_and_says_which_model_it_is() -> None:
    llm = OfflineLLM()
    turn = await llm.complete(Conversation("1. Answer: Done").request())

    assert llm.price(turn.model, turn.usage) == Decimal(0)
    assert (turn.model, turn.usage) == ("offline", TokenUsage(model_calls=1))


# ---- what it cannot do -----------------------------------------------------------------------


@requirement("RAC-3")
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("Read the mails and decide.", "needs judgement.*ANTHROPIC_API_KEY"),
        ("1. Read the mails.\n2. Decide.", "needs judgement"),
        ('1. `launch_rocket {"to": "moon"}`', r"Step 1 \(launch_rocket\).*no tool.*say"),
        ('1. `say {"text": }`', "Step 1: the arguments of 'say' are not valid JSON"),
        ('1. `say {"text": "${input.no.where}"}`', "leads nowhere: the input has no 'no'"),
        ('1. `say {"text": "${steps.2}"}`\n2. `say {}`', "does not come before"),
        ('1. `say {"text": "${steps.1}"}`', "does not come before"),
        ('1. `say {"text": "${secret}"}`', "is not known"),
        ('1. `say {"text": "${input.a"}`', "no closing brace"),
        ('1. `say {}`\n1. `say {"a": 1}`', "Two steps have the number 1"),
        ('1. `say {}` and `say {"a": 1}`', "Step 1 holds 2 calls"),
        ("1. Answer: a\n2. Answer: b", "Two items start with 'Answer:'"),
        ('1. Answer: `{"a": }`', "the answer is not valid JSON"),
        ("1. Answer: ${steps.4.count}", "The final answer cannot.*does not come before"),
    ],
)
async def test_a_skill_it_cannot_follow_does_nothing_at_all(body: str, says: str) -> None:
    talk = Conversation(body, {"a": 1}, TOOLS)

    with pytest.raises(OfflineCannot, match=says) as caught:
        await talk.run()

    assert isinstance(caught.value, Ended)
    assert caught.value.code == "offline_cannot"
    assert talk.calls == []


@requirement("RAC-3")
async def test_a_failed_tool_stops_it_with_the_tools_own_sentence() -> None:
    def broken(_: object) -> object:
        raise ToolFailed("There is no table 'tasks'; known: clients.")

    talk = Conversation(LATE_TASKS, {"table": "tasks"}, {**TOOLS, "table_query": broken})

    with pytest.raises(OfflineCannot, match=r"Step 1 \(table_query\) failed: There is no table"):
        await talk.run()
    assert len(talk.calls) == 1


@pytest.mark.parametrize(
    "cut", ['{"rows": [{"na', "[1, 2\n[cut at 9 characters]", "Dear all, [... truncated]", '"half']
)
async def test_a_result_that_was_cut_is_never_passed_on(cut: str) -> None:
    talk = Conversation(
        '1. `table_query {}`\n2. `say {"text": "Rows: ${steps.1.rows|none}"}`',
        {},
        {**TOOLS, "table_query": lambda _: cut},
    )

    with pytest.raises(OfflineCannot, match=r"the result of step 1 is not whole.*Ask that step"):
        await talk.run()


async def test_a_path_into_a_result_that_leads_nowhere_names_what_is_there() -> None:
    talk = Conversation(
        '1. `table_query {}`\n2. `say {"text": "${steps.1.rows.7.name}"}`', {}, TOOLS
    )

    with pytest.raises(OfflineCannot, match=r"Step 2 .*'rows' in the result.*a list of 2"):
        await talk.run()


async def test_plain_text_results_are_strings() -> None:
    body = '1. `say {"text": "it is 5"}`\n2. Answer: He said: ${steps.1}.'

    assert await Conversation(body, {}, TOOLS).run() == "He said: it is 5."


async def test_a_conversation_that_lost_its_beginning_is_not_begun_again() -> None:
    body = '1. `table_query {}`\n2. `say {"text": "x"}`\n3. `say {"text": "${steps.1.count}"}`'
    talk = Conversation(body, {}, TOOLS)
    await talk.step()
    await talk.step()
    del talk.messages[1:3]

    with pytest.raises(OfflineCannot, match="step 1 is no longer part of the conversation"):
        await talk.step()


async def test_a_call_whose_answer_never_came_is_made_again() -> None:
    talk = Conversation('1. `say {"text": "x"}`', {}, TOOLS)
    first = await talk.step()
    talk.messages.pop()

    assert (await talk.step()).calls == first.calls


async def test_it_does_not_take_over_another_models_conversation() -> None:
    talk = Conversation('1. `say {"text": "x"}`', {}, TOOLS)
    theirs = ToolCall("toolu_1", "say", {})
    talk.messages.append(Message(Author.ASSISTANT, "", (theirs,)))
    talk.messages.append(Message(Author.USER, answers=(ToolAnswer("toolu_1", "x"),)))

    with pytest.raises(OfflineCannot, match="begun by another model"):
        await talk.step()


async def test_a_message_in_mid_run_is_owned_up_to() -> None:
    talk = Conversation('1. `say {"text": "x"}`\n2. `say {"text": "y"}`', {}, TOOLS)
    await talk.step()
    talk.messages.append(Message(Author.USER, "Please hurry, and skip step 2."))

    assert "cannot take in messages" in (await talk.step()).text


@pytest.mark.parametrize(
    "system", ["", "Sum up this conversation.", "<skill name=x>\nhi\n</skill>"]
)
async def test_without_a_skill_there_is_nothing_it_can_do(system: str) -> None:
    with pytest.raises(OfflineCannot, match="ANTHROPIC_API_KEY"):
        await OfflineLLM().complete(Completion("offline", system, (Message(Author.USER, "Hi"),)))


@pytest.mark.parametrize("text", ["[1]", "{broken"])
async def test_an_input_that_is_no_object_is_refused(text: str) -> None:
    system = skill_block("x", "1. Answer: hi")
    asked = Message(Author.USER, f"<input>\n{text}\n</input>")

    with pytest.raises(OfflineCannot, match="input is not a JSON object"):
        await OfflineLLM().complete(Completion("offline", system, (asked,)))


# ---- properties ------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *("1. ", "2) ", "\n", "\n\n", "   ", "\t", "`", "``", "```", "~~~", "- ", "# ", "Answer: "),
        *(
            'say {"text": "',
            '"}',
            "${input.a}",
            "${steps.1",
            ".rows[0]",
            "}",
            "$${",
            "|x}",
            "{",
            "[",
        ),
        *("]", '"', ":", "\u2028", "\x85", "<!--", "-->", "</skill>", "ä", "9" * 12),
    ]
)
BODIES = st.lists(PIECES | st.text(max_size=8), max_size=40).map("".join)


@given(body=BODIES, answer=st.text(max_size=20), arguments=st.dictionaries(st.text(), st.text()))
async def test_whatever_the_skill_it_answers_or_says_why_not_and_always_the_same(
    body: str, answer: str, arguments: dict[str, str]
) -> None:
    messages = (
        Message(Author.USER, input_block(arguments)),
        Message(Author.ASSISTANT, "", (ToolCall("offline_step_1", "say", {}),)),
        Message(Author.USER, answers=(ToolAnswer("offline_step_1", answer),)),
    )
    tools = (ToolSchema("say", "", {}),)
    for said in (messages[:1], messages):
        request = Completion("offline", skill_block("x", body), said, tools)
        assert await _outcome(request) == await _outcome(request)


async def _outcome(request: Completion) -> object:
    try:
        return await OfflineLLM().complete(request)
    except OfflineCannot as error:
        return error.message


@pytest.mark.parametrize("depth", [50, 500, 3_000])
async def test_deep_nesting_is_carried_out_or_refused(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    request = Conversation(f'1. `say {{"text": {nested}}}`', {}, TOOLS).request()

    assert await _outcome(request) == await _outcome(request)


async def test_a_last_turn_without_tools_is_enough_for_the_answer() -> None:
    talk = Conversation(LATE_TASKS, {"table": "tasks"}, TOOLS)
    await talk.step()
    await talk.step()
    talk.tools = {}

    assert (await talk.step()).text == "2 tasks are late; the team knows."
