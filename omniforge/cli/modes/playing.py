"""`omniforge runs replay`, `fork` and `held`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omniforge.cli.exits import ExitCode
from omniforge.cli.output import Output, shortened
from omniforge.cli.runs import (
    GivenFiles,
    InputData,
    RunId,
    Timeout,
    follow,
    read_files,
    tell_held,
)
from omniforge.cli.session import Session, on_platform

if TYPE_CHECKING:
    from omniforge.client.models import Comparison

_EVENT_SHOWN = 400


@on_platform
async def replay(session: Session, run: RunId) -> None:
    """Play a run again from its record, and compare. No model and no tool is called."""
    started = await session.client.runs.replay(run)
    played = await session.client.runs.wait(started.execution_id)
    found = await session.client.runs.compare(played.id)
    if session.out.as_json:
        session.out.document(found)
    else:
        session.out.facts([("replay", played.id), ("status", played.status)])
        _tell_comparison(session.out, found)
    if not found.identical:
        raise typer.Exit(ExitCode.FAILED)


@on_platform
async def fork(
    session: Session,
    run: RunId,
    node: Annotated[str, typer.Option(help="The skill to go on in, by its id.")],
    step: Annotated[int, typer.Option(min=0, help="Its first step that is not played.")],
    input_data: InputData = None,
    model: Annotated[str | None, typer.Option(help="The model of this skill from now on.")] = None,
    skill: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True, file_okay=False, metavar="FOLDER", help="A new text of a skill, by its id."
        ),
    ] = None,
    file: GivenFiles = None,
    detach: Annotated[bool, typer.Option("--detach", help="Start it and leave.")] = False,
    at_most: Timeout = None,
) -> None:
    """Play a run up to a step, and go on from there with what is changed."""
    from omniforge.skills.archive import read_folder

    started = await session.client.runs.fork(
        run,
        node,
        step,
        input_data=input_data,
        model=model,
        skills={folder.resolve().name: read_folder(folder) for folder in skill or ()},
        files=read_files(file),
    )
    if not detach:
        await follow(session, started.execution_id, at_most, as_lines=False)
    elif session.out.as_json:
        session.out.document(started)
    else:
        typer.echo(started.execution_id)


@on_platform
async def held(session: Session, run: RunId) -> None:
    """What a dry run held back: exactly what would have been sent."""
    calls = await session.client.runs.held(run)
    if session.out.as_json:
        session.out.document({"held": calls})
    else:
        tell_held(session.out, calls)


def _tell_comparison(out: Output, found: "Comparison") -> None:
    """Whether two runs are the same, and else where first they are not."""
    if found.difference is None:
        out.facts([("identical", f"yes, in canonical form, to {found.source_id}")])
        return
    place = found.difference
    out.facts(
        [
            ("identical", "no"),
            ("differs at", f"{place.node}, event {place.place + 1}"),
            (found.source_id, _shown(place.theirs)),
            (found.execution_id, _shown(place.ours)),
        ]
    )


def _shown(body: dict[str, Any] | None) -> str:
    return shortened(json.dumps(body, ensure_ascii=False), _EVENT_SHOWN)
