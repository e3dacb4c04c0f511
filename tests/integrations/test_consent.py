"""What is said of Slack's and Notion's OAuth, against token endpoints that answer as they document."""

import base64
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from omniforge.errors import TokenRefused
from omniforge.integrations.catalog import integration
from omniforge.integrations.http.access import HttpAccess
from omniforge.integrations.notion.oauth import OAUTH as NOTION
from omniforge.integrations.oauth.config import OAuthConfig, OAuthProvider, at
from omniforge.integrations.oauth.connection import Account
from omniforge.integrations.oauth.token_endpoint import TokenEndpoint
from omniforge.integrations.slack.oauth import OAUTH as SLACK
from omniforge.integrations.slack.tools import OPERATIONS
from omniforge.tools.egress import Egress
from tests.support.integrations import Tokens
from tests.support.json_service import JsonService, Told
from tests.support.notion_api import BOT, NotionApi
from tests.support.slack_api import SlackApi

# https://docs.slack.dev/reference/methods/oauth.v2.access, with token rotation switched on
SLACK_ANSWER = {
    "ok": True,
    "access_token": "xoxe.xoxb-1",
    "token_type": "bot",
    "scope": "channels:read,chat:write",
    "bot_user_id": "U0KRQLJ9H",
    "app_id": "A0KRD7HC3",
    "expires_in": 43_200,
    "refresh_token": "xoxe-1",
    "team": {"name": "Acme", "id": "T9TK3CUKW"},
    "enterprise": None,
    "authed_user": {"id": "U1234"},
}
# https://developers.notion.com/reference/create-a-token
NOTION_ANSWER = {
    "access_token": "ntn_1",
    "token_type": "bearer",
    "refresh_token": "nrt_1",
    "bot_id": "b0b0b0b0-0000-4000-8000-000000000002",
    "workspace_icon": None,
    "workspace_name": "Acme",
    "workspace_id": "c0c0c0c0-0000-4000-8000-000000000003",
    "owner": {"type": "user", "user": {"object": "user", "id": "u1"}},
    "duplicated_template_id": None,
}


@pytest.fixture
async def service() -> AsyncIterator[JsonService]:
    async with JsonService() as local:
        yield local


def config_of(provider: OAuthProvider, url: str) -> OAuthConfig:
    local = replace(provider, token_url=f"{url}/token")
    return OAuthConfig(local, "client-1", "s3cr3t", "https://forge.example/callback")


@pytest.mark.parametrize(
    ("provider", "answer", "account", "scopes"),
    [
        (SLACK, SLACK_ANSWER, ("T9TK3CUKW", "Acme"), ("channels:read", "chat:write")),
        (NOTION, NOTION_ANSWER, ("c0c0c0c0-0000-4000-8000-000000000003", "Acme"), ()),
    ],
    ids=["slack", "notion"],
)
async def test_an_answer_gives_tokens_and_says_whose_they_are(
    service: JsonService,
    provider: OAuthProvider,
    answer: Mapping[str, Any],
    account: tuple[str, str],
    scopes: tuple[str, ...],
) -> None:
    service.tells_next(Told(answer))

    grant = await TokenEndpoint(Egress(["127.0.0.1"])).exchange(
        config_of(provider, service.url), "code-1", "verifier-1"
    )

    assert (grant.tokens.access, grant.tokens.refresh) == (
        answer["access_token"],
        answer["refresh_token"],
    )
    assert grant.tokens.scopes == scopes
    assert (at(provider.account_id, answer), at(provider.account_name, answer)) == account


async def test_each_says_who_asks_in_its_own_way(service: JsonService) -> None:
    endpoint = TokenEndpoint(Egress(["127.0.0.1"]))
    for provider, answer in ((SLACK, SLACK_ANSWER), (NOTION, NOTION_ANSWER)):
        service.tells_next(Told(answer))
        await endpoint.exchange(config_of(provider, service.url), "code-1", "verifier-1")

    slack, notion = service.requests
    assert (slack.json["client_id"], slack.json["client_secret"]) == ("client-1", "s3cr3t")
    assert slack.headers["content-type"] == "application/x-www-form-urlencoded"
    basic = base64.b64encode(b"client-1:s3cr3t").decode()
    assert notion.headers["authorization"] == f"Basic {basic}"
    assert notion.headers["content-type"] == "application/json"
    assert "client_secret" not in notion.json


@pytest.mark.parametrize(
    ("provider", "told", "is_dead"),
    [
        (SLACK, Told({"ok": False, "error": "invalid_refresh_token"}), True),
        (SLACK, Told({"ok": False, "error": "invalid_client_id"}), False),
        (NOTION, Told({"error": "invalid_grant"}, 400), True),
        (NOTION, Told({"error": "unauthorized"}, 401), False),
    ],
)
async def test_a_refresh_token_is_dead_only_where_the_service_says_so(
    service: JsonService, provider: OAuthProvider, told: Told, is_dead: bool
) -> None:
    service.tells_next(told)

    with pytest.raises(TokenRefused) as refusal:
        await TokenEndpoint(Egress(["127.0.0.1"])).refresh(config_of(provider, service.url), "old")

    assert (refusal.value.details["reason"] in provider.dead) is is_dead


def test_slack_is_asked_for_just_what_its_tools_need() -> None:
    needed = {scope for operation in OPERATIONS for scope in operation.scopes}

    # Only a person's own token can have it.
    assert needed - set(SLACK.scopes) == {"search:read"}
    assert set(SLACK.scopes) <= needed


async def test_a_token_that_was_brought_tells_whose_it_is() -> None:
    async with SlackApi() as slack, NotionApi() as notion:
        http = HttpAccess(base_urls={"slack": slack.url, "notion": notion.url})
        slacks = await integration("slack").whose(Tokens(), http)
        notions = await integration("notion").whose(Tokens(), http)
        await http.aclose()

    assert slacks == Account("T0ACME0000", "Acme")
    assert notions == Account(BOT, "Acme")  # which workspace it is, Notion may not say
