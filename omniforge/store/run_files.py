"""Which files a skill of a run finds: those the run was given, as all skills before it left them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from types import MappingProxyType

from omniforge.agents.plan import Plan, index_of, skill_of
from omniforge.journal.blobs import Manifest


@dataclass(frozen=True, slots=True)
class _Changes:
    """What one skill did to the files that it found."""

    written: Manifest
    removed: frozenset[str]

    @classmethod
    def between(cls, found: Manifest, left: Manifest) -> "_Changes":
        written = {path: digest for path, digest in left.items() if found.get(path) != digest}
        return cls(written, frozenset(found.keys() - left.keys()))


class RunFiles:
    """The files of a run at each of its skills.

    A skill finds the run's files with the changes of every skill before it. Where two that ran side
    by side wrote the same path, the later one of the plan counts; what one of them left alone never
    undoes what the other one wrote.
    """

    def __init__(
        self,
        plan: Plan,
        given: Manifest,
        left: Mapping[str, Manifest | None],
        laid: Mapping[str, Manifest] = MappingProxyType({}),
    ) -> None:
        """`left` is what nodes recorded; one that wrote nothing has None or is not there. The items of a
        `for_each` run side by side.

        `laid` is what some skills find besides, over what is there.
        """
        self._given, self._laid = given, laid
        self._before: dict[str, set[str]] = {}
        self._changes: dict[str, _Changes] = {}
        items: dict[str, list[str]] = {}
        for name in sorted(left, key=lambda name: index_of(name) or 0):
            if index_of(name) is not None:
                items.setdefault(skill_of(name), []).append(name)
        for node in TopologicalSorter(plan.depends_on).static_order():
            needed = plan.depends_on[node]
            self._before[node] = set(needed).union(*(self._before[name] for name in needed))
            for each in (node, *items.get(node, ())):
                self._add(each, left.get(each))

    def found_by(self, node: str) -> Manifest:
        """The files that a node starts with."""
        return {**self._handed_to(node), **self._laid.get(node, {})}

    def _add(self, node: str, files: Manifest | None) -> None:
        if files is None and node in self._laid:
            files = self.found_by(node)
        if files is not None:
            self._changes[node] = _Changes.between(self._handed_to(node), files)

    def _handed_to(self, node: str) -> Manifest:
        before = self._before[skill_of(node)]
        return self._with(
            change for name, change in self._changes.items() if skill_of(name) in before
        )

    def now(self) -> Manifest:
        """The files as all skills so far have left them."""
        return self._with(self._changes.values())

    def _with(self, changes: Iterable[_Changes]) -> Manifest:
        files = dict(self._given)
        for change in changes:
            files = {path: at for path, at in files.items() if path not in change.removed}
            files |= change.written
        return files
