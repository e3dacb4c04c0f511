"""How often: buckets of tokens, in the memory of one process.

Several API processes each allow as much. That is enough against a loop that runs wild and against
guessing; who sells by the request counts elsewhere.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from ipaddress import IPv6Address, ip_address

from omniforge.errors import TooManyRequests
from omniforge.identity import Principal

# Buckets that are remembered at once, of the callers that were heard of last.
MAX_BUCKETS = 10_000


class Buckets:
    """One bucket a name: it holds a minute's worth of tokens and fills up evenly.

    `per_minute` 0 is any number. Which name was silent longest is forgotten first, and its bucket was
    the fullest.
    """

    def __init__(
        self,
        per_minute: int,
        clock: Callable[[], float] = time.monotonic,
        most: int = MAX_BUCKETS,
    ) -> None:
        self._size, self._clock, self._most = float(per_minute), clock, most
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, name: Hashable) -> int:
        """Take one token: 0, or in how many seconds there will be one."""
        if not self._size:
            return 0
        now = self._clock()
        level, at = self._levels.pop(name, (self._size, now))
        level = min(self._size, level + (now - at) * self._size / 60)
        is_there = level >= 1
        self._levels[name] = (level - 1 if is_there else level), now
        if len(self._levels) > self._most:
            self._levels.popitem(last=False)
        return 0 if is_there else math.ceil((1 - level) * 60 / self._size)


class RateLimits:
    """What one person or program may ask for, and all of a tenant together."""

    def __init__(self, of_principal: int, of_tenant: int) -> None:
        self._of_principal, self._of_tenant = Buckets(of_principal), Buckets(of_tenant)

    def take(self, caller: Principal) -> None:
        """
        Raises:
            TooManyRequests: Too many within the last minute; it says when there is room.
        """
        wait = self._of_principal.take((caller.tenant_id, caller.user_id))
        whose = "You have"
        if not wait:
            wait, whose = self._of_tenant.take(caller.tenant_id), "Your workspace has"
        if wait:
            raise TooManyRequests(
                f"{whose} sent too many requests. Try again in {wait} s, and less often.", wait
            )


def network_of(address: str) -> str:
    """Whose an address is: of IPv6 a whole /64, since everybody has that many."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Address(int(parsed) >> 64 << 64))
    return address
