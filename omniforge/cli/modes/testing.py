"""`omniforge test`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from omniforge.cli.output import Output
from omniforge.cli.runs import GivenFiles, InputData, Timeout, follow, read_files
from omniforge.cli.session import ApiKey, ApiUrl, AsJson, Session, on_platform

Target = Annotated[
    str,
    typer.Argument(
        metavar="AGENT|FOLDER",
        help="An agent of the platform, or a folder of skills, which needs no platform.",
    ),
]
Answers = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, help="JSON: what tools answer, by `tool` or `skill/tool`."
    ),
]
AnswersOf = Annotated[
    str | None, typer.Option(metavar="RUN", help="The same calls get the answers they got there.")
]
Integration = Annotated[
    bool, typer.Option("--integration", help="Do everything for real, as a test.")
]


def try_out(
    target: Target,
    input_data: InputData = None,
    file: GivenFiles = None,
    answers: Answers = None,
    answers_of: AnswersOf = None,
    integration: Integration = False,
    at_most: Timeout = None,
    api_url: ApiUrl = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Try an agent out. Nothing leaves: what would be sent is held back and shown."""
    given = _read_answers(answers)
    if integration and (given or answers_of):
        raise typer.BadParameter("answers are for a dry run", param_hint="--integration")
    files = read_files(file)
    if not Path(target).is_dir():
        body = {"input_data": input_data, "files": files, "answers": given}
        named = {"target": target, "answers_of": answers_of, "at_most": at_most, "body": body}
        _on_platform(
            **named, integration=integration, api_url=api_url, api_key=api_key, as_json=as_json
        )
        return
    if answers_of:
        raise typer.BadParameter("a folder has no runs on a platform", param_hint="--answers-of")
    from omniforge.cli.modes.local import Trial, try_here

    try_here(Path(target), Trial(input_data, files, given, integration), Output(as_json))


@on_platform
async def _on_platform(
    session: Session,
    target: str,
    answers_of: str | None,
    at_most: float | None,
    body: dict[str, Any],
    integration: bool,
) -> None:
    from omniforge.agents.modes import RunMode

    found = await session.client.agents.find(target)
    mode = RunMode.INTEGRATION if integration else RunMode.DRY_RUN
    started = await session.client.agents.test(found.id, mode=mode, answers_of=answers_of, **body)
    await follow(session, started.execution_id, at_most, as_lines=False)


def _read_answers(path: Path | None) -> dict[str, Any]:
    from omniforge.client.folders import described
    from omniforge.errors import AgentInvalid

    if path is None:
        return {}
    try:
        return described(path.read_bytes(), str(path))
    except (AgentInvalid, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="--answers") from error
