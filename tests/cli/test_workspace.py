"""`omniforge workspace`, and how a queued run looks."""

import asyncio

import pytest

from omniforge.llm.protocol import Completion, Turn
from omniforge.store.access import create_key, create_tenant
from tests.cli.driving import CommandLine
from tests.support.platform import PATIENCE, Platform
from tests.support.requirements import requirement
from tests.support.scripted import answer


@pytest.fixture
async def own(platform: Platform) -> CommandLine:
    """A command line that is signed in to a workspace of its own."""
    database = platform.store.database
    owner = await database.write(lambda c: create_tenant(c, "Own", "Anna"))
    key = await database.write(lambda c: create_key(c, owner, "test"))
    return CommandLine({"OMNIFORGE_API_URL": str(platform.api.base_url), "OMNIFORGE_API_KEY": key})


@requirement("SDK-3")
async def test_the_limits_of_a_workspace_are_shown_and_set(own: CommandLine) -> None:
    before = await own("workspace", "limits")
    both = (await own("workspace", "limits", "--max-runs", "5", "--weight", "2", "--json")).document
    one = (await own("workspace", "limits", "--max-runs", "0", "--json")).document
    back = await own("workspace", "limits", "--max-runs", "platform")
    refused = await own("workspace", "limits", "--max-runs", "many")

    assert "runs at once  any number (the platform's)" in before.out
    assert (both["cap"], both["fairness_weight"]) == (5, 2.0)
    assert (one["cap"], one["fairness_weight"]) == (0, 2.0)
    assert "any number (the platform's)" in back.out
    assert refused.status == 2


@requirement("NFR-5", "SDK-3")
async def test_a_queued_run_shows_its_position_until_it_begins(
    own: CommandLine, platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> None:
    go = asyncio.Event()

    async def answer_later(_: Completion) -> Turn:
        async with asyncio.timeout(PATIENCE):
            await go.wait()
        return answer("done")

    platform.model.decides(answer_later)
    folder = tmp_path_factory.mktemp("agents") / "greet"
    folder.mkdir()
    (folder / "SKILL.md").write_text(
        "---\nname: greet\ndescription: Greets. Use when greeting.\n---\n\n1. Answer: hello\n"
    )
    agent = (await own("agents", "create", str(folder), "--activate", "--json")).id
    await own("workspace", "limits", "--max-runs", "1")
    first = (await own("run", agent, "--detach")).out.strip()
    queued = [
        (await own("run", agent, "--priority", kind, "--detach")).out.strip()
        for kind in ("bulk", "normal")
    ]
    async with asyncio.timeout(PATIENCE):
        while len((await own("runs", "list", "--status", "queued")).lines) < len(queued):
            await asyncio.sleep(0.05)

    shown = await own("runs", "show", queued[0])
    go.set()
    watched = await own("runs", "watch", queued[0])
    await own("runs", "watch", first)

    assert "status    queued, position 2" in shown.out
    assert "queued, position" in watched.out
    assert "run completed" in watched.out
