"""The API process and its two set-up commands."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from api.app import create_app
from omniforge.errors import OmniForgeError
from omniforge.logs import set_up_logs
from omniforge.settings import Settings, load_settings
from omniforge.store import bootstrap

NOT_STARTED = 3

USAGE = """\
python -m api                 serve until SIGTERM
python -m api migrate         bring the database to the newest schema
python -m api first-key FILE  make the first tenant, admin and key, once, and write them to FILE
"""


def main(arguments: Sequence[str] = ()) -> int:
    """One of the commands of `USAGE`; its exit status."""
    try:
        settings = load_settings()
        set_up_logs(settings.log_level, settings.log_file)
        match list(arguments):
            case []:
                return serve(settings)
            case ["migrate"]:
                asyncio.run(bootstrap.prepare(settings.database))
            case ["first-key", file]:
                url = f"http://{settings.host}:{settings.port}"
                asyncio.run(bootstrap.first_credentials(settings.database, url, Path(file)))
            case _:
                sys.stderr.write(USAGE)
                return 2
    except OmniForgeError as error:
        sys.stderr.write(f"omniforge api: {error.message}\n")
        return 1
    return 0


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the exit status."""
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        # An open event stream would hold the process up for as long as someone watches.
        timeout_graceful_shutdown=3,
    )
    server = uvicorn.Server(config)
    try:
        server.run()
    except SystemExit:  # uvicorn's way to say that it did not start; its log line says why
        return NOT_STARTED
    return 0 if server.started else NOT_STARTED
