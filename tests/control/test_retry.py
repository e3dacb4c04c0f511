"""A run that has ended is taken up again under its own id: what went well is not done again."""

import asyncio
from collections.abc import Awaitable
from decimal import Decimal

import pytest

from api.launch import Launch
from api.reconciler import Reconciler
from omniforge.errors import ModelAuthFailed
from omniforge.llm.protocol import Completion
from omniforge.llm.sections import outside_text
from omniforge.store.retries import Retry
from tests.control.driving import Gate, bodies, refused, told, turns_of, writing
from tests.e2e.test_sub_agents import children_of
from tests.modes.driving import comparison, replayed
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import Reply, answer, calling, is_of


class Fickle:
    """A model that posts so many times and then cannot be had, until it is mended."""

    def __init__(self, posts: int) -> None:
        self.posts, self.is_broken = posts, True

    def __call__(self, request: Completion) -> Reply:
        said = turns_of(request)
        if said < self.posts:
            return calling(("post_keyed", {"text": f"{said}"}))
        return ModelAuthFailed("no") if self.is_broken else answer('{"done": true}')


@requirement("DUR-3")
async def test_a_failed_skill_goes_on_after_what_it_had_done(platform: Platform) -> None:
    model = Fickle(2)
    platform.model.costs("0.001").decides(
        lambda request: model(request) if is_of(request, "two") else None
    )
    agent = await platform.agent(skill("one"), skill("two", order=2), skill("three", order=3))
    first = await platform.ended(await platform.start(agent))
    asked, posts = len(platform.model.asked), len(platform.service.posts)

    model.is_broken = False
    again = await told(platform, first["id"], "retry")
    run = await platform.ended(first["id"])
    events = [event["body"] for event in await platform.events(first["id"])]
    steps = [step for step in await platform.steps(first["id"]) if step["node"] == "two"]
    replay = await replayed(platform, first["id"])

    assert (first["status"], first["error_code"]) == ("failed", "model_auth_failed")
    assert (again["status"], again["generation"]) == ("pending", 1)
    assert (run["status"], run["generation"], run["error"]) == ("completed", 1, None)
    assert [one["status"] for one in run["skill_results"]] == ["completed"] * 3
    # "two" answers, and "three" begins; nothing else is asked or sent.
    assert len(platform.model.asked) - asked == 2
    assert len(platform.service.posts) == posts == 2
    assert Decimal(run["cost_usd"]) > Decimal(first["cost_usd"])
    assert [(step["kind"], step["generation"]) for step in steps[-2:]] == [
        ("model", 0),
        ("model", 1),
    ]
    assert [body["status"] for body in events if body["type"] == "run_finished"] == [
        "failed",
        "completed",
    ]
    assert [body["generation"] for body in events if body["type"] == "run_retried"] == [1]
    assert (await comparison(platform, replay["id"]))["identical"]


@requirement("DUR-3")
async def test_an_interrupted_run_goes_on_in_the_middle_of_a_turn(platform: Platform) -> None:
    gate = Gate(writing(2))
    platform.model.decides(gate)
    execution = await platform.start(await platform.agent(skill("one")))
    await gate.is_asked()
    await told(platform, execution, "steer", message="hello")
    await told(platform, execution, "interrupt")
    gate.open()
    stopped = await platform.ended(execution)

    await told(platform, execution, "retry")
    run = await platform.ended(execution)
    file = await platform.api.get(f"/api/v1/executions/{execution}/artifacts/log.txt")

    assert stopped["error_code"] == "interrupted"
    assert (run["status"], run["result"]) == ("completed", {"lines": 2})
    assert len(platform.model.asked) == 3
    assert file.text == "0 1 "
    assert [body["text"] for body in await bodies(platform, execution, "steered")] == ["hello"]


