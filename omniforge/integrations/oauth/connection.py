"""A connection: an account of an outside service, and where its tokens stand."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import AwareDatetime, BaseModel

from omniforge.vault import Place


class ConnectionStatus(StrEnum):
    ACTIVE = "active"
    BROKEN = "broken"
    """Its service takes the tokens no more. Its owner has to connect it again."""
    DISCONNECTED = "disconnected"


class Connection(BaseModel, frozen=True):
    """A row of `credentials` without its secrets. `version` counts its pairs of tokens."""

    id: str
    tenant_id: str
    user_id: str
    integration_id: str
    account_id: str
    workspace_name: str = ""
    app_id: str | None = None
    status: ConnectionStatus = ConnectionStatus.ACTIVE
    problem: str = ""
    """Why it is broken, for its owner to read."""
    expires_at: AwareDatetime | None = None
    scopes: tuple[str, ...] = ()
    version: int = 1
    refresh_began_at: AwareDatetime | None = None
    is_refreshed: bool = False
    """Whether its service gives it new tokens for old ones."""
    created_at: AwareDatetime
    updated_at: AwareDatetime

    def place(self, column: str) -> Place:
        return Place(self.tenant_id, "credentials", self.id, column)

    def ends_before(self, moment: datetime) -> bool:
        return self.expires_at is not None and self.expires_at < moment


@dataclass(frozen=True, slots=True)
class Account:
    """Whose token it is, as the service knows them, and what people call that."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """A pair as a service gave it. Never logged, stored or shown as it is.

    `version` says which of its connection's it is; 0: it has none yet.
    """

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    type: str = "Bearer"
    expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True)
class SealedTokens:
    """A pair as it is stored."""

    access: bytes = field(repr=False)
    refresh: bytes | None = field(repr=False)
    type: str
    expires_at: datetime | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Consent:
    """A person who was sent to a service to allow an app, and may come back once."""

    id: str
    """The hash of the `state` that the person carries."""
    tenant_id: str
    user_id: str
    integration_id: str
    app_id: str | None
    session_id: str
    browser_hash: str
    verifier: bytes = field(repr=False)
    credential_id: str | None
    created_at: datetime
    expires_at: datetime

    @property
    def place(self) -> Place:
        return Place(self.tenant_id, "oauth_states", self.id, "verifier_encrypted")

    def with_verifier(self, sealed: bytes) -> "Consent":
        return replace(self, verifier=sealed)


class Connections(Protocol):
    """Where connections are kept. Each call is one transaction."""

    async def ask_consent(self, consent: Consent) -> None: ...

    async def take_consent(self, state_hash: str, at: datetime) -> Consent | None:
        """A consent that nobody has come back with; from now on it is used. None: unknown, or used."""
        ...

    async def get(self, tenant_id: str, connection_id: str) -> tuple[Connection, SealedTokens]:
        """
        Raises:
            ConnectionNotFound: Missing, or another tenant's.
        """
        ...

    async def account(
        self, tenant_id: str, user_id: str, integration_id: str, account_id: str
    ) -> Connection | None:
        """The connection of an account that a person has connected before."""
        ...

    async def save(self, connection: Connection, tokens: SealedTokens) -> bool:
        """Write a new connection, or all of one that is there.

        False when its account was connected under another id meanwhile.
        """
        ...

    async def begin_refresh(self, connection: Connection, at: datetime) -> bool:
        """Note that the next pair is asked for, unless it is noted; False when it is there by now."""
        ...

    async def end_refresh(self, connection: Connection) -> None:
        """Take the note back, because the service has taken no token."""
        ...

    async def refreshed(self, connection: Connection, tokens: SealedTokens, at: datetime) -> None:
        """Store the next pair, unless somebody else has stored one."""
        ...

    async def mark(
        self, connection: Connection, status: ConnectionStatus, problem: str, at: datetime
    ) -> Connection:
        """Give a connection another status, unless it has got another pair; as it is then."""
        ...

    async def forget(self, connection: Connection, at: datetime) -> None:
        """Disconnect, and keep no token."""
        ...
