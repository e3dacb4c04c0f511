"""Whether the process lives, and whether it can do its work."""

import asyncio
from datetime import timedelta
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from temporalio.service import RPCError

from api.dependencies import AllData
from omniforge.errors import OmniForgeError

router = APIRouter(tags=["operations"])

_TIMEOUT = timedelta(seconds=3)


class Alive(BaseModel):
    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """`ok`, or what is wrong, for each part a request needs."""

    database: str
    temporal: str


@router.get("/healthz")
async def health() -> Alive:
    """The process answers."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Readiness}})
async def ready(request: Request, response: Response, store: AllData) -> Readiness:
    """Database and Temporal answer; 503 with the reason when one does not."""
    database, temporal = await asyncio.gather(_database(store), _temporal(request))
    if (database, temporal) != ("ok", "ok"):
        response.status_code = 503
    return Readiness(database=database, temporal=temporal)


async def _database(store: AllData) -> str:
    try:
        await store.check()
    except OmniForgeError as error:
        return error.message
    return "ok"


async def _temporal(request: Request) -> str:
    try:
        async with asyncio.timeout(_TIMEOUT.total_seconds()):
            healthy = await request.app.state.temporal.service_client.check_health(timeout=_TIMEOUT)
    except (RPCError, RuntimeError, TimeoutError) as error:
        return f"does not answer: {error or 'timed out'}"
    return "ok" if healthy else "says that it is not healthy"
