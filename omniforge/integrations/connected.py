"""A run's way to an account: which connection it uses, and the tokens of that."""

from collections.abc import Sequence
from typing import Protocol

from omniforge.errors import (
    ConnectionBroken,
    ConnectionNotActive,
    ConnectionNotFound,
    GaveUp,
    ServiceUnavailable,
    TokenNotAsked,
    TokenRefused,
    TokenUnknown,
)
from omniforge.integrations.accounts import Accounts
from omniforge.integrations.http.tokens import Token
from omniforge.integrations.oauth.connection import Connection, Tokens


class Switchboard(Protocol):
    """What is asked of the platform: a person's connections, and their tokens."""

    async def of_person(
        self, tenant_id: str, user_id: str, integration_id: str
    ) -> Sequence[Connection]:
        """Those that are not disconnected."""
        ...

    async def get(self, tenant_id: str, connection_id: str) -> Connection:
        """
        Raises:
            ConnectionNotFound: It is missing.
        """
        ...

    async def tokens(self, connection: Connection, refused: int) -> Tokens:
        """Fresh tokens, newer than version `refused`.

        Raises:
            ConnectionNotActive, ConnectionNotFound, TokenNotAsked, TokenUnknown, TokenRefused: None.
        """
        ...


class AccountTokens:
    """The tokens of the account that a run uses at one service. It is looked for with the first call."""

    def __init__(self, switchboard: Switchboard, accounts: Accounts, integration_id: str) -> None:
        self._switchboard, self._accounts = switchboard, accounts
        self._integration_id = integration_id
        self._connection: Connection | None = None
        self._versions: dict[str, int] = {}

    async def token(self, refresh_from: str | None = None) -> Token:
        """
        Raises:
            ConnectionBroken: There is no connection, or it has to be made anew.
            GaveUp: There are several, and nobody has said which.
            ServiceUnavailable: There is no fresh token at the moment.
        """
        connection = self._connection = self._connection or await self._chosen()
        refused = self._versions.get(refresh_from, 0) if refresh_from is not None else 0
        try:
            tokens = await self._switchboard.tokens(connection, refused)
        except (ConnectionNotActive, ConnectionNotFound) as error:
            raise self._broken(connection, error.message) from error
        except (TokenNotAsked, TokenUnknown, TokenRefused) as error:
            raise ServiceUnavailable(
                f"There is no fresh token for {self._integration_id} at the moment: {error.message}"
            ) from error
        self._versions = {tokens.access: tokens.version}
        return Token(tokens.access, connection.id, tokens.version)

    async def _chosen(self) -> Connection:
        accounts, name = self._accounts, self._integration_id
        if (pinned := accounts.pinned.get(name)) is not None:
            try:
                return await self._switchboard.get(accounts.tenant_id, pinned)
            except ConnectionNotFound as error:
                raise GaveUp(
                    f"The agent is to use the connection {pinned} for {name}, which is not there any"
                    f" more. Change the agent's `connections`."
                ) from error
        found = await self._switchboard.of_person(accounts.tenant_id, accounts.user_id, name)
        if not found:
            raise ConnectionBroken(
                f"No account of {name} is connected.",
                None,
                user_id=accounts.user_id,
                integration_id=name,
            )
        if len(found) > 1:
            known = "; ".join(f"{one.id} ({one.workspace_name or one.account_id})" for one in found)
            raise GaveUp(
                f"Several accounts of {name} are connected, and the agent does not say which to use:"
                f' {known}. Set its `connections`, such as {{"{name}": "{found[0].id}"}}.'
            )
        return found[0]

    def _broken(self, connection: Connection, why: str) -> ConnectionBroken:
        self._connection = None  # by the next call it may be another one
        return ConnectionBroken(why, connection.id, version=connection.version)
