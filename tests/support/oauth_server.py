"""A strict OAuth service over real HTTP: codes once, PKCE checked, refresh tokens rotated.

It counts what must never happen, and fails at the moment it is told to.
"""

import base64
import hashlib
import itertools
import secrets
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

from omniforge.integrations.oauth.config import OAuthConfig, OAuthProvider
from tests.support.asgi import Receive, Send, answer_json, body_of
from tests.support.ports import free_port
from tests.support.servers import serving

Fault = Literal["cut before", "cut after", "500 before", "500 after", "429", "html", "refuse"]
"""What goes wrong with a token request: before the service has done anything, or after it."""

CLIENT = ("client-1", "client-secret-1")


@dataclass
class Family:
    """The tokens of one consent, one refresh token after another."""

    account: str
    scope: str
    serial: Any = field(default_factory=lambda: itertools.count(1))
    current: str = ""
    taken: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)
    is_dead: bool = False


class OAuthServer:
    def __init__(self, grace_s: float = 60, lives_s: float = 3_600) -> None:
        self.grace_s, self.lives_s = grace_s, lives_s
        self.faults: deque[Fault] = deque()
        self.seen: Counter[str] = Counter()
        self.families: list[Family] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._refresh: dict[str, Family] = {}
        self.access: dict[str, Family] = {}
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self._serving = serving(self._app, self._port)
        await self._serving.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._serving.__aexit__(None, None, None)

    def config(self, **more: Any) -> OAuthConfig:
        values: dict[str, Any] = {
            "integration_id": "acme",
            "authorize_url": f"{self.url}/authorize",
            "token_url": f"{self.url}/token",
            "revoke_url": f"{self.url}/revoke",
            "account_id": "account.id",
            "account_name": "account.name",
            "reuse_grace_s": self.grace_s,
            **more,
        }
        scopes = values.get("scopes", ("read", "write"))
        redirect = "http://localhost/api/v1/oauth/callback"
        return OAuthConfig(OAuthProvider(**values), *CLIENT, redirect, tuple(scopes))

    def consent(self, authorize_url: str, account: str = "acc-1", scope: str | None = None) -> str:
        """A person allows what the page asks for; the code that they bring back."""
        query = {
            name: values[0] for name, values in parse_qs(urlsplit(authorize_url).query).items()
        }
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT[0]
        code = secrets.token_urlsafe(16)
        granted = query.get("scope", "") if scope is None else scope
        self._codes[code] = {**query, "account": account, "scope": granted}
        return code

    # ---- inside ------------------------------------------------------------------------------

    async def _app(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        raw = (await body_of(receive)).decode()
        form = {name: values[0] for name, values in parse_qs(raw).items()}
        path = scope["path"]
        self.seen[f"{path} {form.get('grant_type', '')}".strip()] += 1
        fault = self.faults.popleft() if self.faults and path == "/token" else None
        if fault is None or fault.endswith("after"):
            status, answer = self._answer(path, form)
        if fault is None:
            await answer_json(send, status, answer)
        else:
            await self._fail(fault, send)

    async def _fail(self, fault: Fault, send: Send) -> None:
        if fault.startswith("cut"):
            raise ConnectionAbortedError("The connection is cut, as the test wants it.")
        if fault == "html":
            headers = [(b"content-type", b"text/html")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"<h1>Down</h1>"})
            return
        status = {"429": 429, "refuse": 400}.get(fault, 500)
        await answer_json(send, status, {"error": "invalid_client"} if fault == "refuse" else {})

    def _answer(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if (form.get("client_id"), form.get("client_secret")) != CLIENT:
            return 401, {"error": "invalid_client"}
        if path == "/revoke":
            return self._revoke(form["token"])
        if form.get("grant_type") == "authorization_code":
            return self._exchange(form)
        return self._rotate(form.get("refresh_token", ""))

    def _exchange(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        asked = self._codes.pop(form["code"], None)
        if asked is None:
            self.seen["code used twice"] += 1
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked.get("code_challenge") != challenge
            or asked["redirect_uri"] != form["redirect_uri"]
        ):
            return 400, {"error": "invalid_grant"}
        family = Family(asked["account"], asked["scope"])
        self.families.append(family)
        return 200, self._pair(family)

    def _rotate(self, token: str) -> tuple[int, dict[str, Any]]:
        family = self._refresh.get(token)
        if family is None or family.is_dead:
            return 400, {"error": "invalid_grant"}
        if token == family.current:
            answer = self._pair(family)
            family.taken[token] = time.monotonic(), answer
            return 200, answer
        taken_at, answer = family.taken[token]
        is_last = answer["refresh_token"] == family.current
        if is_last and time.monotonic() - taken_at <= self.grace_s:
            return 200, answer
        self.seen["refresh token used twice"] += 1
        family.is_dead = True
        return 400, {"error": "invalid_grant"}

    def _revoke(self, token: str) -> tuple[int, dict[str, Any]]:
        if (family := self._refresh.get(token) or self.access.get(token)) is not None:
            family.is_dead = True
        return 200, {}

    def _pair(self, family: Family) -> dict[str, Any]:
        number = next(family.serial)
        access = f"access-{family.account}-{number}-{secrets.token_hex(4)}"
        family.current = f"refresh-{family.account}-{number}-{secrets.token_hex(4)}"
        self._refresh[family.current] = self.access[access] = family
        return {
            "access_token": access,
            "refresh_token": family.current,
            "token_type": "Bearer",
            "expires_in": self.lives_s,
            "scope": family.scope,
            "account": {"id": family.account, "name": f"The workspace of {family.account}"},
        }
