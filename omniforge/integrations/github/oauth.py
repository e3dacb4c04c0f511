"""GitHub's OAuth.

https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps and, for the
tokens of GitHub Apps, which end after eight hours and are refreshed,
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens
"""

from omniforge.integrations.oauth.config import OAuthProvider

OAUTH = OAuthProvider(
    integration_id="github",
    authorize_url="https://github.com/login/oauth/authorize",
    token_url="https://github.com/login/oauth/access_token",  # noqa: S106 - an address
    scopes=("repo", "read:user"),
    dead=frozenset({"bad_refresh_token"}),
)
