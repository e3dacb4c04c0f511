"""`omniforge budgets`."""

import asyncio
from functools import partial

import pytest
from typer.testing import CliRunner

from omniforge.cli.app import app
from omniforge.cli.output import Output
from tests.cli.driving import CommandLine
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement


@requirement("SDK-3")
async def test_an_agents_cap_is_set_listed_and_cleared(
    cli: CommandLine, platform: Platform
) -> None:
    agent = await platform.agent(skill("one"), name="frugal")

    made = await cli("budgets", "set", "2.50", "--agent", "frugal", "--per", "month")
    listed = (await cli("budgets", "list", "--json")).document["budgets"]
    cleared = await cli("budgets", "clear", "--agent", agent, "--per", "month")
    again = await cli("budgets", "clear", "--agent", agent, "--per", "month")

    (line,) = made.lines
    assert line[:7] == ["agent", agent, "month", "2.5", "0", "0", "2.5"]
    assert [each["cap_usd"] for each in listed if each["subject"] == agent] == ["2.5"]
    assert (cleared.status, again.status) == (0, 1)
    assert "no budget a month" in again.err


@requirement("SDK-3")
async def test_without_a_name_the_cap_is_the_workspaces_and_me_is_the_caller(
    cli: CommandLine, platform: Platform
) -> None:
    ours = await cli("budgets", "set", "5000", "--json")
    mine = await cli("budgets", "set", "5000", "--user", "me", "--json")
    listed = await cli("budgets", "list")
    await cli("budgets", "clear")
    await cli("budgets", "clear", "--user", "me")

    assert (ours.document["scope"], ours.document["subject"]) == ("tenant", platform.tenant_id)
    assert mine.document["scope"] == "user"
    assert {"tenant", "user"} <= {line[0] for line in listed.lines}


async def test_costs_are_told_by_what_is_asked_for(cli: CommandLine, platform: Platform) -> None:
    platform.model.costs("0.001").answers("done")
    run = await platform.run(skill("one"))

    by_agent = await cli("budgets", "costs", "--since", run["created_at"][:10])
    nothing = await cli("budgets", "costs", "--by", "day", "--until", "2020-01-01")

    assert [run["agent_id"], "1", "0.02", "0"] in by_agent.lines
    assert (nothing.out, nothing.err) == ("", "No call that can cost money was made.\n")


async def test_what_makes_no_sense_is_a_wrong_use(cli: CommandLine) -> None:
    both = await cli("budgets", "set", "1", "--agent", "a", "--user", "me")
    words = await cli("budgets", "set", "much")

    assert (both.status, words.status) == (2, 2)
    assert "not both" in both.err
    assert "an amount like 2.50" in words.err


# ---- a run that is short of money --------------------------------------------------------------


async def frugal(platform: Platform, cap: str = "0.01") -> str:
    """An agent whose run needs two calls of more than a cent each."""
    platform.model.costs("0.000002").answers("not JSON").answers('{"done": true}')
    return await platform.agent(skill("one", allowed="clock"), limits={"budget_usd": cap})


async def execution_of(platform: Platform, agent: str) -> str:
    found = await platform.api.get(f"/api/v1/agents/{agent}/executions")
    (run,) = found.json()["executions"]
    return str(run["id"])


@requirement("BUD-3")
async def test_where_nobody_can_be_asked_the_command_that_raises_is_told(
    cli: CommandLine, platform: Platform
) -> None:
    agent = await frugal(platform)

    left = await cli("run", agent)
    run = await execution_of(platform, agent)
    no_raise = await cli("runs", "raise", run, "--budget-usd", "0.01")
    raised = await cli("runs", "raise", run, "--budget-usd", "1")
    watched = await cli("runs", "watch", run)

    assert left.status == 6
    assert "of the $0.01 of this run is left" in left.err
    assert f"Raise it: omniforge runs raise {run} --budget-usd USD" in left.err
    assert (raised.status, watched.status) == (0, 0), raised.err
    assert raised.out.startswith(f"{run} may spend $1; ")
    assert (no_raise.status, "may spend $0.01 already" in no_raise.err) == (1, True)
    assert "may spend $1 now" in watched.out


@requirement("BUD-3")
async def test_a_person_at_a_terminal_is_asked_and_the_run_goes_on(
    cli: CommandLine, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await frugal(platform)
    monkeypatch.setattr(Output, "can_ask", True)

    words = ("run", agent)
    typed = partial(CliRunner().invoke, input="much\n1\n", env=dict(cli.variables))
    ran = await asyncio.to_thread(typed, app, words)

    assert ran.exit_code == 0, ran.stderr
    assert "The next model call may cost up to $0.0" in ran.stderr
    assert "Raise the run's budget to [0.0" in ran.stderr
    assert "not an amount like 2.50" in ran.stderr
    assert "run completed" in ran.stdout


@requirement("BUD-3")
async def test_who_does_not_answer_leaves_the_run_waiting(
    cli: CommandLine, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await frugal(platform)
    monkeypatch.setattr(Output, "can_ask", True)

    typed = partial(CliRunner().invoke, input="", env=dict(cli.variables))
    left = await asyncio.to_thread(typed, app, ("run", agent))
    run = await platform.execution(await execution_of(platform, agent))

    assert left.exit_code == 130
    assert "goes on" in left.stderr
    assert run["waiting_for"] == "budget"
    await cli("runs", "cancel", run["id"])


@requirement("BUD-3")
async def test_with_auto_proceed_a_run_asks_nobody_up_to_that(
    cli: CommandLine, platform: Platform
) -> None:
    ran = await cli("run", await frugal(platform), "--auto-proceed", "1")

    assert ran.status == 0, ran.err
    assert "money is short" in ran.out
    assert "may spend $1 now, as auto_proceed wants it" in ran.out
