"""Scripts of skills through the whole product: HTTP, worker, sandbox, store."""

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from dev.platform import Platform as Processes
from omniforge.settings import Settings
from tests.sandbox.test_abuse import left_of
from tests.support.platform import Platform, skill
from tests.support.ports import free_port
from tests.support.processes import PATIENCE, api_of, ended, started
from tests.support.requirements import requirement

COUNT = """
import json, os, sys
words = open('words.txt').read().split() if os.path.exists('words.txt') else []
words.append(sys.argv[1])
open('words.txt', 'w').write(' '.join(words))
print(json.dumps({"words": words, "table": open(os.environ["SKILL_DIR"] + "/assets/table.txt").read()}))
"""

ONCE = """
import sys, time
open('log.txt', 'a').write('x')
time.sleep(float(sys.argv[2]))
print(open('log.txt').read())
"""


def scripted(name: str, body: str, **more: Any) -> dict[str, Any]:
    made = skill(name, body, **more)
    made["files"] |= {
        "scripts/count.py": COUNT,
        "scripts/once.py": ONCE,
        "assets/table.txt": "t",
    }
    return made


def running(script: str, *args: str) -> str:
    call = json.dumps({"script": script, "args": list(args)})
    return f"`run_skill_script {call}`"


@requirement("SKL-6")
async def test_a_skill_runs_its_script_and_hands_its_files_on(platform: Platform) -> None:
    first = f"1. Run: {running('scripts/count.py', '${input.word}')}\n2. Answer: done"
    second = (
        f"1. Run: {running('scripts/count.py', 'two')}\n"
        '2. Answer: `{"said": "${steps.1.stdout}", "changed": "${steps.1.files_changed}"}`'
    )

    run = await platform.run(
        scripted("first", first),
        scripted("second", second, order=2),
        input_data={"word": "one; $HOME"},
    )

    assert run["status"] == "completed", run["error"]
    assert json.loads(run["result"]["said"]) == {"words": ["one;", "$HOME", "two"], "table": "t"}
    assert run["result"]["changed"] == ["words.txt"]


@requirement("SKL-5", "SKL-6")
async def test_a_skill_without_scripts_or_the_right_is_not_offered_the_tool(
    platform: Platform,
) -> None:
    body = f"1. Run: {running('scripts/count.py', 'x')}\n2. Answer: done"
    await platform.run(skill("plain", body))
    await platform.run(scripted("limited", body, allowed="read_file"))

    offered = [{tool.name for tool in request.tools} for request in platform.model.asked]
    assert not any("run_skill_script" in names for names in offered)


@requirement("SKL-4", "SKL-6")
async def test_commands_in_a_text_are_text_unless_the_operator_permits_them(
    platform: Platform,
) -> None:
    await platform.run(scripted("plain", "Here: !`cat assets/table.txt`\n\n1. Answer: done"))

    assert "!`cat assets/table.txt`" in platform.model.asked[0].system


@pytest.mark.long
@requirement("SKL-6", "DUR-1")
async def test_a_worker_killed_in_mid_script_leaves_no_trace_of_it(tmp_path: Path) -> None:
    token = uuid.uuid4().hex
    body = (
        f"1. Run: {running('scripts/once.py', token, '1.5')}\n"
        '2. Answer: `{"log": "${steps.1.stdout}"}`'
    )
    settings = Settings(_env_file=None, home=tmp_path, port=free_port(), llm_provider="offline")
    async with Processes.start(settings) as processes, api_of(processes) as api:
        execution = await started(api, scripted("one", body))
        async with asyncio.timeout(PATIENCE):
            while not (first := set(left_of(token))):
                await asyncio.sleep(0.05)
            processes.kill("worker")
            while first & set(left_of(token)):
                await asyncio.sleep(0.05)
        run = await ended(api, execution)

    assert run["result"] == {"log": "x\n"}
