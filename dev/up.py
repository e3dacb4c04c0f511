"""`python -m dev up`: the platform at work, with a short account of where things are."""

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from dev.platform import Platform
from omniforge.errors import OmniForgeError
from omniforge.settings import Settings, load_settings

_FIRST_AGENT = "agents create examples/overdue-tasks"


async def up(console: Console) -> int:
    """Keep the platform running until SIGINT, SIGTERM or SIGHUP; the exit status.

    The first signal ends it in order, a second one at once.
    """
    _cancel_on_signals()
    try:
        await _run(load_settings(), console)
    except asyncio.CancelledError:
        _say(console, "Stopped.")
        return 0
    except OmniForgeError as error:
        _say(console, error.message)
        return 1
    return 0


def _cancel_on_signals() -> None:
    if (task := asyncio.current_task()) is not None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


async def _run(settings: Settings, console: Console) -> None:
    _say(console, f"Starting OmniForge in {settings.home.absolute()} ...")
    async with Platform.start(settings, lambda line: _say(console, line)) as platform:
        console.print(overview(platform), soft_wrap=True)
        try:
            await platform.until_failed()
        finally:
            _say(console, "Stopping API, worker and Temporal (again Ctrl-C: at once) ...")


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def overview(platform: Platform) -> Text:
    """What runs where, and what to do next."""
    lines = (Text.assemble((f"  {name:<12}", "bold"), value) for name, value in _facts(platform))
    return Text("\n").join((Text("\nOmniForge is running."), Text(), *lines, Text()))


def _facts(platform: Platform) -> list[tuple[str, str]]:
    logs = ", ".join(f"{name}.log" for name in platform.parts)
    return [
        ("API", f"{platform.api_url}  (documentation: {platform.api_url}/docs)"),
        ("Temporal", f"{platform.temporal_address}  (Web UI: {platform.temporal_ui_url})"),
        ("Model", _model(platform.settings)),
        ("Home", str(platform.home)),
        ("Credentials", str(platform.credentials_file)),
        ("Logs", f"{platform.home / 'logs'}: {logs}"),
        ("Next", f"{_command_line()} {_FIRST_AGENT}"),
        ("Stop", "Ctrl-C"),
    ]


def _model(settings: Settings) -> str:
    if settings.provider == "offline":
        return (
            "offline: follows a skill's numbered steps, understands nothing (set ANTHROPIC_API_KEY)"
        )
    return f"{settings.provider} {settings.llm_model}".rstrip()


def _command_line() -> str:
    if shutil.which("omniforge"):
        return "omniforge"
    beside = Path(sys.executable).with_name("omniforge")
    return os.path.relpath(beside) if beside.exists() else f"{sys.executable} -m omniforge.cli"
