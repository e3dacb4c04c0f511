"""`omniforge approvals`, and deciding where a run is watched."""

import json
from pathlib import Path

from tests.cli.driving import CommandLine
from tests.cli.terminal import at_terminal
from tests.e2e.asking import ASKS_FIRST, asking, decide, posting, question_of, said
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer


@requirement("SDK-3", "DUR-4")
async def test_an_approval_is_shown_and_its_call_made_with_other_arguments(
    cli: CommandLine, platform: Platform, tmp_path: Path
) -> None:
    question = await asking(platform, limits={"patience": {"give_up_after_s": 86_400}})
    file = tmp_path / "edit.json"
    file.write_text('{"text": "HELLO"}')

    shown = await cli("approvals", "show", question["id"])
    wrong = await cli("approvals", "decide", question["id"], "edit", "--arguments", '{"txt": 1}')
    broken = await cli("approvals", "decide", question["id"], "edit", "--arguments", "{")
    decided = await cli("approvals", "decide", question["id"], "edit", "--arguments", f"@{file}")
    await platform.ended(question["execution_id"])
    after = await cli("approvals", "show", question["id"])

    assert 'arguments    {"text": "hello"}' in shown.out
    assert "gives up     20" in shown.out
    assert f"approvals decide {question['id']} approve|edit|reject|ask" in shown.err
    assert (wrong.status, "'txt' is not a field" in wrong.err) == (1, True)
    assert (broken.status, "it is not JSON" in broken.err) == (2, True)
    assert decided.status == 0, decided.err
    assert 'made with    {"text": "HELLO"}' in after.out
    assert [text for _, text in platform.service.posts] == ["HELLO"]


async def test_a_thread_of_questions_is_shown(cli: CommandLine, platform: Platform) -> None:
    replies = [said("", "hello"), said("It is Monday.", "hello"), answer("{}")]
    platform.model.decides(lambda request: replies[len(request.messages) // 2])
    execution = await platform.start(await platform.agent(skill("poster"), **ASKS_FIRST))
    first = await question_of(platform, execution)
    empty = await cli("approvals", "decide", first["id"], "ask")
    await cli("approvals", "decide", first["id"], "ask", "--reason", "Why today?")
    second = await question_of(platform, execution, after=first["id"])

    shown = await cli("approvals", "show", second["id"])
    as_json = await cli("approvals", "show", second["id"], "--json")
    await decide(platform, second, "reject")
    await platform.ended(execution)

    assert (empty.status, "'ask' needs what you want to know" in empty.err) == (1, True)
    assert "the model says  It is Monday." in shown.out
    assert "Why today?" in shown.err
    assert [one["id"] for one in as_json.document["thread"]] == [first["id"]]


async def test_approvals_are_listed_by_what_is_asked_for(
    cli: CommandLine, platform: Platform
) -> None:
    question = await asking(platform, name="lister")
    of_run = await cli("approvals", "list", "--run", question["execution_id"])
    of_agent = await cli("approvals", "list", "--agent", question["agent_id"], "--kind", "effect")
    overdue = await cli("approvals", "list", "--overdue", "--mine", "--run", "ex_none", "--json")
    await decide(platform, question, "reject")
    await platform.ended(question["execution_id"])
    closed = await cli("approvals", "list", "--run", question["execution_id"], "--all")

    (line,) = of_run.lines
    assert line[:5] == [
        question["id"],
        question["execution_id"],
        "lister",
        "poster",
        "tool_call",
    ]
    assert (of_agent.lines, "None is like that." in of_agent.err) == ([], True)
    assert overdue.document == {"approvals": [], "next_cursor": None}
    assert closed.lines[0][6] == "reject"


@requirement("SDK-3", "DUR-4")
async def test_who_watches_a_run_at_a_terminal_is_asked_right_there(
    cli: CommandLine, platform: Platform
) -> None:
    posting(platform)
    agent = await platform.agent(skill("poster"), **ASKS_FIRST)

    async with at_terminal(cli.variables, "run", agent) as terminal:
        await terminal.asked("May post_keyed be called?")
        await terminal.asked("Decide (approve, edit, reject, ask, later)")
        terminal.types("edit")
        await terminal.asked("Arguments")
        terminal.types('{"txt": "HI"}')
        await terminal.asked("Why")
        terminal.types("shorter")
        await terminal.asked("'txt' is not a field")
        await terminal.asked("Decide")
        terminal.types("edit")
        await terminal.asked("Arguments")
        terminal.types(json.dumps({"text": "HI"}))
        await terminal.asked("Why")
        terminal.types("")
        await terminal.asked("changed by")
        status = await terminal.left()

    assert status == 0
    assert [text for _, text in platform.service.posts] == ["HI"]


async def test_who_wants_to_decide_later_is_told_how(cli: CommandLine, platform: Platform) -> None:
    posting(platform)
    agent = await platform.agent(skill("poster"), **ASKS_FIRST)

    async with at_terminal(cli.variables, "run", agent) as terminal:
        await terminal.asked("Decide (")
        terminal.types("")
        await terminal.asked("Later: omniforge approvals decide ask-")
        (open_one,) = (await platform.api.get("/api/v1/approvals")).json()["approvals"]
        await decide(platform, open_one, "reject", "no")
        status = await terminal.left()

    assert status == 0
    assert platform.service.posts == []
