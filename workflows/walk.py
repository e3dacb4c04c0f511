"""The way of a run through its plan: what starts when, and what follows from how it ended."""

import asyncio
from collections.abc import Iterator

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from omniforge.agents.config import SkillReference
    from omniforge.agents.plan import NodeEnd, Plan, item_node, skill_of
    from omniforge.agents.runs import RunStatus
    from workflows.node_run import NodeRun, RunState, SkillEnded
    from workflows.waits import stop


class Walk:
    """Through one plan. What it knows, it learned from the nodes' rows or adds to them."""

    def __init__(self, run: RunState) -> None:
        self._run = run
        self._skills = {skill.id: skill for skill in run.beginning.skills}
        self._plan = Plan.of(run.beginning.skills)
        self._ends: dict[str, NodeEnd] = dict(run.beginning.ends)
        self._items: dict[str, int] = dict(run.beginning.items)
        """How many items each `for_each` has found."""
        self._running: dict[str, asyncio.Task[NodeEnd | None]] = {}
        for node in self._plan.depends_on:
            run.progress.show(node, self._ends.get(node, "to do"))

    @property
    def is_done(self) -> bool:
        return all(node in self._ends for node in self._plan.depends_on)

    async def go_on(self) -> None:
        """Run what is left of the plan, or as much as this execution's history has room for.

        Raises:
            SkillEnded: A skill ended without its answer, and so does the run.
        """
        try:
            while not self.is_done:
                await self._start_what_is_due()
                if not self._running:
                    return
                await workflow.wait_condition(self._is_something_to_do)
                for node in [node for node, task in self._running.items() if task.done()]:
                    end = await self._running.pop(node)
                    if end is not None:
                        self._ends[node] = end
        finally:
            await stop(list(self._running.values()))

    async def _start_what_is_due(self) -> None:
        """Start nodes while slots are free, unless the run is to pause, stop, or go on in a new history."""
        if self._run.wish is not None and not self._running:
            await self._run.while_paused(next(self._due()))
        while not self._is_held_up():
            node = next(self._due(), None)
            if node is None:
                return
            await self._run.slots.acquire()
            self._running[node] = asyncio.create_task(self._node(node))

    def _is_held_up(self) -> bool:
        if self._run.wish is not None or self._run.slots.locked():
            return True
        return workflow.info().is_continue_as_new_suggested()

    def _is_something_to_do(self) -> bool:
        is_done = [task.done() for task in self._running.values()]
        if self._run.wish == "stop":
            return all(is_done)  # each of them may finish the step it is at
        if any(is_done):
            return True
        return not self._is_held_up() and next(self._due(), None) is not None

    def _due(self) -> Iterator[str]:
        """The nodes whose turn it is; of a `for_each` that has found its items, those."""
        at_work = {**self._running, **self._ends}
        for node in self._plan.ready(at_work, self._ends):
            if node not in self._items:
                yield node
                continue
            items = [item_node(node, index) for index in range(self._items[node])]
            yield from (item for item in items if item not in at_work)
            if all(item in self._ends for item in items):
                yield node

    async def _node(self, node: str) -> NodeEnd | None:
        """Run a node that has a slot. None when it is not over, because its items are due now."""
        skill = self._skills[skill_of(node)]
        if skill.id != node:
            return await NodeRun(self._run, skill, node).to_its_end()
        if node in self._items:
            return await self._joined(node)
        if self._is_decided_first(skill):
            return await self._decided(skill)
        return await NodeRun(self._run, skill, node).to_its_end()

    def _is_decided_first(self, skill: SkillReference) -> bool:
        """Whether more has to be looked at than that all before it have ended."""
        if skill.when is not None or skill.for_each is not None:
            return True
        return self._plan.is_passed_over(skill.id, self._ends)

    async def _decided(self, skill: SkillReference) -> NodeEnd | None:
        fate = await self._run.books.fate(skill.id)
        if fate.kind == "run":
            return await NodeRun(self._run, skill, skill.id).to_its_end()
        self._run.slots.release()
        if fate.kind == "items":
            self._items[skill.id] = fate.items
            self._run.progress.show(skill.id, f"{fate.items} items")
            return None
        if fate.error is not None and skill.on_failure == "stop":
            raise SkillEnded(RunStatus.FAILED, fate.error)
        end = NodeEnd.SKIPPED if fate.kind == "skip" else NodeEnd.FAILED
        self._run.progress.show(skill.id, end)
        return end

    async def _joined(self, node: str) -> NodeEnd:
        await self._run.books.join(node)
        self._run.slots.release()
        self._run.progress.show(node, NodeEnd.DONE)
        return NodeEnd.DONE
