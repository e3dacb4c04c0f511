"""What the Web UI says of a run at this moment."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from omniforge.agents.plan import index_of, skill_of


class Progress:
    """The state of each node, in words; the items of a `for_each` as numbers."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._items: dict[str, dict[str, str]] = {}

    def show(self, node: str, state: str) -> None:
        """Say how it stands with a node."""
        if index_of(node) is None:
            self._states[node] = state
        else:
            self._items.setdefault(skill_of(node), {})[node] = state
        workflow.set_current_details("\n".join(map(self._line, self._states)))

    def _line(self, node: str) -> str:
        counts: dict[str, int] = {}
        for state in self._items.get(node, {}).values():
            counts[state] = counts.get(state, 0) + 1
        items = "".join(f"; {number} {state}" for state, number in counts.items())
        return f"- **{node}**: {self._states[node]}{items}"
