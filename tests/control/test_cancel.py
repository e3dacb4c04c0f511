"""Cancelling reaches whatever runs for a run: its scripts, the runs it started, and their scripts."""

import asyncio
import json
import uuid

from tests.control.driving import told
from tests.e2e.test_sub_agents import children_of
from tests.sandbox.test_abuse import left_of
from tests.sandbox.test_platform import running, scripted
from tests.support.platform import PATIENCE, Platform, skill
from tests.support.requirements import requirement

# What the product promises, from the request to the last process's end.
AT_MOST = 10.0


@requirement("DUR-3", "SKL-6")
async def test_cancelling_ends_the_processes_of_a_run_and_of_its_child(platform: Platform) -> None:
    mine, theirs = uuid.uuid4().hex, uuid.uuid4().hex
    napping = "1. Run: {}\n2. Answer: done"
    child = await platform.agent(
        scripted("below", napping.format(running("scripts/once.py", theirs, "60")))
    )
    call = json.dumps({"agent": child, "input": {}})
    agent = await platform.agent(
        scripted("side", napping.format(running("scripts/once.py", mine, "60"))),
        skill("leading", f"1. Run: `run_agent {call}`\n2. Answer: done"),
        sub_agents=[child],
    )
    execution = await platform.start(agent)
    async with asyncio.timeout(PATIENCE):
        while not (left_of(mine) and left_of(theirs)):
            await asyncio.sleep(0.05)

    await told(platform, execution, "cancel")
    async with asyncio.timeout(AT_MOST):
        run = await platform.ended(execution)
        (below,) = await children_of(platform, execution)
        below = await platform.ended(below["id"])
        while left_of(mine) or left_of(theirs):
            await asyncio.sleep(0.05)

    assert (run["status"], below["status"]) == ("cancelled", "cancelled")
    said = {one["id"]: one["error"]["message"] for one in run["skill_results"]}
    assert "run_skill_script" in said["side"]
    assert "run_agent" in said["leading"]
    assert all(message in run["error"] for message in said.values())
    assert "run_skill_script" in below["error"]
