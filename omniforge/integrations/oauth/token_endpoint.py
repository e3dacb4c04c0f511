"""A service's token endpoint: codes and refresh tokens for tokens (RFC 6749), and their end (RFC 7009).

What matters is how a failure is told: a refresh token may be taken once, so who asks must know
whether it was refused, was never asked for, or may have been taken with the answer lost.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx2

from omniforge import clock
from omniforge.errors import TokenNotAsked, TokenRefused, TokenUnknown, TryAgain
from omniforge.integrations.oauth.config import OAuthConfig, at
from omniforge.integrations.oauth.connection import Tokens
from omniforge.tools.egress import Egress, PinnedTransport

SECONDS = 15.0
MAX_BYTES = 256 * 1024
# A token without a word on its life is taken for one that does not end; years would overflow dates.
_LONGEST = timedelta(days=3_650)

_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Grant:
    """Tokens, and all that the service said with them."""

    tokens: Tokens
    answer: Mapping[str, Any] = field(repr=False)


class TokenEndpoint:
    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    async def exchange(self, config: OAuthConfig, code: str, verifier: str) -> Grant:
        """Turn the code that a person brought back into tokens.

        Raises:
            TokenRefused, TokenNotAsked, TokenUnknown: There are none.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": config.redirect_uri,
        }
        if config.provider.pkce:
            form["code_verifier"] = verifier
        return await self._grant(config, form)

    async def refresh(self, config: OAuthConfig, refresh_token: str) -> Grant:
        """The next pair. Its refresh token is the same one where the service rotates none.

        Raises:
            TokenRefused, TokenNotAsked, TokenUnknown: There is none, as far as is known.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self._grant(config, form, refresh_token)

    async def revoke(self, config: OAuthConfig, token: str) -> None:
        """Tell the service that a token is needed no more.

        Raises:
            TokenRefused, TokenNotAsked, TokenUnknown: It may still be taken there.
        """
        if config.provider.revoke_url is not None:
            await self._post(config, config.provider.revoke_url, {"token": token})

    async def _grant(
        self, config: OAuthConfig, form: dict[str, str], refresh_token: str | None = None
    ) -> Grant:
        asked_at = clock.now()
        answer = await self._post(config, config.token_url, form)
        tokens = _tokens(config, answer, asked_at, refresh_token)
        return Grant(tokens, answer)

    async def _post(self, config: OAuthConfig, url: str, form: dict[str, str]) -> Mapping[str, Any]:
        provider = config.provider
        auth = None
        if provider.client_auth == "basic":
            auth = httpx2.BasicAuth(config.client_id, config.client_secret)
        else:
            form |= {"client_id": config.client_id, "client_secret": config.client_secret}
        what: dict[str, Any] = {"json": form} if provider.body == "json" else {"data": form}
        request = httpx2.Request("POST", url, headers={"accept": "application/json"}, **what)
        return _read(config, await self._send(config, request, auth))

    async def _send(
        self, config: OAuthConfig, request: httpx2.Request, auth: httpx2.Auth | None = None
    ) -> httpx2.Response:
        service = config.integration_id
        try:
            destination = await self._egress.check(str(request.url))
        except TryAgain as error:
            raise TokenNotAsked(f"{service}: {error.message}") from error
        transport = PinnedTransport(destination)
        try:
            async with httpx2.AsyncClient(
                transport=transport, timeout=SECONDS, trust_env=False, follow_redirects=False
            ) as client:
                response = await client.send(request, auth=auth, stream=True)
                return await _whole(response)
        except _NOT_SENT as error:
            raise TokenNotAsked(f"{service} cannot be reached.") from error
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise TokenUnknown(f"{service} did not answer to the end.") from error


async def _whole(response: httpx2.Response) -> httpx2.Response:
    body = bytearray()
    try:
        async for part in response.aiter_bytes():
            body += part
            if len(body) > MAX_BYTES:
                raise httpx2.DecodingError("The answer is too large.", request=response.request)
    finally:
        await response.aclose()
    return httpx2.Response(response.status_code, headers=response.headers, content=bytes(body))


def _read(config: OAuthConfig, response: httpx2.Response) -> Mapping[str, Any]:
    """The answer, or what it means that there is none."""
    service, status = config.integration_id, response.status_code
    try:
        answer = json.loads(response.content) if response.content else {}
    except ValueError:
        answer = None
    reason = _reason(answer)
    if status in {408, 425, 429} or (status == 503 and reason is None):
        raise TokenNotAsked(f"{service} is too busy to give tokens ({status}).")
    if 400 <= status < 500 or (status < 300 and reason is not None):
        raise TokenRefused(service, reason or f"it answered {status}")
    if status >= 300 or not isinstance(answer, dict):
        raise TokenUnknown(f"{service} answered {status} with something that is no answer.")
    return answer


def _reason(answer: Any) -> str | None:
    """A service's word for a refusal. Some say it with status 200."""
    if not isinstance(answer, dict):
        return None
    error = answer.get("error")
    if isinstance(error, str) and error:
        return error[:100]
    return "it did not say why" if answer.get("ok") is False or error else None


def _tokens(
    config: OAuthConfig, answer: Mapping[str, Any], asked_at: datetime, refresh_token: str | None
) -> Tokens:
    provider = config.provider
    holder = provider.access_token.rpartition(".")[0]
    given = at(holder, answer) if holder else answer
    given = given if isinstance(given, Mapping) else {}
    access = at(provider.access_token, answer)
    # A token goes into a header; one that cannot would be quoted by the error that says so.
    if not isinstance(access, str) or not re.fullmatch(r"[!-~]+", access):
        raise TokenUnknown(f"{config.integration_id} gave no access token.")
    following = given.get("refresh_token")
    scopes = given.get("scope")
    return Tokens(
        access=access,
        refresh=following if isinstance(following, str) and following else refresh_token,
        type=_word(given.get("token_type"), "Bearer"),
        expires_at=_end(given.get("expires_in"), asked_at),
        scopes=tuple(scopes.replace(",", " ").split()) if isinstance(scopes, str) else (),
    )


def _word(value: Any, default: str) -> str:
    return value[:32] if isinstance(value, str) and value else default


def _end(seconds: Any, asked_at: datetime) -> datetime | None:
    """Counted from before the question, so that a token is never taken for longer than it lives."""
    try:
        life = timedelta(seconds=float(seconds))
    except (TypeError, ValueError, OverflowError):
        return None
    return asked_at + life if timedelta(0) < life < _LONGEST else None
