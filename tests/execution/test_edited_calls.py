"""Calls that people change: what the gateway makes of them, and what the model hears."""

import asyncio
from typing import Any

from omniforge.agents.permissions import Action, PermissionRule
from omniforge.execution.events import Ending, ExecutionResult
from omniforge.journal.ports import Decision, InboxItem
from omniforge.journal.steps import EffectClass, StepStatus
from omniforge.tools.builtin.asking import ask_tool
from omniforge.tools.protocol import Tool
from tests.execution.making import KEY, Bench, a_tool, echo
from tests.support.requirements import requirement

ASK = (PermissionRule(action=Action.ASK, tool="*"),)


async def asked(bench: Bench, *tools: Tool, **config: Any) -> ExecutionResult:
    """The skill's next segment, which comes to a question."""
    result = await bench.run(*tools, permissions=ASK, **config)
    assert result.ending is Ending.WAITING
    return result


def say(
    bench: Bench, asked: ExecutionResult, decision: Decision, note: str = "", **more: Any
) -> None:
    wait = asked.waits[0]
    item = InboxItem(wait.id, wait.id, decision, "us_anna", note, **more)
    bench.store.inbox.setdefault(KEY, []).append(item)


def post(name: str = "post") -> tuple[Tool, list[str]]:
    posted: list[str] = []

    async def work(text: str) -> str:
        posted.append(text)
        return f"posted {text}"

    return a_tool(name, work, EffectClass.KEYED), posted


@requirement("DUR-4")
async def test_an_edit_that_does_not_fit_is_stopped_by_the_gateway_too_and_stays_on_record(
    bench: Bench,
) -> None:
    tool, posted = post()
    bench.model.calls(("post", {"text": "hello"})).answers("{}")
    question = await asked(bench, tool)
    say(bench, question, Decision.EDIT, arguments={"texts": "HELLO"})

    done = await bench.run(tool, permissions=ASK)

    assert done.ending is Ending.COMPLETED
    assert posted == []
    step = bench.recorded[2]
    assert step.error is not None
    assert (step.status, step.error.code) == (StepStatus.FAILED, "call_refused")
    assert step.edit is not None
    assert step.made_with == {"texts": "HELLO"}
    (heard,) = bench.observed()
    assert heard.startswith('us_anna changed the arguments of this call to {"texts": "HELLO"}.')
    assert "'texts' is not a field" in heard


async def test_an_edit_of_a_call_that_only_reads_is_kept_until_the_call_is_on_record(
    bench: Bench,
) -> None:
    bench.model.calls(("echo", {"text": "hello"})).answers("{}")
    say(bench, await asked(bench, echo()), Decision.EDIT, arguments={"text": "HELLO"})

    async def dies(_: str) -> str:
        raise asyncio.CancelledError

    lost = await asyncio.gather(
        bench.run(a_tool("echo", dies), permissions=ASK), return_exceptions=True
    )
    await bench.run(echo(), permissions=ASK)

    assert isinstance(lost[0], asyncio.CancelledError)
    assert bench.recorded[2].answer == "you said HELLO"
    assert bench.store.inbox[KEY] == []


async def test_leave_to_ask_a_person_is_not_taken_for_their_answer(bench: Bench) -> None:
    bench.model.calls(("ask_user", {"question": "Which quarter?"})).answers("{}")
    leave = await asked(bench, ask_tool())
    say(bench, leave, Decision.EDIT, arguments={"question": "Which year?"})
    question = await asked(bench, ask_tool())
    say(bench, question, Decision.ANSWER, "2026")

    await bench.run(ask_tool(), permissions=ASK)

    assert [leave.waits[0].kind, question.waits[0].kind] == ["approval", "input"]
    assert question.waits[0].question == "Which year?"
    assert bench.recorded[2].answer == {"answer": "2026", "answered_by": "us_anna"}


async def test_each_of_two_calls_that_were_asked_back_is_followed_by_its_own(bench: Bench) -> None:
    tool, _ = post()
    first, second = ("post", {"text": "one"}), ("post", {"text": "two"})
    bench.model.calls(first, second).calls(("echo", {"text": "hm"})).calls(
        second, first, text="Because."
    )
    free = (PermissionRule(action=Action.ALLOW, tool="echo"), *ASK)
    before = await bench.run(tool, echo(), permissions=free)
    for wait in before.waits:
        bench.store.inbox.setdefault(KEY, []).append(
            InboxItem(wait.id, wait.id, Decision.ASK, "us_anna", "Why?")
        )

    after = await bench.run(tool, echo(), permissions=free)

    assert [wait.said for wait in after.waits] == ["Because."] * 2
    ids = {wait.arguments["text"]: wait.id for wait in before.waits}
    assert {wait.arguments["text"]: wait.follows for wait in after.waits} == ids


async def test_a_call_that_was_decided_is_followed_by_none(bench: Bench) -> None:
    tool, posted = post()
    for text in ("one", "two", "three"):
        bench.model.calls(("post", {"text": text}))
    say(bench, await asked(bench, tool), Decision.ASK, "Why?")
    second = await asked(bench, tool)
    say(bench, second, Decision.APPROVE)

    third = await asked(bench, tool)

    assert (second.waits[0].follows is None, third.waits[0].follows) == (False, None)
    assert posted == ["two"]
