"""What a person is sent to a service with, and what is made of what they bring back."""

import base64
import hashlib
from dataclasses import dataclass
from urllib.parse import urlencode

from omniforge.errors import ConsentDenied
from omniforge.integrations.oauth.config import OAuthConfig
from omniforge.integrations.oauth.connection import Tokens


@dataclass(frozen=True, slots=True)
class Owner:
    """Who connects an account without having been sent anywhere."""

    tenant_id: str
    user_id: str
    integration_id: str
    app_id: str | None = None
    credential_id: str | None = None


def refuse_less_than_needed(config: OAuthConfig, tokens: Tokens) -> None:
    # A service that does not say what it allowed has allowed what was asked for (RFC 6749, 5.1).
    missing = set(config.scopes) - set(tokens.scopes) if tokens.scopes else set()
    if missing:
        raise ConsentDenied(
            f"{config.integration_id} allowed less than agents need; missing: "
            f"{', '.join(sorted(missing))}. Connect again and leave everything ticked."
        )


def denial(integration_id: str, error: str) -> str:
    if error in {"access_denied", ""}:
        return f"{integration_id} was not connected: it was not allowed there."
    return f"{integration_id} was not connected. It says: {error[:100]!r}."


def authorize_url(config: OAuthConfig, state: str, verifier: str) -> str:
    provider = config.provider
    query = {
        "response_type": "code",
        "client_id": config.client_id,
        "redirect_uri": config.redirect_uri,
        "state": state,
        **provider.authorize_parameters,
    }
    if config.scopes:
        query[provider.scope_parameter] = provider.scope_separator.join(config.scopes)
    if provider.pkce:
        query |= {"code_challenge": _challenge(verifier), "code_challenge_method": "S256"}
    return f"{provider.authorize_url}?{urlencode(query)}"


def _challenge(verifier: str) -> str:
    """RFC 7636, 4.2."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
