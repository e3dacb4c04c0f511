"""Schedules over HTTP: made, shown, changed, asked; and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

from omniforge import clock
from omniforge.llm.protocol import Completion, Turn
from omniforge.store.access import create_key, create_tenant
from tests.support.platform import PATIENCE, Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer

PATH = "/api/v1/schedules"
MORNING = {"cron_expression": "0 8 * * 1", "timezone": "Europe/Berlin"}


async def added(platform: Platform, **wishes: Any) -> dict[str, Any]:
    agent = wishes.pop("agent_id", None) or await platform.agent(skill("one"))
    answered = await platform.api.post(PATH, json={"agent_id": agent, **MORNING, **wishes})
    assert answered.status_code == 201, answered.text
    schedule: dict[str, Any] = answered.json()
    return schedule


async def asked(platform: Platform, schedule: dict[str, Any], verb: str, **body: Any) -> Any:
    answered = await platform.api.post(f"{PATH}/{schedule['id']}/{verb}", json=body)
    assert answered.is_success, answered.text
    return answered.json()


async def fires_of(platform: Platform, schedule: dict[str, Any]) -> list[dict[str, Any]]:
    answered = await platform.api.get(f"{PATH}/{schedule['id']}/fires")
    fires: list[dict[str, Any]] = answered.json()["fires"]
    return fires


def moments(schedule: dict[str, Any]) -> list[datetime]:
    return [datetime.fromisoformat(at) for at in schedule["next_times"]]


# ---- made and shown --------------------------------------------------------------------------


@requirement("FR-9")
async def test_a_schedule_shows_its_sentence_and_the_next_five_times(platform: Platform) -> None:
    schedule = await added(platform, name="weekly")
    again = (await platform.api.get(f"{PATH}/{schedule['id']}")).json()
    listed = (await platform.api.get(f"{PATH}?agent_id={schedule['agent_id']}")).json()

    assert again == {**schedule, "lateness": None}
    assert listed == {"schedules": [schedule], "next_cursor": None}
    assert "Monday" in schedule["words"]
    assert "Europe/Berlin" in schedule["words"]
    assert schedule["in_sync"] is True
    times = moments(schedule)
    assert (len(times), times) == (5, sorted(times))
    assert times[0] > clock.now()
    assert {at.weekday() for at in times} == {0}


@requirement("FR-9")
async def test_a_preview_tells_the_same_and_keeps_nothing(platform: Platform) -> None:
    before = (await platform.api.get(PATH)).json()["schedules"]
    preview = (await platform.api.post(f"{PATH}/preview", json=MORNING)).json()
    after = (await platform.api.get(PATH)).json()["schedules"]
    schedule = await added(platform)

    assert preview == {"words": schedule["words"], "next_times": schedule["next_times"]}
    assert [one["id"] for one in after] == [one["id"] for one in before]


async def test_the_same_key_makes_one_schedule(platform: Platform) -> None:
    agent = await platform.agent(skill("one"))
    headers = {"Idempotency-Key": f"once-{agent}"}
    body = {"agent_id": agent, **MORNING}

    first, again = [await platform.api.post(PATH, json=body, headers=headers) for _ in range(2)]
    listed = (await platform.api.get(f"{PATH}?agent_id={agent}")).json()

    assert first.json() == again.json()
    assert [one["id"] for one in listed["schedules"]] == [first.json()["id"]]


async def test_schedules_are_listed_page_by_page(platform: Platform) -> None:
    agent = await platform.agent(skill("one"))
    made = [(await added(platform, agent_id=agent, name=str(n)))["id"] for n in range(3)]

    first = (await platform.api.get(f"{PATH}?agent_id={agent}&limit=2")).json()
    query = f"agent_id={agent}&limit=2&cursor={first['next_cursor']}"
    second = (await platform.api.get(f"{PATH}?{query}")).json()

    assert [one["id"] for one in first["schedules"]] == made[:0:-1]
    assert [one["id"] for one in second["schedules"]] == made[:1]
    assert second["next_cursor"] is None


# ---- changed and asked -----------------------------------------------------------------------


@requirement("FR-9")
async def test_a_schedule_is_changed_and_removed(platform: Platform) -> None:
    schedule = await added(platform, ends_at="2050-01-01T00:00:00Z", name="before")
    path = f"{PATH}/{schedule['id']}"

    changed = await platform.api.patch(path, json={"timezone": "America/New_York", "ends_at": None})
    refused = await platform.api.patch(path, json={"cron_expression": "0 0 8 * * 1"})
    kept = (await platform.api.get(path)).json()
    removed = await platform.api.delete(path)
    after = [await platform.api.get(path), await platform.api.get(f"{path}/fires")]

    assert changed.status_code == 200, changed.text
    body = changed.json()
    assert (body["timezone"], body["ends_at"], body["name"]) == ("America/New_York", None, "before")
    assert moments(body) != moments(schedule)
    assert (refused.status_code, refused.json()["code"]) == (400, "cron_invalid")
    assert moments(kept) == moments(body)
    assert removed.status_code == 204
    assert [one.json()["code"] for one in after] == ["schedule_not_found"] * 2


@requirement("FR-9")
async def test_a_schedule_is_paused_with_a_note_and_resumed(platform: Platform) -> None:
    schedule = await added(platform)

    paused = await asked(platform, schedule, "pause", note="holidays")
    resumed = await asked(platform, schedule, "resume")

    assert (paused["enabled"], paused["note"]) == (False, "holidays")
    assert (resumed["enabled"], resumed["note"]) == (True, "")


@requirement("FR-9")
async def test_the_next_time_is_left_out_once(platform: Platform) -> None:
    schedule = await added(platform)

    skipped = await asked(platform, schedule, "skip-next")
    again = await asked(platform, schedule, "skip-next")

    assert skipped["skip_at"] == schedule["next_times"][0]
    assert moments(skipped)[:4] == moments(schedule)[1:]
    assert again["skip_at"] == skipped["skip_at"]


@requirement("FR-9")
async def test_a_run_is_started_now_with_the_schedules_input(platform: Platform) -> None:
    schedule = await added(platform, input_data={"week": 7})

    started = await platform.api.post(f"{PATH}/{schedule['id']}/run", json={})
    run = await platform.ended(started.json()["execution_id"])
    (fire,) = await fires_of(platform, schedule)

    assert started.status_code == 202
    assert (run["status"], run["trigger_type"]) == ("completed", "scheduled")
    assert "week" in str(platform.model.asked[0])
    assert (fire["kind"], fire["outcome"], fire["execution_id"]) == ("now", "run", run["id"])


@requirement("FR-9")
async def test_a_run_beside_another_has_to_be_asked_for(platform: Platform) -> None:
    go = asyncio.Event()

    async def later(_: Completion) -> Turn:
        async with asyncio.timeout(PATIENCE):
            await go.wait()
        return answer("done")

    platform.model.decides(later)
    schedule = await added(platform)
    first = await asked(platform, schedule, "run")
    refused = await platform.api.post(f"{PATH}/{schedule['id']}/run", json={})
    beside = await asked(platform, schedule, "run", overlap=True)
    go.set()
    runs = [await platform.ended(one["execution_id"]) for one in (first, beside)]

    assert (refused.status_code, refused.json()["code"]) == (409, "schedule_busy")
    assert refused.json()["execution_id"] == first["execution_id"]
    assert [run["status"] for run in runs] == ["completed"] * 2


@requirement("FR-9")
async def test_a_range_is_shown_before_it_is_run_and_runs_once(platform: Platform) -> None:
    hourly = {"cron_expression": "@hourly", "timezone": "UTC", "enabled": False}
    schedule = await added(platform, **hourly, overlap="allow")
    end = clock.now() - timedelta(hours=30)
    wished = {"start": (end - timedelta(hours=3)).isoformat(), "end": end.isoformat()}

    shown = await asked(platform, schedule, "backfill", **wished, preview=True)
    before = await fires_of(platform, schedule)
    done = await asked(platform, schedule, "backfill", **wished)
    again = await asked(platform, schedule, "backfill", **wished)
    runs = [await platform.ended(one) for one in done["execution_ids"]]

    assert (len(shown["times"]), shown["execution_ids"], before) == (3, [], [])
    assert done["times"] == shown["times"] == again["times"]
    assert (len(runs), again["execution_ids"]) == (3, [])
    fires = await fires_of(platform, schedule)
    assert {(one["kind"], one["outcome"]) for one in fires} == {("backfill", "run")}
    assert {one["scheduled_at"] for one in fires} == set(shown["times"])


# ---- the agent's own ---------------------------------------------------------------------------


@requirement("FR-9")
async def test_an_agents_schedule_is_short_for_its_first_one(platform: Platform) -> None:
    agent = await platform.agent(skill("one"), schedule="@daily", timezone="Europe/Berlin")
    path = f"/api/v1/agents/{agent}"
    (first,) = (await platform.api.get(f"{PATH}?agent_id={agent}")).json()["schedules"]
    await added(platform, agent_id=agent)
    changed = (await platform.api.patch(path, json={"schedule": "0 9 * * *"})).json()
    shown = (await platform.api.get(path)).json()
    schedules = (await platform.api.get(f"{PATH}?agent_id={agent}")).json()["schedules"]
    listed = (await platform.api.get("/api/v1/agents?limit=1")).json()["agents"]

    assert (first["cron_expression"], first["timezone"]) == ("@daily", "Europe/Berlin")
    assert (changed["schedule"], changed["version"]) == ("0 9 * * *", 1)
    assert (shown["schedule"], shown["trigger_type"]) == ("0 9 * * *", "scheduled")
    assert [one["schedule"] for one in listed] == ["0 9 * * *"]
    assert [one["cron_expression"] for one in schedules] == ["0 8 * * 1", "0 9 * * *"]
    assert schedules[1]["id"] == first["id"]
    assert schedules[1]["timezone"] == "Europe/Berlin"
    assert schedules[1]["in_sync"] is True


async def test_an_agent_without_one_gets_its_first_schedule_by_a_change(platform: Platform) -> None:
    agent = await platform.agent(skill("one"))
    path = f"/api/v1/agents/{agent}"

    changed = (await platform.api.patch(path, json={"schedule": "@weekly"})).json()
    listed = (await platform.api.get(f"{PATH}?agent_id={agent}")).json()["schedules"]

    assert (changed["schedule"], changed["trigger_type"]) == ("@weekly", "scheduled")
    assert [(one["cron_expression"], one["timezone"]) for one in listed] == [("@weekly", "UTC")]


BAD_SHORTHANDS: list[tuple[dict[str, Any], int, str]] = [
    ({"schedule": "0 8 * * 1 *"}, 400, "cron_invalid"),
    ({"schedule": "@daily", "timezone": "Mars/Base"}, 400, "time_zone_unknown"),
    ({"timezone": "UTC"}, 422, "malformed_request"),
    ({"trigger_type": "scheduled"}, 422, "malformed_request"),
    ({"trigger_type": "on_demand", "schedule": "@daily"}, 422, "malformed_request"),
]


@pytest.mark.parametrize(("wish", "status", "code"), BAD_SHORTHANDS)
async def test_a_bad_shorthand_refuses_the_whole_agent(
    platform: Platform, wish: dict[str, Any], status: int, code: str
) -> None:
    body = {"name": "not to be", "skills": [skill("one")], **wish}
    refused = await platform.api.post("/api/v1/agents", json=body)
    listed = (await platform.api.get("/api/v1/agents?limit=5")).json()["agents"]

    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert "not to be" not in [one["name"] for one in listed]


# ---- refused ---------------------------------------------------------------------------------

BAD_SCHEDULES: list[tuple[dict[str, Any], int, str]] = [
    ({"cron_expression": "0 8 ? * 1"}, 400, "cron_invalid"),
    ({"cron_expression": "0 8 L * *"}, 400, "cron_invalid"),
    ({"cron_expression": "0 8 15W * *"}, 400, "cron_invalid"),
    ({"cron_expression": "0 8 * * 1#2"}, 400, "cron_invalid"),
    ({"cron_expression": "0 0 8 * * 1"}, 400, "cron_invalid"),
    ({"cron_expression": "0 8 30 2 *"}, 400, "cron_invalid"),
    ({"cron_expression": "61 * * * *"}, 400, "cron_invalid"),
    ({"cron_expression": "@fortnightly"}, 400, "cron_invalid"),
    ({"cron_expression": ""}, 422, "malformed_request"),
    ({"cron_expression": "*" * 101}, 422, "malformed_request"),
    ({"timezone": "Mars/Base"}, 400, "time_zone_unknown"),
    ({"timezone": "Europe/Berlin\0"}, 422, "malformed_request"),
    (
        {"starts_at": "2050-01-02T00:00:00Z", "ends_at": "2050-01-01T00:00:00Z"},
        400,
        "schedule_invalid",
    ),
    ({"ends_at": "2020-01-01T00:00:00Z"}, 400, "schedule_invalid"),
    ({"starts_at": "2050-01-01T00:00:00"}, 422, "malformed_request"),
    ({"ends_at": "9999-12-31T23:59:59-12:00"}, 422, "malformed_request"),
    ({"jitter_s": -1}, 422, "malformed_request"),
    ({"catchup_window_s": 1}, 422, "malformed_request"),
    ({"overlap": "cancel_other"}, 422, "malformed_request"),
    ({"input_data": {"x": "y" * 300_000}}, 400, "schedule_invalid"),
    ({"surprise": 1}, 422, "malformed_request"),
    ({"agent_id": "ag_none"}, 404, "agent_not_found"),
]


@requirement("FR-9")
@pytest.mark.parametrize(("wish", "status", "code"), BAD_SCHEDULES)
async def test_a_bad_schedule_is_refused_with_a_code(
    platform: Platform, wish: dict[str, Any], status: int, code: str
) -> None:
    agent = await platform.agent(skill("one"))
    refused = await platform.api.post(PATH, json={"agent_id": agent, **MORNING, **wish})
    listed = (await platform.api.get(f"{PATH}?agent_id={agent}")).json()["schedules"]

    assert (refused.status_code, refused.json()["code"]) == (status, code), refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    assert listed == []


async def test_an_archived_agent_gets_no_schedule(platform: Platform) -> None:
    agent = await platform.agent(skill("one"))
    await platform.api.post(f"/api/v1/agents/{agent}/archive")

    refused = await platform.api.post(PATH, json={"agent_id": agent, **MORNING})

    assert (refused.status_code, refused.json()["code"]) == (409, "agent_archived")


BAD_BACKFILLS = {
    "schedule_invalid": ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"),
    "backfill_too_large": ("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    "malformed_request": ("2026-01-01", "2026-01-02"),
}


@requirement("FR-9")
@pytest.mark.parametrize("preview", [True, False])
@pytest.mark.parametrize("code", BAD_BACKFILLS)
async def test_a_range_that_cannot_be_is_refused(
    platform: Platform, code: str, preview: bool
) -> None:
    schedule = await added(platform, cron_expression="* * * * *", enabled=False)
    start, end = BAD_BACKFILLS[code]
    path = f"{PATH}/{schedule['id']}/backfill"

    body = {"start": start, "end": end, "preview": preview}
    refused = await platform.api.post(path, json=body)

    assert refused.json()["code"] == code
    assert [one for one in await fires_of(platform, schedule) if one["kind"] == "backfill"] == []


async def test_a_change_that_says_nothing_or_takes_away_what_is_needed_is_refused(
    platform: Platform,
) -> None:
    path = f"{PATH}/{(await added(platform))['id']}"
    bodies: list[dict[str, Any]] = [{}, {"timezone": None}, {"name": None}, {"agent_id": "ag_x"}]

    answers = [await platform.api.patch(path, json=body) for body in bodies]

    assert [one.status_code for one in answers] == [422] * 4


@pytest.fixture
async def stranger(platform: Platform) -> AsyncIterator[httpx2.AsyncClient]:
    database = platform.store.database
    owner = await database.write(lambda c: create_tenant(c, "Other", "Someone"))
    key = await database.write(lambda c: create_key(c, owner, "test"))
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(base_url=platform.api.base_url, headers=headers) as client:
        yield client


@requirement("SEC-3")
async def test_a_foreign_schedule_is_as_missing_as_one_that_never_was(
    platform: Platform, stranger: httpx2.AsyncClient
) -> None:
    schedule = await added(platform)
    range_ = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}

    async def answers(schedule_id: str) -> list[tuple[int, str]]:
        path = f"{PATH}/{schedule_id}"
        told = [
            await stranger.get(path),
            await stranger.patch(path, json={"name": "mine"}),
            await stranger.delete(path),
            await stranger.post(f"{path}/pause", json={}),
            await stranger.post(f"{path}/resume"),
            await stranger.post(f"{path}/run", json={}),
            await stranger.post(f"{path}/skip-next"),
            await stranger.post(f"{path}/backfill", json=range_),
            await stranger.get(f"{path}/fires"),
        ]
        return [(one.status_code, one.json()["code"]) for one in told]

    theirs, nobodys = await answers(schedule["id"]), await answers("sc_none")

    assert theirs == nobodys == [(404, "schedule_not_found")] * 9
    assert (await stranger.get(PATH)).json() == {"schedules": [], "next_cursor": None}
    added_to_theirs = {"agent_id": schedule["agent_id"], **MORNING}
    assert (await stranger.post(PATH, json=added_to_theirs)).status_code == 404
