"""Records of runs: what they tell, what is counted, and that all ways of counting agree."""

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert

from omniforge import clock
from omniforge.agents.config import UsageStats
from omniforge.agents.history import ExecutionHistory, ExecutionRecord, Spent, Totals
from omniforge.agents.modes import RunMode
from omniforge.agents.runs import ErrorInfo, Run, RunStatus, TokenUsage
from omniforge.journal.steps import Origin, Step, StepKind
from omniforge.store.history import HistoryRepository, Which
from omniforge.store.tables import nodes
from tests.store.making import Tenant, a_step
from tests.support.requirements import requirement

ALL = Which()
FAILED = ErrorInfo(code="budget_exceeded", message="Too dear.")


def a_call(number: int, cents: int, model: str = "m-1", origin: Origin = Origin.REAL) -> Step:
    usage = TokenUsage(input_tokens=100 * cents, output_tokens=cents, model_calls=1)
    cost, kind = Decimal(cents) / 100, StepKind.MODEL
    return a_step(number, model=model, origin=origin, cost=cost, kind=kind, usage=usage)


async def a_run(
    tenant: Tenant,
    agent: str,
    *cents: int,
    status: RunStatus | None = RunStatus.COMPLETED,
    parent_id: str | None = None,
) -> Run:
    """A run with model calls that cost so much; with status None it is still under way."""
    run = await tenant.run(agent, parent_id=parent_id)
    await tenant.mine.write(lambda db: db.runs.begin(run))
    await tenant.does(run, "report", {}, *(a_call(n, each) for n, each in enumerate(cents)))
    if status is None:
        return run
    error = FAILED if status is RunStatus.FAILED else None
    return await tenant.mine.write(lambda db: db.runs.finish(run.id, status, error))


async def records(tenant: Tenant, which: Which = ALL) -> list[ExecutionRecord]:
    return (await tenant.mine.read(lambda db: db.history.page(which, 50, None))).items


@requirement("ENG-8")
async def test_a_record_tells_who_ran_how_long_at_what_cost_and_which_models(
    tenant: Tenant,
) -> None:
    agent = await tenant.agent()
    run = await tenant.run(agent)
    await tenant.mine.write(lambda db: db.runs.begin(run))
    await tenant.does(run, "report", {}, a_call(0, 2), a_call(1, 3, "m-2"), a_call(2, 1, "m-2"))
    ended = await tenant.mine.write(lambda db: db.runs.finish(run.id, RunStatus.FAILED, FAILED))

    (record,) = await records(tenant)

    assert (record.run_id, record.agent_id, record.version) == (run.id, agent, 1)
    assert (record.status, record.error_code) == (RunStatus.FAILED, "budget_exceeded")
    assert (record.started_at, record.ended_at) == (ended.started_at, ended.completed_at)
    assert record.models == ("m-1", "m-2")
    assert record.spent == Spent(ended.cost_usd, ended.usage) == record.with_children
    assert (record.spent.cost, record.spent.tokens) == (Decimal("0.06"), 606)


async def test_a_run_under_way_is_told_with_what_it_has_spent_so_far(tenant: Tenant) -> None:
    run = await a_run(tenant, await tenant.agent(), 2, 5, status=None)
    waiting = await tenant.run(run.agent_id)

    fresh, working = await records(tenant)

    assert (fresh.run_id, fresh.spent, fresh.duration_s) == (waiting.id, Spent(), None)
    assert (working.spent.cost, working.spent.tokens) == (Decimal("0.07"), 707)
    assert (working.status, working.ended_at) == (RunStatus.RUNNING, None)


async def test_what_was_played_from_a_record_was_paid_for_elsewhere(tenant: Tenant) -> None:
    run = await tenant.begun()
    played = a_call(0, 5, origin=Origin.RECORDED)
    await tenant.does(run, "report", {}, played, a_call(1, 1))

    (record,) = await records(tenant)

    assert record.spent.cost == Decimal("0.01")


