"""`omniforge agents`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omniforge.cli.session import Session, on_platform

if TYPE_CHECKING:
    from omniforge.client import Agent

app = typer.Typer(no_args_is_help=True, help="Create agents, look at them, switch them.")


class Status(StrEnum):
    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


AgentName = Annotated[
    str, typer.Argument(metavar="AGENT", help="Its id, or its name when no other has it.")
]
Limit = Annotated[int, typer.Option(min=1, max=200, help="How many at most.")]
Cursor = Annotated[str | None, typer.Option(help="Go on where the list before ended.")]


@app.command("list")
@on_platform
async def list_agents(
    session: Session,
    status: Annotated[
        Status | None, typer.Option(help="Only these; `archived` shows those.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> None:
    """The agents of the workspace, newest first."""
    from omniforge.agents.config import AgentStatus

    wanted = AgentStatus(status) if status else None
    page = await session.client.agents.list(limit=limit, cursor=cursor, status=wanted)
    if session.out.as_json:
        session.out.document({"agents": page.items, "next_cursor": page.next_cursor})
        return
    session.out.table(
        ("ID", "NAME", "STATUS", "SKILLS", "RUNS", "LAST RUN"), [_row(agent) for agent in page]
    )
    if not page:
        session.out.note("No agents yet. Create one: omniforge agents create PATH")
    if page.next_cursor:
        session.out.note(f"There are more: --cursor {page.next_cursor}")


def _row(agent: "Agent") -> tuple[object, ...]:
    last = f"{agent.last_run:%Y-%m-%d %H:%M}" if agent.last_run else "-"
    stats = agent.usage_stats
    runs = f"{stats.successful_runs}/{stats.total_runs}"
    return agent.id, agent.name, agent.status, len(agent.skills), runs, last


@app.command()
@on_platform
async def show(session: Session, agent: AgentName) -> None:
    """One agent: its skills, limits and figures."""
    _tell(session, await session.client.agents.find(agent))


@app.command()
@on_platform
async def create(
    session: Session,
    path: Annotated[
        Path,
        typer.Argument(
            exists=True, help="A folder with agent.json and skills/, a skill's folder, or a zip."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Instead of the name in agent.json.")] = None,
    activate: Annotated[bool, typer.Option("--activate", help="Let it be run at once.")] = False,
) -> None:
    """Create an agent from files. It is a draft until it is activated."""
    agent = await session.client.agents.create(path, name=name, activate=activate)
    _tell(session, agent)
    if agent.strategy is not None:
        session.out.note(f"Wired as {agent.strategy}, because {agent.because}.")
    verb = "run" if activate else "agents activate"
    session.out.note(f"Next: omniforge {verb} {agent.id}")


@app.command()
@on_platform
async def activate(session: Session, agent: AgentName) -> None:
    """Let an agent be run."""
    found = await session.client.agents.find(agent)
    _tell(session, await session.client.agents.activate(found.id))
    session.out.note(f"Next: omniforge run {found.id}")


@app.command()
@on_platform
async def pause(session: Session, agent: AgentName) -> None:
    """Accept no new runs of an agent; those under way go on."""
    found = await session.client.agents.find(agent)
    _tell(session, await session.client.agents.pause(found.id))


@app.command()
@on_platform
async def archive(session: Session, agent: AgentName) -> None:
    """Put an agent away for good. Its runs stay readable."""
    found = await session.client.agents.find(agent)
    _tell(session, await session.client.agents.archive(found.id))


def _tell(session: Session, agent: "Agent") -> None:
    if session.out.as_json:
        session.out.document(agent)
        return
    budget, stats = agent.limits.budget_usd, agent.usage_stats
    session.out.facts(
        [
            ("id", agent.id),
            ("name", agent.name),
            ("status", agent.status),
            ("schedule", agent.schedule),
            ("description", agent.description),
            ("version", agent.version),
            ("skills", ", ".join(skill.id for skill in agent.skills)),
            ("budget", f"{budget} USD a run" if budget else ""),
            ("runs", f"{stats.total_runs}, {stats.successful_runs} of them successful"),
            ("created", f"{agent.created_at:%Y-%m-%d %H:%M} UTC"),
        ]
    )
