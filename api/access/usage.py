"""When keys were used last, written behind the requests and not in them."""

import asyncio
import logging
from collections import defaultdict
from datetime import datetime

from omniforge import clock
from omniforge.errors import Unavailable
from omniforge.identity import Principal
from omniforge.store.store import Store

log = logging.getLogger(__name__)

EVERY_S = 60.0


class KeyUses:
    """Collects uses in memory and writes the last one of each key once a minute, and at the end."""

    def __init__(self, store: Store, every_s: float = EVERY_S) -> None:
        self._store, self._every_s = store, every_s
        self._seen: dict[tuple[str, str], datetime] = {}

    def note(self, caller: Principal) -> None:
        self._seen[caller.tenant_id, caller.credential] = clock.now()

    async def keep_writing(self) -> None:
        try:
            while True:
                await asyncio.sleep(self._every_s)
                await self.write()
        finally:
            await self.write()

    async def write(self) -> None:
        """Write what was collected. What the database does not take now is lost."""
        seen, self._seen = self._seen, {}
        by_tenant: dict[str, dict[str, datetime]] = defaultdict(dict)
        for (tenant_id, key_id), at in seen.items():
            by_tenant[tenant_id][key_id] = at
        for tenant_id, times in by_tenant.items():
            try:
                await self._of(tenant_id, times)
            except Unavailable as error:
                log.warning("key_uses_not_written", extra={"reason": error.message})
                return

    async def _of(self, tenant_id: str, times: dict[str, datetime]) -> None:
        await self._store.for_tenant(tenant_id).write(lambda db: db.keys.used(times))
