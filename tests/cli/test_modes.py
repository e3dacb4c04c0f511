"""`omniforge test`, `omniforge runs replay`, `fork` and `held`."""

import json
from pathlib import Path

from tests.cli.driving import EXAMPLE, CommandLine, a_skill
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement

POSTING = '1. Post: `post_keyed {"text": "hello"}`\n2. Answer: `{"posted": true}`'
SENDING = """---
name: send
description: Sends. Use when testing.
---

1. Look: `clock {}`
2. Send: `http_post {"url": "http://127.0.0.1:9/x", "json": {"to": "ann", "at": "${steps.1}"}}`
3. Answer: `{"sent": "${steps.2.status}"}`
"""


@requirement("FR-5", "DRY-1", "SDK-3")
async def test_a_draft_is_tried_out_and_what_it_would_send_is_shown(
    cli: CommandLine, platform: Platform
) -> None:
    agent = await platform.agent(skill("poster", POSTING), status="draft")

    tried = await cli("test", agent)
    run = next(line for line in tried.out.splitlines() if line.startswith("run ")).split()[1]
    held = await cli("runs", "held", run)
    document = (await cli("runs", "held", run, "--json")).document

    assert tried.status == 0, tried.err
    assert "mode      dry run" in tried.out
    assert held.lines == [["poster", "2", "post_keyed", "keyed", "text", "hello"]]
    assert held.out in tried.out
    assert "Held back, and not sent: 1" in held.err
    assert document["held"][0]["arguments"] == {"text": "hello"}
    assert platform.service.posts == []


@requirement("FR-5")
async def test_answers_come_from_a_file_or_from_an_earlier_run(
    cli: CommandLine, platform: Platform, tmp_path: Path
) -> None:
    body = '1. Post: `post_keyed {"text": "hello"}`\n2. Answer: `${steps.1.posted}`'
    run = await platform.run(skill("poster", body))
    answers = tmp_path / "answers.json"
    answers.write_text('{"post_keyed": {"posted": "given"}}')

    given = await cli("test", run["agent_id"], "--answers", str(answers), "--json")
    earlier = await cli("test", run["agent_id"], "--answers-of", run["id"], "--json")
    real = await cli("test", run["agent_id"], "--integration", "--json")

    assert given.document["result"] == {"answer": "given"}
    assert earlier.document["result"] == real.document["result"] == run["result"]
    assert (given.document["mode"], real.document["mode"]) == ("dry_run", "integration")
    assert len(platform.service.posts) == 2


@requirement("DUR-5", "SDK-3")
async def test_a_replay_is_compared_and_a_fork_is_watched(
    cli: CommandLine, platform: Platform, tmp_path: Path
) -> None:
    run = await platform.run(skill("greet", "1. Answer: `hello`"))
    text = "---\nname: greet\ndescription: Greets. Use when testing.\n---\n\n1. Answer: `bye`\n"
    folder = a_skill(tmp_path / "greet", text)

    replay = await cli("runs", "replay", run["id"])
    forked = ("runs", "fork", run["id"], "--node", "greet", "--step", "1")
    fork = await cli(*forked, "--skill", str(folder), "--json")
    left = await cli(*forked, "--detach")
    nowhere = await cli("runs", "fork", run["id"], "--node", "greet", "--step", "9")
    await platform.ended(left.out.strip())

    assert replay.status == 0, replay.err
    assert f"identical  yes, in canonical form, to {run['id']}" in replay.out
    assert fork.document["result"] == {"answer": "bye"}
    assert (nowhere.status, "steps on record" in nowhere.err) == (1, True)


@requirement("EXE-3", "FR-5")
async def test_a_folder_is_tried_out_without_a_platform(alone: CommandLine, tmp_path: Path) -> None:
    folder = a_skill(tmp_path / "send", SENDING)

    tried = await alone("test", str(folder))
    document = (await alone("test", str(folder), "--json")).document

    assert tried.status == 0, tried.err
    assert ["send", "2", "clock", "real", ""] in tried.lines
    assert ["send", "4", "http_post", "invented", "held"] in tried.lines
    assert ["send", "4", "http_post", "ask", "url", "http://127.0.0.1:9/x"] in tried.lines
    assert document["outputs"] == {"send": {"sent": 200}}
    assert document["success"]


async def test_the_example_is_tried_out_where_it_lies(alone: CommandLine) -> None:
    table = ("--file", str(EXAMPLE / "tasks.csv"))
    given = ("--input", '{"file": "tasks.csv", "today": "2026-11-20"}')

    tried = await alone("test", str(EXAMPLE), *table, *given, "--json")

    assert tried.document["outputs"]["write-overdue-report"]["overdue"] == 58
    assert tried.document["files"] == ["overdue.csv", "report.md", "tasks.csv"]


async def test_a_failed_trial_of_a_folder_has_a_status_of_its_own(
    alone: CommandLine, tmp_path: Path
) -> None:
    broken = a_skill(tmp_path / "lost", SENDING.replace("send", "lost").replace("clock", "nix"))
    (tmp_path / "wired").mkdir()
    (tmp_path / "wired" / "agent.json").write_text(json.dumps({"skills": [{"name": "NO"}]}))
    (tmp_path / "empty").mkdir()

    failed = await alone("test", str(broken))
    miswired = await alone("test", str(tmp_path / "wired"))
    empty = await alone("test", str(tmp_path / "empty"))
    mixed = await alone("test", str(broken), "--integration", "--answers", str(broken / "SKILL.md"))

    assert (failed.status, "error of lost" in failed.out) == (4, True)
    assert (miswired.status, "skills.0.name" in miswired.err) == (1, True)
    assert (empty.status, "holds no skill" in empty.err) == (1, True)
    assert mixed.status == 2
