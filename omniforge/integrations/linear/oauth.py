"""Linear's OAuth. https://linear.app/developers/oauth-2-0-authentication

Access tokens live for a day, and every refresh gives a new refresh token. Whose account it is, only
GraphQL tells (`viewer`).
"""

from omniforge.integrations.oauth.config import OAuthProvider

OAUTH = OAuthProvider(
    integration_id="linear",
    authorize_url="https://linear.app/oauth/authorize",
    token_url="https://api.linear.app/oauth/token",  # noqa: S106 - an address
    revoke_url="https://api.linear.app/oauth/revoke",
    scopes=("read", "write"),
    scope_separator=",",
    # Without it somebody who has connected one workspace is never asked for another.
    authorize_parameters={"prompt": "consent"},
    reuse_grace_s=30 * 60,
)
