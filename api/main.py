"""Serves the API."""

import sys

import uvicorn

from api.app import create_app
from omniforge.errors import OmniForgeError
from omniforge.logs import set_up_logs
from omniforge.settings import load_settings


def main() -> int:
    """Run an API process until SIGTERM or SIGINT; its exit status."""
    try:
        settings = load_settings()
        set_up_logs(settings.log_level, settings.log_file)
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
        server.run()
    except OmniForgeError as error:
        sys.stderr.write(f"omniforge api: {error.message}\n")
        return 1
    return 0 if server.started else 1
