"""What people ask of a run, on PostgreSQL: rows that are locked, and commits that are refused."""

from pathlib import Path

import pytest

from omniforge.errors import ModelAuthFailed
from omniforge.llm.protocol import Completion
from tests.control.driving import Gate, paused, told, turns_of
from tests.control.test_steer import obeying
from tests.support.platform import running_platform, skill, temporal_server
from tests.support.postgres import PostgresServer
from tests.support.requirements import requirement
from tests.support.scripted import Reply, answer, calling

pytestmark = pytest.mark.postgres


@requirement("DUR-3")
async def test_pause_steer_interrupt_and_retry_work_on_postgres(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    async with (
        temporal_server() as temporal,
        running_platform(tmp_path, temporal, postgres.new_database()) as platform,
    ):
        is_broken = True

        def decide(request: Completion) -> Reply:
            if turns_of(request) == 0:
                return calling(("post_ask", {"text": "x"}))
            return ModelAuthFailed("no") if is_broken else obeying(request)

        gate = Gate(decide)
        platform.model.decides(gate)
        platform.service.lost_answers = 1
        execution = await platform.start(await platform.agent(skill("one")))
        await gate.is_asked()
        await told(platform, execution, "pause")
        gate.open()
        await paused(platform, execution)
        await told(platform, execution, "resume")
        await platform.until(execution, {"waiting"})
        await told(platform, execution, "steer", message="mind this")
        await told(platform, execution, "interrupt")
        stopped = await platform.ended(execution)
        await told(platform, execution, "retry", in_doubt="happened")
        failed = await platform.ended(execution)
        is_broken = False
        await told(platform, execution, "retry")
        run = await platform.ended(execution)

        gate = Gate(lambda asked: obeying(asked) if turns_of(asked) else answer('{"told": "no"}'))
        platform.model.decides(gate)
        other = await platform.start(await platform.agent(skill("two")))
        await gate.is_asked()
        await told(platform, other, "steer", message="say it again")
        gate.open()
        late = await platform.ended(other)

    assert (stopped["error_code"], failed["error_code"]) == ("interrupted", "model_auth_failed")
    assert (run["status"], run["result"]) == ("completed", {"told": "mind this"})
    assert run["generation"] == 2
    assert late["result"] == {"told": "say it again"}
    assert len(platform.service.posts) == 1
