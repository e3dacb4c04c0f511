"""`omniforge run`, `omniforge runs` and `omniforge approvals`."""

import json
from pathlib import Path

from tests.cli.driving import EXAMPLE, CommandLine
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer, later

INPUT = ("--input", '{"file": "tasks.csv", "today": "2026-11-20"}')
TABLE = ("--file", str(EXAMPLE / "tasks.csv"))
ASKING = '1. Post: `post_ask {"text": "hello"}`\n2. Answer: `{"posted": true}`'


@requirement("SDK-3")
async def test_a_run_is_watched_to_its_end(cli: CommandLine) -> None:
    await cli("agents", "create", str(EXAMPLE), "--name", "watched", "--activate")

    ran = await cli("run", "watched", *INPUT, *TABLE)

    assert ran.status == 0, ran.err
    assert "write-overdue-report   14" in ran.out
    assert 'write_file path="report.md"' in ran.out
    assert "run completed" in ran.out
    assert "files     overdue.csv, report.md, tasks.csv" in ran.out


@requirement("SDK-3")
async def test_a_run_leaves_one_document_of_json_and_its_files_can_be_fetched(
    cli: CommandLine, tmp_path: Path
) -> None:
    agent = (await cli("agents", "create", str(EXAMPLE), "--activate", "--json")).id
    (tmp_path / "input.json").write_text(INPUT[1])

    run = (await cli("run", agent, "--input", f"@{tmp_path}/input.json", *TABLE, "--json")).document
    listed = await cli("runs", "files", run["id"])
    saved = await cli("runs", "files", run["id"], "report.md", "--download", str(tmp_path / "to"))

    assert run["status"] == "completed"
    assert [line[0] for line in listed.lines] == ["overdue.csv", "report.md", "tasks.csv"]
    assert saved.out == ""
    assert (tmp_path / "to" / "report.md").read_text().startswith("# Overdue tasks")
    assert not (tmp_path / "to" / "tasks.csv").exists()


@requirement("SDK-3")
async def test_a_run_is_started_and_left_and_looked_at_later(
    cli: CommandLine, platform: Platform
) -> None:
    agent = await platform.agent(skill("quick"))
    run = (await cli("run", agent, "--detach")).out.strip()

    watched = await cli("runs", "watch", run, "--json")
    events = [json.loads(line) for line in watched.out.splitlines()]
    steps = await cli("runs", "steps", run)
    shown = await cli("runs", "show", run)

    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["body"]["type"] == "run_finished"
    assert [line[:4] for line in steps.lines] == [
        ["quick", "0", "preamble", "preamble"],
        ["quick", "1", "model", "model"],
    ]
    assert f"run       {run}\nstatus    completed" in shown.out


async def test_runs_are_listed_by_agent_and_status(cli: CommandLine, platform: Platform) -> None:
    agent = await platform.agent(skill("quick"))
    run = (await cli("run", agent, "--json")).id

    mine = await cli("runs", "list", "--agent", agent)
    none = await cli("runs", "list", "--agent", agent, "--status", "failed")

    assert [line[:3] for line in mine.lines] == [[run, agent, "completed"]]
    assert none.out == ""
    assert "omniforge run AGENT" in none.err


@requirement("SDK-3")
async def test_a_failed_run_has_a_status_of_its_own(cli: CommandLine, platform: Platform) -> None:
    agent = await platform.agent(skill("lost", '1. Read: `read_file {"path": "nix"}`'))

    failed = await cli("run", agent)

    assert failed.status == 4
    assert "failed: There is no file 'nix'" in failed.out
    assert "(offline_cannot)" in failed.out


@requirement("SDK-3")
async def test_watching_ends_at_its_timeout_and_the_run_goes_on_until_it_is_cancelled(
    cli: CommandLine, platform: Platform
) -> None:
    platform.model.decides(lambda _: later(30, answer("late")))
    agent = await platform.agent(skill("slow"))

    left = await cli("run", agent, "--timeout", "0.5")
    run = left.err.split("omniforge runs watch ")[1].strip()
    cancelled = await cli("runs", "cancel", run)
    ended = await cli("runs", "watch", run)

    assert left.status == 5
    assert "has not ended after 0.5 s and goes on" in left.err
    assert cancelled.status == 0
    assert (ended.status, "run cancelled" in ended.out) == (5, True)


@requirement("SDK-3", "DUR-4")
async def test_a_question_of_a_run_is_listed_and_decided(
    cli: CommandLine, platform: Platform
) -> None:
    platform.service.lost_answers = 1
    agent = await platform.agent(skill("poster", ASKING, allowed="post_ask"))
    run = (await cli("run", agent, "--detach")).out.strip()
    await platform.until(run, {"waiting"})

    open_ones = [line for line in (await cli("approvals", "list")).lines if line[1] == run]
    decided = await cli("approvals", "decide", open_ones[0][0], "happened", "--reason", "seen")
    again = await cli("approvals", "decide", open_ones[0][0], "skip")
    ended = await cli("runs", "watch", run)

    assert decided.status == 0
    assert f"omniforge runs watch {run}" in decided.err
    assert again.status == 1
    assert ended.status == 0
    assert "waits for a person" in ended.out
    assert "goes on after its wait" in ended.out


async def test_what_cannot_be_used_is_a_matter_of_usage(cli: CommandLine) -> None:
    for words in (
        ("run", "a", "--input", "{"),
        ("run", "a", "--input", "[]"),
        ("run", "a", "--input", "@/no/such/file"),
        ("run", "a", "--file", "/no/such/file"),
        ("run", "a", *TABLE, *TABLE),
        ("approvals", "decide", "ap", "maybe"),
        ("runs", "nonsense"),
    ):
        refused = await cli(*words)
        assert refused.status == 2, words
        assert "Error: " in refused.err


async def test_a_draft_is_not_run_and_the_way_on_is_told(cli: CommandLine) -> None:
    draft = (await cli("agents", "create", str(EXAMPLE), "--json")).id

    refused = await cli("run", draft)

    assert refused.status == 1
    assert "is draft; activate it" in refused.err
    assert "omniforge agents activate" in refused.err


async def test_a_file_that_a_run_does_not_have_is_told(
    cli: CommandLine, platform: Platform
) -> None:
    run = await platform.run(skill("quick"))

    assert (await cli("runs", "files", run["id"])).err == "The run has no files.\n"
    assert "no file 'x'" in (await cli("runs", "files", run["id"], "x")).err
