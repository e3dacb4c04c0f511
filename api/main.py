"""The API process and its set-up commands."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from api.app import create_app
from omniforge.errors import OmniForgeError
from omniforge.keys import new_key
from omniforge.logs import set_up_logs
from omniforge.settings import Settings, load_settings
from omniforge.store import bootstrap
from omniforge.store.database import open_database
from omniforge.store.keys_in_use import retire_key

NOT_STARTED = 3

USAGE = """\
python -m api                 serve until SIGTERM
python -m api migrate         bring the database to the newest schema
python -m api first-key FILE  make the first tenant, admin and key, once, and write them to FILE
python -m api new-key         print a key for OMNIFORGE_CREDENTIAL_KEYS, or a codec token
python -m api retire-key ID   let processes start without a key that nothing needs any more
"""


def main(arguments: Sequence[str] = ()) -> int:
    """One of the commands of `USAGE`; its exit status."""
    if list(arguments) == ["new-key"]:  # also where the settings lack one
        sys.stdout.write(f"{new_key()}\n")
        return 0
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
            case ["retire-key", key_id]:
                asyncio.run(_retire_key(settings, key_id))
            case _:
                sys.stderr.write(USAGE)
                return 2
    except OmniForgeError as error:
        sys.stderr.write(f"omniforge api: {error.message}\n")
        return 1
    return 0


async def _retire_key(settings: Settings, key_id: str) -> None:
    database = open_database(settings.database)
    try:
        await retire_key(database, key_id)
    finally:
        await database.close()


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
