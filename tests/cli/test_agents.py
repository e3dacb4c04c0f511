"""`omniforge agents`."""

from pathlib import Path

import pytest

from tests.cli.driving import EXAMPLE, SKILL, CommandLine, a_skill
from tests.client.wire import NO_AGENTS, wire_server
from tests.support.requirements import requirement


@requirement("SDK-3")
async def test_an_agent_is_created_from_a_folder_and_shown(cli: CommandLine) -> None:
    created = await cli("agents", "create", str(EXAMPLE), "--name", "shown-once")
    shown = await cli("agents", "show", "shown-once")

    assert (created.status, shown.status) == (0, 0)
    assert "status       draft" in created.out
    assert "Next: omniforge agents activate ag_" in created.err
    assert "find-overdue-tasks, write-overdue-report" in shown.out


@requirement("SDK-3")
async def test_an_agent_is_switched(cli: CommandLine, tmp_path: Path) -> None:
    folder = a_skill(tmp_path / "greet")
    agent = (await cli("agents", "create", str(folder), "--activate", "--json")).id

    states = [
        (await cli("agents", verb, agent, "--json")).document["status"]
        for verb in ("show", "pause", "activate", "archive")
    ]

    assert states == ["active", "paused", "active", "archived"]


@requirement("SDK-3")
async def test_a_list_is_lines_of_tabs_where_nobody_looks(cli: CommandLine) -> None:
    made = (await cli("agents", "create", str(EXAMPLE), "--name", "of a list", "--json")).id

    listed = await cli("agents", "list", "--status", "draft", "--limit", "1")

    assert listed.lines == [[made, "of a list", "draft", "2", "0/0", "-"]]
    assert "There are more: --cursor" in listed.err


async def test_a_list_as_json_has_the_shape_of_the_api(cli: CommandLine) -> None:
    await cli("agents", "create", str(EXAMPLE), "--json")

    page = (await cli("agents", "list", "--limit", "1", "--json")).document

    assert len(page["agents"]) == 1
    assert page["agents"][0]["limits"]["max_iterations"] == 40
    assert "next_cursor" in page


async def test_an_empty_list_says_what_to_do(alone: CommandLine) -> None:
    async with wire_server() as wire:
        wire.says(NO_AGENTS)
        listed = await alone("agents", "list", "--api-url", wire.url, "--api-key", "of_sk_x")

    assert (listed.status, listed.out) == (0, "")
    assert listed.err == "No agents yet. Create one: omniforge agents create PATH\n"


async def test_a_broken_skill_is_refused_with_the_way_to_see_why(
    cli: CommandLine, tmp_path: Path
) -> None:
    folder = a_skill(tmp_path / "greet", SKILL.replace("description", "desc"))

    refused = await cli("agents", "create", str(folder))

    assert refused.status == 1
    assert refused.err.splitlines()[0].startswith("omniforge: Skill 'greet' is not valid")
    assert "omniforge validate" in refused.err.splitlines()[1]


@pytest.mark.parametrize("verb", ["show", "activate", "pause", "archive"])
async def test_an_agent_that_is_not_there_is_told_in_two_lines(cli: CommandLine, verb: str) -> None:
    told = await cli("agents", verb, "nobody")

    assert told.status == 1
    assert told.err.splitlines() == [
        "omniforge: There is no agent 'nobody'.",
        "`omniforge agents list` shows what there is.",
    ]
