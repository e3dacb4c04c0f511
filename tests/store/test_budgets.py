"""Caps over many runs: what fits under them, what they count, and what they cost who has none."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from omniforge import clock
from omniforge.agents.budgets import Period, Scope, Shortfall
from omniforge.agents.runs import Run, RunStatus
from omniforge.errors import (
    AgentNotFound,
    BudgetExceeded,
    BudgetHeld,
    BudgetNotFound,
    Fenced,
    MemberNotFound,
)
from omniforge.store.budgets import CostBy
from omniforge.store.store import Store
from tests.journal.making import dollars
from tests.store.making import Tenant
from tests.store.spending import (
    Call,
    a_call,
    begun_call,
    cap,
    caps,
    taken,
    taken_by_run,
)
from tests.support.requirements import requirement

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Calendar:
    """The time, as a test sets it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOON
        monkeypatch.setattr(clock, "now", lambda: self.now)

    def turn_to(self, month: int, day: int) -> None:
        self.now = NOON.replace(month=month, day=day)


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch) -> Calendar:
    return Calendar(monkeypatch)


async def a_run(tenant: Tenant, cap_usd: str | None = None) -> Run:
    return await tenant.begun(cap=cap_usd, triggered_by=tenant.owner.user_id)


async def capped(tenant: Tenant, run: Run, scope: Scope, amount: str, period: Period) -> str:
    """Cap one of those who pay for a run; its id."""
    payers = {Scope.TENANT: tenant.id, Scope.USER: run.triggered_by, Scope.AGENT: run.agent_id}
    await cap(tenant, scope, payers[scope], amount, period)
    return payers[scope]


@requirement("BUD-2")
@pytest.mark.parametrize("period", list(Period))
@pytest.mark.parametrize("scope", [Scope.TENANT, Scope.USER, Scope.AGENT])
async def test_a_cap_holds_over_all_runs_and_the_refusal_names_it(
    tenant: Tenant, scope: Scope, period: Period
) -> None:
    run = await a_run(tenant, "100")
    subject = await capped(tenant, run, scope, "5", period)
    await (await begun_call(tenant, run, "3")).end(Decimal(2))
    second = await a_call(tenant, run, "3.5", "second")

    with pytest.raises(BudgetExceeded) as refused:
        await second.begin()

    assert not isinstance(refused.value, BudgetHeld)
    assert "up to $3.5; $3 of" in refused.value.message
    short = Shortfall.model_validate(refused.value.details)
    whose = "" if scope is Scope.TENANT else f" --{scope} {subject}"
    per = "" if period is Period.EVER else f" --per {period}"
    assert f": omniforge budgets set USD{whose}{per}" in short.question(run.id)
    assert (short.scope, short.subject, short.period) == (scope, subject, period)
    assert (short.cap_usd, short.left_usd, short.needs_usd) == dollars(5, 3, 3.5)
    assert (short.ends_on is None) == (period is Period.EVER)
    assert await taken_by_run(tenant, run.id) == dollars(0, 2, 0)
    assert (await tenant.mine.read(lambda db: db.runs.steps(run.id)))[-1][1].cost == 2


@requirement("BUD-2")
async def test_one_level_that_refuses_leaves_all_others_as_they_were(tenant: Tenant) -> None:
    run = await a_run(tenant, "1")
    for scope in (Scope.TENANT, Scope.USER, Scope.AGENT):
        await capped(tenant, run, scope, "100", Period.DAY)
    call = await a_call(tenant, run, "1.5")

    with pytest.raises(BudgetExceeded, match="this run"):
        await call.begin()

    assert [taken(budget) for budget in (await caps(tenant)).values()] == [dollars(0, 0, 0)] * 3
    assert await tenant.mine.read(lambda db: db.budgets.costs(CostBy.TENANT)) == []


