"""An API alone: no worker, and a Temporal server that does not answer."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.app import create_app
from omniforge.settings import Settings
from omniforge.store import bootstrap
from omniforge.store.store import Store, open_store
from tests.support.ports import free_port
from tests.support.servers import serving


@dataclass(frozen=True, slots=True)
class Api:
    api: httpx2.AsyncClient
    store: Store


@contextlib.asynccontextmanager
async def serving_api(home: Path, **more: Any) -> AsyncIterator[Api]:
    """The API with these settings, on a database of its own."""
    settings = Settings(_env_file=None, home=home, port=free_port(), **more)
    await bootstrap.prepare(settings.database)
    store = open_store(settings.database, settings.storage_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
        async with (
            serving(create_app(settings), settings.port),
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{settings.port}", timeout=30) as api,
        ):
            yield Api(api, store)
    await store.close()