@requirement("ENG-8")
async def test_children_count_once_for_themselves_and_under_all_who_come_before(
    tenant: Tenant,
) -> None:
    agents = [await tenant.agent(name=name) for name in ("top", "middle", "leaf")]
    top = await a_run(tenant, agents[0], 1)
    middle = await a_run(tenant, agents[1], 10, parent_id=top.id)
    await a_run(tenant, agents[2], 100, parent_id=middle.id)
    await a_run(tenant, agents[2], 200, parent_id=middle.id, status=None)

    by_agent = {each.agent_id: each for each in await records(tenant) if each.agent_id != agents[2]}
    all_of_them = await tenant.mine.read(lambda db: db.history.totals(Which()))
    of_top = await tenant.mine.read(lambda db: db.history.totals(Which(agents[0])))

    assert by_agent[agents[0]].spent.cost == Decimal("0.01")
    assert by_agent[agents[0]].with_children.cost == Decimal("3.11")
    assert by_agent[agents[1]].with_children.cost == Decimal("3.10")
    assert (all_of_them.runs, all_of_them.spent.cost) == (4, Decimal("3.11"))
    assert all_of_them.with_children == all_of_them.spent
    assert (of_top.runs, of_top.spent.cost) == (1, Decimal("0.01"))
    assert of_top.with_children.cost == Decimal("3.11")


@requirement("STA-1", "ENG-8")
@pytest.mark.parametrize("mode", [mode for mode in RunMode if mode is not RunMode.LIVE])
async def test_tests_replays_and_forks_are_asked_for_by_their_mode_and_count_nowhere_else(
    tenant: Tenant, mode: RunMode
) -> None:
    agent = await tenant.agent()
    source = await a_run(tenant, agent, 4)
    other = await tenant.run(agent, mode=mode, source_id=source.id)
    await tenant.mine.write(lambda db: db.runs.withdraw(other.id, ErrorInfo(code="x", message="x")))

    history = await tenant.mine.read(lambda db: db.history.of(Which(agent)))

    assert [each.run_id for each in await records(tenant)] == [source.id]
    assert [each.run_id for each in await records(tenant, Which(agent, mode=mode))] == [other.id]
    assert history.statistics().failures == {}
    assert history.statistics().runs == 1


async def test_days_are_those_of_utc_and_both_ends_count(tenant: Tenant) -> None:
    agent, now = await tenant.agent(), clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    last = await tenant.run(agent, created_at=midnight - timedelta(microseconds=1))
    first = await tenant.run(agent, created_at=midnight)
    yesterday, today = last.created_at.date(), first.created_at.date()

    assert [one.run_id for one in await records(tenant, Which(until=yesterday))] == [last.id]
    assert [one.run_id for one in await records(tenant, Which(since=today))] == [first.id]
    assert len(await records(tenant, Which(since=yesterday, until=today))) == 2


@requirement("SEC-3")
async def test_nobody_sees_the_history_of_another_workspace(tenant: Tenant) -> None:
    run = await a_run(tenant, await tenant.agent(), 5)
    stranger = await Tenant.new(tenant.store, "Other")
    foreign = await stranger.agent()
    await a_run(stranger, foreign, 7, parent_id=run.id)

    totals = await tenant.mine.read(lambda db: db.history.totals(Which()))

    assert await records(stranger, Which(run.agent_id)) == []
    assert totals.with_children.cost == Decimal("0.05")
    assert [one.with_children.cost for one in await records(tenant)] == [Decimal("0.05")]


async def test_lists_are_counted_by_their_items(tenant: Tenant) -> None:
    runs = [await tenant.begun() for _ in range(3)]
    lists: list[list[object] | None] = [[1, 2], ["a", {}, None, 4], None]
    for run, found in zip(runs, lists, strict=True):
        await a_list(tenant, run, found)

    means = await tenant.mine.read(lambda db: db.history.items([run.id for run in runs]))

    assert means == {"each": 3.0}


