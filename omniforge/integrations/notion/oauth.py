"""Notion's OAuth. https://developers.notion.com/guides/get-started/authorization

There are no scopes: what an integration can do is set once at Notion, and people choose its pages when
they consent.
"""

from omniforge.integrations.oauth.config import OAuthProvider

OAUTH = OAuthProvider(
    integration_id="notion",
    authorize_url="https://api.notion.com/v1/oauth/authorize",
    token_url="https://api.notion.com/v1/oauth/token",  # noqa: S106 - an address
    revoke_url="https://api.notion.com/v1/oauth/revoke",
    authorize_parameters={"owner": "user"},
    pkce=False,
    client_auth="basic",
    body="json",
    account_id="workspace_id",
    account_name="workspace_name",
)
