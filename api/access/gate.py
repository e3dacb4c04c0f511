"""The one way in: who calls, how often, and what they may."""

import logging

from fastapi import Request

from api.access.confinement import refuse_other_agents
from api.access.limits import Buckets, RateLimits, network_of
from api.access.permissions import NEEDS, refuse_unpermitted
from api.access.tokens import Tokens
from api.access.usage import KeyUses
from omniforge.errors import (
    KeyRefused,
    OmniForgeError,
    TooManyFailedSignIns,
    Unauthenticated,
)
from omniforge.identity import Principal
from omniforge.store.access import KEY_PREFIX
from omniforge.store.audit import Act, Actor, Outcome
from omniforge.store.store import Store

log = logging.getLogger(__name__)


def address_of(request: Request) -> str:
    """The address that a request came from; the server tells which proxies it believes."""
    return request.client.host if request.client is not None else ""


def route_of(request: Request) -> str:
    """`METHOD /path` of the route that a request has come to."""
    return f"{request.method} {request.scope['route'].path}"


class Gate:
    """Lets callers in.

    `failures` bounds how many wrong credentials an address may send. Without `tokens`, keys are all
    that opens.
    """

    def __init__(
        self,
        store: Store,
        uses: KeyUses,
        tokens: Tokens | None,
        limits: RateLimits,
        failures: Buckets,
    ) -> None:
        self._store, self._uses, self._tokens = store, uses, tokens
        self._limits, self._failures = limits, failures
        self._told = Buckets(per_minute=1)

    async def admit(self, request: Request, credential: str) -> Principal:
        """Who calls, if they may do what they ask for.

        Raises:
            Unauthenticated: Nobody has this credential, or it is good no longer.
            TooManyFailedSignIns: The same, from an address that has sent too many of them.
            TooManyRequests: The caller or its tenant asks too often.
            Forbidden: The caller may not do this.
        """
        caller = await self.identify(request, credential)
        route = route_of(request)
        refuse_unpermitted(caller, NEEDS[route])
        if caller.scope.agent_id is not None:
            mine = self._store.for_tenant(caller.tenant_id)
            await refuse_other_agents(caller.scope.agent_id, request, route, mine)
        return caller

    async def identify(self, request: Request, credential: str) -> Principal:
        """Who calls, whatever they ask for. Raises as `admit` does, but for `Forbidden`."""
        try:
            caller = await self._authenticate(credential)
        except Unauthenticated as refusal:
            self.count_failure(request, refusal)
            if isinstance(refusal, KeyRefused) and not self._told.take(
                (refusal.tenant_id, refusal.user_id, refusal.credential)
            ):
                await self._write_down(refusal, address_of(request))
            raise
        self._limits.take(caller)
        return caller

    def count_failure(self, request: Request, refusal: OmniForgeError) -> None:
        """
        Raises:
            TooManyFailedSignIns: There were too many from there.
        """
        address = address_of(request)
        if wait := self._failures.take(network_of(address)):
            raise TooManyFailedSignIns(
                f"Too many credentials from {address} were wrong. Try again in {wait} s.", wait
            ) from refusal
        log.warning("sign_in_failed", extra={"address": address, "code": refusal.code})

    async def _authenticate(self, credential: str) -> Principal:
        if self._tokens is not None and not credential.startswith(KEY_PREFIX):
            return await self._tokens.principal_of(credential)
        caller = await self._store.authenticate(credential)
        self._uses.note(caller)
        return caller

    async def _write_down(self, refusal: KeyRefused, address: str) -> None:
        actor = Actor(refusal.user_id, refusal.credential, address)
        await self._store.for_tenant(refusal.tenant_id).write(
            lambda db: db.audit.add(
                actor, Act.SIGN_IN_REFUSED, refusal.credential, {}, Outcome.REFUSED
            )
        )
