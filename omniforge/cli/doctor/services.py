"""What answers over the network: the API and Temporal."""

import asyncio
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import httpx2

from omniforge import clock
from omniforge.agents.runs import RunStatus
from omniforge.cli.doctor.check import FAIL, OK, WARN, Check
from omniforge.client import OmniForgeClient
from omniforge.client.transport import is_this_machine
from omniforge.errors import OmniForgeError, Unauthenticated

if TYPE_CHECKING:
    from omniforge.cli.credentials import SignIn

_TIMEOUT = 5.0

# The Date header counts whole seconds, and a busy server renews it late.
_CLOCK_TOLERANCE = timedelta(seconds=10)

# A run that nobody has taken up by then waits for a worker.
_TAKEN_UP_WITHIN = timedelta(seconds=15)


async def api(known: "SignIn") -> tuple[list[Check], bool]:
    """What the API says of itself and of its parts, and whether it answers."""
    try:
        direct = is_this_machine(known.api_url)
        async with httpx2.AsyncClient(
            base_url=known.api_url, timeout=_TIMEOUT, trust_env=not direct
        ) as http:
            ready = await http.get("/readyz")
    except (httpx2.TransportError, httpx2.InvalidURL) as error:
        found = f"{known.api_url} does not answer: {error or type(error).__name__}"
        return [Check("API", FAIL, found, "Start it with `make up`, or check the address.")], False
    parts = _parts(ready)
    if not parts:
        found = f"{known.api_url} answers, but not as OmniForge does"
        return [Check("API", FAIL, found, "Another program may have the port.")], False
    return [Check("API", OK, f"{known.api_url} answers"), *parts, _clock(ready)], True


def _parts(ready: httpx2.Response) -> list[Check]:
    try:
        told = dict(ready.json())
        states = {part: str(told[part]) for part in ("database", "temporal")}
    except (ValueError, KeyError, TypeError):
        return []
    return [_part(name, state) for name, state in states.items()]


def _part(name: str, state: str) -> Check:
    if state == "ok":
        return Check(f"API:{name}", OK, "the API reaches it")
    advice = "See logs/api.log in the home folder; start the platform again if it does not recover."
    return Check(f"API:{name}", FAIL, state, advice)


def _clock(response: httpx2.Response) -> Check:
    try:
        theirs = parsedate_to_datetime(response.headers["date"])
    except (KeyError, ValueError):
        return Check("Clock", WARN, "the API does not tell the time")
    apart = abs(clock.now() - theirs)
    if apart > _CLOCK_TOLERANCE:
        found = f"this machine and the API's are {apart.total_seconds():.0f} s apart"
        return Check("Clock", WARN, found, "Let both take their time from a time server (NTP).")
    return Check("Clock", OK, "agrees with the API's")


async def key_and_worker(known: "SignIn") -> list[Check]:
    try:
        async with OmniForgeClient(
            known.api_key, known.api_url, timeout=_TIMEOUT, patience=0
        ) as client:
            pending = await client.runs.list(limit=200, status=RunStatus.PENDING)
    except Unauthenticated as error:
        advice = "Take the key from credentials.json of the platform's home folder."
        return [Check("API key", FAIL, f"from {known.source}: {error.message}", advice)]
    except OmniForgeError as error:
        return [Check("API key", FAIL, error.message, "See logs/api.log in the home folder.")]
    stuck = sum(clock.now() - run.created_at > _TAKEN_UP_WITHIN for run in pending)
    accepted = Check("API key", OK, f"from {known.source}, accepted")
    if stuck:
        found = f"{stuck} runs wait and nobody takes them up"
        advice = "Start a worker (`make up` does), and see logs/worker.log in the home folder."
        return [accepted, Check("Worker", WARN, found, advice)]
    return [accepted, Check("Worker", OK, "no run waits for one")]


async def temporal(address: str, api_reaches_it: bool) -> Check:
    """Whether something listens there; that it is Temporal, the API tells."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(_TIMEOUT):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, ValueError, TimeoutError) as error:
        return _no_temporal(address, str(error) or "no answer", api_reaches_it)
    writer.close()
    return Check("Temporal", OK, f"{address} accepts connections")


def _no_temporal(address: str, reason: str, api_reaches_it: bool) -> Check:
    if api_reaches_it:
        return Check("Temporal", OK, f"not at {address} from here, but the API reaches its own")
    advice = "Start it with `make up`, or set TEMPORAL_ADDRESS to the server's address."
    return Check("Temporal", FAIL, f"{address} does not answer: {reason}", advice)
