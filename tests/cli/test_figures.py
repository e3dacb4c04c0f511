"""`omniforge agents history`, `stats` and `estimate`."""

from decimal import Decimal

import pytest

from omniforge.cli.figures.money import dollars
from tests.cli.driving import CommandLine
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer

A_TOKEN = "0.000001"


@pytest.fixture
async def agent(platform: Platform) -> str:
    """An agent that has run once, for a tenth of a cent."""
    platform.model.costs(A_TOKEN).decides(lambda _: answer("done", tokens=500))
    made = await platform.agent(skill("one"))
    await platform.ended(await platform.start(made))
    return made


@requirement("ENG-8", "SDK-3")
async def test_a_history_has_a_line_a_run_and_the_totals_beside_it(
    cli: CommandLine, agent: str
) -> None:
    said = await cli("agents", "history", agent)
    document = (await cli("agents", "history", agent, "--json")).document

    (line,) = said.lines
    assert (line[1], line[2], line[5:]) == (
        "1",
        "completed",
        ["1000", "$0.0010", "$0.0010", "scripted-1"],
    )
    assert said.err.strip() == "1 runs, $0.0010, 1,000 tokens."
    assert document["records"][0]["run_id"] == line[0]
    assert document["totals"]["cost_usd"] == "0.001"


@requirement("SDK-3")
async def test_a_history_is_of_days_of_a_mode_and_has_pages(
    cli: CommandLine, platform: Platform, agent: str
) -> None:
    await platform.ended(await platform.start(agent))

    page = await cli("agents", "history", agent, "--limit", "1", "--since", "2026-01-01")
    tests = await cli("agents", "history", agent, "--mode", "dry_run")
    before = await cli("agents", "history", agent, "--until", "2020-12-31")

    assert "There are more: --cursor" in page.err
    assert (tests.out, before.out) == ("", "")
    assert before.err.strip() == "0 runs, $0.00, 0 tokens."


@requirement("STA-1", "SDK-3")
async def test_stats_are_facts_one_a_line(cli: CommandLine, agent: str) -> None:
    said = await cli("agents", "stats", agent)
    document = (await cli("agents", "stats", agent, "--json")).document

    facts = {line[:12].strip(): line[12:].strip() for line in said.out.splitlines()}
    assert (facts["runs"], facts["successful"], facts["success rate"]) == ("1", "1", "100.0%")
    assert facts["cost"] == "$0.0010 mean, $0.0010 p95"
    assert (document["runs"], document["failures"]) == (1, {})


@requirement("BUD-4", "SDK-3")
async def test_an_estimate_is_a_table_with_its_assumptions(cli: CommandLine, agent: str) -> None:
    said = await cli("agents", "estimate", agent, "--runs-per-month", "20")
    document = (await cli("agents", "estimate", agent, "--json")).document

    assert [line[0] for line in said.lines] == ["a run", "20 runs a month"]
    assert said.lines[0][1:] == ["$0.00", "$0.00", "-", "$0.00"]
    assert "- A month has 20 runs, as was asked." in said.err
    assert document["runs_per_month"] == 1


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0.00"),
        ("12.3", "$12.30"),
        ("1234.567", "$1234.57"),
        ("0.5", "$0.50"),
        ("0.0123456", "$0.012"),
        ("0.000000001", "$0.0000000010"),
        (None, "-"),
    ],
)
def test_small_amounts_are_not_hidden(amount: str | None, shown: str) -> None:
    assert dollars(None if amount is None else Decimal(amount)) == shown
