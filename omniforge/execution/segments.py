"""One segment of one skill of a run: its files laid out, its executor made, run, and cleared away."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from omniforge.execution.autonomous import AutonomousConfig
from omniforge.execution.events import ExecutionResult
from omniforge.execution.factory import ExecutorFactory
from omniforge.execution.work import SkillWork
from omniforge.journal.blobs import BlobStore
from omniforge.journal.journal import Journal
from omniforge.skills.document import Skill
from omniforge.tools.workspace import Workspace


class SegmentRunner:
    """Runs segments on this machine. The working copies in `root` can be lost at any time."""

    def __init__(self, executors: ExecutorFactory, blobs: BlobStore, root: Path) -> None:
        self._executors, self._blobs, self._root = executors, blobs, root

    async def run(self, skill: Skill, work: SkillWork, journal: Journal) -> ExecutionResult:
        """Run until the skill is done, waits for someone, or is interrupted."""
        async with self._workspace(work, journal) as workspace:
            config = AutonomousConfig(
                max_iterations=work.max_iterations,
                timeout_s=work.timeout_s,
                model=work.model or skill.model or "",
                workspace=workspace,
                user_id=work.user_id,
                permissions=work.permissions,
            )
            executor = self._executors.make(skill, config, journal, has_cap=work.has_cap)
            return await executor.execute_sync(
                json.dumps(work.input), work.task_id, work.task_id, work.tenant_id
            )

    @asynccontextmanager
    async def _workspace(self, work: SkillWork, journal: Journal) -> AsyncIterator[Workspace]:
        """A folder of this segment's own: a lost worker that is still writing cannot touch it."""
        node = f"{journal.key.node}.{journal.fence.segment}.{journal.fence.attempt}"
        folder = self._root / work.tenant_id / work.task_id / node
        workspace = Workspace(folder, self._blobs)
        await workspace.restore(work.files if journal.workspace is None else journal.workspace)
        try:
            yield workspace
        finally:
            if folder.exists():
                shutil.rmtree(folder, ignore_errors=True)
