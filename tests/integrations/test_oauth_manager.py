"""Accounts of outside services, against a strict OAuth service: consent, tokens, refresh, end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from omniforge import clock
from omniforge.errors import (
    CiphertextInvalid,
    ConnectionNotActive,
    ConnectionNotFound,
    ConsentDenied,
    ConsentInvalid,
    OmniForgeError,
    TokenNotAsked,
    TokenRefused,
    TokenUnknown,
    WrongAccount,
)
from omniforge.integrations.oauth.connection import Connection, ConnectionStatus
from omniforge.integrations.oauth.manager import CONSENT_LASTS
from omniforge.store.tables import credentials, oauth_states
from tests.integrations.oauth_desk import BROWSER, Desk, a_desk
from tests.store.conftest import prepared_postgres, prepared_sqlite, prepared_url, store, tenant
from tests.store.making import Tenant
from tests.support.oauth_server import Fault, OAuthServer
from tests.support.requirements import requirement

__all__ = ["prepared_postgres", "prepared_sqlite", "prepared_url", "store", "tenant"]


@pytest.fixture
async def desk(tenant: Tenant) -> AsyncIterator[Desk]:
    async with a_desk(tenant, OAuthServer()) as one:
        yield one


# ---- consent ---------------------------------------------------------------------------------


@requirement("INT-1", "SEC-1")
async def test_an_account_is_connected_and_nothing_secret_is_stored_as_it_is(desk: Desk) -> None:
    url, state = await desk.sent()
    code = desk.server.consent(url)
    connection_id = await desk.manager.complete_flow(code, state, browser=BROWSER)
    token = await desk.manager.get_access_token(connection_id, *desk.me)

    query = parse_qs(urlsplit(url).query)
    connection = await desk.connection(connection_id)
    assert token in desk.server.access
    assert query["code_challenge_method"] == ["S256"]
    assert (connection.account_id, connection.workspace_name) == (
        "acc-1",
        "The workspace of acc-1",
    )
    assert connection.scopes == ("read", "write")
    rows = await desk.tenant.store.database.read(
        lambda c: [
            *c.execute(select(credentials).where(credentials.c.tenant_id == desk.tenant.id)).all(),
            *c.execute(
                select(oauth_states).where(oauth_states.c.tenant_id == desk.tenant.id)
            ).all(),
        ]
    )
    written = " ".join(str(value) for row in rows for value in row)
    assert not any(secret in written for secret in (token, desk.server.families[0].current, state))


@requirement("INT-1")
async def test_a_way_back_can_be_taken_once(desk: Desk) -> None:
    url, state = await desk.sent()
    first, second = desk.server.consent(url), desk.server.consent(url)
    await desk.manager.complete_flow(first, state, browser=BROWSER)

    with pytest.raises(ConsentInvalid, match="used"):
        await desk.manager.complete_flow(second, state, browser=BROWSER)
    with pytest.raises(ConsentInvalid, match="not known"):
        await desk.manager.complete_flow(second, "made up", browser=BROWSER)


@requirement("INT-1")
async def test_only_one_of_two_who_come_back_at_once_is_let_in(desk: Desk) -> None:
    url, state = await desk.sent()
    codes = [desk.server.consent(url) for _ in range(6)]

    ends = await asyncio.gather(
        *(desk.manager.complete_flow(code, state, browser=BROWSER) for code in codes),
        return_exceptions=True,
    )

    assert sum(isinstance(end, str) for end in ends) == 1
    assert sum(isinstance(end, ConsentInvalid) for end in ends) == 5


@requirement("INT-1")
async def test_another_browser_cannot_bring_a_consent_back_and_uses_it_up(desk: Desk) -> None:
    url, state = await desk.sent()
    code = desk.server.consent(url)

    with pytest.raises(ConsentInvalid, match="Another browser"):
        await desk.manager.complete_flow(code, state, browser="a thief's")
    with pytest.raises(ConsentInvalid, match="used"):
        await desk.manager.complete_flow(code, state, browser=BROWSER)


@requirement("INT-1")
async def test_who_comes_back_too_late_has_to_begin_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, state = await desk.sent()
    code, late = desk.server.consent(url), clock.now() + CONSENT_LASTS + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: late)

    with pytest.raises(ConsentInvalid, match="too long"):
        await desk.manager.complete_flow(code, state, browser=BROWSER)


@requirement("INT-1")
async def test_a_denial_is_told_in_words(desk: Desk) -> None:
    said: list[str] = []
    for error in ("access_denied", "", "server_error"):
        _, state = await desk.sent()
        with pytest.raises(ConsentDenied) as caught:
            await desk.manager.complete_flow("", state, browser=BROWSER, error=error)
        said.append(caught.value.message)

    assert "was not allowed there" in said[0]
    assert said[0] == said[1]
    assert "'server_error'" in said[2]


@requirement("INT-1")
async def test_less_than_was_asked_for_is_refused(desk: Desk) -> None:
    url, state = await desk.sent()
    code = desk.server.consent(url, scope="read")

    with pytest.raises(ConsentDenied, match="missing: write"):
        await desk.manager.complete_flow(code, state, browser=BROWSER)


async def test_a_code_that_has_ended_is_told_as_such(desk: Desk) -> None:
    _, state = await desk.sent()

    with pytest.raises(ConsentDenied, match="invalid_grant"):
        await desk.manager.complete_flow("another code", state, browser=BROWSER)


@requirement("INT-1")
async def test_one_person_connects_several_accounts_and_mends_each(desk: Desk) -> None:
    first, second = await desk.connect("acc-1"), await desk.connect("acc-2")
    again = await desk.connect("acc-1", connection_id=first)

    assert first != second
    assert again == first
    assert (await desk.connection(first)).version == 2
    with pytest.raises(WrongAccount, match="acc-2"):
        await desk.connect("acc-2", connection_id=first)


async def test_an_account_connected_in_two_windows_is_one_connection(desk: Desk) -> None:
    ways = [await desk.sent() for _ in range(4)]
    codes = [desk.server.consent(url) for url, _ in ways]

    ids = await asyncio.gather(
        *(
            desk.manager.complete_flow(code, state, browser=BROWSER)
            for code, (_, state) in zip(codes, ways, strict=True)
        )
    )

    assert len(set(ids)) == 1
    assert await desk.manager.get_access_token(ids[0], *desk.me) in desk.server.access


@requirement("SEC-3")
async def test_nobody_else_gets_at_a_connection(desk: Desk, tenant: Tenant) -> None:
    connection_id = await desk.connect()
    stranger = await Tenant.new(tenant.store, "Other")

    for user_id, tenant_id in (
        ("us_other", tenant.id),
        (stranger.owner.user_id, stranger.id),
        (tenant.owner.user_id, stranger.id),
    ):
        with pytest.raises(ConnectionNotFound):
            await desk.manager.get_access_token(connection_id, user_id, tenant_id)


# ---- refresh ---------------------------------------------------------------------------------


@requirement("INT-1")
async def test_a_token_that_is_about_to_end_is_not_handed_out(desk: Desk) -> None:
    desk.server.lives_s = 30
    connection_id = await desk.connect()
    desk.server.lives_s = 3_600

    token = await desk.manager.get_access_token(connection_id, *desk.me)
    again = await desk.manager.get_access_token(connection_id, *desk.me)

    assert "-2-" in token
    assert again == token
    assert desk.server.seen["/token refresh_token"] == 1


@requirement("INT-1")
async def test_a_token_that_its_service_refused_is_refreshed_once_for_all(desk: Desk) -> None:
    connection_id = await desk.connect()

    first = await desk.manager.tokens(connection_id, desk.tenant.id, refused=1)
    second = await desk.manager.tokens(connection_id, desk.tenant.id, refused=1)

    assert "-2-" in first.access
    assert second.access == first.access


_LOST: list[list[Fault]] = [
    ["cut after"],
    ["500 after"],
    ["cut before"],
    ["500 before"],
    ["html"],
    ["cut after", "500 before", "cut after", "429"],
]


@requirement("INT-1")
@pytest.mark.parametrize("faults", _LOST, ids=" then ".join)
async def test_a_lost_answer_is_got_back_by_asking_again(desk: Desk, faults: list[Fault]) -> None:
    connection_id = await desk.connect()
    desk.server.faults.extend(faults)
    for _ in faults:
        with pytest.raises((TokenUnknown, TokenNotAsked)):
            await desk.refresh(connection_id)

    connection = await desk.refresh(connection_id)
    token = await desk.manager.get_access_token(connection_id, *desk.me)

    assert (connection.version, connection.refresh_began_at) == (2, None)
    assert desk.server.access[token].current == desk.server.families[0].current
    assert desk.server.seen["refresh token used twice"] == 0


@requirement("INT-1")
async def test_where_a_token_is_taken_only_once_it_is_not_shown_again_while_one_is_good(
    tenant: Tenant,
) -> None:
    async with a_desk(tenant, OAuthServer(grace_s=0)) as desk:
        connection_id = await desk.connect()
        desk.server.faults.append("cut after")
        with pytest.raises(TokenUnknown):
            await desk.refresh(connection_id)
        with pytest.raises(TokenUnknown, match="was lost"):
            await desk.refresh(connection_id)

        assert desk.server.seen["refresh token used twice"] == 0
        assert await desk.manager.get_access_token(connection_id, *desk.me) in desk.server.access


@requirement("INT-1")
async def test_a_lost_token_is_asked_for_again_when_there_is_nothing_to_lose(
    tenant: Tenant,
) -> None:
    async with a_desk(tenant, OAuthServer(grace_s=0, lives_s=30)) as desk:
        connection_id = await desk.connect()
        desk.server.faults.append("cut before")
        with pytest.raises(TokenUnknown):
            await desk.refresh(connection_id)

        assert (await desk.refresh(connection_id)).version == 2
        desk.server.faults.append("cut after")
        with pytest.raises(TokenUnknown):
            await desk.refresh(connection_id, known=2)
        broken = await desk.refresh(connection_id, known=2)

        assert broken.status is ConnectionStatus.BROKEN
        assert "was lost" in broken.problem


@requirement("INT-1")
async def test_who_was_refused_has_nothing_to_lose_by_asking_for_a_lost_token(
    tenant: Tenant,
) -> None:
    async with a_desk(tenant, OAuthServer(grace_s=0)) as desk:
        connection_id = await desk.connect()
        desk.server.faults.append("cut after")
        with pytest.raises(TokenUnknown):
            await desk.refresh(connection_id)

        with pytest.raises(ConnectionNotActive, match="was lost"):
            await desk.manager.tokens(connection_id, desk.tenant.id, refused=1)

        assert (await desk.connection(connection_id)).status is ConnectionStatus.BROKEN


@requirement("INT-1")
async def test_a_revoked_connection_is_broken_until_it_is_connected_again(desk: Desk) -> None:
    connection_id = await desk.connect()
    desk.server.families[0].is_dead = True

    broken = await desk.refresh(connection_id)
    with pytest.raises(ConnectionNotActive, match="connect it again"):
        await desk.manager.get_access_token(connection_id, *desk.me)
    await desk.connect(connection_id=connection_id)

    assert (broken.status, broken.problem) == (
        ConnectionStatus.BROKEN,
        "acme refused: invalid_grant.",
    )
    assert await desk.manager.get_access_token(connection_id, *desk.me) in desk.server.access


async def test_a_refusal_of_the_app_does_not_break_the_connection(desk: Desk) -> None:
    connection_id = await desk.connect()
    desk.server.faults.append("refuse")

    with pytest.raises(TokenRefused, match="invalid_client"):
        await desk.refresh(connection_id)

    assert (await desk.refresh(connection_id)).version == 2


@requirement("INT-1")
async def test_a_refresh_that_comes_late_overwrites_nothing(desk: Desk) -> None:
    connection_id = await desk.connect()

    ends = await asyncio.gather(
        *(desk.refresh(connection_id) for _ in range(5)), return_exceptions=True
    )

    assert all(isinstance(end, Connection) for end in ends)
    connection = await desk.connection(connection_id)
    token = await desk.manager.get_access_token(connection_id, *desk.me)
    assert connection.version == 2
    assert desk.server.access[token].current == desk.server.families[0].current
    assert desk.server.seen["refresh token used twice"] == 0


# ---- its end ---------------------------------------------------------------------------------


@requirement("INT-1")
async def test_a_disconnected_account_is_revoked_and_no_token_of_it_is_kept(desk: Desk) -> None:
    connection_id = await desk.connect()

    await desk.manager.disconnect(connection_id, desk.tenant.id)
    await desk.manager.disconnect(connection_id, desk.tenant.id)
    connection, sealed = await desk.connections.get(desk.tenant.id, connection_id)

    assert desk.server.families[0].is_dead
    assert (connection.status, sealed.access, sealed.refresh) == (
        ConnectionStatus.DISCONNECTED,
        b"",
        None,
    )
    with pytest.raises(ConnectionNotActive):
        await desk.manager.get_access_token(connection_id, *desk.me)


async def test_a_service_that_is_away_does_not_keep_an_account_connected(desk: Desk) -> None:
    connection_id = await desk.connect()
    desk.settings["revoke_url"] = "http://127.0.0.1:9/revoke"

    await desk.manager.disconnect(connection_id, desk.tenant.id)

    assert (await desk.connection(connection_id)).status is ConnectionStatus.DISCONNECTED


@requirement("SEC-1")
async def test_a_token_moved_to_another_connection_does_not_open(desk: Desk) -> None:
    first, second = await desk.connect("acc-1"), await desk.connect("acc-2")
    mine, sealed = await desk.connections.get(desk.tenant.id, first)
    other, _ = await desk.connections.get(desk.tenant.id, second)
    await desk.connections.refreshed(other, sealed, clock.now())

    with pytest.raises(CiphertextInvalid):
        await desk.manager.get_access_token(second, *desk.me)
    assert mine.id == first


@requirement("SEC-1")
async def test_no_error_tells_a_secret(desk: Desk) -> None:
    connection_id = await desk.connect()
    family = desk.server.families[0]
    told: list[str] = []
    for fault in ("cut after", "500 before", "429", "html", "refuse"):
        desk.server.faults.append(fault)
        try:
            await desk.refresh(connection_id)
        except OmniForgeError as error:
            told.append(f"{error!r} {error.details} {error.__cause__!r}")

    assert len(told) == 5
    assert not any(
        secret in text for text in told for secret in (family.current, "client-secret-1")
    )
