"""Many runs under fire: started, answered as people would, and followed to their end."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from omniforge.journal.ports import Decision
from tests.chaos.cases import CANCEL, RAISE, Case, Trial
from tests.chaos.faults import Say, Torment
from tests.chaos.stage import Stage
from tests.chaos.verdict import Seen, Verdict
from tests.support.platform import FINAL

LOOK_EVERY = 0.3
TELL_EVERY = 10.0


class Suite:
    """`window` runs are under way at once; one that takes longer than `patience` seconds is lost."""

    def __init__(self, stage: Stage, window: int, patience: float, say: Say) -> None:
        self._stage, self._patience, self._say = stage, patience, say
        self._window = asyncio.Semaphore(window)
        self._news: dict[str, dict[str, Any]] = {}
        """Run -> what was last heard of it."""
        self._trials: dict[str, Trial] = {}
        """Run -> what it is one of, for all that were accepted."""
        self._answering: dict[str, asyncio.Task[None]] = {}
        self._seen: list[Seen] = []

    async def perform(self, trials: Iterable[Trial], torment: Torment) -> Verdict:
        """All runs from start to end. Faults go on for as long as anything runs."""
        planned = list(trials)
        agents = await self._make_agents(trial.case for trial in planned)
        works = (torment(self._stage), self._watch(), self._answer(), self._tell(planned))
        beside = [asyncio.create_task(work) for work in works]
        following = asyncio.gather(*(self._follow(t, agents[t.case.name]) for t in planned))
        try:
            await _first_failure((following, *beside))
            self._seen = await following
        finally:
            following.cancel()
            for task in (*beside, *self._answering.values()):
                task.cancel()
        keys = self._stage.world.keys
        return Verdict(self._seen, (key for key, count in keys.items() if count > 1))

    async def _make_agents(self, cases: Iterable[Case]) -> Mapping[str, str]:
        unique = {case.name: case for case in cases}
        return {name: await self._stage.new_agent(case) for name, case in unique.items()}

    async def _follow(self, trial: Trial, agent: str) -> Seen:
        async with self._window:
            execution = await self._stage.start(agent, trial.id)
            began = time.monotonic()
            self._trials[execution] = trial
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    while self._status(execution) not in FINAL:
                        await asyncio.sleep(LOOK_EVERY)
        seen = self._seen_of(trial, execution, time.monotonic() - began)
        self._seen.append(seen)
        if seen.faults:
            self._say(str(seen))
        return seen

    def _seen_of(self, trial: Trial, execution: str, seconds: float) -> Seen:
        run = self._news.get(execution, {})
        end = (run["status"], run["error_code"]) if run.get("status") in FINAL else None
        prefix = f"{trial.id}."
        commits = {
            place.removeprefix(prefix): count
            for place, count in self._stage.world.commits.items()
            if place.startswith(prefix)
        }
        return Seen(trial, execution, end, commits, seconds, run.get("error") or "")

    def _status(self, execution: str) -> str:
        return str(self._news.get(execution, {}).get("status", ""))

    # ---- beside the runs ---------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            newest = {run["id"]: run for run in await self._stage.newest_runs()}
            self._news.update(newest)
            for execution in self._trials.keys() - newest.keys():
                if self._status(execution) not in FINAL:
                    self._news[execution] = await self._stage.run(execution)
            await asyncio.sleep(LOOK_EVERY)

    async def _tell(self, planned: list[Trial]) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY)
            wrong = sum(bool(each.faults) for each in self._seen)
            self._say(f"{len(self._seen)} of {len(planned)} runs have ended, {wrong} wrongly")

    async def _answer(self) -> None:
        """The people: each question is answered once, and again only if the answer did not count."""
        while True:
            for question in [*await self._stage.questions(), *self._short_of_money()]:
                task = self._answering.get(question["id"])
                if task is None or task.done():
                    work = asyncio.create_task(self._decide(question))
                    self._answering[question["id"]] = work
            await asyncio.sleep(LOOK_EVERY)

    def _short_of_money(self) -> Iterator[dict[str, Any]]:
        """Runs that wait for money ask nothing; people see it by what they wait for."""
        for execution in self._trials:
            if self._news.get(execution, {}).get("waiting_for") == "budget":
                yield {"id": f"budget of {execution}", "kind": "budget", "execution_id": execution}

    async def _decide(self, question: dict[str, Any]) -> None:
        said, run = self._said_to(question), f"/api/v1/executions/{question['execution_id']}"
        if said == CANCEL:
            await self._stage.ask("POST", f"{run}/cancel")
        elif said == RAISE:
            await self._stage.ask("POST", f"{run}/budget", json={"budget_usd": "1"})
        elif said is not None:
            body = {"decision": said, "reason": "blue" if said == Decision.ANSWER else ""}
            await self._stage.ask("POST", f"/api/v1/approvals/{question['id']}", json=body)

    def _said_to(self, question: dict[str, Any]) -> str | None:
        """None while its run is not known yet."""
        if question["kind"] == "effect":
            has_happened = self._stage.world.commits[question["arguments"]["place"]]
            return Decision.HAPPENED if has_happened else Decision.RESEND
        trial = self._trials.get(question["execution_id"])
        return None if trial is None else trial.case.person[question["kind"]]


async def _first_failure(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Wait for the first of them, the runs; whoever else ends by an error before that says so."""
    runs, *beside = tasks
    pending = {runs, *beside}
    while runs in pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
