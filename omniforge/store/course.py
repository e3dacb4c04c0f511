"""Where a run stands in its plan: what has ended, what it gave, and what a node starts from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import RowMapping

from omniforge.agents.config import SkillReference
from omniforge.agents.modes import Terms
from omniforge.agents.plan import NodeEnd, Plan, hand_on, index_of, skill_of, with_config
from omniforge.agents.versions import AgentVersion
from omniforge.execution.plans.conditions import Facts, StepFacts, value
from omniforge.journal.blobs import Manifest
from omniforge.journal.ports import NodeStatus
from omniforge.journal.steps import Json
from omniforge.store.records import error_of
from omniforge.store.run_files import RunFiles

_ENDS = {
    NodeStatus.COMPLETED: NodeEnd.DONE,
    NodeStatus.SKIPPED: NodeEnd.SKIPPED,
    NodeStatus.FAILED: NodeEnd.FAILED,
    NodeStatus.TIMED_OUT: NodeEnd.FAILED,
}


@dataclass(frozen=True)
class Course:
    """`rows` are the newest generation of each node that has begun."""

    run: RowMapping
    version: AgentVersion
    plan: Plan
    rows: Mapping[str, RowMapping]

    @property
    def ends(self) -> dict[str, NodeEnd]:
        """The nodes that have ended and are not to be run any more, items of a `for_each` among them.

        What failed is among them if the run goes on after that.
        """
        ends = {
            node: end
            for node, row in self.rows.items()
            if (end := _ENDS.get(NodeStatus(row["status"]))) is not None
        }
        return {
            node: end
            for node, end in ends.items()
            if end is not NodeEnd.FAILED or self.reference(node).on_failure != "stop"
        }

    @property
    def items(self) -> dict[str, int]:
        """How many items each `for_each` has found."""
        return {
            node: len(row["items"]) for node, row in self.rows.items() if row["items"] is not None
        }

    @property
    def outputs(self) -> dict[str, Json]:
        """What the nodes gave that came to an answer."""
        return {
            node: row["output"]
            for node, row in self.rows.items()
            if NodeStatus(row["status"]) is NodeStatus.COMPLETED
        }

    def reference(self, node: str) -> SkillReference:
        return self.version.pinned(skill_of(node)).reference

    def facts(self, node: str) -> Facts:
        """What the expressions of a node see."""
        steps = {name: self._facts_of(name) for name in self.plan.depends_on}
        index = index_of(node)
        if index is None:
            return Facts(self.run["input_data"], steps)
        item = self.rows[skill_of(node)]["items"][index]
        return Facts(self.run["input_data"], steps, item, index)

    def input_of(self, node: str) -> Json:
        """What a node is given.

        Raises:
            ConditionFailed: Its `input` cannot be worked out.
        """
        reference = self.reference(node)
        return with_config(reference, self._given(node, reference))

    def files_of(self, node: str) -> Manifest:
        """The files that a node finds."""
        return self.files.found_by(node)

    @cached_property
    def files(self) -> RunFiles:
        changes: Mapping[str, Any] = self.run["terms"].get("changes", {})
        laid = {node: change["files"] for node, change in changes.items() if change.get("files")}
        left = {node: row["workspace"] for node, row in self.rows.items()}
        return RunFiles(self.plan, self.run["files"], left, laid)

    def _given(self, node: str, reference: SkillReference) -> Json:
        change = Terms.model_validate(self.run["terms"]).changes.get(node)
        if change is not None and change.input is not None:
            return change.input
        facts = self.facts(node)
        if reference.input is not None:
            return value(reference.input, facts)
        if facts.index is not None:
            return facts.item if isinstance(facts.item, dict) else {"item": facts.item}
        return hand_on(self.plan, node, self.outputs, facts.input)

    def _facts_of(self, node: str) -> StepFacts:
        """A skill that failed and whose place was taken has the output of the one that took it."""
        row = self.rows.get(node)
        if row is None:
            return StepFacts(status="pending")
        end = _ENDS.get(NodeStatus(row["status"]))
        error = error_of(row["error"])
        output = self.plan.output_of(node, self.outputs)
        return StepFacts(
            output=row["output"] if output is None else output,
            status=end.value if end else "pending",
            error=error.message if error else None,
        )
