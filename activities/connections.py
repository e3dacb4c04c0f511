"""What happens to a connection's tokens. They never travel through Temporal: versions and times do."""

from typing import TYPE_CHECKING

from temporalio import activity

from activities.failures import temporal_failures
from activities.payloads import ConnectionRef, ConnectionState, Freshen
from omniforge.errors import TokenNotAsked, TokenUnknown

if TYPE_CHECKING:
    from omniforge.integrations.oauth.connection import Connection
    from omniforge.integrations.oauth.manager import OAuthManager


class ConnectionActivities:
    def __init__(self, manager: "OAuthManager") -> None:
        self._manager = manager

    @activity.defn
    async def connection_state(self, job: ConnectionRef) -> ConnectionState:
        """Where a connection's tokens stand."""
        with temporal_failures():
            return _state_of(await self._manager.connection(job.connection_id, job.tenant_id))

    @activity.defn
    async def refresh_connection(self, job: Freshen) -> ConnectionState:
        """Bring the pair of tokens after the one that is known. Repeated, it brings only what is missing."""
        with temporal_failures(TokenNotAsked, TokenUnknown):
            ref = job.connection
            return _state_of(
                await self._manager.refresh(
                    ref.connection_id, ref.tenant_id, job.known, is_refused=job.is_refused
                )
            )

    @activity.defn
    async def disconnect(self, job: ConnectionRef) -> ConnectionState:
        """End a connection, at its service too if that can be asked."""
        with temporal_failures():
            await self._manager.disconnect(job.connection_id, job.tenant_id)
            return _state_of(await self._manager.connection(job.connection_id, job.tenant_id))


def _state_of(connection: "Connection") -> ConnectionState:
    return ConnectionState(
        version=connection.version,
        status=connection.status,
        expires_at=connection.expires_at,
        is_refreshed=connection.is_refreshed,
    )
