"""The same product on PostgreSQL, with a Temporal server of its own so that no other worker helps."""

from pathlib import Path

import pytest

from tests.support.platform import running_platform, skill, temporal_server
from tests.support.postgres import PostgresServer
from tests.support.requirements import requirement
from tests.support.scripted import answer, calling

pytestmark = pytest.mark.postgres


@requirement("FR-7", "EXE-2", "DUR-2")
async def test_runs_events_files_and_decisions_work_on_postgres(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """One pass through everything that has SQL of its own dialect, LISTEN/NOTIFY included."""
    async with (
        temporal_server() as temporal,
        running_platform(tmp_path, temporal, postgres.new_database()) as platform,
    ):
        platform.model.decides(
            lambda request: (
                calling(("post_ask", {"text": "x"}))
                if 'name="post"' in request.system and len(request.messages) == 1
                else answer('{"done": true}')
                if 'name="post"' in request.system
                else None
            )
        )
        platform.service.lost_answers = 1
        write = '1. Write: `write_file {"path": "a.txt", "content": "n=${input.n}"}`\n2. Answer: `{"n": 1}`'
        agent = await platform.agent(skill("write", write, 1), skill("post", order=2))
        execution = await platform.start(agent, {"n": 7})

        waiting = await platform.until(execution, {"waiting"})
        (question,) = (await platform.api.get("/api/v1/approvals")).json()["approvals"]
        await platform.api.post(
            f"/api/v1/approvals/{question['id']}", json={"decision": "happened"}
        )
        events = await platform.events(execution)
        run = await platform.ended(execution)
        file = await platform.api.get(f"/api/v1/executions/{execution}/artifacts/a.txt")

    assert waiting["waiting_for"] == "effect"
    assert run["result"] == {"done": True}
    assert file.text == "n=7"
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["body"]["type"] == "run_finished"
    assert len(platform.service.posts) == 1
