"""The tools of MCP servers for the skills of this process, and the sessions behind them."""

import asyncio
import importlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from omniforge.errors import McpServerInvalid, McpServerUnavailable, ToolChanged
from omniforge.journal.steps import EffectClass, Step, StepKind
from omniforge.tools.mcp.link import Link, NotReached
from omniforge.tools.mcp.listing import Offer, prefix_of, tool_name
from omniforge.tools.mcp.servers import (
    OperatorServers,
    ProcessServer,
    Server,
    WebServer,
    filled,
    fingerprint,
)
from omniforge.tools.mcp.tool import EffectOf, McpTool, spec_of
from omniforge.tools.protocol import Tool, ToolSpec
from omniforge.tools.wording import listed

if TYPE_CHECKING:
    from omniforge.tools.mcp.connection import Connection

TIMEOUT = timedelta(seconds=60)

# About 50,000 tokens of descriptions and schemas in each prompt; more leaves no room for the work.
MAX_TOOLS = 100
MAX_CHARS = 200_000

# A call may have to start the program first; half of its time is enough for that.
_SHARE_OF_CONNECTING = 0.5
_ANYTHING: Mapping[str, Any] = {"type": "object"}


@dataclass(frozen=True, slots=True)
class Reach:
    """What sessions with servers may use of this machine: variables, private hosts, time for a call."""

    environment: Mapping[str, str]
    allow_private: tuple[str, ...] = ()
    timeout: timedelta = TIMEOUT

    @property
    def connect_seconds(self) -> float:
        return self.timeout.total_seconds() * _SHARE_OF_CONNECTING


