"""Tools of servers that behave, and of servers that do not: every call ends, and says how."""

import asyncio
from pathlib import Path

import pytest

from omniforge.agents.runs import ErrorInfo
from omniforge.errors import (
    McpServerUnavailable,
    Observation,
    OutcomeUnknown,
    ToolChanged,
    TryAgain,
)
from omniforge.journal.steps import EffectClass, Step, StepKind, StepStatus
from omniforge.tools.mcp.servers import Server, Trust
from omniforge.tools.protocol import Tool, ToolCallContext, WithFiles
from omniforge.tools.registry import ToolRegistry
from tests.mcp.honest import PIXEL, make_server
from tests.mcp.making import (
    by_name,
    honest,
    legacy,
    observed,
    offered,
    on_the_web,
    rogue,
    tools_of,
    web,
)
from tests.support.ports import free_port
from tests.support.requirements import requirement


@requirement("TOOL-2")
async def test_tools_over_http_answer_with_what_they_have(
    url: str, context: ToolCallContext
) -> None:
    async with tools_of({"web": web(url)}) as servers:
        tools = by_name(await offered(servers, "web"))

        added = await tools["mcp__web__add"].run({"a": 1, "b": 2}, context)
        failed = await observed(tools["mcp__web__fail"], context)
        huge = await tools["mcp__web__huge"].run({}, context)

    assert added == {"result": 3}
    assert isinstance(failed, TryAgain)
    assert "the moon is in the wrong place" in failed.message
    assert len(huge["result"]) == 10_000_000
    assert all(tool.spec.is_outside for tool in tools.values())


@requirement("TOOL-2")
async def test_pictures_sounds_and_documents_become_files(
    url: str, context: ToolCallContext
) -> None:
    async with tools_of({"web": web(url)}) as servers:
        tools = by_name(await offered(servers, "web"))
        answer = await tools["mcp__web__picture"].run({}, context)

    assert isinstance(answer, WithFiles)
    picture, sound, document = answer.answer["files"]
    assert (picture[-4:], sound[-4:], document[-4:]) == (".png", ".wav", ".pdf")
    assert context.workspace.read(picture) == PIXEL
    assert set(answer.workspace) == {picture, sound, document}
    assert answer.answer["text"] == "Here they are."


@pytest.mark.parametrize("is_legacy", [False, True], ids=["newest", "handshake"])
async def test_a_change_that_is_announced_is_told_once(
    tmp_path: Path, context: ToolCallContext, is_legacy: bool
) -> None:
    app = legacy if is_legacy else None
    async with (
        on_the_web(make_server(tmp_path), app) as url,
        tools_of({"web": web(url)}) as servers,
    ):
        tools = by_name(await offered(servers, "web"))
        registry = ToolRegistry(tools.values())
        add = tools["mcp__web__add"]
        await tools["mcp__web__change"].run({}, context)
        async with asyncio.timeout(10):
            while isinstance(told := await outcome(add, context, a=1, b=2), dict):
                await asyncio.sleep(0.02)

        registry.schema_of(add.spec.name).check({"numbers": [1, 2]})
        added = await add.run({"numbers": [1, 2, 3]}, context)

    assert isinstance(told, ToolChanged)
    assert '"numbers"' in told.message
    assert added == {"result": 6}


async def outcome(tool: Tool, context: ToolCallContext, **arguments: object) -> object:
    """What a call comes to. A server that has changed may fail a call before its news is heard."""
    try:
        return await tool.run(arguments, context)
    except ToolChanged as changed:
        return changed
    except TryAgain:
        return {}


async def test_a_model_that_was_told_of_a_change_is_not_told_again_in_a_later_segment(
    url: str, context: ToolCallContext
) -> None:
    old = {"name": "mcp__web__add", "description": "Old.", "parameters": {"type": "object"}}
    preamble = Step(
        0, StepKind.PREAMBLE, "preamble", "", StepStatus.CONFIRMED, answer={"tools": [old]}
    )
    async with tools_of({"web": web(url)}) as servers:
        (first,) = await offered(servers, "web", known=[preamble])
        told = await observed(first, context, a=1, b=2)
        notice = Step(1, StepKind.TOOL, "mcp__web__add", "", StepStatus.FAILED, error=info(told))
        (again,) = await offered(servers, "web", known=[preamble, notice])
        added = await again.run({"a": 1, "b": 2}, context)

    assert isinstance(told, ToolChanged)
    assert added == {"result": 3}


async def test_what_only_reads_is_decided_by_us_and_not_by_the_server(url: str) -> None:
    servers: dict[str, Server] = {
        "none": web(url),
        "said": web(url, trust=Trust.ANNOTATIONS),
        "all": web(url, trust=Trust.READ_ONLY),
        "one": web(url, read_only=("note",)),
    }
    async with tools_of(servers) as source:
        tools = by_name(await offered(source, *servers))
    reading = {
        name
        for name, tool in tools.items()
        if tool.effect_of({}) is EffectClass.READ and name.endswith(("add", "note"))
    }

    assert reading == {"mcp__said__add", "mcp__all__add", "mcp__all__note", "mcp__one__note"}