async def test_money_that_is_only_held_is_worth_waiting_for(tenant: Tenant) -> None:
    run, other = await a_run(tenant), await a_run(tenant)
    await capped(tenant, run, Scope.TENANT, "5", Period.EVER)
    held = await begun_call(tenant, other, "4")
    call = await a_call(tenant, run, "4")

    with pytest.raises(BudgetHeld):
        await call.begin()
    await held.end(Decimal(1))
    await call.begin()

    assert [taken(each) for each in (await caps(tenant)).values()] == [dollars(4, 1, 0)]


async def test_a_cap_that_no_waiting_helps_with_is_told_before_one_that_it_does(
    tenant: Tenant,
) -> None:
    run = await a_run(tenant)
    await capped(tenant, run, Scope.AGENT, "5", Period.EVER)
    await begun_call(tenant, run, "4")
    await capped(tenant, run, Scope.TENANT, "3", Period.EVER)
    call = await a_call(tenant, run, "4", "second")

    with pytest.raises(BudgetExceeded, match="the workspace") as refused:
        await call.begin()

    assert not isinstance(refused.value, BudgetHeld)


async def test_a_cap_reaches_no_other_agent_person_or_tenant(store: Store, tenant: Tenant) -> None:
    run, stranger = await a_run(tenant), await Tenant.new(store)
    for scope in (Scope.AGENT, Scope.USER, Scope.TENANT):
        await capped(tenant, run, scope, "1", Period.EVER)
    theirs = await a_run(stranger)

    await begun_call(stranger, theirs, "50")

    assert await caps(stranger) == {}
    assert {taken(each) for each in (await caps(tenant)).values()} == {dollars(0, 0, 0)}


# ---- periods -----------------------------------------------------------------------------------


@requirement("BUD-2")
async def test_a_new_day_and_a_new_month_begin_with_nothing_taken(
    tenant: Tenant, calendar: Calendar
) -> None:
    run = await a_run(tenant)
    for period in Period:
        await capped(tenant, run, Scope.TENANT, "100", period)
    for number, (month, day) in enumerate([(11, 29), (11, 30), (12, 1)]):
        calendar.turn_to(month, day)
        await (await begun_call(tenant, run, "4", f"n{number}")).end(Decimal(3))

    found = await caps(tenant)

    assert found[tenant.id, "day"].settled == found[tenant.id, "month"].settled == 3
    assert found[tenant.id, "ever"].settled == 9
    assert (found[tenant.id, "day"].starts, found[tenant.id, "day"].ends) == (
        date(2026, 12, 1),
        date(2026, 12, 2),
    )
    calendar.turn_to(12, 31)
    assert taken((await caps(tenant))[tenant.id, "day"]) == dollars(0, 0, 0)
    assert (await caps(tenant))[tenant.id, "month"].ends == date(2027, 1, 1)


async def test_a_call_over_midnight_counts_on_the_day_it_was_made_for(
    tenant: Tenant, calendar: Calendar
) -> None:
    run = await a_run(tenant)
    await capped(tenant, run, Scope.TENANT, "5", Period.DAY)
    late = await begun_call(tenant, run, "4", "late")
    calendar.turn_to(11, 22)
    early = await begun_call(tenant, run, "5", "early")
    await late.end(Decimal(2))
    await early.end(Decimal(1))

    days = await tenant.mine.read(lambda db: db.budgets.costs(CostBy.DAY))

    assert [(each.key, f"{each.cost}") for each in days] == [
        ("2026-11-21", "2"),
        ("2026-11-22", "1"),
    ]
    assert taken((await caps(tenant))[tenant.id, "day"]) == dollars(0, 1, 0)


async def test_a_machine_whose_clock_is_behind_counts_on_the_day_that_has_begun(
    tenant: Tenant, calendar: Calendar
) -> None:
    run = await a_run(tenant)
    await capped(tenant, run, Scope.TENANT, "5", Period.DAY)
    calendar.turn_to(11, 22)
    ahead = await begun_call(tenant, run, "3", "ahead")
    calendar.turn_to(11, 21)
    behind = await a_call(tenant, run, "3", "behind")

    with pytest.raises(BudgetHeld):
        await behind.begin()
    await ahead.end(Decimal(1))
    await behind.begin()
    await behind.end(Decimal(1))

    assert taken((await caps(tenant))[tenant.id, "day"]) == dollars(0, 2, 0)


