"""`omniforge runs pause`, `resume`, `interrupt`, `steer` and `retry`."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from omniforge.cli.runs import RunId, Timeout, follow
from omniforge.cli.session import Session, on_platform

if TYPE_CHECKING:
    from omniforge.client.models import ControlledRun

Reason = Annotated[str, typer.Option(help="For those who follow the run.")]


class InDoubt(StrEnum):
    HAPPENED = "happened"
    RESEND = "resend"


_WORDS: Mapping[InDoubt, Literal["happened", "resend"]] = {
    InDoubt.HAPPENED: "happened",
    InDoubt.RESEND: "resend",
}


@on_platform
async def pause(session: Session, run: RunId, reason: Reason = "") -> None:
    """Have a run begin nothing more. The steps under way finish, then it waits."""
    paused = await session.client.runs.pause(run, reason=reason)
    _tell(session, paused, f"{run} pauses. Let it go on: omniforge runs resume {run}")


@on_platform
async def resume(session: Session, run: RunId, reason: Reason = "") -> None:
    """Let a paused run go on where it was."""
    resumed = await session.client.runs.resume(run, reason=reason)
    _tell(session, resumed, f"{run} goes on.")


@on_platform
async def interrupt(session: Session, run: RunId, reason: Reason = "") -> None:
    """End a run after the steps under way. It keeps what it has come to, and can be retried."""
    stopping = await session.client.runs.interrupt(run, reason=reason)
    _tell(session, stopping, f"{run} ends after its step. Go on: omniforge runs retry {run}")


@on_platform
async def steer(
    session: Session,
    run: RunId,
    message: Annotated[str, typer.Argument(help="What its skills are to mind from here on.")],
    node: Annotated[
        str | None, typer.Option(help="Only this skill. Default: all that are at work.")
    ] = None,
) -> None:
    """Say something to the skills at work. Their model is told before its next turn."""
    steered = await session.client.runs.steer(run, message, node=node)
    _tell(session, steered, f"{run} is told.")


@on_platform
async def retry(
    session: Session,
    run: RunId,
    in_doubt: Annotated[
        InDoubt | None,
        typer.Option(help="What became of calls of which nobody knows whether they took effect."),
    ] = None,
    budget_usd: Annotated[
        str | None,
        typer.Option("--budget-usd", metavar="USD", help="What it may spend in all, like 2.50."),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Take it up and leave.")] = False,
    at_most: Timeout = None,
) -> None:
    """Take a run that has failed or was stopped up again, and watch it. What went well is kept."""
    word = _WORDS[in_doubt] if in_doubt else None
    again = await session.client.runs.retry(run, in_doubt=word, budget_usd=budget_usd)
    if detach:
        _tell(session, again, f"{run} goes on. Watch it: omniforge runs watch {run}")
    else:
        await follow(session, run, at_most, as_lines=False)


def _tell(session: Session, run: "ControlledRun", said: str) -> None:
    if session.out.as_json:
        session.out.document(run)
    else:
        typer.echo(said)
