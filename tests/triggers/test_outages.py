"""Temporal down over the times of schedules, Temporal with nothing in it, and processes killed in between."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from dev import environment, temporal_server
from dev.processes import Part, Process
from dev.temporal_server import TemporalPorts
from omniforge import clock
from omniforge.agents.triggers.schedules import Fire, FireOutcome, Schedule
from tests.support.platform import Platform, running_platform
from tests.support.requirements import requirement
from tests.triggers.mortal import REMOVALS, Moment
from tests.triggers.scheduling import AT_ONCE, MINUTE, Desk
from workflows.wire import data_converter

EACH_MINUTE = "* * * * *"
# The next minute, and then some on a busy machine.
A_WHILE = 130.0


class Server:
    """A Temporal server on a file, at one address, that is stopped and started again."""

    def __init__(self, folder: Path, held: TemporalPorts) -> None:
        self._folder, self._held = folder, held
        self._process: Process | None = None

    @property
    def address(self) -> str:
        return self._held.address

    async def start(self, database: str) -> None:
        command = temporal_server.server_command(
            temporal_server.find_binary(),
            self._folder / database,
            self._held,
            "http://localhost/codec",
        )
        part = Part("temporal", command, environment.of_temporal(), self._folder / "temporal.log")
        self._process = await Process.start(part)
        await temporal_server.until_serving(self._held.address, part.log)

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    held = TemporalPorts.reserve()
    server = Server(tmp_path, held)
    await server.start("first.db")
    try:
        yield server
    finally:
        await server.stop()
        for port in held:
            port.release()


@asynccontextmanager
async def desk_on(server: Server, home: Path) -> AsyncIterator[Desk]:
    client = await Client.connect(server.address, data_converter=data_converter())
    temporal = WorkflowEnvironment.from_client(client)
    async with running_platform(home, temporal) as platform, Desk.open(platform) as desk:
        yield desk


async def seconds_into_a_minute(seconds: float, after: float = 0) -> None:
    """Wait for the next moment that is so far into a minute, and at least `after` seconds away."""
    earliest = clock.now() + timedelta(seconds=after)
    at = earliest.replace(second=0, microsecond=0) + timedelta(seconds=seconds)
    if at < earliest:
        at += MINUTE
    await asyncio.sleep((at - clock.now()).total_seconds())


def assert_each_minute_once(fires: list[Fire]) -> None:
    times = sorted(fire.scheduled_at for fire in fires)
    assert times == [times[0] + number * MINUTE for number in range(len(times))]
    runs = Counter(fire.execution_id for fire in fires if fire.outcome is FireOutcome.RUN)
    assert set(runs.values()) == {1}


@pytest.mark.long
@pytest.mark.timeout(400)
@requirement("FR-9", "NFR-4", "DUR-1")
async def test_what_was_due_while_temporal_was_down_is_caught_up_as_the_schedules_say(
    server: Server, tmp_path: Path
) -> None:
    async with desk_on(server, tmp_path) as desk:
        await seconds_into_a_minute(2)
        each = await desk.add(cron_expression=EACH_MINUTE, overlap="allow")
        skipping = await desk.add(cron_expression=EACH_MINUTE, overlap="skip")
        impatient = await desk.add(
            cron_expression=EACH_MINUTE, overlap="allow", catchup_window_s=10
        )
        began = clock.now().replace(second=0, microsecond=0)
        # The server's own workflow of a schedule counts from its first task on, which this waits for.
        assert [await desk.is_in_line(one) for one in (each, skipping, impatient)] == [True] * 3

        await server.stop()
        await seconds_into_a_minute(20, after=70)
        await server.start("first.db")
        missed = (clock.now() - began) // MINUTE
        fires = {
            one.id: await desk.until_fires(one, missed + 1, A_WHILE) for one in (each, skipping)
        }
        late = await desk.until_fires(impatient, 1, A_WHILE)

    assert missed >= 1
    for found in fires.values():
        assert_each_minute_once(found)
        assert min(fire.scheduled_at for fire in found) == began + MINUTE
    assert {fire.outcome for fire in fires[each.id]} == {FireOutcome.RUN}
    assert min(fire.scheduled_at for fire in late) > began + missed * MINUTE


@pytest.mark.long
@pytest.mark.timeout(400)
@requirement("FR-9", "NFR-4", "DUR-1")
async def test_an_empty_temporal_has_all_schedules_again_and_none_fires_twice(
    server: Server, tmp_path: Path
) -> None:
    async with desk_on(server, tmp_path) as desk:
        schedules = [
            await desk.add(cron_expression=EACH_MINUTE, overlap="allow") for _ in range(20)
        ]
        paused = await desk.add(cron_expression=EACH_MINUTE, enabled=False)
        await asyncio.gather(*(desk.until_fires(one, 1, A_WHILE) for one in schedules))

        await server.stop()
        await seconds_into_a_minute(5)
        await server.start("second.db")
        assert await desk.listed() == set()
        await asyncio.gather(desk.healer.compare(AT_ONCE), desk.healer.compare(AT_ONCE))
        fires = await asyncio.gather(*(desk.until_fires(one, 2, A_WHILE) for one in schedules))

        assert [one for one in (*schedules, paused) if not await desk.is_in_line(one)] == []
        assert await desk.fires(paused) == []
    for found in fires:
        assert_each_minute_once(found)


@pytest.mark.long
@requirement("FR-9", "DUR-1")
@pytest.mark.parametrize("moment", Moment)
async def test_a_process_killed_between_row_and_projection_leaves_nothing_that_is_not_healed(
    desk: Desk, platform: Platform, moment: Moment
) -> None:
    if moment in REMOVALS:
        await desk.add()
    before = await desk.all()

    status = await killed(platform, desk.agent_id, moment)
    left = before or await desk.all()
    await desk.healer.project(AT_ONCE)

    assert status == -signal.SIGKILL
    (schedule,) = left
    if moment in REMOVALS:
        assert not await desk.is_there(schedule)
        assert await row_of(desk, schedule) is None
    else:
        assert await desk.is_in_line(schedule)
        assert (await desk.get(schedule)).projected == 1


async def killed(platform: Platform, agent_id: str, moment: Moment) -> int:
    """What a process ended with that was killed at a moment of its work."""
    address = platform.temporal.service_client.config.target_host
    words = (moment, platform.store.database.url, address, platform.tenant_id, agent_id)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.triggers.mortal", *words),
        stdin=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(30):
        return await process.wait()


async def row_of(desk: Desk, schedule: Schedule) -> object:
    return await desk.platform.mine.read(lambda db: db.schedules.desired(schedule.id))
