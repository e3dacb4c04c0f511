"""`python -m dev`: the commands for one machine."""

import asyncio
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def commands() -> None:
    """OmniForge on this machine."""


@app.command()
def up() -> None:
    """Start Temporal, the worker and the API, and keep them running."""
    from rich.console import Console

    from dev import up

    raise typer.Exit(asyncio.run(up.up(Console())))


@app.command()
def demo(
    file: Annotated[Path | None, typer.Option(help="A table of your own to work on.")] = None,
) -> None:
    """The main job end to end, with a worker killed on the way."""
    from rich.console import Console

    from dev import demo

    raise typer.Exit(asyncio.run(demo.demo(file, Console())))


def main() -> NoReturn:
    """Run a command and leave without the interpreter's own ending.

    That one can crash after the Temporal SDK was used (temporalio/sdk-python#300).
    """
    status = 1
    try:
        app()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # the process ends here, whatever it was
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
