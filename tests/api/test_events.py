"""The event stream: in order, from anywhere, to the end."""

import asyncio

from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer, calling, later


async def test_a_stream_tells_a_run_in_order_and_ends_with_its_last_event(
    platform: Platform,
) -> None:
    platform.model.calls(("clock", {}), text="let me see").answers('{"ok": true}')
    execution = await platform.start(await platform.agent(skill("one")))

    events = await platform.events(execution)

    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["body"]["type"] for event in events] == [
        "run_started",
        "skill_started",
        "model_answered",
        "tool_answered",
        "model_answered",
        "skill_completed",
        "run_finished",
    ]


async def test_a_watcher_who_comes_back_goes_on_where_it_was(platform: Platform) -> None:
    run = await platform.run(skill("one"))
    everything = await platform.events(run["id"])

    rest = await platform.events(run["id"], after=2)

    assert rest == everything[2:]


@requirement("DUR-1")
async def test_many_watchers_see_the_same_while_it_happens(platform: Platform) -> None:
    platform.model.decides(
        lambda request: later(
            0.05, calling(("clock", {})) if len(request.messages) < 9 else answer("{}")
        )
    )
    execution = await platform.start(await platform.agent(skill("one")))

    streams = await asyncio.gather(*(platform.events(execution) for _ in range(20)))

    assert all(stream == streams[0] for stream in streams)
    assert streams[0][-1]["body"]["type"] == "run_finished"


async def test_a_foreign_run_has_no_stream(platform: Platform) -> None:
    answered = await platform.api.get("/api/v1/executions/ex_nobodys/events")

    assert answered.status_code == 404
    assert answered.json()["code"] == "execution_not_found"
