"""`omniforge budgets`."""

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
