"""A run that is paused begins nothing more, and goes on where it was."""

from tests.control.driving import Gate, bodies, paused, refused, told, turns_of, writing
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer, calling


@requirement("DUR-3")
async def test_a_pause_lets_the_model_finish_and_begins_nothing_more(platform: Platform) -> None:
    gate = Gate(writing(2))
    platform.model.decides(gate)
    execution = await platform.start(await platform.agent(skill("one"), skill("two", order=2)))
    await gate.is_asked()

    answer_ = await told(platform, execution, "pause", reason="lunch")
    working = await platform.execution(execution)
    gate.open()
    waiting = await paused(platform, execution)
    steps = await platform.steps(execution)
    resumed = await told(platform, execution, "resume")
    run = await platform.ended(execution)

    assert (answer_["wish"], working["wish"], working["status"]) == ("pause", "pause", "running")
    assert (waiting["status"], waiting["wish"]) == ("waiting", "pause")
    assert [step["kind"] for step in steps] == ["preamble", "model"]
    assert resumed["wish"] is None
    assert (run["status"], run["wish"]) == ("completed", None)
    assert [body["wish"] for body in await bodies(platform, execution, "run_controlled")] == [
        "pause",
        "go_on",
    ]


@requirement("DUR-3")
async def test_a_run_can_be_paused_as_soon_as_it_is_accepted(platform: Platform) -> None:
    gate = Gate(writing(1))
    platform.model.decides(gate)
    execution = await platform.start(await platform.agent(skill("one")))

    await told(platform, execution, "pause")
    gate.open()
    await paused(platform, execution)
    await told(platform, execution, "resume")

    assert (await platform.ended(execution))["status"] == "completed"


@requirement("DUR-3")
async def test_a_run_is_paused_in_the_middle_of_parallel_skills_and_items(
    platform: Platform,
) -> None:
    gate = Gate(writing(1))
    platform.model.decides(gate)
    agent = await platform.agent(
        skill("each", for_each="input.rows"),
        skill("side"),
        skill("last", order=2),
        limits={"max_parallel": 3},
    )
    execution = await platform.start(agent, {"rows": [1, 2, 3, 4]})
    await gate.is_asked(3)

    await told(platform, execution, "pause")
    gate.open()
    waiting = await paused(platform, execution)
    asked = len(platform.model.asked)
    await told(platform, execution, "resume")
    run = await platform.ended(execution)

    assert waiting["status"] == "waiting"
    assert asked == 3
    assert run["status"] == "completed"
    assert len(run["skill_results"]) == 7


@requirement("DUR-3", "DUR-4")
async def test_a_run_that_waits_for_a_person_is_paused_and_decided_meanwhile(
    platform: Platform,
) -> None:
    platform.model.decides(
        lambda request: answer("{}") if turns_of(request) else calling(("post_ask", {"text": "x"}))
    )
    rules = [{"action": "ask", "tool": "post_ask"}]
    execution = await platform.start(await platform.agent(skill("one"), permissions=rules))
    waiting = await platform.until(execution, {"waiting"})
    await told(platform, execution, "pause")
    found = (await platform.api.get("/api/v1/approvals")).json()["approvals"]
    (question,) = [one for one in found if one["execution_id"] == execution]
    await platform.api.post(f"/api/v1/approvals/{question['id']}", json={"decision": "approve"})

    await paused(platform, execution)
    posts = len(platform.service.posts)
    await told(platform, execution, "resume")
    run = await platform.ended(execution)

    assert waiting["waiting_for"] == "approval"
    assert posts == 0
    assert (run["status"], len(platform.service.posts)) == ("completed", 1)


@requirement("DUR-3")
async def test_what_makes_no_sense_is_refused_with_the_reason(platform: Platform) -> None:
    gate = Gate(writing(0))
    platform.model.decides(gate)
    execution = await platform.start(await platform.agent(skill("one")))
    await gate.is_asked()

    assert await refused(platform, execution, "resume") == (409, "not_paused")
    await told(platform, execution, "pause")
    assert await refused(platform, execution, "pause") == (409, "already_paused")
    await told(platform, execution, "interrupt")
    for what in ("pause", "resume", "interrupt"):
        assert await refused(platform, execution, what) == (409, "run_stopping")
    gate.open()
    await platform.ended(execution)
    for what in ("pause", "resume", "interrupt"):
        assert await refused(platform, execution, what) == (409, "run_finished")
    assert await refused(platform, execution, "steer", message="x") == (409, "run_finished")
    assert (await refused(platform, "ex_nobody", "pause"))[0] == 404
