"""What an integration can do, and how that becomes a run's tools."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Generic, TypeVar

from omniforge.errors import GaveUp, OutcomeUnknown, ToolInvalid, TryAgain, WriteHeld
from omniforge.integrations.http.access import HttpAccess
from omniforge.integrations.http.service import Service
from omniforge.integrations.http.session import Session
from omniforge.integrations.http.tokens import TokenSource
from omniforge.integrations.oauth.config import OAuthProvider
from omniforge.integrations.oauth.connection import Account
from omniforge.journal.steps import EffectClass, Json
from omniforge.tools.protocol import Tool, ToolCallContext, ToolSpec

C = TypeVar("C")
Arguments = Mapping[str, Any]
Read = Callable[[C, Arguments], Awaitable[Json]]
Write = Callable[[C, Arguments, str], Awaitable[Json]]

TIMEOUT = timedelta(seconds=30)
# The wire is quiet a good while before the gateway gives up, and before a successor may send again.
_SHARE_OF_TIMEOUT = 0.85


@dataclass(frozen=True, slots=True)
class Operation(Generic[C]):
    """One thing to do with an account: the contract of its tool, and how a client does it.

    `perform` is given the effect id, which for a read is empty. `find` looks up, by the same id, what a
    write whose answer was lost has made.
    """

    spec: ToolSpec
    scopes: tuple[str, ...]
    perform: Write[C]
    find: Write[C] | None = None


def reading(name: str, parameters: Arguments, *scopes: str) -> Callable[[Read[C]], Operation[C]]:
    """Make an operation of a function that only reads. Its docstring is what the model is told."""

    def made(function: Read[C]) -> Operation[C]:
        async def perform(client: C, arguments: Arguments, _: str) -> Json:
            return await function(client, arguments)

        spec = _spec(name, function, parameters, EffectClass.READ)
        return Operation(spec, scopes, perform)

    return made


def writing(
    name: str,
    parameters: Arguments,
    *scopes: str,
    repeatable_for: timedelta | None = None,
    find: Write[C] | None = None,
    visible_after: timedelta | None = None,
) -> Callable[[Write[C]], Operation[C]]:
    """Make an operation of a function that changes something.

    Its effect class follows from what is given: `repeatable_for` says that sending it again within that
    time does nothing further (keyed), `find` and `visible_after` that it can be looked up (findable).
    Without either a person decides when an answer is lost (ask).
    """
    if find is not None and visible_after is None:
        raise ToolInvalid(f"{name} can be found, so it has to say after how long for sure.")
    effect = EffectClass.FINDABLE if find else EffectClass.ASK
    effect = EffectClass.KEYED if repeatable_for else effect

    def made(function: Write[C]) -> Operation[C]:
        spec = _spec(name, function, parameters, effect, repeatable_for, visible_after)
        return Operation(spec, scopes, function, find)

    return made


def _spec(
    name: str,
    function: Callable[..., object],
    parameters: Arguments,
    effect: EffectClass,
    key_lifetime: timedelta | None = None,
    visible_after: timedelta | None = None,
) -> ToolSpec:
    described = inspect.getdoc(function)
    if not described:
        raise ToolInvalid(f"Tool {name!r} needs a docstring: it is what the model is told of it.")
    return ToolSpec(
        name=name,
        description=" ".join(described.split()),
        parameters=parameters,
        effect=effect,
        timeout=TIMEOUT,
        key_lifetime=key_lifetime,
        visible_after=visible_after,
        is_outside=True,
    )


@dataclass(frozen=True, slots=True)
class Integration(Generic[C]):
    """A service that people connect: where it is, how it speaks, how consent is asked for, what it can do."""

    service: Service
    oauth: OAuthProvider
    client: Callable[[Session], C]
    operations: tuple[Operation[C], ...] = field(repr=False)
    account: Callable[[C], Awaitable[Account]] | None = None
    """Asks the service whose account it is. Without it tokens cannot be brought, only consented to."""

    @property
    def name(self) -> str:
        return self.service.name

    async def whose(self, tokens: TokenSource, http: HttpAccess) -> Account:
        """
        Raises:
            ConnectionBroken: The service does not take the token.
            GaveUp: It cannot be asked.
        """
        if self.account is None:
            raise GaveUp(f"{self.service.title} cannot be asked whose account it is.")
        return await self.account(_Line(self, tokens, http).client(TIMEOUT, reads_only=True))

    def tools(self, tokens: TokenSource, http: HttpAccess) -> list[Tool]:
        """Its tools, acting as the account whose token the source has."""
        line = _Line(self, tokens, http)
        return [_tool(operation, line) for operation in self.operations]


@dataclass(frozen=True, slots=True)
class _Line(Generic[C]):
    """An integration with an account: opens a client for each call."""

    integration: Integration[C]
    tokens: TokenSource
    http: HttpAccess
    memory: dict[str, Any] = field(default_factory=dict)

    def client(self, timeout: timedelta, *, reads_only: bool) -> C:
        patience = timeout.total_seconds() * _SHARE_OF_TIMEOUT
        deadline = asyncio.get_running_loop().time() + patience
        session = self.http.session(
            self.integration.service, self.tokens, deadline, reads_only=reads_only
        )
        return self.integration.client(replace(session, memory=self.memory))


@dataclass(frozen=True, slots=True)
class ReadTool(Generic[C]):
    """Whatever the operation does: through this tool it can only read."""

    operation: Operation[C]
    line: _Line[C]

    @property
    def spec(self) -> ToolSpec:
        return self.operation.spec

    def effect_of(self, arguments: Arguments) -> EffectClass:
        return self.operation.spec.effect

    async def run(self, arguments: Arguments, context: ToolCallContext) -> Json:
        client = self.line.client(
            self.spec.timeout, reads_only=self.spec.effect is EffectClass.READ
        )
        return await self.operation.perform(client, arguments, context.effect_id)


@dataclass(frozen=True, slots=True)
class WriteTool(ReadTool[C]):
    async def rehearse(self, arguments: Arguments, context: ToolCallContext) -> Json:
        """The very request that would be sent. What it takes to make it is read for real."""
        client = self.line.client(self.spec.timeout, reads_only=True)
        try:
            await self.operation.perform(client, arguments, context.effect_id)
        except WriteHeld as held:
            return {
                "held": True,
                "request": held.request,
                "note": "This is a dry run: the request was held back. Go on as if it had worked.",
            }
        raise TryAgain("Nothing would be sent: there is nothing to change.")


@dataclass(frozen=True, slots=True)
class FindableTool(WriteTool[C]):
    async def find(
        self, effect_id: str, arguments: Arguments, context: ToolCallContext
    ) -> Json | None:
        find = self.operation.find
        if find is None:
            raise OutcomeUnknown(f"What {self.spec.name} does cannot be looked up.")
        client = self.line.client(self.spec.timeout, reads_only=True)
        return await find(client, arguments, effect_id)


def _tool(operation: Operation[C], line: _Line[C]) -> Tool:
    if operation.spec.effect is EffectClass.READ:
        return ReadTool(operation, line)
    return FindableTool(operation, line) if operation.find else WriteTool(operation, line)
