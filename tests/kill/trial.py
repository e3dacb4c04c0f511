"""Many runs, stopped at their moments, killed together, and followed to their end."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from omniforge.journal.steps import StepKind, StepStatus
from tests.kill.cases import Call, Case
from tests.kill.moments import DECIDING, gate_of, on_record
from tests.kill.stage import Stage
from tests.kill.verdict import Evidence, Owed
from tests.support.platform import FINAL

PATIENCE = 60.0
LOOK_EVERY = 0.15

Steps = list[dict[str, Any]]


class Trial:
    """One batch of cases on a stage. A run that does not end in time is lost, and said to be."""

    def __init__(self, stage: Stage, cases: Sequence[Case], api_dies_too: bool = False) -> None:
        self._stage, self._service, self._cases = stage, stage.service, cases
        self._api_dies_too = api_dies_too
        self._calls = {call.place: call for case in cases for call in case.calls}
        self._executions: dict[str, str] = {}
        """Case -> its run."""
        self._gates: dict[str, str] = {}
        """Place -> the name under which it is held."""
        self._interrupted: Counter[str] = Counter()
        self._questions: dict[str, str] = {}
        """Question -> the place it is about."""
        self._owed = {place: Owed() for place in self._calls}
        self._deciding: set[asyncio.Task[None]] = set()
        self._settled: dict[str, Steps] = {}
        """Run -> the settled steps it had when its worker was killed last."""
        self._rewritten: set[str] = set()
        self.kills = 0

    async def perform(self) -> list[Evidence]:
        """What became of each call."""
        self._agent = await self._stage.new_agent()
        for call in self._calls.values():
            if call.kills and call.moment not in DECIDING:
                self._gates[call.place] = call.place
                self._service.hold(call.place, call.kills)
        started = await asyncio.gather(*(self._stage.start(self._agent, c) for c in self._cases))
        self._executions = {c.id: run for c, run in zip(self._cases, started, strict=True)}
        while still := await self._until_still():
            await self._kill(still)
        for task in self._deciding:
            task.cancel()  # done, unless its run never ended
        await self._service.until(lambda: not self._service.late, PATIENCE)
        runs = await self._stage.runs(self._agent)
        return [seen for case in self._cases for seen in await self._seen(case, runs)]

    # ---- until everything stands still -------------------------------------------------------

    async def _until_still(self) -> list[Case]:
        """Wait until each run has ended or is held; those that are held. None when time is up."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    await self._decide_what_is_asked()
                    runs = await self._stage.runs(self._agent)
                    under_way = [c for c in self._cases if not self._has_ended(c, runs)]
                    if all(self._is_still(case) for case in under_way):
                        return under_way
                    await asyncio.sleep(LOOK_EVERY)
        except TimeoutError:
            return []

    def _has_ended(self, case: Case, runs: dict[str, dict[str, Any]]) -> bool:
        return runs[self._executions[case.id]]["status"] in FINAL

    def _is_still(self, case: Case) -> bool:
        """Somebody in it is held, and nobody who must be is still on the way."""
        struck = [call for call in case.calls if call.kills]
        gates = {call.place: self._gates.get(call.place, "") for call in struck}
        due = self.kills + 1
        has_arrived = all(
            self._service.arrived[gates[call.place]] >= min(call.kills, due) for call in struck
        )
        return has_arrived and any(gate in self._service.parked for gate in gates.values())

    async def _decide_what_is_asked(self) -> None:
        for question in await self._stage.questions():
            if question["id"] not in self._questions:
                call = await self._asked_about(question)
                self._questions[question["id"]] = call.place
                self._owed[call.place].decided(call.decision, self._service.commits[call.place])
                self._hold_decision(question["id"], call)
                task = asyncio.create_task(self._stage.decide(question["id"], call.decision))
                self._deciding.add(task)

    async def _asked_about(self, question: dict[str, Any]) -> Call:
        effect_id = question["id"].partition(".")[0]
        steps = await self._stage.steps(question["execution_id"])
        (place,) = [s["arguments"]["place"] for s in steps if s["effect_id"] == effect_id]
        return self._calls[place]

    def _hold_decision(self, approval_id: str, call: Call) -> None:
        if call.moment in DECIDING and call.place not in self._gates:
            gate = self._gates[call.place] = gate_of(approval_id, call.moment)
            self._service.hold(gate, call.kills)

    # ---- the kill ----------------------------------------------------------------------------

    async def _kill(self, cases: Sequence[Case]) -> None:
        records = await asyncio.gather(*(self._stage.steps(self._executions[c.id]) for c in cases))
        gone = set(self._service.parked)
        self._stage.platform.kill("worker")
        if self._api_dies_too:
            self._stage.platform.kill("api")
        self.kills += 1
        for case, steps in zip(cases, records, strict=True):
            self._note(case, steps, gone)
        await self._service.until(lambda: not gone & self._service.parked, PATIENCE)

    def _note(self, case: Case, steps: Steps, parked: set[str]) -> None:
        execution = self._executions[case.id]
        for call in case.calls:
            if call.kills and self._gates.get(call.place) in parked:
                must = on_record(call.moment, is_written_ahead=call.is_written_ahead)
                found = [step["status"] for step in _of(call, steps)]
                self._interrupted[call.place] += found == ([] if must is None else [must])
        self._compare(execution, steps)
        self._settled[execution] = [s for s in steps if StepStatus(s["status"]).is_settled]

    def _compare(self, execution: str, steps: Steps) -> None:
        """What was settled at the last kill must be there, unchanged."""
        if any(step not in steps for step in self._settled.get(execution, [])):
            self._rewritten.add(execution)

    # ---- afterwards --------------------------------------------------------------------------

    async def _seen(self, case: Case, runs: dict[str, dict[str, Any]]) -> list[Evidence]:
        execution = self._executions[case.id]
        steps = await self._stage.steps(execution)
        is_over = self._has_ended(case, runs)
        events = await self._stage.events(execution) if is_over else []
        self._compare(execution, steps)
        answered = Counter(
            event["body"]["step"] for event in events if event["body"]["type"] == "tool_answered"
        )
        return [
            Evidence(
                call,
                interrupted=self._interrupted[call.place],
                has_run_completed=runs[execution]["status"] == "completed",
                records=tuple(_of(call, steps)),
                answers=sum(answered[step["step"]] for step in _of(call, steps)),
                commits=self._service.commits[call.place],
                owed=self._owed[call.place],
                questions=list(self._questions.values()).count(call.place),
                is_rewritten=execution in self._rewritten,
            )
            for call in case.calls
        ]


def _of(call: Call, steps: Steps) -> Steps:
    return [s for s in steps if s["kind"] == StepKind.TOOL and s["arguments"] == call.arguments]
