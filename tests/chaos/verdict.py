"""What became of each run, and what is wrong with it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.chaos.cases import Trial


class Fault(StrEnum):
    LOST = "lost"
    """Accepted, and never final."""
    WRONG_END = "wrong end"
    DOUBLED = "doubled"
    """An effect happened more often than it should have."""
    MISSING = "missing"
    """The run says it is done, and an effect never happened."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is known of one run afterwards."""

    trial: Trial
    execution: str
    end: tuple[str, str | None] | None
    """Status and error code; None while it is not final."""
    commits: Mapping[str, int]
    """What the outside service did for it, by place."""
    seconds: float
    error: str = ""

    @property
    def faults(self) -> set[Fault]:
        if self.end is None:
            return {Fault.LOST, *self._doubled}
        found = set(self._doubled)
        if self.end != self.trial.case.end:
            found.add(Fault.WRONG_END)
        elif any(not self.commits.get(place) for place in self.trial.case.posts):
            found.add(Fault.MISSING)
        return found

    @property
    def _doubled(self) -> Iterable[Fault]:
        """Reads are repeated freely; any other place that is not due at all is one too many."""
        for place, count in self.commits.items():
            if not place.endswith("-read") and count > (place in self.trial.case.posts):
                yield Fault.DOUBLED

    def __str__(self) -> str:
        came_to = "not final" if self.end is None else " ".join(filter(None, self.end))
        due = " ".join(filter(None, self.trial.case.end))
        what = ", ".join(sorted(self.faults)) or "well"
        return (
            f"{self.trial.id} ({self.execution}): {what}; {came_to} in {self.seconds:.0f} s,"
            f" due: {due}; posts {dict(self.commits)} {self.error}"
        )


class Verdict:
    def __init__(self, seen: Sequence[Seen], twice: Iterable[str] = ()) -> None:
        """`twice` are effect ids under which something happened more than once."""
        self.seen, self.twice = seen, sorted(twice)
        self.faults = Counter(fault for each in seen for fault in each.faults)

    @property
    def wrong(self) -> list[Seen]:
        return [each for each in self.seen if each.faults]

    @property
    def share(self) -> float:
        """Of the runs that ended as they should."""
        return 1 - len(self.wrong) / len(self.seen)

    @property
    def is_reached(self) -> bool:
        """More than 99 % end as they should, none is lost, no effect is doubled."""
        return (
            self.share > 0.99
            and not self.faults[Fault.LOST]
            and not self.faults[Fault.DOUBLED]
            and not self.twice
        )

    def report(self) -> str:
        by_case = Counter(each.trial.case.name for each in self.seen)
        well = Counter(each.trial.case.name for each in self.seen if not each.faults)
        by_time = sorted(self.seen, key=lambda each: each.seconds)
        median, slowest = by_time[len(by_time) // 2], by_time[-1]
        lines = [f"{name:14} {well[name]:4} of {by_case[name]:4} as due" for name in by_case]
        lines += [f"  {each}" for each in self.wrong]
        counted = ", ".join(f"{self.faults[fault]} {fault}" for fault in Fault)
        lines.append(
            f"{len(self.seen)} runs, {self.share:.1%} ended as they should: {counted},"
            f" {len(self.twice)} effect ids used twice;"
            f" a run took {median.seconds:.1f} s at the median, {slowest.seconds:.1f} s at most"
            f" ({slowest.trial.id}, {slowest.execution})"
        )
        return "\n".join(lines)
