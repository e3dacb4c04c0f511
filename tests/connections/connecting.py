"""A platform that people connect accounts to, and a browser to do it with."""

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from pydantic import SecretStr
from temporalio.testing import WorkflowEnvironment

from omniforge.keys import KeyRing, new_key
from omniforge.llm.protocol import Completion
from tests.connections.service import REPO, GitHubService
from tests.support.platform import Platform, running_platform
from tests.support.scripted import Reply, answer, calling

KEY = new_key()
KEYS = KeyRing.of([KEY])

LIST = ("github_list_issues", {"repo": REPO})
CREATE = ("github_create_issue", {"repo": REPO, "title": "Slow"})

CALLBACK = "/api/v1/oauth/callback"


@dataclass
class Town:
    """A platform, a service, and a person with a browser that keeps cookies."""

    platform: Platform
    service: GitHubService
    browser: httpx2.AsyncClient

    @property
    def api(self) -> httpx2.AsyncClient:
        return self.platform.api

    async def link(self, **more: Any) -> str:
        body = {"integration_id": "github", **more}
        made = await self.api.post("/api/v1/oauth/links", json=body)
        assert made.status_code == 201, made.text
        return str(made.json()["url"])

    async def sent(self, **more: Any) -> str:
        """Open a fresh link; where the service asks for consent."""
        return await self.through(await self.link(**more))

    async def through(self, link: str) -> str:
        """Open a link and press its button; where that leads."""
        shown = await self.browser.get(link)
        there = await self.browser.post(link, data=proof_on(shown.text))
        assert there.status_code == 303, there.text
        return str(there.headers["location"])

    async def back(self, authorize_url: str, account: str = "anna", **more: str) -> httpx2.Response:
        """Allow it, and come back."""
        code = self.service.consent(authorize_url, account)
        query = {"code": code, "state": state_of(authorize_url), **more}
        return await self.browser.get(self.callback, params=query)

    @property
    def callback(self) -> str:
        port = urlsplit(str(self.api.base_url)).port
        return f"http://localhost:{port}{CALLBACK}"

    async def connect(self, account: str = "anna", **more: Any) -> dict[str, Any]:
        """Connect an account; the connection."""
        shown = await self.back(await self.sent(**more), account)
        assert shown.status_code == 200, shown.text
        found = [one for one in await self.connections() if one["account_id"] == account]
        return found[0]

    async def connections(self) -> list[dict[str, Any]]:
        listed = await self.api.get("/api/v1/connections")
        found: list[dict[str, Any]] = listed.json()["connections"]
        return found

    async def disconnect_all(self) -> None:
        for one in await self.connections():
            ended = await self.api.delete(f"/api/v1/connections/{one['id']}")
            assert ended.status_code == 204, ended.text

    def forget(self) -> None:
        self.platform.model.forget()
        service = self.service
        service.faults.clear()
        service.seen.clear()
        service.refused.clear()
        service.used.clear()
        service.issues.clear()
        service.lives_s, service.grace_s = 3_600, 60
        self.browser.cookies.clear()


def state_of(authorize_url: str) -> str:
    return parse_qs(urlsplit(authorize_url).query)["state"][0]


def proof_on(page: str) -> dict[str, str]:
    """What the button of a link's page sends."""
    found = re.search(r'name="proof" value="([^"]+)"', page)
    assert found is not None, page
    return {"proof": found[1]}


def words_of(page: str) -> str:
    return " ".join(re.sub(r"<style>.*</style>|<[^>]+>", " ", page, flags=re.S).split())


def once(*calls: tuple[str, Any]) -> Any:
    """A model that makes these calls in its first turn and answers in its second."""

    def decide(asked: Completion) -> Reply:
        return calling(*calls) if len(asked.messages) == 1 else answer("Done.")

    return decide


@contextlib.asynccontextmanager
async def town(home: Path, temporal: WorkflowEnvironment, **more: Any) -> AsyncIterator[Town]:
    service = GitHubService()
    keys = more.pop("credential_keys", (SecretStr(KEY),))
    async with (
        service,
        running_platform(
            home, temporal, credential_keys=keys, services=service.settings, **more
        ) as platform,
        httpx2.AsyncClient(timeout=30) as browser,
    ):
        yield Town(platform, service, browser)
