"""The runs of the matrix: which calls they make, and at which moment of which call the worker dies."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, cycle
from typing import Any

from omniforge.journal.ports import Decision
from omniforge.journal.steps import EffectClass
from tests.kill.moments import ASKED, COMMITTED, Moment, moments_of

ROW = 3
"""Steps one after another, and calls side by side."""


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call. `place` names it in the outside world, apart from any key the product makes."""

    place: str
    kind: EffectClass
    moment: Moment = Moment.CALM
    kills: int = 0
    """How often in a row the worker is killed in this very call."""
    decision: Decision = Decision.RESEND
    """What a person says each time it is asked about."""
    has_ledger: bool = True

    @property
    def is_written_ahead(self) -> bool:
        return self.has_ledger and self.kind is not EffectClass.READ

    @property
    def tool(self) -> str:
        return f"post_{self.kind}" if self.has_ledger else f"post_{self.kind}_unledgered"

    @property
    def arguments(self) -> dict[str, str]:
        return {"place": self.place, "moment": self.moment}


@dataclass(frozen=True, slots=True)
class Case:
    """One run: turns of calls, the calls of a turn side by side."""

    id: str
    turns: tuple[tuple[Call, ...], ...]

    @property
    def calls(self) -> list[Call]:
        return [call for turn in self.turns for call in turn]

    @property
    def script(self) -> dict[str, Any]:
        """The input of the run, which tells the model of the harness what to ask for."""
        return {"turns": [[[call.tool, call.arguments] for call in turn] for turn in self.turns]}


def each_cell_once(*, has_ledger: bool = True) -> Iterator[Case]:
    """Every class at every moment, in the first of two steps, and one turn of everything at once."""
    casting = Casting(has_ledger, every_second_kill=0)
    name = "once" if has_ledger else "bare"
    for number, (kind, moment) in enumerate(_cells(has_ledger)):
        yield casting.row(f"{name}-{number}", kind, moment, at=0, length=2)
    yield casting.medley(f"{name}-medley", 0)


def batches(interrupted: int, *, has_ledger: bool = True) -> Iterator[list[Case]]:
    """Without end: runs that park about `interrupted` steps at a time. Always the same ones."""
    batch: list[Case] = []
    for case in _cases(has_ledger):
        batch.append(case)
        if sum(call.kills for each in batch for call in each.calls) >= interrupted:
            yield batch
            batch = []


def _cases(has_ledger: bool) -> Iterator[Case]:
    casting = Casting(has_ledger)
    for number in count():
        made = list(_round(f"{number}", casting, has_ledger))
        random.Random(number).shuffle(made)  # noqa: S311  # an order, not a secret
        yield from made


def _round(name: str, casting: "Casting", has_ledger: bool) -> Iterator[Case]:
    """Every class at every moment: in each step of a row, in calls side by side, and mixed."""
    for number, (kind, moment) in enumerate(_cells(has_ledger)):
        for at in range(ROW):
            yield casting.row(f"{name}-row{at}-{number}", kind, moment, at, ROW)
        if moment not in ASKED:
            yield casting.side_by_side(f"{name}-side-{number}", kind, moment)
    for turned in range(len(moments_of(EffectClass.KEYED, has_ledger=has_ledger))):
        yield casting.medley(f"{name}-medley-{turned}", turned)


def _cells(has_ledger: bool) -> Iterator[tuple[EffectClass, Moment]]:
    for kind in EffectClass:
        if kind is EffectClass.READ and not has_ledger:
            continue  # a read has no ledger to lose
        for moment in moments_of(kind, has_ledger=has_ledger):
            yield kind, moment


class Casting:
    """Hands out decisions and second kills in turn."""

    def __init__(self, has_ledger: bool, every_second_kill: int = 3) -> None:
        self._has_ledger, self._every = has_ledger, every_second_kill
        self._happened = cycle([Decision.HAPPENED, Decision.SKIP, Decision.RESEND])
        self._missing = cycle([Decision.RESEND, Decision.SKIP])
        self._again = count(1)

    def row(self, name: str, kind: EffectClass, moment: Moment, at: int, length: int) -> Case:
        calls = [self._calm(f"{name}.{n}", kind) for n in range(length)]
        calls[at] = self._twice_now_and_then(self._struck(calls[at].place, kind, moment))
        return Case(name, tuple((call,) for call in calls))

    def side_by_side(self, name: str, kind: EffectClass, moment: Moment) -> Case:
        first = self._twice_now_and_then(self._struck("", kind, moment))
        return Case(name, (tuple(replace(first, place=f"{name}.{n}") for n in range(ROW)),))

    def medley(self, name: str, turned: int) -> Case:
        """A calm turn of all classes, then one in which each of them is caught at another moment."""
        kinds = list(EffectClass)
        calm = [self._calm(f"{name}.{n}", kind) for n, kind in enumerate(kinds)]
        caught = []
        for n, kind in enumerate(kinds):
            moments = [m for m in self._moments(kind) if m not in ASKED]
            moment = moments[(turned + 2 * n) % len(moments)]
            caught.append(self._struck(f"{name}.{n + len(kinds)}", kind, moment))
        return Case(name, (tuple(calm), tuple(caught)))

    def _moments(self, kind: EffectClass) -> list[Moment]:
        return moments_of(kind, has_ledger=self._has_ledger)

    def _calm(self, place: str, kind: EffectClass) -> Call:
        return Call(place, kind, has_ledger=self._has_ledger)

    def _struck(self, place: str, kind: EffectClass, moment: Moment) -> Call:
        call = Call(place, kind, moment, 1, has_ledger=self._has_ledger)
        if kind is not EffectClass.ASK:
            return call
        turn = self._happened if moment in COMMITTED else self._missing
        return replace(call, decision=next(turn))

    def _twice_now_and_then(self, call: Call) -> Call:
        if self._every and is_performed_again(call) and next(self._again) % self._every == 0:
            return replace(call, kills=2)
        return call


def is_performed_again(call: Call) -> bool:
    """Whether the tool runs once more after the kill, so that it can be caught there once more."""
    if call.moment is Moment.ANSWER_RECORDED or call.moment in ASKED:
        return False
    if call.kind is EffectClass.FINDABLE and call.has_ledger:
        return call.moment not in COMMITTED
    if call.kind is EffectClass.ASK and call.has_ledger:
        return call.decision is Decision.RESEND
    return True
