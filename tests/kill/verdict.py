"""What became of each call, and the table of it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from omniforge.journal.ports import Decision
from omniforge.journal.steps import EffectClass, StepStatus
from tests.kill.cases import Call
from tests.kill.moments import ASKED, Moment, is_in_doubt


class Fault(StrEnum):
    LOST = "lost"
    DOUBLED = "doubled"
    UNPARKED = "unparked"
    """In doubt, of class ask, and nobody was asked."""
    OVERASKED = "overasked"
    """Asked without need, or twice of one sending."""
    REWRITTEN = "rewritten"
    """A settled step changed after it was recorded."""


@dataclass(slots=True)
class Owed:
    """How often a call must have been committed in the end: once, or as people decided."""

    commits: int = 1
    was_exceeded: bool = False

    def decided(self, decision: Decision, commits_now: int) -> None:
        self.was_exceeded |= commits_now > self.commits
        self.commits = commits_now + (decision is Decision.RESEND)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of one call after its run."""

    call: Call
    interrupted: int
    """Kills that met the call at its moment, with the record the moment must have."""
    has_run_completed: bool
    records: tuple[Mapping[str, Any], ...]
    """Its steps in the journal."""
    answers: int
    """Events that told of its answer."""
    commits: int
    owed: Owed
    questions: int
    is_rewritten: bool


def faults_of(seen: Evidence) -> set[Fault]:
    found = set(_of_effect(seen)) | set(_of_questions(seen))
    return found | {Fault.REWRITTEN} if seen.is_rewritten else found


def _of_effect(seen: Evidence) -> Iterable[Fault]:
    settled = [step for step in seen.records if StepStatus(step["status"]).is_settled]
    if not seen.has_run_completed or not settled or seen.commits < seen.owed.commits:
        yield Fault.LOST
    is_too_many = seen.owed.was_exceeded or seen.commits > seen.owed.commits
    if seen.call.kind is not EffectClass.READ and is_too_many:
        yield Fault.DOUBLED
    if len(seen.records) > 1 or seen.answers > 1:
        yield Fault.DOUBLED


def _of_questions(seen: Evidence) -> Iterable[Fault]:
    call = seen.call
    must = 0
    if call.kind is EffectClass.ASK:
        must = 1 if call.moment in ASKED else seen.interrupted * is_in_doubt(call.moment)
    if seen.questions < must:
        yield Fault.UNPARKED
    if seen.questions > must:
        yield Fault.OVERASKED


@dataclass(slots=True)
class Cell:
    """One class at one moment. `missed` calls were not where they should be when the worker died."""

    interrupted: int = 0
    parked: int = 0
    missed: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Cell") -> None:
        self.interrupted += other.interrupted
        self.parked += other.parked
        self.missed += other.missed
        self.faults.update(other.faults)

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


Key = tuple[EffectClass, Moment]


class Tally:
    """Counts by class and moment; the calls beside those that were to be interrupted count as calm."""

    def __init__(self, evidence: Iterable[Evidence] = (), kills: int = 0) -> None:
        self.cells: dict[Key, Cell] = {}
        self.kills = kills
        for seen in evidence:
            self._count(seen)

    def _count(self, seen: Evidence) -> None:
        missed = seen.call.kills - seen.interrupted
        # Where the kill missed its moment, how often people had to be asked is not known.
        excused = {Fault.UNPARKED, Fault.OVERASKED} if missed else set()
        faults = Counter(str(fault) for fault in faults_of(seen) - excused)
        cell = Cell(seen.interrupted, seen.questions, missed, faults)
        self._cell((seen.call.kind, seen.call.moment)).add(cell)

    def add(self, other: "Tally") -> None:
        self.kills += other.kills
        for key, cell in other.cells.items():
            self._cell(key).add(cell)

    def _cell(self, key: Key) -> Cell:
        return self.cells.setdefault(key, Cell())

    @property
    def total(self) -> Cell:
        whole = Cell()
        for cell in self.cells.values():
            whole.add(cell)
        return whole

    @property
    def interrupted(self) -> int:
        return self.total.interrupted

    @property
    def faults(self) -> Counter[str]:
        return self.total.faults

    # ---- on disk and on paper ----------------------------------------------------------------

    def as_json(self) -> dict[str, Any]:
        cells = [[*key, cell.as_json()] for key, cell in self.cells.items()]
        return {"kills": self.kills, "cells": cells}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Tally":
        tally = cls(kills=data["kills"])
        for kind, moment, cell in data["cells"]:
            counted = Cell(**{**cell, "faults": Counter(cell["faults"])})
            tally.cells[EffectClass(kind), Moment(moment)] = counted
        return tally

    def table(self) -> str:
        """For people: classes and moments in their order, and the sum of all."""
        heads = ["interrupted", "lost", "doubled", "parked", "unparked", "overasked", "rewritten"]
        lines = [f"{'class':9} {'moment of the kill':36} " + " ".join(heads)]
        kinds, moments = list(EffectClass), list(Moment)
        for kind, moment in sorted(
            self.cells, key=lambda key: (kinds.index(key[0]), moments.index(key[1]))
        ):
            lines.append(_line(kind, moment, self.cells[kind, moment], heads))
        return "\n".join([*lines, _line("all", "", self.total, heads)])


def _line(kind: str, moment: str, cell: Cell, heads: list[str]) -> str:
    known = {"interrupted": cell.interrupted, "parked": cell.parked}
    numbers = [known[head] if head in known else cell.faults[head] for head in heads]
    shown = " ".join(f"{number:{len(head)}}" for head, number in zip(heads, numbers, strict=True))
    return f"{kind:9} {moment:36} {shown}"