@requirement("DUR-3")
async def test_turns_and_money_count_anew_as_far_as_the_caller_says(platform: Platform) -> None:
    platform.model.decides(writing(3))
    agent = await platform.agent(skill("one"), limits={"max_iterations": 2, "budget_usd": "1"})
    first = await platform.ended(await platform.start(agent))
    await told(platform, first["id"], "retry", budget_usd="2")
    run = await platform.ended(first["id"])

    assert first["error_code"] == "max_iterations"
    assert run["result"] == {"lines": 3}
    assert len(platform.model.asked) == 4
    raised = await bodies(platform, first["id"], "budget_raised")
    assert [Decimal(body["cap_usd"]) for body in raised] == [Decimal(2)]


@requirement("DUR-3")
async def test_a_list_goes_on_with_the_items_that_are_left(platform: Platform) -> None:
    broken = True

    def decide(request: Completion) -> Reply:
        is_third = '"n": 3' in request.messages[0].text
        return ModelAuthFailed("no") if is_third and broken else answer('{"ok": true}')

    platform.model.decides(decide)
    agent = await platform.agent(
        skill("each", for_each="input.rows"),
        skill("last", order=2),
        limits={"max_parallel": 1},
    )
    rows = [{"n": number} for number in range(1, 5)]
    first = await platform.ended(await platform.start(agent, {"rows": rows}))
    broken = False
    asked = len(platform.model.asked)

    await told(platform, first["id"], "retry")
    run = await platform.ended(first["id"])

    assert first["status"] == "failed"
    assert run["status"] == "completed"
    assert len(platform.model.asked) - asked == 3
    assert [one["status"] for one in run["skill_results"]] == ["completed"] * 6


@requirement("DUR-3", "DUR-2")
@pytest.mark.parametrize("how", ["interrupt", "cancel"])
async def test_a_run_that_a_skill_waits_for_goes_on_with_its_parent(
    platform: Platform, how: str
) -> None:
    gate = Gate(lambda request: answer('{"posted": true}'))
    child = await platform.agent(skill("below"))

    def decide(request: Completion) -> Reply | Awaitable[Reply]:
        if not is_of(request, "below"):
            if turns_of(request):
                return answer(outside_text(request.messages[-1].answers[0].content))
            return calling(("run_agent", {"agent": child, "input": {}}))
        return gate(request) if turns_of(request) else calling(("post_ask", {"text": "x"}))

    platform.model.decides(decide)
    execution = await platform.start(await platform.agent(skill("leading"), sub_agents=[child]))
    await gate.is_asked()
    await told(platform, execution, how)
    if how == "interrupt":
        gate.open()
    await platform.ended(execution)
    (before,) = await children_of(platform, execution)
    asked = len(platform.model.asked)
    gate.open()

    await told(platform, execution, "retry")
    run = await platform.ended(execution)
    (below,) = await children_of(platform, execution)

    assert below["id"] == before["id"]
    assert (run["status"], run["result"]) == (
        "completed",
        {"run": below["id"], "result": {"posted": True}},
    )
    assert len(platform.service.posts) == 1
    # An interrupted child was let have its answer, so that is not asked for again.
    again = 1 if how == "interrupt" else 2
    assert len(platform.model.asked) - asked == again
    assert (below["generation"], before["status"]) == (
        (0, "completed") if how == "interrupt" else (1, "cancelled")
    )


@requirement("DUR-3", "DUR-2")
async def test_an_effect_in_doubt_needs_a_word_before_a_run_is_taken_up_again(
    platform: Platform,
) -> None:
    def decide(request: Completion) -> Reply:
        return answer("{}") if turns_of(request) else calling(("post_ask", {"text": "x"}))

    sent = {}
    for word in ("happened", "resend"):
        platform.service.forget()
        platform.model.decides(decide)
        platform.service.lost_answers = 1
        execution = await platform.start(await platform.agent(skill("one")))
        await platform.until(execution, {"waiting"})
        await told(platform, execution, "cancel")
        await platform.ended(execution)

        without = await refused(platform, execution, "retry")
        still = await platform.execution(execution)
        await told(platform, execution, "retry", in_doubt=word)
        run = await platform.ended(execution)
        (step,) = [
            one
            for one in await platform.steps(execution)
            if one["generation"] and one["kind"] == "tool"
        ]
        sent[word] = (run["status"], len(platform.service.posts))
        assert without == (409, "run_not_retried")
        assert still["status"] == "cancelled"
        assert step["status"] == "confirmed"

    assert sent == {"happened": ("completed", 1), "resend": ("completed", 2)}