async def test_a_skill_is_offered_what_its_allowed_tools_name(url: str) -> None:
    nowhere = web(f"http://127.0.0.1:{free_port()}/mcp")
    async with tools_of({"web": web(url), "down": nowhere}, seconds=2) as servers:
        one = await offered(servers, "web", "down", allowed="mcp__web__add clock")
        every = await offered(servers, "web", "down", allowed="mcp__web")
        starred = await offered(servers, "web", "down", allowed="mcp__web__*")

    assert list(by_name(one)) == ["mcp__web__add"]
    assert list(by_name(every)) == list(by_name(starred))
    assert len(every) > 5


async def test_a_server_that_is_down_or_gone_stops_a_skill_that_begins() -> None:
    nowhere = web(f"http://127.0.0.1:{free_port()}/mcp")
    async with tools_of({"down": nowhere}, seconds=1) as servers:
        for name, said in (("down", "cannot be reached"), ("gone", "has been removed")):
            with pytest.raises(McpServerUnavailable, match=said):
                await offered(servers, name)


async def test_a_server_that_is_down_is_an_observation_to_a_skill_that_goes_on(
    context: ToolCallContext,
) -> None:
    tool = {"name": "mcp__down__add", "description": "", "parameters": {"type": "object"}}
    gone = {**tool, "name": "mcp__gone__add"}
    preamble = Step(
        0, StepKind.PREAMBLE, "preamble", "", StepStatus.CONFIRMED, answer={"tools": [tool, gone]}
    )
    nowhere = web(f"http://127.0.0.1:{free_port()}/mcp")
    async with tools_of({"down": nowhere}, seconds=1) as servers:
        tools = await offered(servers, "down", "gone", known=[preamble])
        said = [await observed(tool, context) for tool in tools]

    assert [type(one) for one in said] == [TryAgain, TryAgain]
    assert "cannot be reached" in said[0].message
    assert "has been removed" in said[1].message
    assert [tool.effect_of({}) for tool in tools] == [EffectClass.ASK, EffectClass.ASK]


async def test_private_addresses_are_for_the_operator_only(url: str) -> None:
    mine = web(url).model_copy(update={"is_operators": False})
    async with tools_of({}, seconds=1) as servers:
        with pytest.raises(McpServerUnavailable, match="private"):
            await offered(servers, "mine", own_servers={"mine": mine})
    async with tools_of({}, allow_private=["127.0.0.1"]) as servers:
        assert await offered(servers, "mine", own_servers={"mine": mine})


async def test_a_session_that_the_server_has_dropped_is_made_anew(
    tmp_path: Path, context: ToolCallContext
) -> None:
    """The server comes up again at the same port, without memory of its sessions."""
    port = free_port()
    async with tools_of({"web": web(f"http://127.0.0.1:{port}/mcp")}) as servers:
        async with on_the_web(make_server(tmp_path), legacy, port):
            (note,) = await offered(servers, "web", allowed="mcp__web__note")
            await note.run({"text": "one"}, context)
        down = await observed(note, context, text="two")
        async with on_the_web(make_server(tmp_path), legacy, port):
            answer = await note.run({"text": "three"}, context)

    assert "cannot be reached" in down.message
    assert answer == {"result": "posted three"}
    assert (tmp_path / "posts").read_text().split() == ["one", "three"]


# ---- programs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("garbage", "no result"),
        ("flood", "broke before the answer came"),
    ],
)
async def test_a_call_that_goes_wrong_on_the_way_is_in_doubt(
    context: ToolCallContext, way: str, said: str
) -> None:
    async with tools_of({"rogue": rogue(way)}) as servers:
        (tool,) = await offered(servers, "rogue")
        doubt = await observed(tool, context)

    assert isinstance(doubt, OutcomeUnknown)
    assert said in doubt.message


async def test_a_call_that_takes_too_long_is_in_doubt(
    url: str, context: ToolCallContext, tmp_path: Path
) -> None:
    async with tools_of({"web": web(url)}, seconds=1) as servers:
        (hold,) = await offered(servers, "web", allowed="mcp__web__hold")
        doubt = await observed(hold, context, text="held")

    assert isinstance(doubt, OutcomeUnknown)
    assert "did not answer within 1 seconds" in doubt.message
    assert (tmp_path / "posts").read_text() == "held\n"


async def test_a_server_that_never_answers_the_handshake_is_given_up() -> None:
    async with tools_of({"rogue": rogue("silent")}, seconds=1) as servers:
        with pytest.raises(McpServerUnavailable, match=r"did not answer within 0\.5 seconds"):
            await offered(servers, "rogue")


async def test_lists_without_end_and_tools_beyond_counting_are_cut() -> None:
    servers: dict[str, Server] = {way: rogue(way) for way in ("endless", "many", "broken")}
    async with tools_of(servers) as source:
        counts = {way: len(await offered(source, way)) for way in servers}
        one = await offered(source, "many", allowed="mcp__many__t499")

    assert counts == {"endless": 20, "many": 100, "broken": 2}
    assert list(by_name(one)) == ["mcp__many__t499"]


async def test_a_program_that_is_not_there_is_named() -> None:
    missing = honest(Path("none")).model_copy(update={"command": "no-such-program"})
    async with tools_of({"missing": missing}, seconds=2) as servers:
        with pytest.raises(McpServerUnavailable, match="'missing'"):
            await offered(servers, "missing")


def info(told: Observation) -> ErrorInfo:
    return ErrorInfo(code=told.code, message=told.message)
