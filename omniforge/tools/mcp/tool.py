"""A server's tool, as the gateway calls it."""

import asyncio
import json
import logging
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from omniforge.errors import OutcomeUnknown, ToolChanged, TryAgain
from omniforge.journal.steps import EffectClass, Json
from omniforge.tools.mcp.link import Link, NotReached
from omniforge.tools.mcp.listing import Listing, Offer
from omniforge.tools.mcp.results import answer_of
from omniforge.tools.protocol import ToolCallContext, ToolSpec
from omniforge.tools.wording import listed

if TYPE_CHECKING:
    from mcp_types import CallToolResult

log = logging.getLogger(__name__)

# The tool's own words about a time-out are better than the gateway's, so it gives up a little earlier.
_SHARE_OF_TIMEOUT = 0.95
# By then nothing has been sent, so it is no effect in doubt.
_SHARE_OF_CONNECTING = 0.5

EffectOf = Callable[[Offer], EffectClass]


def spec_of(offer: Offer, effect: EffectClass, timeout: timedelta) -> ToolSpec:
    """The contract of a tool that a server offers."""
    return ToolSpec(
        name=offer.name,
        description=offer.description,
        parameters=offer.parameters,
        effect=effect,
        timeout=timeout,
        is_outside=True,
    )


class McpTool:
    """One tool of one server. That the line is down, or the tool gone or changed, is an observation.

    `spec` is what the model knows of the tool: what it was told when the skill began, or in a notice
    since. `notices` are those it was given in earlier segments.
    """

    def __init__(
        self, spec: ToolSpec, link: Link, effect_of: EffectOf, notices: Collection[str] = ()
    ) -> None:
        self.spec = spec
        self._link, self._effect_of_offer, self._notices = link, effect_of, notices

    def effect_of(self, arguments: Mapping[str, Any]) -> EffectClass:
        return self.spec.effect

    async def run(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        began = asyncio.get_running_loop().time()
        try:
            result = await self._called(arguments, began)
        except NotReached:
            # Nothing was sent. Over a new session the tool may be another, so all of it once more.
            try:
                result = await self._called(arguments, began)
            except NotReached as error:
                raise self._unreachable(error) from error
        if result.is_error:
            # Perhaps the tool takes something else by now; the next call finds out.
            self._link.forget_listing()
        return await answer_of(result, self._link.name, context.workspace)

    async def _called(self, arguments: Mapping[str, Any], began: float) -> "CallToolResult":
        seconds = self.spec.timeout.total_seconds()
        try:
            async with asyncio.timeout_at(began + seconds * _SHARE_OF_CONNECTING):
                offer = self._as_known(await self._link.listing())
        except (NotReached, TimeoutError) as error:
            raise self._unreachable(error) from error
        try:
            async with asyncio.timeout_at(began + seconds * _SHARE_OF_TIMEOUT):
                return await self._link.call(offer.told_as, arguments)
        except TimeoutError as error:
            raise OutcomeUnknown(
                f"The MCP server {self._link.name!r} did not answer within {seconds:g} seconds."
            ) from error

    def _as_known(self, listing: Listing) -> Offer:
        """The tool as the server offers it now.

        Raises:
            TryAgain: It is not offered any more.
            ToolChanged: It is another than the model knows; from now on, calls go by what it is now.
        """
        offer = listing.offers.get(self.spec.name)
        if offer is None:
            raise TryAgain(
                f"The MCP server {self._link.name!r} does not offer {self.spec.name!r} any more."
                f" It offers: {listed(listing.offers, 30)}."
            )
        known, effect = self.spec, self._effect_of_offer(offer)
        self.spec = spec_of(offer, effect, known.timeout)
        is_same = (known.description, known.parameters) == (offer.description, offer.parameters)
        acts_now = known.effect is EffectClass.READ is not effect
        if (is_same and not acts_now) or (notice := _notice(offer, effect)) in self._notices:
            return offer
        log.warning("mcp_tool_changed", extra={"tool": offer.name, "server": self._link.name})
        raise ToolChanged(notice)

    def _unreachable(self, error: Exception) -> TryAgain:
        reason = str(error) or "it took too long"
        return TryAgain(
            f"The MCP server {self._link.name!r} cannot be reached: {reason}. Nothing was sent."
        )


def _notice(offer: Offer, effect: EffectClass) -> str:
    does = "only reads" if effect is EffectClass.READ else "may change things outside"
    schema = json.dumps(offer.parameters, ensure_ascii=False)
    return (
        f"{offer.name} has changed since this skill began; nothing was sent. If it still is what you need,"
        f" call it as it is now. It {does}. Its description: {json.dumps(offer.description)}. Its"
        f" parameters: {schema}"
    )