async def a_list(tenant: Tenant, run: Run, found: list[object] | None) -> None:
    row = {
        "stream_id": run.id,
        "node": "each",
        "generation": 0,
        "tenant_id": tenant.id,
        "skill_name": "each",
        "status": "running",
        "segment": 0,
        "attempt": 0,
        "claims": 0,
        "waits": [],
        "items": found,
        "active": 0.0,
        "started_at": clock.now(),
    }
    await tenant.store.database.write(lambda connection: connection.execute(insert(nodes), [row]))


async def test_ids_and_agents_are_looked_up_and_not_searched_for(tenant: Tenant) -> None:
    """SQLite without statistics would read all runs of a tenant to find one of them."""
    if not tenant.store.database.url.startswith("sqlite"):
        pytest.skip("PostgreSQL keeps statistics, so its plans depend on what is there")
    agent = await tenant.agent()
    await a_run(tenant, agent, 1)

    def work(connection: Connection) -> list[str]:
        made: list[tuple[str, Any]] = []  # what the driver was given

        def keep(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
            made.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", keep)
        history = HistoryRepository(connection, tenant.id)
        history.page(Which(agent), 10, None)
        history.totals(Which(agent))
        history.of(Which(agent))
        event.remove(connection, "before_cursor_execute", keep)
        return [
            str(row[3])
            for statement, parameters in made
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]

    plan = await tenant.store.database.read(work)

    assert [line for line in plan if "agent_executions USING" in line]
    assert [line for line in plan if "tenant_id=?" in line or "status=?" in line] == []
    assert [line for line in plan if line.startswith("SCAN agent_executions")] == []


@requirement("ENG-8", "STA-1")
@pytest.mark.parametrize("seed", range(3))
async def test_totals_records_statistics_and_the_journal_agree(tenant: Tenant, seed: int) -> None:
    """Whatever happened: the sums over rows, over records and over single calls are the same."""
    dice = random.Random(seed)  # noqa: S311  # the same runs each time
    agents = [await tenant.agent(name=f"agent {n}") for n in range(3)]
    statuses = [None, RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED]
    runs: list[Run] = []
    for _ in range(15):
        cents = [dice.randint(0, 50) for _ in range(dice.randint(0, 3))]
        parent = dice.choice([None, *runs])
        status, parent_id = dice.choice(statuses), parent.id if parent else None
        runs.append(
            await a_run(tenant, dice.choice(agents), *cents, status=status, parent_id=parent_id)
        )
    in_steps = {run.id: await in_the_journal(tenant, run.id) for run in runs}

    for agent in (None, *agents):
        found, totals, history = await told(tenant, Which(agent))
        assert {each.run_id: each.spent.cost for each in found} == {
            run.id: in_steps[run.id] for run in runs if agent in (None, run.agent_id)
        }
        assert totals.spent.cost == history.total_cost() == sum(each.spent.cost for each in found)
        assert totals.spent.tokens == history.total_tokens()
        figures = history.statistics()
        assert figures.runs == totals.runs == len(found)
        ended = figures.successes + figures.cancelled + sum(figures.failures.values())
        assert figures.runs == figures.under_way + ended
        if agent is not None:
            usage = await used(tenant, agent)
            assert (usage.total_runs, usage.successful_runs) == (figures.runs, figures.successes)
            assert usage.last_run == figures.last_run


async def used(tenant: Tenant, agent: str) -> UsageStats:
    usage = await tenant.mine.read(lambda db: db.agents.usage([agent]))
    return usage.get(agent, UsageStats())


async def in_the_journal(tenant: Tenant, run_id: str) -> Decimal:
    steps = await tenant.mine.read(lambda db: db.runs.steps(run_id))
    return sum((step.cost for _, step in steps), Decimal(0))


async def told(
    tenant: Tenant, which: Which
) -> tuple[list[ExecutionRecord], Totals, ExecutionHistory]:
    """The same runs in all three ways."""
    totals = await tenant.mine.read(lambda db: db.history.totals(which))
    return (
        await records(tenant, which),
        totals,
        await tenant.mine.read(lambda db: db.history.of(which)),
    )