# ---- setting -----------------------------------------------------------------------------------


async def test_a_new_cap_counts_what_was_taken_before(tenant: Tenant, calendar: Calendar) -> None:
    run = await a_run(tenant)
    await (await begun_call(tenant, run, "4", "yesterday")).end(Decimal(3))
    calendar.turn_to(11, 22)
    await (await begun_call(tenant, run, "4", "today")).end(Decimal(6))
    under_way = await begun_call(tenant, run, "2", "now")

    for scope in (Scope.TENANT, Scope.USER, Scope.AGENT):
        for period in Period:
            await capped(tenant, run, scope, "100", period)
    found = await caps(tenant)
    assert {taken(each) for each in found.values() if each.period is Period.EVER} == {
        dollars(2, 7, 2)
    }
    assert {taken(each) for each in found.values() if each.period is Period.DAY} == {
        dollars(2, 4, 2)
    }

    await under_way.end(Decimal(1))
    assert {each.reserved for each in (await caps(tenant)).values()} == {0}


async def test_a_raised_cap_holds_from_the_next_call_on_and_so_does_a_lowered_one(
    tenant: Tenant,
) -> None:
    run = await a_run(tenant)
    await capped(tenant, run, Scope.AGENT, "3", Period.EVER)
    call = await a_call(tenant, run, "4")
    with pytest.raises(BudgetExceeded):
        await call.begin()

    await capped(tenant, run, Scope.AGENT, "6", Period.EVER)
    await call.begin()
    await capped(tenant, run, Scope.AGENT, "1", Period.EVER)
    await call.end(Decimal(4))
    second = await a_call(tenant, run, "0.01", "second")
    with pytest.raises(BudgetExceeded, match=r"\$0 of") as refused:
        await second.begin()

    assert not isinstance(refused.value, BudgetHeld)
    (budget,) = (await caps(tenant)).values()
    assert [*taken(budget), budget.left] == [*dollars(0, 4, 0, 0)]


async def test_what_is_cleared_no_longer_stands_in_the_way(tenant: Tenant) -> None:
    run = await a_run(tenant)
    await capped(tenant, run, Scope.AGENT, "3", Period.DAY)
    await tenant.mine.write(lambda db: db.budgets.clear(run.agent_id, Period.DAY))

    await begun_call(tenant, run, "50")

    assert await caps(tenant) == {}
    with pytest.raises(BudgetNotFound, match="a day"):
        await tenant.mine.write(lambda db: db.budgets.clear(run.agent_id, Period.DAY))


async def test_nobody_caps_what_is_not_there_or_not_theirs(store: Store, tenant: Tenant) -> None:
    stranger = await Tenant.new(store)
    agent = await stranger.agent()

    with pytest.raises(AgentNotFound):
        await cap(tenant, Scope.AGENT, agent, "1", Period.DAY)
    with pytest.raises(MemberNotFound):
        await cap(tenant, Scope.USER, stranger.owner.user_id, "1", Period.DAY)


async def test_a_skill_under_any_cap_must_know_its_prices(tenant: Tenant) -> None:
    plain, under_own = await a_run(tenant), await a_run(tenant, "1")

    async def has_cap(run: Run) -> bool:
        return (await tenant.mine.read(lambda db: db.runs.brief(run.id, "report"))).has_cap

    assert (await has_cap(plain), await has_cap(under_own)) == (False, True)
    await capped(tenant, plain, Scope.USER, "1", Period.MONTH)
    assert await has_cap(plain)


# ---- endings -----------------------------------------------------------------------------------


async def lose_in_mid_call(tenant: Tenant, run: Run) -> Call:
    call = await begun_call(tenant, run, "4")
    await call.lose_worker()
    return call


