"""All commands under one name."""

import sys
from typing import Annotated

import typer

from omniforge.cli import agents, approvals, budgets, mcp, runs
from omniforge.cli.access import audit, keys, members
from omniforge.cli.connections import accounts, apps, rotating
from omniforge.cli.control import asking
from omniforge.cli.doctor import doctor
from omniforge.cli.exits import ExitCode
from omniforge.cli.figures import estimates, history
from omniforge.cli.modes import playing, testing
from omniforge.cli.plans import showing
from omniforge.cli.triggers import bulk, deliveries, events, schedules
from omniforge.cli.validate import validate
from omniforge.cli.workspace import limits

# Without markup, typer does not load rich to show help.
app = typer.Typer(
    name="omniforge",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(runs.start)
app.command("test")(testing.try_out)
for figures in (history.history, history.stats, estimates.estimate):
    agents.app.command()(figures)
agents.app.command()(showing.plan)
app.add_typer(agents.app, name="agents")
app.add_typer(runs.app, name="runs")
for command in (playing.replay, playing.fork, playing.held):
    runs.app.command()(command)
for command in (asking.pause, asking.resume, asking.interrupt, asking.steer, asking.retry):
    runs.app.command()(command)
app.add_typer(approvals.app, name="approvals")
app.add_typer(budgets.app, name="budgets")
app.add_typer(mcp.app, name="mcp")
schedules.app.command("import")(bulk.import_schedules)
app.add_typer(schedules.app, name="schedules")
for command in (deliveries.deliveries, deliveries.delivery, deliveries.redeliver):
    events.app.command()(command)
app.add_typer(events.app, name="triggers")
accounts.app.command()(apps.apps)
accounts.app.command("set-app")(apps.set_app)
accounts.app.command("remove-app")(apps.remove_app)
accounts.app.command("rotate-keys")(rotating.rotate_keys)
app.add_typer(accounts.app, name="connections")
app.add_typer(limits.app, name="workspace")
app.add_typer(keys.app, name="keys")
app.add_typer(members.app, name="members")
app.command()(audit.audit)
app.command()(validate)
app.command()(doctor)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"omniforge {version('omniforge')}")
        raise typer.Exit


@app.callback()
def commands(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Agents made of standard SKILL.md folders, run durably."""


def main() -> None:
    """Run one command and leave with its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A name in another script is no reason to break off.
            stream.reconfigure(errors="replace")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