class Offers(Protocol):
    """Which tools a skill may be offered at all."""

    def offers(self, tool: str) -> bool: ...

    def offers_under(self, prefix: str) -> bool:
        """Whether it could be offered any tool whose name begins so."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """The tools of some servers, for one skill.

    `own_servers` are those of `servers` that the tenant set up itself. `known` are the steps on record.
    """

    tenant_id: str
    servers: Sequence[str]
    policy: Offers
    own_servers: Mapping[str, WebServer] = field(default_factory=dict)
    known: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class Offered:
    """What a skill is offered, and in sentences what it is not and why."""

    tools: Sequence[Tool]
    problems: Sequence[str] = ()


class McpTools:
    """Opens a session for each tenant and server when one is needed, and keeps it for the next skill."""

    def __init__(self, operators: OperatorServers, reach: Reach) -> None:
        self._operators, self._reach = operators, reach
        self._links: dict[tuple[str, str, str], Link] = {}

    async def tools(self, wanted: Wanted) -> Offered:
        """The tools a skill is offered: those on record, else those the servers list now.

        Raises:
            McpServerUnavailable: It begins only now, and a server it may use is gone or out of reach.
        """
        names = [name for name in wanted.servers if wanted.policy.offers_under(prefix_of(name))]
        if wanted.known:
            return Offered([tool for name in names for tool in self._recorded(name, wanted)])
        found = await asyncio.gather(*(self._listed(name, wanted) for name in names))
        return _with_room(found)

    async def aclose(self) -> None:
        """End all sessions and the processes behind them."""
        links = list(self._links.values())
        self._links.clear()
        await asyncio.gather(*(link.aclose() for link in links))

    def link(self, name: str, server: Server, tenant_id: str) -> Link:
        """The line to a server; another one once its description is another."""
        key = (tenant_id, name, fingerprint(server))
        if key not in self._links:
            self._links[key] = Link(name, lambda: connect(name, server, self._reach))
        return self._links[key]

    # ---- a skill that begins -----------------------------------------------------------------

    async def _listed(self, name: str, wanted: Wanted) -> Offered:
        if (server := self._server(name, wanted)) is None:
            raise McpServerUnavailable(
                f"This agent uses the MCP server {name!r}, which has been removed. Add it again, or"
                " take it out of the agent."
            )
        link = self.link(name, server, wanted.tenant_id)
        try:
            listing = await link.first_listing(self._reach.connect_seconds)
        except NotReached as error:
            raise McpServerUnavailable(
                f"The MCP server {name!r} cannot be reached: {error}. Nothing was begun."
            ) from error
        tools = [
            McpTool(
                spec_of(offer, _effect_of(server, offer), self._reach.timeout), link, _judge(server)
            )
            for offer in listing.offers.values()
            if wanted.policy.offers(offer.name)
        ]
        return Offered(tools, [f"{name}: {problem}" for problem in listing.problems])

    # ---- a skill that goes on ----------------------------------------------------------------

    def _recorded(self, name: str, wanted: Wanted) -> Iterator[McpTool]:
        """Tools as an earlier segment offered them. Their server is asked only when one is called."""
        server = self._server(name, wanted)
        link = self.link(name, server, wanted.tenant_id) if server else Link(name, _removed)
        only_read = {tool_name(name, each) for each in server.read_only} if server else set()
        notices = _notices(wanted.known)
        for tool in _offered(wanted.known):
            if not tool["name"].startswith(prefix_of(name)):
                continue
            reads = tool["name"] in only_read or (
                server is not None and server.reads_only("", False)
            )
            effect = EffectClass.READ if reads else EffectClass.ASK
            spec = ToolSpec(**tool, effect=effect, timeout=self._reach.timeout, is_outside=True)
            if seen := notices[spec.name]:
                # What it takes by now, the server says when it is called.
                spec = replace(spec, parameters=_ANYTHING, effect=EffectClass.ASK)
            yield McpTool(spec, link, _judge(server), seen)

    def _server(self, name: str, wanted: Wanted) -> Server | None:
        own = wanted.own_servers.get(name)
        return own or self._operators.get(name, wanted.tenant_id)


async def connect(name: str, server: Server, reach: Reach) -> "Connection":
    """Begin a session.

    Raises:
        NotReached: It cannot even be tried; what fails later, the session says when it is used.
    """
    # The SDK takes half a second to load, which a worker's heartbeat does not have to wait for.
    sdk = await asyncio.to_thread(importlib.import_module, "omniforge.tools.mcp.connection")
    try:
        ready = filled(server, reach.environment)
    except McpServerInvalid as error:
        raise NotReached(error.message, is_for_good=True) from error
    if isinstance(ready, ProcessServer):
        path = reach.environment.get("PATH", "")
        transport = sdk.over_process(name, ready, path)
    else:
        transport = sdk.over_web(ready, reach.allow_private)
    connection: Connection = sdk.Connection(name, transport, reach.connect_seconds)
    return connection


async def _removed() -> "Connection":
    raise NotReached("it has been removed", is_for_good=True)


def _judge(server: Server | None) -> EffectOf:
    return lambda offer: _effect_of(server, offer)


def _effect_of(server: Server | None, offer: Offer) -> EffectClass:
    """Without somebody's word for it that a tool only reads, a lost answer is a person's to judge."""
    reads = server is not None and server.reads_only(offer.told_as, offer.only_reads)
    return EffectClass.READ if reads else EffectClass.ASK


def _offered(known: Sequence[Step]) -> list[dict[str, Any]]:
    preamble = next((step for step in known if step.kind is StepKind.PREAMBLE), None)
    return preamble.answer["tools"] if preamble is not None else []


def _notices(known: Sequence[Step]) -> Mapping[str, set[str]]:
    """What a model was told of changes, by the tool's name."""
    told: dict[str, set[str]] = defaultdict(set)
    for step in known:
        if step.error is not None and step.error.code == ToolChanged.code:
            told[step.name].add(step.error.message)
    return told


def _with_room(found: Sequence[Offered]) -> Offered:
    """As many tools as a prompt has room for, in order."""
    kept: list[Tool] = []
    left_out: list[str] = []
    room = MAX_CHARS
    for tool in (tool for offered in found for tool in offered.tools):
        size = len(tool.spec.description) + len(json.dumps(tool.spec.parameters))
        if len(kept) < MAX_TOOLS and size <= room:
            kept.append(tool)
            room -= size
        else:
            left_out.append(tool.spec.name)
    problems = [problem for offered in found for problem in offered.problems]
    if left_out:
        problems.append(
            f"A prompt has room for {MAX_TOOLS} tools and {MAX_CHARS} characters of them, so these are"
            f" left out: {listed(left_out, 5)}. Name the ones the skill needs in its allowed-tools."
        )
    return Offered(kept, problems)