@requirement("BUD-2")
async def test_a_lost_call_is_counted_once_at_every_level_and_its_worker_changes_nothing_any_more(
    tenant: Tenant,
) -> None:
    run = await a_run(tenant, "20")
    for scope in (Scope.TENANT, Scope.USER, Scope.AGENT):
        await capped(tenant, run, scope, "20", Period.DAY)
    call = await lose_in_mid_call(tenant, run)
    await call.begin()

    with pytest.raises(Fenced):
        await call.end_as_zombie(Decimal(1))
    await call.end(Decimal(1))

    assert {taken(each) for each in (await caps(tenant)).values()} == {dollars(0, 5, 0)}
    assert await taken_by_run(tenant, run.id) == dollars(0, 5, 0)


@requirement("BUD-2")
async def test_the_end_of_a_run_gives_back_what_its_lost_calls_held_at_every_level(
    tenant: Tenant, calendar: Calendar
) -> None:
    run = await a_run(tenant, "20")
    for period in Period:
        await capped(tenant, run, Scope.TENANT, "20", period)
    await begun_call(tenant, run, "4", "yesterday")
    calendar.turn_to(11, 22)
    await begun_call(tenant, run, "3", "today")

    await tenant.mine.write(lambda db: db.runs.finish(run.id, RunStatus.CANCELLED, None))

    found = await caps(tenant)
    assert taken(found[tenant.id, "day"]) == dollars(0, 3, 0)
    assert taken(found[tenant.id, "ever"]) == dollars(0, 7, 0)
    assert await taken_by_run(tenant, run.id) == dollars(0, 7, 0)
    days = await tenant.mine.read(lambda db: db.budgets.costs(CostBy.DAY))
    assert [each.cost for each in days] == [4, 3]


async def test_what_was_billed_without_a_reservation_counts_as_overrun(tenant: Tenant) -> None:
    run = await a_run(tenant)
    await capped(tenant, run, Scope.TENANT, "5", Period.DAY)
    call = await a_call(tenant, run, "0")
    await call.end(Decimal(2))

    (budget,) = (await caps(tenant)).values()
    assert [*taken(budget), budget.left] == [*dollars(0, 0, 2, 3)]


# ---- figures -----------------------------------------------------------------------------------


@requirement("BUD-1")
async def test_costs_are_added_up_by_agent_person_day_and_tenant(
    tenant: Tenant, calendar: Calendar
) -> None:
    first, second = await a_run(tenant), await tenant.begun(triggered_by="us_bob")
    await (await begun_call(tenant, first, "4")).end(Decimal("1.000000001"))
    calendar.turn_to(11, 22)
    await (await begun_call(tenant, second, "4", "a")).end(Decimal(2))
    await begun_call(tenant, second, "3", "b")

    async def by(kind: CostBy, *days: date) -> list[tuple[str, int, str, str]]:
        found = await tenant.mine.read(lambda db: db.budgets.costs(kind, *days))
        return [(each.key, each.calls, f"{each.cost:f}", f"{each.reserved:f}") for each in found]

    exact, person = "1.000000001", tenant.owner.user_id
    assert await by(CostBy.TENANT) == [(tenant.id, 3, "3.000000001", "3")]
    assert await by(CostBy.DAY) == [("2026-11-21", 1, exact, "0"), ("2026-11-22", 2, "2", "3")]
    assert {*await by(CostBy.AGENT)} == {
        (first.agent_id, 1, exact, "0"),
        (second.agent_id, 2, "2", "3"),
    }
    assert {*await by(CostBy.USER)} == {(person, 1, exact, "0"), ("us_bob", 2, "2", "3")}
    assert await by(CostBy.AGENT, date(2026, 11, 22)) == [(second.agent_id, 2, "2", "3")]
    assert await by(CostBy.TENANT, date(2026, 11, 1), date(2026, 11, 21)) == [
        (tenant.id, 1, exact, "0")
    ]
