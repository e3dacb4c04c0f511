"""`client.keys`."""

from collections.abc import Sequence
from urllib.parse import quote

from omniforge.client.access.models import ApiKey, CreatedKey, Me
from omniforge.client.models import Page
from omniforge.client.transport import Transport


class Keys:
    """The caller's API keys in this workspace; with `member`, those of somebody else."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def me(self) -> Me:
        """Who the platform takes the caller for, and what they may do."""
        return await self._transport.get("/api/v1/me", Me)

    async def list(
        self, member: str | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> Page[ApiKey]:
        path = _keys(member)
        return await self._transport.page(path, "keys", ApiKey, limit=limit, cursor=cursor)

    async def create(
        self,
        name: str,
        *,
        permissions: Sequence[str] | None = None,
        agent_id: str | None = None,
        expires_in_days: int | None = None,
        member: str | None = None,
    ) -> CreatedKey:
        """Make a key that may do no more than the caller. Its secret is in this answer only.

        Raises:
            Forbidden: It would open more than the caller's own, or `member` is another person.
            ScopeInvalid: Its owner's role does not include one of the permissions.
        """
        body = {
            "name": name,
            "permissions": None if permissions is None else [*permissions],
            "agent_id": agent_id,
            "expires_in_days": expires_in_days,
        }
        return await self._transport.post(_keys(member), CreatedKey, json=body)

    async def revoke(self, key_id: str, member: str | None = None) -> None:
        """Let a key open nothing from now on."""
        path = f"{_keys(member)}/{quote(key_id, safe='')}"
        await self._transport.send("DELETE", path, repeatable=True)


def _keys(member: str | None) -> str:
    return "/api/v1/keys" if member is None else f"/api/v1/members/{quote(member, safe='')}/keys"
