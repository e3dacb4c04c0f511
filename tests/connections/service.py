"""GitHub as far as a connection needs it: a strict consent, tokens that end, and a few issues."""

import json
from collections.abc import Mapping
from typing import Any

from omniforge import clock
from tests.support.asgi import Receive, Send, answer_json, body_of
from tests.support.oauth_server import CLIENT, OAuthServer

TOKEN_PATH = "/login/oauth/access_token"
PERSONAL = "ghp_personal-token-of-anna"
REPO = "acme/shop"


class GitHubService(OAuthServer):
    """Takes the newest token of an account, and one personal one. `refused` are revoked ones."""

    def __init__(self, grace_s: float = 60, lives_s: float = 3_600) -> None:
        super().__init__(grace_s, lives_s)
        self.personal = {PERSONAL}
        self.refused: set[str] = set()
        self.used: list[str] = []
        self.issues: list[dict[str, Any]] = []

    @property
    def settings(self) -> dict[str, Any]:
        """Of a platform that has an app here."""
        client_id, secret = CLIENT
        return {"github": {"client_id": client_id, "client_secret": secret, "base_url": self.url}}

    def revoke_all(self) -> None:
        """The owner has thrown the app out of the account."""
        self.refused |= set(self.access)
        for family in self.families:
            family.is_dead = True

    async def _app(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == TOKEN_PATH:
            await super()._app({**scope, "path": "/token"}, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        token = headers.get("authorization", "").removeprefix("Bearer ")
        body = await body_of(receive)
        self.seen[f"{scope['method']} {scope['path']}"] += 1
        if not self._takes(token):
            await answer_json(send, 401, {"message": "Bad credentials"})
            return
        self.used.append(token)
        await answer_json(send, *self._answered(scope, token, body))

    def _takes(self, token: str) -> bool:
        return (token in self.access or token in self.personal) and token not in self.refused

    def _answered(self, scope: Mapping[str, Any], token: str, body: bytes) -> tuple[int, Any]:
        match scope["method"], scope["path"]:
            case "GET", "/user":
                account = self.access[token].account if token in self.access else "personal"
                return 200, {"id": account, "login": f"{account} at GitHub"}
            case "GET", path if path == f"/repos/{REPO}/issues":
                return 200, self.issues
            case "POST", path if path == f"/repos/{REPO}/issues":
                number = len(self.issues) + 1
                made = {**json.loads(body), "number": number, "state": "open"}
                made |= {"html_url": f"https://github.com/{REPO}/issues/{number}"}
                self.issues.append(made | {"created_at": clock.now().isoformat()})
                return 201, self.issues[-1]
        return 404, {"message": "Not Found"}

    def _rotate(self, token: str) -> tuple[int, dict[str, Any]]:
        """GitHub refuses with status 200, in words of its own."""
        status, answer = super()._rotate(token)
        return (200, {"error": "bad_refresh_token"}) if status == 400 else (status, answer)
