"""`client.history` against the platform."""

from datetime import date

from omniforge.agents.estimates import Basis
from omniforge.agents.modes import RunMode
from omniforge.client import OmniForgeClient
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement


@requirement("SDK-2", "ENG-8")
async def test_the_client_reads_records_of_an_agent_and_of_the_workspace(
    client: OmniForgeClient, platform: Platform
) -> None:
    agent = await platform.agent(skill("one"))
    run = await platform.ended(await platform.start(agent))

    mine = await client.history.records(agent)
    ours = await client.history.records(limit=1, since=date(2026, 1, 1))
    tests = await client.history.records(agent, mode=RunMode.REPLAY)

    assert [record.run_id for record in mine.records] == [run["id"]]
    assert ours.records == mine.records
    assert ours.totals.runs >= mine.totals.runs == 1
    assert (tests.records, tests.totals.runs) == ((), 0)


@requirement("SDK-2", "STA-1", "BUD-4")
async def test_the_client_reads_statistics_and_estimates(
    client: OmniForgeClient, platform: Platform
) -> None:
    agent = await platform.agent(skill("one"))
    await platform.ended(await platform.start(agent))

    figures = await client.history.statistics(agent)
    before = await client.history.statistics(agent, until=date(2020, 1, 1))
    made = await client.history.estimate(agent, runs_per_month=12)

    assert (figures.runs, figures.success_rate, before.runs) == (1, 1.0, 0)
    assert (made.agent_id, made.runs_per_month, made.rests_on) == (agent, 12, Basis.PLAN)
