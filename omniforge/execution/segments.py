"""One segment of one skill of a run: its files laid out, its executor made, run, and cleared away."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

from omniforge.agents.runs import ErrorInfo
from omniforge.errors import McpServerUnavailable
from omniforge.execution.autonomous import AutonomousConfig
from omniforge.execution.events import Ending, ExecutionResult
from omniforge.execution.factory import ExecutorFactory
from omniforge.execution.loop.preamble import USUAL, Rules
from omniforge.execution.rehearsal import Rehearsal
from omniforge.execution.work import SkillWork
from omniforge.journal.blobs import BlobStore
from omniforge.journal.events import SkillFailed
from omniforge.journal.journal import Journal
from omniforge.journal.ports import NodeStatus, Outcome
from omniforge.skills.document import Skill
from omniforge.tools import trees
from omniforge.tools.protocol import Tool
from omniforge.tools.workspace import Workspace


class ToolSource(Protocol):
    """Where tools come from that only some runs have."""

    async def tools(self, work: SkillWork, skill: Skill, journal: Journal) -> Sequence[Tool]:
        """
        Raises:
            McpServerUnavailable: The skill cannot begin without tools that cannot be had.
        """
        ...


class SegmentRunner:
    """Runs segments on this machine. The working copies in `root` can be lost at any time."""

    def __init__(
        self,
        executors: ExecutorFactory,
        blobs: BlobStore,
        root: Path,
        sources: Sequence[ToolSource] = (),
        rules: Rules = USUAL,
    ) -> None:
        self._executors, self._blobs, self._root = executors, blobs, root
        self._sources, self._rules = sources, rules

    async def run(self, skill: Skill, work: SkillWork, journal: Journal) -> ExecutionResult:
        """Run until the skill is done, waits for someone, or is interrupted."""
        async with self._workspace(work, journal) as workspace:
            config = AutonomousConfig(
                max_iterations=work.max_iterations,
                timeout_s=work.timeout_s,
                model=work.model or skill.model or "",
                fallback_models=work.fallback_models,
                workspace=workspace,
                user_id=work.user_id,
                permissions=work.permissions,
                on_demand=work.on_demand,
                rules=self._rules,
            )
            try:
                tools = await self._tools(work, skill, journal)
            except McpServerUnavailable as error:
                return await _not_begun(error, skill, journal)
            script, node = work.script, journal.key.node
            executor = self._executors.make(
                skill,
                config,
                journal,
                has_cap=work.has_cap,
                tools=tools,
                rehearsal=None if script is None else Rehearsal(node, script),
            )
            return await executor.execute_sync(
                json.dumps(work.input), work.task_id, work.task_id, work.tenant_id
            )

    async def _tools(self, work: SkillWork, skill: Skill, journal: Journal) -> list[Tool]:
        if journal.outcome is not None or journal.is_replay:
            return []
        return [
            tool for source in self._sources for tool in await source.tools(work, skill, journal)
        ]

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
            with suppress(OSError):  # it is only in the way
                trees.remove(folder)


async def _not_begun(
    error: McpServerUnavailable, skill: Skill, journal: Journal
) -> ExecutionResult:
    """The end of a skill that could not even be given its tools."""
    info = ErrorInfo(code=error.code, message=error.message)
    failed = SkillFailed(skill_name=skill.name, error=info)
    await journal.finish(Outcome(NodeStatus.FAILED, None, info), failed)
    return ExecutionResult(Ending.FAILED, error=info)
