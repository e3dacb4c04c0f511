"""Slack's OAuth, with the token of the app's bot. https://docs.slack.dev/authentication/installing-with-oauth

Where an app has token rotation switched on, tokens end after twelve hours and are refreshed:
https://docs.slack.dev/authentication/using-token-rotation
"""

from omniforge.integrations.oauth.config import OAuthProvider

OAUTH = OAuthProvider(
    integration_id="slack",
    authorize_url="https://slack.com/oauth/v2/authorize",
    token_url="https://slack.com/api/oauth.v2.access",  # noqa: S106 - an address
    revoke_url="https://slack.com/api/auth.revoke",
    scopes=(
        "channels:history",
        "channels:read",
        "chat:write",
        "groups:history",
        "groups:read",
        "im:history",
        "im:read",
        "reactions:write",
        "users:read",
        "users:read.email",
    ),
    scope_separator=",",
    pkce=False,
    account_id="team.id",
    account_name="team.name",
    dead=frozenset({"invalid_refresh_token", "token_revoked", "account_inactive"}),
)
