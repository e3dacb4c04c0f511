"""`omniforge workspace`."""

from typing import Annotated

import typer

from omniforge.cli.session import Session, on_platform

app = typer.Typer(no_args_is_help=True, help="Look at the workspace, set what it may use.")

_PLATFORM = "platform"


def _number(text: str) -> int | None:
    """The option `--max-runs`; None is the platform's own number."""
    if text == _PLATFORM:
        return None
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a number nor {_PLATFORM!r}") from None


@app.command()
@on_platform
async def limits(
    session: Session,
    max_runs: Annotated[
        str | None,
        typer.Option(
            metavar="N|platform", help="Runs under way at once; 0: any number; platform: its own."
        ),
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option(help="Share of the workers while they have more to do than they can."),
    ] = None,
) -> None:
    """How many runs may be under way at once and how many are. With an option, sets it first."""
    workspace = session.client.workspace
    now = await workspace.limits()
    if max_runs is not None or weight is not None:
        now = await workspace.set_limits(
            max_concurrent_runs=now.max_concurrent_runs if max_runs is None else _number(max_runs),
            fairness_weight=now.fairness_weight if weight is None else weight,
        )
    if session.out.as_json:
        session.out.document(now)
        return
    source = " (the platform's)" if now.max_concurrent_runs is None else ""
    session.out.facts(
        [
            ("runs at once", f"{now.cap or 'any number'}{source}"),
            ("weight", f"{now.fairness_weight:g}"),
            ("under way", now.running),
            ("queued", now.queued),
        ]
    )
