"""`omniforge run` and `omniforge runs`."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omniforge.cli.agents import AgentName, Cursor, Limit
from omniforge.cli.approvals import offer_to_decide
from omniforge.cli.budgets import AutoProceed, Purse, budget_terms, dollars
from omniforge.cli.exits import ExitCode
from omniforge.cli.session import Session, json_object, on_platform

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from omniforge.cli.output import Output
    from omniforge.client import Run, Step
    from omniforge.client.models import HeldCall
    from omniforge.execution.testing import TestedCall

app = typer.Typer(no_args_is_help=True, help="Look at runs, watch them, stop them.")


class Status(StrEnum):
    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"


class Priority(StrEnum):
    INTERACTIVE = "interactive"
    NORMAL = "normal"
    BULK = "bulk"


RunId = Annotated[str, typer.Argument(metavar="RUN", help="Its id.")]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout", min=0.1, metavar="SECONDS", help="Stop watching after this; the run goes on."
    ),
]

_VALUE_SHOWN = 400

_EXIT_BY_STATUS = {
    Status.COMPLETED: ExitCode.OK,
    Status.FAILED: ExitCode.RUN_FAILED,
    Status.CANCELLED: ExitCode.RUN_STOPPED,
    Status.TIMED_OUT: ExitCode.RUN_STOPPED,
}


InputData = Annotated[
    dict[str, Any] | None,
    typer.Option(
        "--input", metavar="JSON|@FILE", parser=json_object, help="What the first skill works on."
    ),
]
GivenFiles = Annotated[
    list[Path] | None,
    typer.Option(
        exists=True, dir_okay=False, metavar="PATH", help="Lay this file into the run's workspace."
    ),
]


@on_platform
async def start(
    session: Session,
    agent: AgentName,
    input_data: InputData = None,
    file: GivenFiles = None,
    priority: Annotated[
        Priority, typer.Option(help="Whose turn comes first while runs are queued.")
    ] = Priority.NORMAL,
    auto_proceed: AutoProceed = None,
    detach: Annotated[bool, typer.Option("--detach", help="Start it and leave.")] = False,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Also wait while it waits for money. A terminal is asked."),
    ] = False,
    at_most: Timeout = None,
) -> None:
    """Run an agent and watch it until it ends."""
    from omniforge.agents.runs import RunPriority

    files, urgency = read_files(file), RunPriority(priority)
    terms = budget_terms(auto_proceed)
    found = await session.client.agents.find(agent)
    started = await session.client.agents.run(
        found.id, input_data, files=files, priority=urgency, budget=terms
    )
    if not detach:
        purse = Purse(session, started.execution_id, waits=wait)
        await follow(session, started.execution_id, at_most, as_lines=False, purse=purse)
    elif session.out.as_json:
        session.out.document(started)
    else:
        typer.echo(started.execution_id)
        session.out.note(f"Watch it: omniforge runs watch {started.execution_id}")


def read_files(files: list[Path] | None) -> dict[str, bytes]:
    """The files of `--file`, by the names they get in the workspace."""
    named = {file.name: file for file in files or ()}
    if len(named) < len(files or ()):
        raise typer.BadParameter("two of the files have the same name", param_hint="--file")
    return {name: file.read_bytes() for name, file in named.items()}


@app.command("list")
@on_platform
async def list_runs(
    session: Session,
    agent: Annotated[str | None, typer.Option(help="Only runs of this one (id or name).")] = None,
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> None:
    """The newest runs."""
    from omniforge.agents.runs import RunStatus

    wanted, client = RunStatus(status) if status else None, session.client
    if agent is None:
        page = await client.runs.list(limit=limit, cursor=cursor, status=wanted)
    else:
        found = await client.agents.find(agent)
        page = await client.agents.get_executions(
            found.id, limit=limit, cursor=cursor, status=wanted
        )
    if session.out.as_json:
        session.out.document({"executions": page.items, "next_cursor": page.next_cursor})
        return
    columns = ("ID", "AGENT", "STATUS", "MODE", "STARTED", "TOOK", "COST")
    session.out.table(columns, [_row(run) for run in page])
    if not page:
        session.out.note("No runs. Start one: omniforge run AGENT")
    if page.next_cursor:
        session.out.note(f"There are more: --cursor {page.next_cursor}")


@app.command()
@on_platform
async def show(session: Session, run: RunId) -> None:
    """One run: what it came to, what it used, where it is in the Temporal Web UI."""
    await _tell(session, await session.client.runs.get(run))


@app.command()
@on_platform
async def watch(session: Session, run: RunId, at_most: Timeout = None) -> None:
    """See what happens in a run, from its beginning until it ends."""
    await session.client.runs.get(run)
    await follow(session, run, at_most, as_lines=True)


@app.command("raise")
@on_platform
async def raise_budget(
    session: Session,
    run: RunId,
    budget_usd: Annotated[
        str,
        typer.Option("--budget-usd", metavar="USD", help="What it may spend in all, like 2.50."),
    ],
) -> None:
    """Let a run spend more. If it waits for that, it goes on at once."""
    budget = await session.client.runs.raise_budget(run, dollars(budget_usd))
    if session.out.as_json:
        session.out.document(budget)
    else:
        typer.echo(f"{run} may spend ${budget.cap_usd:f}; ${budget.left_usd:f} of it is left.")


@app.command()
@on_platform
async def cancel(session: Session, run: RunId) -> None:
    """Ask a run to stop. It keeps what it has recorded."""
    accepted = await session.client.runs.cancel(run)
    if session.out.as_json:
        session.out.document(accepted)
    else:
        typer.echo(f"{run} is asked to stop.")


@app.command()
@on_platform
async def steps(session: Session, run: RunId) -> None:
    """The journal of a run: every model call and tool call, once."""
    recorded = await session.client.runs.steps(run)
    if session.out.as_json:
        session.out.document({"steps": recorded})
        return
    columns = ("SKILL", "STEP", "KIND", "NAME", "STATUS", "SEGMENT", "ATTEMPT", "TOOK", "COST")
    session.out.table(columns, [_step_row(step) for step in recorded])
    if not recorded:
        session.out.note("No steps are recorded yet.")


@app.command()
@on_platform
async def files(
    session: Session,
    run: RunId,
    names: Annotated[list[str] | None, typer.Argument(help="Only these. Default: all.")] = None,
    download: Annotated[
        Path | None,
        typer.Option(file_okay=False, metavar="FOLDER", help="Save them in this folder."),
    ] = None,
) -> None:
    """The files of a run: list them, or download them."""
    from omniforge.errors import ArtifactNotFound

    known = {each.path: each for each in await session.client.runs.artifacts(run)}
    for name in names or ():
        if name not in known:
            raise ArtifactNotFound(name)
    wanted = list(names or known)
    if download is not None:
        for name in wanted:
            await _save(session, run, name, download)
    if session.out.as_json:
        session.out.document({"artifacts": [known[name] for name in wanted]})
    elif download is None:
        session.out.table(("FILE", "SHA-256"), [(name, known[name].digest) for name in wanted])
    if not known:
        session.out.note("The run has no files.")


async def _save(session: Session, run: str, name: str, folder: Path) -> None:
    from omniforge.errors import Rejected
    from omniforge.skills.archive import path_problem

    if problem := path_problem(name):
        raise Rejected(f"The file {name!r} is not saved: its path {problem}.")
    content = await session.client.runs.artifact(run, name)
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    session.out.note(f"{target}: {len(content)} bytes")


async def follow(
    session: Session,
    run_id: str,
    at_most: float | None,
    *,
    as_lines: bool,
    purse: Purse | None = None,
) -> None:
    """Watch a run to its end and leave with the exit status that goes with it.

    With a purse, something is done when the run is short of money.
    """
    again = f"Watch it again: omniforge runs watch {run_id}"
    stop = f"Stop it: omniforge runs cancel {run_id}"
    session.if_interrupted = f"\nThe run {run_id} goes on. {again}\n{stop}"
    try:
        async with asyncio.timeout(at_most):
            await _show(session, run_id, as_lines, purse)
    except TimeoutError:
        message = f"The run {run_id} has not ended after {at_most:g} s and goes on."
        session.out.error("still_running", message, again)
        raise typer.Exit(ExitCode.RUN_STOPPED) from None
    run = await session.client.runs.get(run_id)
    if not (as_lines and session.out.as_json):
        await _tell(session, run)
    if code := _EXIT_BY_STATUS[Status(run.status)]:
        raise typer.Exit(code)


async def _show(session: Session, run_id: str, as_lines: bool, purse: Purse | None = None) -> None:
    from omniforge.cli.live import LiveView

    view = LiveView(session.out.console)
    async with aclosing(session.client.runs.watch(run_id)) as events:
        async for event in events:
            if not session.out.as_json:
                view.show(event)
            elif as_lines:
                session.out.json_line(event)
            if purse is not None:
                await purse.mind(event.body)
            await offer_to_decide(session, event.body)


async def _tell(session: Session, run: "Run") -> None:
    if session.out.as_json:
        session.out.document(run)
        return
    from omniforge.cli.output import shortened

    result = json.dumps(run.result, ensure_ascii=False) if run.result is not None else ""
    artifacts = await session.client.runs.artifacts(run.id)
    session.out.facts(
        [
            ("run", run.id),
            ("mode", "" if run.mode == "live" else run.mode.replace("_", " ")),
            ("comes from", run.source_id),
            ("status", _status(run)),
            ("waits for", _waits(run)),
            ("error", f"{run.error} ({run.error_code})" if run.error else ""),
            ("result", shortened(result, 400)),
            ("took", _took(run.started_at, run.completed_at)),
            ("used", f"{run.usage.model_calls} model calls, {run.usage.tool_calls} tool calls"),
            ("cost", _cost(run.cost_usd)),
            ("files", ", ".join(each.path for each in artifacts)),
            ("temporal", run.temporal_url),
        ]
    )
    if run.mode == "dry_run":
        tell_held(session.out, await session.client.runs.held(run.id))
    if artifacts:
        session.out.note(f"Get the files: omniforge runs files {run.id} --download .")


def _waits(run: "Run") -> str:
    waits = (f"{wait.kind}: {wait.question} ({wait.id})" for wait in run.waits)
    return "; ".join(waits) or run.waiting_for or ""


def _status(run: "Run") -> str:
    position = run.queue_position
    return run.status if position is None else f"{run.status}, position {position}"


def _row(run: "Run") -> tuple[object, ...]:
    begun = f"{run.started_at:%Y-%m-%d %H:%M:%S}" if run.started_at else "-"
    took = _took(run.started_at, run.completed_at)
    return run.id, run.agent_id, _status(run), run.mode, begun, took, _cost(run.cost_usd)


def _took(began: "datetime | None", ended: "datetime | None") -> str:
    from omniforge.cli.live import took

    return took((ended - began).total_seconds()) if began and ended else "-"


def _cost(cost: "Decimal") -> str:
    return f"${cost.normalize():f}" if cost else "$0"


def _step_row(step: "Step") -> tuple[object, ...]:
    place = (step.node, step.step, step.kind, step.name, step.status, step.segment, step.attempt)
    return (*place, _took(step.started_at, step.ended_at), _cost(step.cost_usd))


def tell_held(out: "Output", calls: "Sequence[HeldCall | TestedCall]") -> None:
    """What a dry run held back, field by field."""
    rows = [row for call in calls for row in _rows(call)]
    if rows:
        out.note(f"Held back, and not sent: {len(calls)}")
        out.table(("SKILL", "STEP", "TOOL", "CLASS", "FIELD", "VALUE"), rows)
    else:
        out.note("Nothing had to be held back.")


def _rows(call: "HeldCall | TestedCall") -> Iterator[Sequence[object]]:
    place = (call.node, call.step, call.tool, call.effect_class)
    fields = call.arguments if isinstance(call.arguments, dict) else {"": call.arguments}
    for name, value in fields.items() or [("", "")]:
        yield (*place, name, value if isinstance(value, str) else _shown(value))


def _shown(value: Any) -> str:
    from omniforge.cli.output import shortened

    return shortened(json.dumps(value, ensure_ascii=False), _VALUE_SHOWN)