@requirement("DUR-3", "DUR-2")
async def test_a_keyed_effect_in_doubt_is_sent_again_under_its_key(platform: Platform) -> None:
    gate = Gate(
        lambda request: (
            answer("{}") if turns_of(request) else calling(("post_keyed", {"text": "x"}))
        )
    )
    platform.model.decides(gate)
    platform.service.lost_answers = 5
    execution = await platform.start(await platform.agent(skill("one")))
    gate.open()
    await platform.until(execution, {"waiting"})
    await told(platform, execution, "cancel")
    await platform.ended(execution)

    platform.service.lost_answers = 0
    await told(platform, execution, "retry", in_doubt="resend")
    run = await platform.ended(execution)

    assert run["status"] == "completed"
    assert len(platform.service.posts) == 1


@requirement("DUR-3")
async def test_two_callers_at_once_retry_it_once(platform: Platform) -> None:
    platform.model.fails(ModelAuthFailed("no"))
    first = await platform.run(skill("one"))
    path = f"/api/v1/executions/{first['id']}/retry"

    both = await asyncio.gather(*(platform.api.post(path) for _ in range(2)))
    run = await platform.ended(first["id"])

    assert sorted(response.status_code for response in both) == [202, 409]
    assert (run["status"], run["generation"]) == ("completed", 1)


@requirement("DUR-3")
async def test_a_retry_under_a_key_is_one_retry(platform: Platform) -> None:
    platform.model.fails(ModelAuthFailed("no")).fails(ModelAuthFailed("no"))
    first = await platform.run(skill("one"))
    path, headers = f"/api/v1/executions/{first['id']}/retry", {"Idempotency-Key": "k"}

    await platform.api.post(path, headers=headers)
    failed = await platform.ended(first["id"])
    again = await platform.api.post(path, headers=headers)
    other = await platform.api.post(path, headers=headers, json={"in_doubt": "happened"})

    assert (failed["status"], failed["generation"]) == ("failed", 1)
    assert (again.status_code, again.json()["generation"]) == (202, 1)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert (await platform.execution(first["id"]))["generation"] == 1


@requirement("DUR-3")
async def test_what_cannot_be_taken_up_again_is_refused(platform: Platform) -> None:
    gate = Gate(writing(0))
    platform.model.decides(gate)
    execution = await platform.start(await platform.agent(skill("one")))
    await gate.is_asked()

    assert await refused(platform, execution, "retry") == (409, "run_not_finished")
    gate.open()
    await platform.ended(execution)
    assert await refused(platform, execution, "retry") == (409, "run_not_retried")
    replay = await replayed(platform, execution)
    assert await refused(platform, replay["id"], "retry") == (409, "run_not_retried")
    assert (await refused(platform, "ex_nobody", "retry"))[0] == 404


@pytest.mark.long
@requirement("DUR-1", "DUR-3")
async def test_a_retry_whose_api_died_before_it_was_started_is_started_by_the_reconciler(
    platform: Platform,
) -> None:
    platform.model.fails(ModelAuthFailed("no"))
    first = await platform.run(skill("one"))
    await platform.mine.write(lambda db: db.retries.retry(first["id"], Retry("us_anna")))
    launch = Launch(platform.store, platform.temporal)

    await Reconciler(platform.store, platform.temporal, launch).reconcile()
    run = await platform.ended(first["id"])

    assert (run["status"], run["generation"]) == ("completed", 1)
