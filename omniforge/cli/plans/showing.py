"""`omniforge agents plan`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omniforge.cli.output import Output
from omniforge.cli.session import ApiKey, ApiUrl, AsJson, Session, leave, on_platform

if TYPE_CHECKING:
    from omniforge.agents.graph import PlanGraph

Target = Annotated[
    str,
    typer.Argument(
        metavar="AGENT|FOLDER",
        help="An agent of the platform, or a folder of skills, which needs no platform.",
    ),
]
AsMermaid = Annotated[bool, typer.Option("--mermaid", help="The text of a Mermaid flowchart.")]


def plan(
    target: Target,
    mermaid: AsMermaid = False,
    api_url: ApiUrl = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """What runs after what, under which condition, and what happens after a failure."""
    if Path(target).is_dir():
        out = Output(as_json)
        _tell(_graph_of(Path(target), out), mermaid, out)
    else:
        _on_platform(
            target=target, mermaid=mermaid, api_url=api_url, api_key=api_key, as_json=as_json
        )


@on_platform
async def _on_platform(session: Session, target: str, mermaid: bool) -> None:
    agent = await session.client.agents.find(target)
    _tell(await session.client.agents.plan(agent.id), mermaid, session.out)


def _graph_of(folder: Path, out: Output) -> "PlanGraph":
    from omniforge.agents.graph import PlanGraph
    from omniforge.cli.modes.local import agent_in
    from omniforge.errors import OmniForgeError

    try:
        agent, _ = agent_in(folder.resolve())
        return PlanGraph.of(agent.skills, agent.limits.max_parallel)
    except OmniForgeError as error:
        leave(error, out)


def _tell(graph: "PlanGraph", mermaid: bool, out: Output) -> None:
    from omniforge.cli.plans.drawing import drawn

    if out.as_json:
        out.document(graph)
    else:
        typer.echo(graph.mermaid().rstrip() if mermaid else "\n".join(drawn(graph)))
