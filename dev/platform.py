"""The platform as one object: Temporal, worker and API, supervised in this process."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import httpx2

from dev import environment, ports, temporal_server
from dev.errors import StartFailed
from dev.keys import with_keys
from dev.lock import sole_owner
from dev.logs import tail
from dev.ports import Port, is_free
from dev.processes import Part
from dev.supervisor import Pace, Say, Supervisor
from dev.temporal_server import TemporalPorts
from omniforge.settings import Settings

if TYPE_CHECKING:
    from omniforge.store.bootstrap import Credentials

_READY_WITHIN = 60.0

# Ports can be lost to a foreign program between the choice and the server's start.
_PORT_CHOICES = 3

# A server that listens on one of these is reached at `localhost`.
_LOCAL = ("127.0.0.1", "0.0.0.0", "::1", "::")  # noqa: S104  # compared, not bound

P = TypeVar("P", bound=tuple[Port, ...])


def _silent(_: str) -> None:
    pass


class Platform:
    """A running platform. `start` makes one; leaving its block ends API, worker and Temporal."""

    api_url: str
    temporal_address: str
    temporal_ui_url: str
    credentials: "Credentials"

    def __init__(self, settings: Settings, supervisor: Supervisor, say: Say) -> None:
        self.settings = settings
        self.home = settings.home.absolute()
        self.credentials_file = self.home / "credentials.json"
        self._supervisor, self._say = supervisor, say
        self._own_temporal = False
        self._held: list[Port] = []

    @classmethod
    @asynccontextmanager
    async def start(
        cls, settings: Settings, say: Say = _silent, pace: Pace | None = None
    ) -> AsyncIterator[Self]:
        """Bring everything up, ready for requests, and take it down again at the end.

        `say` gets a line for every part that dies and is started again. Call it in the main thread.

        Raises:
            AlreadyRunning: A platform runs in this home folder.
            StartFailed: A part does not come up; the message says which, and ends with its log.
        """
        platform = cls(settings, Supervisor(say, pace), say)
        platform.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with sole_owner(platform.home) as lock:
            platform.settings = with_keys(settings, platform.home)
            try:
                await platform._bring_up()
                lock.describe(API=platform.api_url, Temporal=platform.temporal_ui_url)
                yield platform
            finally:
                await platform._take_down()

    def log(self, name: str) -> Path:
        """The log file of `temporal`, `worker` or `api`."""
        return self.home / "logs" / f"{name}.log"

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of what runs here, in the order of their start."""
        return (*(("temporal",) if self._own_temporal else ()), "worker", "api")

    def pid(self, name: str) -> int:
        """The process id of a part's newest life, which may have just ended."""
        return self._supervisor.pid(name)

    def kill(self, name: str) -> None:
        """SIGKILL for a part, as a crash would be. The supervisor starts it again."""
        self._supervisor.kill(name)

    async def until_failed(self) -> None:
        """Wait while everything stays up.

        Raises:
            StartFailed: A part cannot be kept running.
        """
        await self._supervisor.while_up(asyncio.Event().wait())

    async def _bring_up(self) -> None:
        from omniforge.store import bootstrap

        await bootstrap.prepare(self.settings.database)
        announced = ports.reserve(self.settings.port)
        self._held.append(announced)
        self._codec_url = f"{self._url(announced)}/api/v1/codec/{self._codec_token()}"
        await self._bring_up_temporal()
        await self._supervisor.start(self._part("worker"))
        choices = chain((announced,), iter(ports.reserve_any, None))
        (api,) = await self._start_listening(
            lambda: (next(choices),), self._api_on, self._until_api_ready
        )
        if api is not announced:
            self._say("api: lost its port, so Temporal's Web UI shows no payloads until a restart")
        self.api_url = self._url(api)
        self.credentials = await bootstrap.first_credentials(
            self.settings.database, self.api_url, self.credentials_file
        )

    async def _bring_up_temporal(self) -> None:
        if (elsewhere := temporal_server.address_elsewhere()) is not None:
            await temporal_server.check_elsewhere(elsewhere)
            self.temporal_address = elsewhere
            self.temporal_ui_url = self.settings.temporal_ui_url
            return
        self._own_temporal = True
        held = await self._start_listening(
            TemporalPorts.reserve, self._temporal_on, self._until_temporal_ready
        )
        self.temporal_address, self.temporal_ui_url = held.address, held.ui_url

    async def _start_listening(
        self,
        reserve: Callable[[], P],
        part_on: Callable[[P], Part],
        until_ready: Callable[[P], Coroutine[None, None, None]],
    ) -> P:
        for choice in range(1, _PORT_CHOICES + 1):
            held = reserve()
            self._held += held
            part = part_on(held)
            await self._supervisor.start(part)
            try:
                await self._supervisor.while_up(until_ready(held))
                return held
            except StartFailed:
                await self._supervisor.remove(part.name)
                if choice == _PORT_CHOICES or all(is_free(port.number) for port in held):
                    raise
        raise AssertionError("unreachable: the last choice returns or raises")

    def _codec_token(self) -> str:
        token = self.settings.codec_token
        return token.get_secret_value() if token else ""

    def _temporal_on(self, held: TemporalPorts) -> Part:
        command = temporal_server.server_command(
            temporal_server.find_binary(), self.home / "temporal.db", held, self._codec_url
        )
        return Part("temporal", command, environment.of_temporal(), self.log("temporal"))

    async def _until_temporal_ready(self, held: TemporalPorts) -> None:
        await temporal_server.until_serving(held.address, self.log("temporal"))

    def _api_on(self, held: tuple[Port]) -> Part:
        return self._part("api", OMNIFORGE_PORT=str(held[0].number))

    def _part(self, name: str, **changed: str) -> Part:
        variables = environment.of_parts(
            self.settings,
            own_temporal=self._own_temporal,
            OMNIFORGE_HOME=str(self.home),
            OMNIFORGE_TEMPORAL_UI_URL=self.temporal_ui_url,
            TEMPORAL_ADDRESS=self.temporal_address,
            **changed,
        )
        # -P: a folder called `worker` where the person happens to be is not ours.
        return Part(name, (sys.executable, "-P", "-m", name), variables, self.log(name))

    def _url(self, port: Port) -> str:
        host = self.settings.host
        return f"http://{'localhost' if host in _LOCAL else host}:{port.number}"

    async def _until_api_ready(self, held: tuple[Port]) -> None:
        url = f"{self._url(held[0])}/readyz"
        answer = "no answer"
        try:
            async with (
                httpx2.AsyncClient(trust_env=False, timeout=5.0) as client,
                asyncio.timeout(_READY_WITHIN),
            ):
                while (answer := await _ask(client, url)) != "200":  # noqa: ASYNC110  # not our process
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise StartFailed(
                f"{url} was not ready in {_READY_WITHIN:g} s (its last answer: {answer})."
                f" {tail(self.log('api'))}"
            ) from None

    async def _take_down(self) -> None:
        try:
            await self._supervisor.stop()
        finally:
            for port in self._held:
                port.release()


async def _ask(client: httpx2.AsyncClient, url: str) -> str:
    try:
        response = await client.get(url)
    except httpx2.HTTPError as error:
        return str(error) or type(error).__name__
    return "200" if response.status_code == 200 else f"{response.status_code} {response.text[:500]}"
