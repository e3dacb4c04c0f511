"""The way of a person to a service and back, over HTTP."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import httpx2

from omniforge.identity import Role
from tests.access.filling import Workspace
from tests.connections.connecting import LIST, Town, once, proof_on, state_of, words_of
from tests.connections.service import PERSONAL
from tests.support.platform import skill
from tests.support.requirements import requirement


@requirement("INT-1")
async def test_a_link_leads_through_consent_to_a_connection(at_home: Town) -> None:
    authorize_url = await at_home.sent()
    shown = await at_home.back(authorize_url)
    (connection,) = await at_home.connections()

    query = parse_qs(urlsplit(authorize_url).query)
    assert words_of(shown.text).startswith("GitHub is connected")
    assert (shown.headers["referrer-policy"], shown.headers["cache-control"]) == (
        "no-referrer",
        "no-store",
    )
    assert query["code_challenge_method"] == ["S256"]
    assert connection["workspace_name"] == "anna at GitHub"
    assert connection["scopes"] == ["repo", "read:user"]


@requirement("INT-1")
async def test_the_browser_that_begins_is_the_one_that_comes_back(at_home: Town) -> None:
    begun = await at_home.api.post("/api/v1/oauth/init", json={"integration_id": "github"})
    cookie = begun.headers["set-cookie"]
    url = begun.json()["authorize_url"]
    code = at_home.service.consent(url)

    async with httpx2.AsyncClient() as stranger:
        shown = await stranger.get(at_home.callback, params={"code": code, "state": state_of(url)})

    assert begun.json()["state"] == state_of(url)
    for part in ("HttpOnly", "SameSite=lax", "Path=/api/v1/oauth/callback", "Max-Age=900"):
        assert part in cookie
    assert shown.status_code == 400
    assert "Another browser" in shown.text
    assert await at_home.connections() == []


@requirement("INT-1")
async def test_a_state_is_taken_once(at_home: Town) -> None:
    authorize_url = await at_home.sent()
    cookies = dict(at_home.browser.cookies)
    first = await at_home.back(authorize_url)
    at_home.browser.cookies.update(cookies)
    second = await at_home.back(authorize_url, "somebody else")

    assert first.status_code == 200
    assert second.status_code == 400
    assert "used" in second.text
    assert [one["account_id"] for one in await at_home.connections()] == ["anna"]


@requirement("INT-1")
async def test_a_link_is_used_up_by_going_on_and_not_by_looking(at_home: Town) -> None:
    url = await at_home.link()
    for _ in range(3):
        shown = await at_home.browser.get(url)
        assert shown.status_code == 200

    proof = proof_on(shown.text)
    both = await asyncio.gather(*(at_home.browser.post(url, data=proof) for _ in range(2)))

    assert sorted(answer.status_code for answer in both) == [303, 404]
    assert (await at_home.browser.get(url)).status_code == 404


@requirement("INT-1")
async def test_another_site_cannot_press_the_button_for_a_person(at_home: Town) -> None:
    url = await at_home.link()
    shown = await at_home.browser.get(url)
    cookie = shown.headers["set-cookie"]

    for proof in ({}, {"proof": ""}, {"proof": "guessed"}):
        assert (await at_home.browser.post(url, data=proof)).status_code == 400
    at_home.browser.cookies.clear()  # as a browser does with a strict cookie, coming from elsewhere
    without = await at_home.browser.post(url, data=proof_on(shown.text))

    assert "SameSite=strict" in cookie
    assert without.status_code == 400
    assert (await at_home.browser.get(url)).status_code == 200


@requirement("INT-1")
async def test_a_denial_and_what_a_service_says_is_shown_and_cannot_be_markup(
    at_home: Town,
) -> None:
    state = state_of(await at_home.sent())
    denied = await at_home.browser.get(
        at_home.callback, params={"error": "access_denied", "state": state}
    )
    state = state_of(await at_home.sent())
    marked = await at_home.browser.get(
        at_home.callback, params={"error": "<script>alert(1)</script>", "state": state}
    )

    assert (denied.status_code, marked.status_code) == (400, 400)
    assert "was not allowed there" in denied.text
    assert "<script>" not in marked.text
    assert "&lt;script&gt;" in marked.text


@requirement("INT-1")
async def test_another_account_does_not_mend_a_connection(at_home: Town) -> None:
    connection = await at_home.connect("anna")

    shown = await at_home.back(await at_home.sent(connection_id=connection["id"]), "shop")

    assert shown.status_code == 409
    assert "shop at GitHub" in shown.text
    assert [one["account_id"] for one in await at_home.connections()] == ["anna"]


@requirement("INT-1")
async def test_a_form_brings_a_consent_back_as_well(at_home: Town) -> None:
    authorize_url = await at_home.sent()
    code = at_home.service.consent(authorize_url)

    shown = await at_home.browser.post(
        at_home.callback, data={"code": code, "state": state_of(authorize_url)}
    )

    assert shown.status_code == 200, shown.text
    assert len(await at_home.connections()) == 1


async def test_nonsense_at_the_callback_is_a_page_and_nothing_else(at_home: Town) -> None:
    for query in ("", "?state=x", "?state=" + "x" * 9_000, "?code=1&state=%00", "?error=%ff"):
        shown = await at_home.browser.get(at_home.callback + query)
        assert (shown.status_code, "Not connected" in shown.text) == (400, True), query


@requirement("INT-1")
async def test_a_token_from_the_service_itself_is_checked_there_and_used(at_home: Town) -> None:
    body = {"integration_id": "github", "token": PERSONAL}
    made = await at_home.api.post("/api/v1/connections", json=body)
    wrong = await at_home.api.post("/api/v1/connections", json=body | {"token": "ghp_made-up"})
    for odd in ("ghp_made-up\n", "ghp_made up", "ghp_\u00e9", ""):
        refused = await at_home.api.post("/api/v1/connections", json=body | {"token": odd})
        assert (refused.status_code, "ghp_" in refused.text) == (422, False)
    at_home.platform.model.decides(once(LIST))
    run = await at_home.platform.run(skill("one"), integrations=["github"])
    at_home.service.refused.add(PERSONAL)
    execution = await at_home.platform.start(
        await at_home.platform.agent(skill("one"), integrations=["github"])
    )
    parked = await at_home.platform.until(execution, {"waiting"})
    (broken,) = await at_home.connections()
    at_home.service.refused.clear()
    await at_home.api.post("/api/v1/connections", json=body)
    again = await at_home.platform.ended(execution)

    assert made.status_code == 201, made.text
    assert (made.json()["workspace_name"], made.json()["is_refreshed"]) == (
        "personal at GitHub",
        False,
    )
    assert (wrong.status_code, wrong.json()["code"]) == (400, "token_denied")
    assert "ghp_" not in wrong.text + made.text
    assert run["status"] == again["status"] == "completed"
    assert (parked["waiting_for"], broken["status"]) == ("connection", "broken")


@requirement("SEC-3", "INT-3")
async def test_others_see_no_connection_of_a_person_and_admins_see_all(at_home: Town) -> None:
    connection = await at_home.connect()
    workspace = await Workspace.of(at_home.platform)
    _, builder = await workspace.member(Role.BUILDER)
    _, admin = await workspace.member(Role.ADMIN)
    path = f"/api/v1/connections/{connection['id']}"

    async def seen(key: str) -> tuple[int, int]:
        listed = await workspace.send("GET", "/api/v1/connections", key)
        return len(listed.json()["connections"]), (
            await workspace.send("GET", path, key)
        ).status_code

    assert await seen(builder) == (0, 404)
    assert await seen(admin) == (1, 200)
    for method, where in (("DELETE", path), ("POST", f"{path}/reconnect")):
        assert (await workspace.send(method, where, builder)).status_code == 404
    assert (await workspace.send("POST", f"{path}/reconnect", admin)).status_code == 404
    link = {"integration_id": "github", "connection_id": connection["id"]}
    assert (await workspace.send("POST", "/api/v1/oauth/links", admin, link)).status_code == 404
    agent = {
        "name": "thief",
        "skills": [skill("one")],
        "integrations": ["github"],
        "connections": {"github": connection["id"]},
    }
    stolen = await workspace.send("POST", "/api/v1/agents", builder, agent)
    assert (stolen.status_code, stolen.json()["code"]) == (400, "agent_invalid")


@requirement("INT-1")
async def test_a_workspace_connects_through_an_app_of_its_own(at_home: Town) -> None:
    first = await at_home.connect("anna")
    path = "/api/v1/oauth/apps/github"
    mine = {"client_id": "our-own-app", "client_secret": "our-own-secret"}
    put = await at_home.api.put(path, json=mine)
    authorize_url = await at_home.sent()
    shown = await at_home.api.get(path)
    listed = (await at_home.api.get("/api/v1/integrations")).json()["integrations"]

    assert put.status_code == 200, put.text
    assert parse_qs(urlsplit(authorize_url).query)["client_id"] == ["our-own-app"]
    assert "our-own-secret" not in put.text + shown.text
    assert {one["id"]: one["app"] for one in listed} == {
        "github": "own",
        "linear": None,
        "notion": None,
        "slack": None,
    }
    # What the platform's app has connected stays with it.
    at_home.service.refused |= set(at_home.service.access)
    at_home.platform.model.decides(once(LIST))
    run = await at_home.platform.run(skill("one"), integrations=["github"])
    assert run["status"] == "completed", run
    assert (await at_home.api.delete(path)).status_code == 204
    assert (await at_home.api.get(path)).json()["code"] == "app_not_found"
    assert first["id"] in [one["id"] for one in await at_home.connections()]


async def test_what_cannot_be_connected_says_so(at_home: Town) -> None:
    for name in ("slack", "nothing"):
        asked = await at_home.api.post("/api/v1/oauth/links", json={"integration_id": name})
        assert (asked.status_code, asked.json()["code"]) == (404, "integration_unknown")
    made = await at_home.api.post(
        "/api/v1/agents", json={"name": "a", "skills": [skill("one")], "integrations": ["nothing"]}
    )
    assert made.json()["code"] == "agent_invalid"
