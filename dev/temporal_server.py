"""The Temporal server of this machine: one process on a SQLite file."""

import asyncio
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

from dev import ports
from dev.errors import StartFailed
from dev.logs import tail
from dev.ports import Port
from workflows.wire import SEARCH_ATTRIBUTES, register_search_attributes

# WAL with NORMAL survives the death of any process; a power cut may take the last moments.
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL")

_DYNAMIC_CONFIG = {
    # A backlog is served tenant by tenant; exactly so only with one partition per queue.
    "matching.enableFairness": "true",
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    # The one history shard looks for work 20 times a second as it comes, and each workflow task
    # waits for that: a run of three steps takes 200 ms, with 300 looks about 40 ms.
    "history.transferProcessorMaxPollRPS": "300",
    "history.timerProcessorMaxPollRPS": "300",
    "history.visibilityProcessorMaxPollRPS": "300",
    # By default schedules start 30 workflows a second, by one internal worker: of 250 that are due in one
    # second the last was 13 s late, with these 3 s.
    "worker.schedulerNamespaceStartWorkflowRPS": "1000",
    "worker.perNamespaceWorkerCount": "4",
}

_ONE_CALL = timedelta(seconds=2)


class TemporalPorts(NamedTuple):
    """The ports of one server, held for it."""

    frontend: Port
    ui: Port
    metrics: Port

    @classmethod
    def reserve(cls, frontend: int = 7233, ui: int = 8233) -> "TemporalPorts":
        return cls(ports.reserve(frontend), ports.reserve(ui), ports.reserve_any())

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.frontend.number}"

    @property
    def ui_url(self) -> str:
        return f"http://localhost:{self.ui.number}"


def find_binary() -> Path:
    """The `temporal` program: the one installed beside this Python, else the one on PATH.

    Raises:
        StartFailed: There is none.
    """
    beside = Path(sys.executable).with_name("temporal")
    found = beside if beside.is_file() else shutil.which("temporal")
    if found is None:
        raise StartFailed(
            "There is no `temporal` program, neither beside this Python nor on PATH. `make setup`"
            " installs it; or set TEMPORAL_ADDRESS to use a server that runs elsewhere."
        )
    return Path(found).absolute()


def server_command(
    binary: Path, database: Path, held: TemporalPorts, codec_url: str
) -> tuple[str, ...]:
    """How to start the server on its file, which is made when it is not there.

    `codec_url` is where browsers have its Web UI's payloads decoded.
    """
    options = [
        *("--ip", "127.0.0.1"),
        *("--port", str(held.frontend.number)),
        *("--ui-port", str(held.ui.number)),
        *("--metrics-port", str(held.metrics.number)),
        *("--db-filename", str(database)),
        *("--log-level", "warn"),
        *("--ui-codec-endpoint", codec_url),
        "--ui-disable-news-fetch",
    ]
    for pragma in _PRAGMAS:
        options += ["--sqlite-pragma", pragma]
    for key, value in _DYNAMIC_CONFIG.items():
        options += ["--dynamic-config-value", f"{key}={value}"]
    for name in SEARCH_ATTRIBUTES:
        options += ["--search-attribute", f"{name}=Keyword"]
    return (str(binary), "server", "start-dev", *options)


async def until_serving(address: str, log: Path, within: float = 30.0) -> None:
    """Wait until the server answers calls and knows our search attributes.

    The options of the command line only count when a file is new: on an older file, the server
    starts without the attributes and says nothing. So they are added here in any case.

    Raises:
        StartFailed: It did not answer in time.
    """
    try:
        async with asyncio.timeout(within):
            while not await _serves(address):  # noqa: ASYNC110  # not our process
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise StartFailed(
            f"Temporal did not answer on {address} in {within:g} s. {tail(log)}"
        ) from None


async def _serves(address: str) -> bool:
    try:
        client = await Client.connect(address)
        await _check(client)
        await register_search_attributes(client)
    except (RPCError, RuntimeError):  # the SDK reports a refused connection as RuntimeError
        return False
    return True


async def _check(client: Client) -> None:
    await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.namespace), timeout=_ONE_CALL
    )


def address_elsewhere() -> str | None:
    """The address in TEMPORAL_ADDRESS, when somebody runs the server for us."""
    return ClientConfig.load_client_connect_config(disable_file=True).get("target_host")


async def check_elsewhere(address: str, within: float = 10.0) -> None:
    """Call the server that the SDK's variables point to.

    Raises:
        StartFailed: It does not answer, or not to us.
    """
    try:
        async with asyncio.timeout(within):
            await _check(await Client.connect(**ClientConfig.load_client_connect_config()))
    except (RPCError, RuntimeError, TimeoutError) as error:
        raise StartFailed(
            f"The Temporal server at {address} (TEMPORAL_ADDRESS) cannot be used:"
            f" {error or 'no answer'}. Start it, or unset TEMPORAL_ADDRESS to run one here."
        ) from error
