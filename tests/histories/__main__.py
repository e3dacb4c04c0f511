"""`python -m tests.histories`: record a history of each shape that has none; name shapes to record anew.

A committed history stands for the runs that were under way when that code was at work. So one is
recorded anew only when no such run can exist any more.
"""

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from tests.histories.recorded import FOLDER, path_of
from tests.histories.shapes import SHAPES
from tests.support.platform import running_platform, temporal_server

_IDENTITY = re.compile(r'"identity":\s*"[^"]*"')


async def record(names: list[str]) -> None:
    """Bring about each shape on a platform of its own and keep its history."""
    async with temporal_server() as temporal:
        for name in names:
            with tempfile.TemporaryDirectory() as home:
                async with running_platform(Path(home), temporal) as platform:
                    execution = await SHAPES[name](platform)
                    handle = platform.temporal.get_workflow_handle(platform.workflow_id(execution))
                    history = await handle.fetch_history()
            # Which machine it was made on is nobody's business.
            path_of(name).write_text(_IDENTITY.sub('"identity": "worker"', history.to_json()))
            sys.stdout.write(f"{name}: {len(history.events)} events\n")


if __name__ == "__main__":
    wanted = sys.argv[1:] or [name for name in SHAPES if not path_of(name).exists()]
    if unknown := [name for name in wanted if name not in SHAPES]:
        sys.exit(f"There is no shape {unknown[0]!r}. There are: {', '.join(SHAPES)}.")
    FOLDER.mkdir(exist_ok=True)
    asyncio.run(record(wanted))
