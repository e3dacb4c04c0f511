"""`client.audit`."""

from datetime import datetime

from omniforge.client.access.models import AuditEntry
from omniforge.client.models import Page
from omniforge.client.transport import Transport


class Audit:
    """Who did what to the workspace's security."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(
        self,
        *,
        action: str | None = None,
        actor: str | None = None,
        subject: str | None = None,
        since: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[AuditEntry]:
        """Newest first; only what fits all that is given."""
        return await self._transport.page(
            "/api/v1/audit",
            "entries",
            AuditEntry,
            action=action,
            actor=actor,
            subject=subject,
            since=None if since is None else since.isoformat(),
            limit=limit,
            cursor=cursor,
        )
