"""Accounts of outside services: asked for, connected, kept fresh, given up."""

import logging
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta

from omniforge import clock
from omniforge.errors import (
    ConnectionNotActive,
    ConnectionNotFound,
    ConsentDenied,
    ConsentInvalid,
    OmniForgeError,
    TokenNotAsked,
    TokenRefused,
    TokenUnknown,
    WrongAccount,
)
from omniforge.identity import new_id
from omniforge.integrations.oauth.config import CURRENT, OAuthConfig, at
from omniforge.integrations.oauth.connection import (
    Account,
    Connection,
    Connections,
    ConnectionStatus,
    Consent,
    SealedTokens,
    Tokens,
)
from omniforge.integrations.oauth.consent import (
    Owner,
    authorize_url,
    denial,
    hash_of,
    refuse_less_than_needed,
)
from omniforge.integrations.oauth.token_endpoint import Grant, TokenEndpoint
from omniforge.vault import Vault

log = logging.getLogger(__name__)

# A person reads what the service asks, perhaps signs in there and looks for a second factor.
CONSENT_LASTS = timedelta(minutes=15)
# A token that ends sooner is not handed out: a call made with it may take as long.
SPARE = timedelta(seconds=60)

Configs = Callable[[str, str, str | None], Awaitable[OAuthConfig]]
"""The app to use for an integration: of (tenant, integration, `CURRENT`, or the id of a tenant's own,
which for the platform's is None). Raises `IntegrationUnknown`."""

Whose = Callable[[str, str], Awaitable[Account]]
"""Whose account a token is for: of (integration, access token), by asking the service.

Raises `TokenDenied` when the service does not take it, `TokenNotAsked` when it cannot be asked."""

Refresher = Callable[[Connection, bool], Awaitable[None]]
"""Has the one who refreshes a connection bring a newer pair than the given one's, whose access token
its service may have refused."""


