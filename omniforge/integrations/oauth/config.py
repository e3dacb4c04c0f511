"""A service's OAuth: what it departs from the standard in is data, and read by one manager."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

CURRENT = "current"
"""In the place of an app's id: whichever is set up now, the tenant's own or else the platform's."""


@dataclass(frozen=True, slots=True)
class OAuthProvider:
    """What is the same for everybody who connects to a service. One in each integration's folder.

    `account_id`, `account_name` and `access_token` are paths into the token endpoint's answer, such as
    `team.id`. Without an `account_id` the integration's own client is asked whose account a token is for.
    """

    integration_id: str
    authorize_url: str
    token_url: str
    revoke_url: str | None = None
    scopes: tuple[str, ...] = ()
    scope_separator: str = " "
    scope_parameter: str = "scope"
    authorize_parameters: Mapping[str, str] = field(default_factory=dict)
    pkce: bool = True
    client_auth: Literal["basic", "body"] = "body"
    body: Literal["form", "json"] = "form"
    access_token: str = "access_token"  # noqa: S105 - the path to it
    account_id: str = ""
    account_name: str = ""
    dead: frozenset[str] = frozenset({"invalid_grant"})
    """The service's words for a refresh token that will never be taken again."""
    rotates: bool = True
    """Whether each refresh token is taken once, and its answer holds the next one."""
    reuse_grace_s: float = 0
    """For so long a refresh token that was taken gives again what it gave before."""


@dataclass(frozen=True, slots=True)
class OAuthConfig:
    """A provider, and the app that people allow there: the platform's own, or a tenant's."""

    provider: OAuthProvider
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    scopes: tuple[str, ...] = ()
    app_id: str | None = None
    """Of a tenant's own app; None for the platform's."""

    @property
    def integration_id(self) -> str:
        return self.provider.integration_id

    @property
    def authorize_url(self) -> str:
        return self.provider.authorize_url

    @property
    def token_url(self) -> str:
        return self.provider.token_url


def at(path: str, answer: Any) -> Any:
    """What lies at a dotted path of an answer; None where there is nothing."""
    for name in path.split("."):
        if not isinstance(answer, Mapping):
            return None
        answer = answer.get(name)
    return answer
