"""Runs: from accepted to final."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from omniforge import clock
from omniforge.agents.config import SkillReference
from omniforge.agents.runs import ErrorInfo, Run, RunStatus, TokenUsage
from omniforge.errors import ExecutionNotFound, Fenced, IdempotencyConflict, RunFinished
from omniforge.journal.events import RunStarted
from omniforge.journal.journal import never
from omniforge.journal.ports import Transition
from omniforge.journal.steps import Fence, NodeKey, StepKind, StepStatus
from omniforge.store.runs import IdempotencyKey
from omniforge.store.unfinished import unfinished
from tests.store.making import Tenant, a_run, a_step, announcing
from tests.support.requirements import requirement

READ, SUM, SEND = (SkillReference(name=n, order=o) for o, n in enumerate(("read", "sum", "send")))
FAILURE = ErrorInfo(code="max_iterations", message="Too many turns.", skill="report")


async def told(tenant: Tenant, run: Run) -> list[str]:
    events = await tenant.mine.read(lambda db: db.runs.events(run.id, 0, 100))
    return [event.body.type for event in events]


async def accept(tenant: Tenant, run: Run, key: IdempotencyKey) -> tuple[Run, bool]:
    return await tenant.mine.write(lambda db: db.runs.add(run, {}, key))


async def mark(tenant: Tenant, run: Run, waiting_for: str | None) -> tuple[RunStatus, str | None]:
    """What the run shows then."""
    await tenant.mine.write(lambda db: db.runs.mark_waiting(run.id, waiting_for))
    found = await tenant.mine.read(lambda db: db.runs.get(run.id))
    return found.status, found.waiting_for


async def finished(
    tenant: Tenant, run: Run, status: RunStatus, error: ErrorInfo | None = None
) -> Run:
    return await tenant.mine.write(lambda db: db.runs.finish(run.id, status, error))


# ---- accepting ---------------------------------------------------------------------------------


async def test_an_accepted_run_comes_back_as_it_was(tenant: Tenant) -> None:
    run = await tenant.run(await tenant.agent())

    assert await tenant.mine.read(lambda db: db.runs.get(run.id)) == run


async def test_the_same_key_with_the_same_body_is_the_same_run(tenant: Tenant) -> None:
    agent, key = await tenant.agent(), IdempotencyKey("key-1", "body")
    first, second = a_run(tenant.id, agent), a_run(tenant.id, agent)

    accepted = [await accept(tenant, run, key) for run in (first, second)]

    assert [(run.id, is_new) for run, is_new in accepted] == [(first.id, True), (first.id, False)]


async def test_the_same_key_with_another_body_is_a_conflict(tenant: Tenant) -> None:
    agent = await tenant.agent()
    first, second = a_run(tenant.id, agent), a_run(tenant.id, agent)
    await accept(tenant, first, IdempotencyKey("key-1", "a"))

    with pytest.raises(IdempotencyConflict):
        await accept(tenant, second, IdempotencyKey("key-1", "b"))


async def test_ten_requests_at_once_under_one_key_are_one_run(tenant: Tenant) -> None:
    agent, key = await tenant.agent(), IdempotencyKey("key-1", "body")
    runs = [a_run(tenant.id, agent) for _ in range(10)]

    accepted = await asyncio.gather(*(accept(tenant, run, key) for run in runs))

    assert len({run.id for run, _ in accepted}) == 1
    assert sum(is_new for _, is_new in accepted) == 1


async def test_two_tenants_may_use_the_same_key(tenant: Tenant) -> None:
    other, key = await Tenant.new(tenant.store), IdempotencyKey("key-1", "body")
    for each in (tenant, other):
        _, is_new = await accept(each, a_run(each.id, await each.agent()), key)
        assert is_new


async def test_a_run_taken_back_has_failed_and_its_key_is_free_again(tenant: Tenant) -> None:
    agent, key = await tenant.agent(), IdempotencyKey("key-1", "body")
    first, second = a_run(tenant.id, agent), a_run(tenant.id, agent)
    await accept(tenant, first, key)

    assert await tenant.mine.write(lambda db: db.runs.withdraw(first.id, FAILURE))

    _, is_new = await accept(tenant, second, key)
    found = await tenant.mine.read(lambda db: db.runs.get(first.id))
    assert is_new
    assert (found.status, found.error) == (
        RunStatus.FAILED,
        FAILURE.model_copy(update={"skill": None}),
    )


async def test_a_run_that_began_cannot_be_taken_back(tenant: Tenant) -> None:
    run = await tenant.begun()

    assert not await tenant.mine.write(lambda db: db.runs.withdraw(run.id, FAILURE))
    assert (await tenant.mine.read(lambda db: db.runs.get(run.id))).status is RunStatus.RUNNING


# ---- beginning ---------------------------------------------------------------------------------


async def test_beginning_pins_the_version_and_tells_the_stream(tenant: Tenant) -> None:
    run = await tenant.begun(READ, SUM)

    found = await tenant.mine.read(lambda db: db.runs.get(run.id))
    (event,) = await tenant.mine.read(lambda db: db.runs.events(run.id, 0, 10))
    assert (found.status, found.agent_version) == (RunStatus.RUNNING, 1)
    assert event.seq == 1
    assert event.body == RunStarted(
        agent_id=run.agent_id, agent_name="weekly", agent_version=1, skills=("read", "sum")
    )


@requirement("DUR-1")
async def test_beginning_again_changes_nothing(tenant: Tenant) -> None:
    run = await tenant.begun()
    before = await tenant.mine.read(lambda db: db.runs.get(run.id))

    again = await tenant.mine.write(lambda db: db.runs.begin(run))

    assert (again.status, again.version.version) == (RunStatus.RUNNING, 1)
    assert await tenant.mine.read(lambda db: db.runs.get(run.id)) == before
    assert await told(tenant, run) == ["run_started"]


async def test_a_run_nobody_wrote_down_is_written_down_when_it_begins(tenant: Tenant) -> None:
    run = a_run(tenant.id, await tenant.agent())
    await tenant.mine.write(lambda db: db.runs.begin(run))

    assert (await tenant.mine.read(lambda db: db.runs.get(run.id))).status is RunStatus.RUNNING


@requirement("SKL-7")
async def test_an_edit_does_not_touch_a_run_that_has_begun(tenant: Tenant) -> None:
    run = await tenant.begun(READ)
    agent = await tenant.mine.read(lambda db: db.agents.get(run.agent_id))
    version = await tenant.mine.read(lambda db: db.agents.version(agent.id, 1))
    edited = version.model_copy(update={"version": 2, "skills": version.skills * 2})
    newer = agent.model_copy(update={"version": 2})
    await tenant.mine.write(lambda db: db.agents.change(newer, 1, edited))

    begun = await tenant.mine.write(lambda db: db.runs.begin(run))

    assert begun.version == version


async def test_a_run_that_has_ended_is_final_when_it_is_begun_again(tenant: Tenant) -> None:
    run = await tenant.ended(await tenant.agent())

    assert (await tenant.mine.write(lambda db: db.runs.begin(run))).status.is_final


# ---- waiting -----------------------------------------------------------------------------------


async def test_a_run_shows_what_it_waits_for_and_that_it_goes_on(tenant: Tenant) -> None:
    run = await tenant.begun()
    seen = [await mark(tenant, run, waiting_for) for waiting_for in ("effect", None)]

    assert seen == [(RunStatus.WAITING, "effect"), (RunStatus.RUNNING, None)]


async def test_a_final_run_does_not_wait_any_more(tenant: Tenant) -> None:
    run = await tenant.ended(await tenant.agent())

    assert await mark(tenant, run, "effect") == (RunStatus.COMPLETED, None)


# ---- what a skill works from -------------------------------------------------------------------


async def test_the_first_skill_works_from_the_runs_input_and_files(tenant: Tenant) -> None:
    read = READ.model_copy(update={"config": {"week": 1, "limit": 5}})
    run = a_run(tenant.id, await tenant.agent(read))
    await tenant.mine.write(lambda db: db.runs.add(run, {"tasks.csv": "d1"}, None))
    await tenant.mine.write(lambda db: db.runs.begin(run))

    brief = await tenant.mine.read(lambda db: db.runs.brief(run.id, "read"))

    assert brief.input == {"week": 27, "limit": 5}
    assert (brief.workspace, brief.user_id) == ({"tasks.csv": "d1"}, run.triggered_by)
    assert brief.skill.reference == read


@requirement("FR-7")
async def test_the_next_skill_works_from_what_the_one_before_it_left(tenant: Tenant) -> None:
    run = await tenant.begun(READ, SUM)
    await tenant.does(run, "read", {"rows": 3}, workspace={"rows.csv": "d1"})

    brief = await tenant.mine.read(lambda db: db.runs.brief(run.id, "sum"))

    assert (brief.input, brief.workspace) == ({"rows": 3}, {"rows.csv": "d1"})


async def test_after_several_skills_outputs_come_by_id_and_files_in_one_folder(
    tenant: Tenant,
) -> None:
    left, right = (SkillReference(name=name) for name in ("left", "right"))
    run = await tenant.begun(left, right, SkillReference(name="join", order=2))
    await tenant.does(run, "right", 2, workspace={"both.csv": "r", "right.csv": "r"})
    await tenant.does(run, "left", [1], workspace={"both.csv": "l", "left.csv": "l"})

    brief = await tenant.mine.read(lambda db: db.runs.brief(run.id, "join"))

    assert brief.input == {"left": [1], "right": 2}
    assert brief.workspace == {"both.csv": "r", "left.csv": "l", "right.csv": "r"}


async def test_a_skill_that_wrote_no_file_hands_on_the_files_it_was_given(tenant: Tenant) -> None:
    run = a_run(tenant.id, await tenant.agent(READ, SUM))
    await tenant.mine.write(lambda db: db.runs.add(run, {"tasks.csv": "d1"}, None))
    await tenant.mine.write(lambda db: db.runs.begin(run))
    await tenant.does(run, "read", {"rows": 3})

    brief = await tenant.mine.read(lambda db: db.runs.brief(run.id, "sum"))

    assert brief.workspace == {"tasks.csv": "d1"}


async def test_a_worker_takes_a_skill_and_reads_what_it_works_from_at_once(tenant: Tenant) -> None:
    run = await tenant.begun()
    brief, journal = await tenant.mine.open_node(NodeKey(run.id, "report"), Fence(0, 1), never)

    assert brief.input == {"week": 27}
    assert (journal.fence, journal.outcome, list(journal.recorded)) == (Fence(0, 1), None, [])
    with pytest.raises(Fenced):
        await tenant.mine.open_node(NodeKey(run.id, "report"), Fence(0, 1), never)
    assert await told(tenant, run) == ["run_started", "skill_started"]


# ---- the end -----------------------------------------------------------------------------------


@requirement("FR-4")
async def test_a_completed_run_has_its_last_skills_output_and_what_all_of_them_cost(
    tenant: Tenant,
) -> None:
    run = await tenant.begun(READ, SUM)
    usage = TokenUsage(input_tokens=10, model_calls=1)
    model = a_step(1, kind=StepKind.MODEL, usage=usage, cost=Decimal("0.25"))
    await tenant.does(run, "read", {"rows": 3}, a_step(0, kind=StepKind.PREAMBLE), model)
    await tenant.does(run, "sum", {"total": 6}, replace(model, cost=Decimal("0.5")))

    ended = await finished(tenant, run, RunStatus.COMPLETED)

    assert (ended.status, ended.result, ended.error) == (RunStatus.COMPLETED, {"total": 6}, None)
    assert (ended.cost_usd, ended.usage) == (Decimal("0.75"), usage + usage)
    assert [(one.id, one.status, one.output) for one in ended.skill_results] == [
        ("read", "completed", {"rows": 3}),
        ("sum", "completed", {"total": 6}),
    ]
    assert (await told(tenant, run))[-1] == "run_finished"


async def test_several_last_skills_make_a_result_by_id(tenant: Tenant) -> None:
    run = await tenant.begun(SkillReference(name="left"), SkillReference(name="right"))
    await tenant.does(run, "left", 1)
    await tenant.does(run, "right", 2)

    assert (await finished(tenant, run, RunStatus.COMPLETED)).result == {"left": 1, "right": 2}


@requirement("DUR-1")
async def test_a_run_is_finished_once_and_stays_as_it_was(tenant: Tenant) -> None:
    run = await tenant.begun()
    await tenant.does(run, "report", {"answer": 1})
    first = await finished(tenant, run, RunStatus.COMPLETED)

    second = await finished(tenant, run, RunStatus.FAILED, FAILURE)

    assert second == first
    assert (await told(tenant, run)).count("run_finished") == 1


async def test_a_failed_run_keeps_its_error_and_the_earlier_outputs(tenant: Tenant) -> None:
    run = await tenant.begun(READ, SUM)
    await tenant.does(run, "read", {"rows": 3})

    ended = await finished(tenant, run, RunStatus.FAILED, FAILURE)

    assert (ended.status, ended.result, ended.error) == (RunStatus.FAILED, None, FAILURE)
    assert ended.skill_results[0].output == {"rows": 3}


@pytest.mark.parametrize(
    ("status", "skill_status"),
    [(RunStatus.CANCELLED, "cancelled"), (RunStatus.FAILED, "failed")],
)
async def test_a_skill_that_was_under_way_ends_with_its_run(
    tenant: Tenant, status: RunStatus, skill_status: str
) -> None:
    run = await tenant.begun()
    key = NodeKey(run.id, "report")
    await tenant.mine.journal.claim(key, "report", Fence(0, 1), announcing("report"))

    ended = await finished(tenant, run, status, FAILURE)

    assert [one.status for one in ended.skill_results] == [skill_status]


@requirement("DUR-1")
async def test_a_zombie_of_a_finished_run_can_neither_write_nor_claim(tenant: Tenant) -> None:
    run = await tenant.begun()
    key, journal = NodeKey(run.id, "report"), tenant.mine.journal
    await journal.claim(key, "report", Fence(0, 1), announcing("report"))
    await finished(tenant, run, RunStatus.CANCELLED)

    with pytest.raises(Fenced):
        await journal.commit(key, Fence(0, 1), Transition(steps=[a_step()]))
    with pytest.raises(Fenced):
        await journal.claim(key, "report", Fence(1, 1), announcing("report"))

    assert await tenant.mine.read(lambda db: db.runs.steps(run.id)) == []


@requirement("DUR-1")
async def test_a_skill_that_nobody_had_begun_cannot_be_begun_after_the_end(
    tenant: Tenant,
) -> None:
    run = await tenant.begun()
    await finished(tenant, run, RunStatus.CANCELLED)

    with pytest.raises(RunFinished):
        await tenant.mine.read(lambda db: db.runs.brief(run.id, "report"))


@requirement("BUD-2")
async def test_a_call_whose_worker_died_is_counted_at_its_worst_case_in_the_end(
    tenant: Tenant,
) -> None:
    run = await tenant.begun(cap="10")
    key, journal = NodeKey(run.id, "report"), tenant.mine.journal
    await journal.claim(key, "report", Fence(0, 1), announcing("report"))
    reserved = a_step(1, StepStatus.PLANNED, kind=StepKind.MODEL, reserved=Decimal(4))
    await journal.commit(
        key, Fence(0, 1), Transition(steps=[reserved], reserve={reserved.number: Decimal(4)})
    )

    ended = await finished(tenant, run, RunStatus.CANCELLED)

    ((_, step),) = await tenant.mine.read(lambda db: db.runs.steps(run.id))
    assert ended.cost_usd == 4
    assert step.cost == 4
    assert step.reserved == 0
    assert step.is_cost_assumed


async def test_a_run_can_end_before_it_began(tenant: Tenant) -> None:
    run = await tenant.run(await tenant.agent())

    ended = await finished(tenant, run, RunStatus.CANCELLED)

    assert (ended.status, ended.skill_results) == (RunStatus.CANCELLED, ())
    assert await told(tenant, run) == ["run_finished"]


async def test_an_end_can_be_told_in_any_letters(tenant: Tenant) -> None:
    run = await tenant.begun()
    error = ErrorInfo(code="gave_up", message="The page said \0 and \ud800.")

    ended = await finished(tenant, run, RunStatus.FAILED, error)

    assert ended.error == error
    assert ended.error.message == "The page said \N{REPLACEMENT CHARACTER} and ?."


# ---- looking -----------------------------------------------------------------------------------


async def test_the_steps_of_a_run_are_told_with_their_skill(tenant: Tenant) -> None:
    run = await tenant.begun(READ, SUM)
    await tenant.does(run, "read", 1, a_step(0), a_step(1))
    await tenant.does(run, "sum", 2, a_step(0))

    steps = await tenant.mine.read(lambda db: db.runs.steps(run.id))
    counted = await tenant.mine.read(lambda db: db.nodes.count_steps(NodeKey(run.id, "read")))

    assert [(node, step.number) for node, step in steps] == [("read", 0), ("read", 1), ("sum", 0)]
    assert counted == 2


async def test_the_files_of_a_run_are_those_it_was_given_and_those_its_skills_left(
    tenant: Tenant,
) -> None:
    run = a_run(tenant.id, await tenant.agent(READ))
    await tenant.mine.write(lambda db: db.runs.add(run, {"a.csv": "given", "b.csv": "b"}, None))
    assert await tenant.mine.read(lambda db: db.runs.files(run.id)) == {
        "a.csv": "given",
        "b.csv": "b",
    }
    await tenant.mine.write(lambda db: db.runs.begin(run))
    await tenant.does(run, "read", 1, workspace={"a.csv": "changed"})

    files = await tenant.mine.read(lambda db: db.runs.files(run.id))

    assert files["a.csv"] == "changed"


async def test_events_are_read_on_from_the_last_one_seen(tenant: Tenant) -> None:
    run = await tenant.begun()
    await tenant.does(run, "report", 1)
    await finished(tenant, run, RunStatus.COMPLETED)

    first = await tenant.mine.read(lambda db: db.runs.events(run.id, 0, 2))
    rest = await tenant.mine.read(lambda db: db.runs.events(run.id, first[-1].seq, 10))

    assert [event.seq for event in first + rest] == [1, 2, 3]


async def test_unfinished_runs_of_all_tenants_are_found_page_by_page(tenant: Tenant) -> None:
    other, long_ago = await Tenant.new(tenant.store), clock.now() - timedelta(days=400)
    agent = await tenant.agent()
    pending, ended = [await tenant.run(agent, created_at=long_ago) for _ in range(2)]
    running = await other.begun(created_at=long_ago + timedelta(minutes=1))
    await finished(tenant, ended, RunStatus.CANCELLED)
    await tenant.begun()  # too young

    before = long_ago + timedelta(hours=1)

    async def next_one(after: str) -> list[str]:
        page = await tenant.store.database.read(lambda c: unfinished(c, before, after, 1))
        return [run.id for run in page]

    first, second = sorted([pending.id, running.id])
    assert await next_one("") == [first]
    assert await next_one(first) == [second]
    assert await next_one(second) == []
    await finished(tenant, pending, RunStatus.CANCELLED)  # others share the database
    await finished(other, running, RunStatus.CANCELLED)


async def test_another_tenants_run_and_a_missing_one_are_the_same_answer(tenant: Tenant) -> None:
    stranger = await Tenant.new(tenant.store)
    run = await tenant.begun()
    for run_id in (run.id, "ex_missing"):
        for look in (
            lambda db, i=run_id: db.runs.get(i),
            lambda db, i=run_id: db.runs.steps(i),
            lambda db, i=run_id: db.runs.events(i, 0, 10),
            lambda db, i=run_id: db.runs.files(i),
            lambda db, i=run_id: db.runs.brief(i, "report"),
            lambda db, i=run_id: db.runs.finish(i, RunStatus.CANCELLED, None),
        ):
            with pytest.raises(ExecutionNotFound, match=f"There is no execution '{run_id}'"):
                await stranger.mine.write(look)

    await stranger.mine.write(lambda db: db.runs.mark_waiting(run.id, "effect"))
    assert not await stranger.mine.write(lambda db: db.runs.withdraw(run.id, FAILURE))
    assert (await tenant.mine.read(lambda db: db.runs.get(run.id))).status is RunStatus.RUNNING
