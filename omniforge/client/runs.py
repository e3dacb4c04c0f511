"""`client.runs`."""

from collections.abc import AsyncGenerator, Mapping
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import quote

from pydantic import BaseModel

from omniforge.agents.runs import RunStatus
from omniforge.client.models import (
    Artifact,
    Budget,
    Comparison,
    ControlledRun,
    HeldCall,
    Page,
    Run,
    StartedRun,
    Step,
)
from omniforge.client.transport import Files, Transport, packed
from omniforge.client.watching import watch
from omniforge.identity import new_id
from omniforge.journal.events import Event

_RUNS = "/api/v1/executions"


class _Steps(BaseModel):
    steps: tuple[Step, ...]


class _Artifacts(BaseModel):
    artifacts: tuple[Artifact, ...]


class _Held(BaseModel):
    held: tuple[HeldCall, ...]


class Runs:
    """The runs of all agents of the workspace."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(
        self, *, limit: int = 50, cursor: str | None = None, status: RunStatus | None = None
    ) -> Page[Run]:
        return await self._transport.page(
            _RUNS, "executions", Run, limit=limit, cursor=cursor, status=status
        )

    async def get(self, execution_id: str) -> Run:
        return await self._transport.get(_path(execution_id), Run)

    async def steps(self, execution_id: str) -> tuple[Step, ...]:
        """The journal: every model call and tool call of the run, once."""
        return (await self._transport.get(f"{_path(execution_id)}/steps", _Steps)).steps

    async def cancel(self, execution_id: str) -> StartedRun:
        """Ask a run to stop; it ends as `cancelled` a moment later.

        Raises:
            RunFinished: It has ended already.
        """
        return await self._transport.post(f"{_path(execution_id)}/cancel", StartedRun)

    async def raise_budget(self, execution_id: str, budget_usd: Decimal) -> Budget:
        """Let a run spend more, in all. If it waits for that, it goes on at once.

        Raises:
            BudgetNotRaised: It may spend as much already, or the cap that counts is another run's.
            RunFinished: It has ended already.
        """
        body = {"budget_usd": f"{budget_usd:f}"}
        return await self._transport.post(f"{_path(execution_id)}/budget", Budget, json=body)

    async def pause(self, execution_id: str, *, reason: str = "") -> ControlledRun:
        """Have a run begin nothing more; it waits once the steps under way have ended.

        Raises:
            RunFinished, RunNotBegun, RunStopping, AlreadyPaused: It makes no sense now.
        """
        return await self._ask(execution_id, "pause", reason=reason)

    async def resume(self, execution_id: str, *, reason: str = "") -> ControlledRun:
        """Let a paused run go on where it was.

        Raises:
            RunFinished, RunNotBegun, RunStopping, NotPaused: It makes no sense now.
        """
        return await self._ask(execution_id, "resume", reason=reason)

    async def interrupt(self, execution_id: str, *, reason: str = "") -> ControlledRun:
        """End a run after the steps under way. It can be taken up again.

        Raises:
            RunFinished, RunNotBegun, RunStopping: It makes no sense now.
        """
        return await self._ask(execution_id, "interrupt", reason=reason)

    async def steer(
        self,
        execution_id: str,
        message: str,
        *,
        node: str | None = None,
        message_id: str | None = None,
    ) -> ControlledRun:
        """Say something to the skills at work, or to one; they take it in before their next turn.

        Sent again with the same `message_id`, it is taken in once.

        Raises:
            RunFinished, RunNotBegun, RunStopping, NothingToSteer: Nobody would hear it.
            TooManyMessages: The run was told enough.
        """
        body = {"message": message, "message_id": message_id or new_id("msg")}
        if node is not None:
            body["node"] = node
        return await self._transport.post(
            f"{_path(execution_id)}/steer", ControlledRun, repeatable=True, json=body
        )

    async def retry(
        self,
        execution_id: str,
        *,
        in_doubt: Literal["happened", "resend"] | None = None,
        budget_usd: Decimal | str | None = None,
        idempotency_key: str | None = None,
    ) -> ControlledRun:
        """Take a run that failed, timed out or was stopped up again, where it was, under its own id.

        `in_doubt` says what became of effects of which nobody knows whether they happened.

        Raises:
            RunNotFinished: It still goes on.
            RunNotRetried: There is nothing to take up, or someone has to say what became of an effect.
        """
        body = {"in_doubt": in_doubt, "budget_usd": None if budget_usd is None else str(budget_usd)}
        return await self._transport.post(
            f"{_path(execution_id)}/retry",
            ControlledRun,
            repeatable=True,
            json=body,
            headers={"Idempotency-Key": idempotency_key or new_id("key")},
        )

    async def _ask(self, execution_id: str, what: str, **body: str) -> ControlledRun:
        return await self._transport.post(f"{_path(execution_id)}/{what}", ControlledRun, json=body)

    async def replay(self, execution_id: str) -> StartedRun:
        """Play a run again from its record: nothing is called, sent or spent.

        Raises:
            RunNotFinished: It still goes on.
        """
        return await self._transport.post(f"{_path(execution_id)}/replay", StartedRun)

    async def fork(
        self,
        execution_id: str,
        node: str,
        step: int,
        *,
        input_data: Mapping[str, Any] | None = None,
        model: str | None = None,
        skills: Mapping[str, Files] | None = None,
        files: Files | None = None,
    ) -> StartedRun:
        """Play a run up to a step of one of its skills, and go on from there with what is changed.

        `skills` are whole folders by skill; `files` are laid over those that the skill finds.

        Raises:
            RecordUnusable: There is no such place, or a change would change nothing.
        """
        texts = {name: {"files": packed(folder)} for name, folder in (skills or {}).items()}
        body = {"node": node, "step": step, "skills": texts, "files": packed(files or {})}
        if input_data is not None:
            body["input_data"] = dict(input_data)
        if model is not None:
            body["model"] = model
        return await self._transport.post(f"{_path(execution_id)}/fork", StartedRun, json=body)

    async def compare(self, execution_id: str) -> Comparison:
        """Whether a replay or a fork did the same as the run that it comes from."""
        return await self._transport.get(f"{_path(execution_id)}/comparison", Comparison)

    async def held(self, execution_id: str) -> tuple[HeldCall, ...]:
        """The calls that a dry run held back."""
        return (await self._transport.get(f"{_path(execution_id)}/held", _Held)).held

    def watch(
        self, execution_id: str, *, after: int = 0, patience: float = 60.0
    ) -> AsyncGenerator[Event, None]:
        """What happens in a run, from event `after` + 1 on, until it has finished.

        Each event comes once and in order, also over cut lines and restarts of the platform.
        `patience` is how many seconds nothing may be heard of the platform.

        Raises:
            ExecutionNotFound: There is no such run.
            PlatformUnreachable: Patience has run out. The run itself goes on.
        """
        return watch(self._transport, f"{_path(execution_id)}/events", after, patience)

    async def wait(self, execution_id: str, *, patience: float = 60.0) -> Run:
        """The run, once it has finished."""
        async for _ in self.watch(execution_id, patience=patience):
            pass
        return await self.get(execution_id)

    async def artifacts(self, execution_id: str) -> tuple[Artifact, ...]:
        """The files of a run, as its skills left them."""
        return (await self._transport.get(f"{_path(execution_id)}/artifacts", _Artifacts)).artifacts

    async def artifact(self, execution_id: str, path: str) -> bytes:
        """The content of one file.

        Raises:
            ArtifactNotFound: The run has no such file.
        """
        response = await self._transport.fetch(f"{_path(execution_id)}/artifacts/{quote(path)}")
        return response.content


def _path(execution_id: str) -> str:
    return f"{_RUNS}/{quote(execution_id, safe='')}"