class OAuthManager:
    """Sends people to a service, takes them back, and hands out access tokens.

    The tokens of a connection are refreshed by one party only; `refresher` is how to ask it.
    """

    def __init__(
        self,
        configs: Configs,
        vault: Vault,
        connections: Connections,
        endpoint: TokenEndpoint,
        refresher: Refresher | None = None,
        whose: Whose | None = None,
    ) -> None:
        self._configs, self._vault = configs, vault
        self._connections, self._endpoint = connections, endpoint
        self._refresher, self._whose = refresher, whose

    # ---- consent -----------------------------------------------------------------------------

    async def initiate_flow(
        self,
        integration_id: str,
        user_id: str,
        tenant_id: str,
        session_id: str,
        *,
        browser: str,
        connection_id: str | None = None,
    ) -> tuple[str, str]:
        """Where to send a person, and the `state` that comes back with them.

        The state can be used once, within a quarter of an hour, by the browser that holds the secret
        `browser`. With `connection_id` that connection is to be mended.

        Raises:
            IntegrationUnknown: There is no such integration, or no app is set up for it.
            ConnectionNotFound: There is none to be mended.
        """
        if connection_id is not None:
            integration_id = (await self._own(connection_id, user_id, tenant_id)).integration_id
        config = await self._configs(tenant_id, integration_id, CURRENT)
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        now = clock.now()
        consent = Consent(
            id=hash_of(state),
            tenant_id=tenant_id,
            user_id=user_id,
            integration_id=integration_id,
            app_id=config.app_id,
            session_id=session_id,
            browser_hash=hash_of(browser),
            verifier=b"",
            credential_id=connection_id,
            created_at=now,
            expires_at=now + CONSENT_LASTS,
        )
        sealed = await self._vault.seal(verifier, consent.place)
        await self._connections.ask_consent(consent.with_verifier(sealed))
        return authorize_url(config, state, verifier), state

    async def complete_flow(self, code: str, state: str, *, browser: str, error: str = "") -> str:
        """The id of the connection that `connect` makes."""
        return (await self.connect(code, state, browser=browser, error=error)).id

    async def connect(self, code: str, state: str, *, browser: str, error: str = "") -> Connection:
        """Take a person back, with the code or the `error` that the service sent along.

        An account that the person has connected before keeps its id.

        Raises:
            ConsentInvalid: The state is unknown, used, too old, or another browser's.
            ConsentDenied: The person or the service said no, or allowed less than is needed.
            WrongAccount: A connection was to be mended, with its own account.
            TokenNotAsked, TokenUnknown: The service cannot be asked; begin again.
        """
        consent = await self._taken(state, browser)
        if error or not code:
            raise ConsentDenied(denial(consent.integration_id, error))
        config = await self._configs(consent.tenant_id, consent.integration_id, consent.app_id)
        verifier = await self._vault.open(consent.verifier, consent.place)
        try:
            grant = await self._endpoint.exchange(config, code, verifier)
        except TokenRefused as refused:
            raise ConsentDenied(
                f"{consent.integration_id} did not take the code ({refused.details['reason']})."
                " Codes end after some minutes and are taken once. Connect again."
            ) from refused
        refuse_less_than_needed(config, grant.tokens)
        account = await self._account(config, grant)
        return await self._save(consent, grant.tokens, account)

    async def adopt(
        self, integration_id: str, user_id: str, tenant_id: str, token: str
    ) -> Connection:
        """Connect the account of a token that a person has from the service itself. It is not refreshed.

        Raises:
            TokenDenied: The service does not take it.
            TokenNotAsked: The service cannot be asked.
        """
        account = await self._asked(integration_id, token)
        owner = Owner(tenant_id, user_id, integration_id)
        return await self._save(owner, Tokens(token), account)

    # ---- tokens ------------------------------------------------------------------------------

    async def connection(self, connection_id: str, tenant_id: str) -> Connection:
        """
        Raises:
            ConnectionNotFound: Missing, or another tenant's.
        """
        return (await self._connections.get(tenant_id, connection_id))[0]

    async def get_access_token(self, credential_id: str, user_id: str, tenant_id: str) -> str:
        """An access token that is good for some time yet.

        Raises:
            ConnectionNotFound: It is missing, or another person's.
            ConnectionNotActive: It has to be connected again.
            TokenNotAsked, TokenUnknown: There is no fresh token at the moment.
        """
        connection = await self._own(credential_id, user_id, tenant_id)
        tokens = await self.tokens(connection.id, tenant_id)
        return tokens.access

    async def tokens(self, connection_id: str, tenant_id: str, refused: int = 0) -> Tokens:
        """A connection's tokens, fresh. `refused` is the version of a pair that its service refused.

        Raises:
            ConnectionNotFound, ConnectionNotActive, TokenNotAsked, TokenUnknown: As `get_access_token`.
        """
        connection, sealed = await self._connections.get(tenant_id, connection_id)
        _refuse_broken(connection)
        is_ending = connection.ends_before(clock.now() + SPARE)
        is_refused = connection.version <= refused
        if (is_ending or is_refused) and sealed.refresh is not None:
            if self._refresher is not None:
                await self._refresher(connection, is_refused)
            connection, sealed = await self._connections.get(tenant_id, connection_id)
        elif is_refused:
            problem = f"{connection.integration_id} takes its token no more."
            connection = await self._broken(connection, problem)
        _refuse_broken(connection)
        return await self._opened(connection, sealed)

    async def refresh(
        self, connection_id: str, tenant_id: str, known: int, *, is_refused: bool = False
    ) -> Connection:
        """Bring the pair after version `known`, and store it before anybody uses it.

        Only one party may do this for a connection at a time. Repeated, it asks only for what is not there.

        A note of the question is written before it is asked: a lost answer is got back by asking again
        as long as the service gives it twice, else only when the access token has ended, or the
        service has refused it.

        Raises:
            ConnectionNotFound: It is gone.
            TokenNotAsked, TokenUnknown, TokenRefused: Ask again later.
        """
        connection, sealed = await self._connections.get(tenant_id, connection_id)
        is_done = connection.version > known or connection.status is not ConnectionStatus.ACTIVE
        if is_done or sealed.refresh is None:
            return connection
        config = await self._configs(tenant_id, connection.integration_id, connection.app_id)
        if not is_refused:
            _refuse_to_risk(connection, config)
        refresh_token = await self._vault.open(
            sealed.refresh, connection.place("refresh_token_encrypted")
        )
        now = clock.now()
        if not await self._connections.begin_refresh(connection, now):
            return (await self._connections.get(tenant_id, connection_id))[0]
        try:
            grant = await self._endpoint.refresh(config, refresh_token)
        except TokenRefused as refused:
            if refused.details["reason"] in config.provider.dead:
                problem = _LOST if connection.refresh_began_at else f"{refused.message}."
                return await self._broken(connection, problem)
            await self._connections.end_refresh(connection)
            raise
        except TokenNotAsked:
            await self._connections.end_refresh(connection)
            raise
        fresh = await self._sealed(connection, grant.tokens)
        await self._connections.refreshed(connection, fresh, clock.now())
        return (await self._connections.get(tenant_id, connection_id))[0]

    async def disconnect(self, connection_id: str, tenant_id: str) -> None:
        """End a connection here, and at its service if that can be asked."""
        connection, sealed = await self._connections.get(tenant_id, connection_id)
        if connection.status is ConnectionStatus.DISCONNECTED:
            return
        try:
            tokens = await self._opened(connection, sealed)
            config = await self._configs(tenant_id, connection.integration_id, connection.app_id)
            await self._endpoint.revoke(config, tokens.refresh or tokens.access)
        except OmniForgeError as error:
            what = {"connection_id": connection.id, "reason": error.code}
            log.warning("not_revoked", extra=what)
        await self._connections.forget(connection, clock.now())

    # ---- inside ------------------------------------------------------------------------------

    async def _own(self, connection_id: str, user_id: str, tenant_id: str) -> Connection:
        connection, _ = await self._connections.get(tenant_id, connection_id)
        if connection.user_id != user_id:
            raise ConnectionNotFound(connection_id)
        return connection

    async def _taken(self, state: str, browser: str) -> Consent:
        """Used up even when it is refused: whoever holds a stolen state has one try, and no success."""
        consent = await self._connections.take_consent(hash_of(state), clock.now())
        if consent is None:
            raise ConsentInvalid("This way back is not known, or it was used. Connect again.")
        if consent.expires_at < clock.now():
            raise ConsentInvalid("It took too long to come back. Connect again.")
        if not secrets.compare_digest(consent.browser_hash, hash_of(browser)):
            raise ConsentInvalid(
                "Another browser has asked for this. Connect again, in the browser you are in now."
            )
        return consent

    async def _account(self, config: OAuthConfig, grant: Grant) -> Account:
        provider, answer = config.provider, grant.answer
        if not provider.account_id:
            return await self._asked(config.integration_id, grant.tokens.access)
        account_id = at(provider.account_id, answer)
        if account_id is None:
            raise TokenUnknown(f"{config.integration_id} did not say whose account it is.")
        return Account(str(account_id)[:255], str(at(provider.account_name, answer) or "")[:255])

    async def _asked(self, integration_id: str, token: str) -> Account:
        if self._whose is None:
            raise TokenNotAsked(f"{integration_id} cannot be asked whose account it is.")
        return await self._whose(integration_id, token)

    async def _save(self, owner: Owner | Consent, tokens: Tokens, account: Account) -> Connection:
        """Under the id that the account has, or gets meanwhile in another window."""
        while True:
            connection = await self._connection_for(owner, tokens, account)
            if await self._connections.save(connection, await self._sealed(connection, tokens)):
                return connection

    async def _connection_for(
        self, owner: Owner | Consent, tokens: Tokens, account: Account
    ) -> Connection:
        known = await self._connections.account(
            owner.tenant_id, owner.user_id, owner.integration_id, account.id
        )
        if owner.credential_id is not None and (known is None or known.id != owner.credential_id):
            raise WrongAccount(
                f"That is another account ({account.name or account.id}) than the one to be connected"
                " again. Sign in there with the same account, or connect this one as a new connection."
            )
        now = clock.now()
        return Connection(
            id=known.id if known else new_id("cn"),
            tenant_id=owner.tenant_id,
            user_id=owner.user_id,
            integration_id=owner.integration_id,
            account_id=account.id,
            workspace_name=account.name,
            app_id=owner.app_id,
            expires_at=tokens.expires_at,
            scopes=tokens.scopes,
            version=known.version + 1 if known else 1,
            is_refreshed=tokens.refresh is not None,
            created_at=known.created_at if known else now,
            updated_at=now,
        )

    async def _broken(self, connection: Connection, problem: str) -> Connection:
        log.warning("connection_broken", extra={"connection_id": connection.id})
        status = ConnectionStatus.BROKEN
        return await self._connections.mark(connection, status, problem, clock.now())

    async def _sealed(self, connection: Connection, tokens: Tokens) -> SealedTokens:
        access = await self._vault.seal(tokens.access, connection.place("access_token_encrypted"))
        refresh = None
        if tokens.refresh is not None:
            place = connection.place("refresh_token_encrypted")
            refresh = await self._vault.seal(tokens.refresh, place)
        return SealedTokens(access, refresh, tokens.type, tokens.expires_at, tokens.scopes)

    async def _opened(self, connection: Connection, sealed: SealedTokens) -> Tokens:
        access = await self._vault.open(sealed.access, connection.place("access_token_encrypted"))
        refresh = None
        if sealed.refresh is not None:
            place = connection.place("refresh_token_encrypted")
            refresh = await self._vault.open(sealed.refresh, place)
        return Tokens(
            access, refresh, sealed.type, sealed.expires_at, sealed.scopes, connection.version
        )


_LOST = (
    "An answer of the service was lost, and with it the next token; it takes the old one only once."
)


def _refuse_to_risk(connection: Connection, config: OAuthConfig) -> None:
    """
    Raises:
        TokenUnknown: The refresh token may have been taken. Shown twice, it could cost the access
            token as well; once that has ended, there is nothing to lose.
    """
    began, provider, now = connection.refresh_began_at, config.provider, clock.now()
    if began is None or not provider.rotates or connection.ends_before(now + SPARE):
        return
    if now - began > timedelta(seconds=provider.reuse_grace_s):
        raise TokenUnknown(f"An answer of {connection.integration_id} was lost.")


def _refuse_broken(connection: Connection) -> None:
    if connection.status is not ConnectionStatus.ACTIVE:
        name = connection.workspace_name or connection.account_id
        raise ConnectionNotActive(
            connection.id,
            f"The connection to {connection.integration_id} ({name}) is {connection.status}."
            f" {connection.problem} Its owner has to connect it again.".replace("  ", " "),
        )
