"""API keys: made, scoped, ended, and what is kept of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.access.usage import KeyUses
from omniforge import clock
from omniforge.identity import KeyScope, Role
from omniforge.store.keys import fresh_key
from tests.access.filling import Workspace
from tests.e2e.asking import asking, decide
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement

KEYS = "/api/v1/keys"


async def key_of(workspace: Workspace, by: str = "", **body: Any) -> str:
    """A new key of the owner, or of whoever has the key `by`."""
    made = await workspace.send("POST", KEYS, by, {"name": "test", **body})
    assert made.status_code == 201, made.text
    return str(made.json()["key"])


async def codes(workspace: Workspace, key: str, *requests: tuple[str, str]) -> list[str | int]:
    """What each request with a key comes to: its status, or the code of its problem."""
    answers = [await workspace.send(method, path, key, {}) for method, path in requests]
    return [one.json()["code"] if one.is_error else one.status_code for one in answers]


@requirement("SEC-2")
async def test_a_key_is_shown_once_known_by_its_beginning_and_revoked(workspace: Workspace) -> None:
    made = (await workspace.send("POST", KEYS, body={"name": "ci"})).json()
    listed = (await workspace.send("GET", KEYS)).json()["keys"]
    me = (await workspace.send("GET", "/api/v1/me", made["key"])).json()
    gone = await workspace.send("DELETE", f"{KEYS}/{made['id']}")
    after = await codes(workspace, made["key"], ("GET", "/api/v1/me"))
    states = (await workspace.send("GET", KEYS)).json()["keys"]

    assert made["key"].startswith(made["prefix"])
    assert [one["name"] for one in listed] == ["ci", "first"]
    assert "key" not in listed[0]
    assert (me["role"], me["credential"]) == ("owner", made["id"])
    assert (gone.status_code, after) == (204, ["key_refused"])
    assert [one["revoked_at"] is not None for one in states] == [True, False]


@requirement("SEC-2")
async def test_a_key_with_some_permissions_does_those_and_no_others(workspace: Workspace) -> None:
    key = await key_of(workspace, permissions=["read"])

    found = await codes(
        workspace, key, ("GET", "/api/v1/agents"), ("POST", "/api/v1/agents"), ("POST", KEYS)
    )
    refused = (await workspace.send("POST", "/api/v1/agents", key, {})).json()

    assert found == [200, "forbidden", "forbidden"]
    assert refused["roles"] == ["builder", "admin", "owner"]
    assert "Your key does not include it" in refused["detail"]


@requirement("SEC-2")
async def test_a_key_for_one_agent_reaches_that_agent_and_what_belongs_to_it(
    platform: Platform,
) -> None:
    question = await asking(platform)
    mine, other = question["agent_id"], await platform.agent(skill("other"))
    workspace = await Workspace.of(platform)
    run = question["execution_id"]
    key = await key_of(workspace, agent_id=mine)

    allowed = await codes(
        workspace,
        key,
        ("GET", f"/api/v1/agents/{mine}"),
        ("GET", f"/api/v1/executions/{run}"),
        ("GET", f"/api/v1/approvals/{question['id']}"),
        ("GET", f"/api/v1/approvals?agent_id={mine}"),
        ("GET", "/api/v1/me"),
    )
    refused = await codes(
        workspace,
        key,
        ("GET", f"/api/v1/agents/{other}"),
        ("GET", "/api/v1/agents"),
        ("GET", "/api/v1/executions"),
        ("GET", "/api/v1/approvals"),
        ("GET", f"/api/v1/approvals?agent_id={other}"),
        ("GET", f"/api/v1/approvals?agent_id={other}&agent_id={mine}"),
        ("POST", KEYS),
        ("GET", "/api/v1/executions/ex_none"),
    )

    await decide(platform, question, "reject")
    await platform.ended(run)

    assert allowed == [200] * 5
    assert refused == ["forbidden"] * 7 + ["execution_not_found"]


async def test_an_expired_key_opens_nothing_and_says_so(workspace: Workspace) -> None:
    key, over = fresh_key(), KeyScope(expires_at=clock.now() - timedelta(seconds=1))
    user = workspace.owner.user_id
    await workspace.mine.write(lambda db: db.keys.add(key, user, "old", over, user))

    refused = (await workspace.send("GET", "/api/v1/me", key.secret)).json()

    assert (refused["status"], refused["code"]) == (401, "key_refused")
    assert refused["detail"] == "This API key has expired."


@requirement("SEC-2")
@pytest.mark.parametrize(
    ("role", "asked", "code"),
    [
        (Role.VIEWER, {"permissions": ["run"]}, "scope_invalid"),
        (Role.BUILDER, {"permissions": ["members"]}, "scope_invalid"),
        (Role.OWNER, {"permissions": ["everything"]}, "malformed_request"),
        (Role.OWNER, {"permissions": []}, "malformed_request"),
        (Role.OWNER, {"agent_id": "ag_none"}, "agent_not_found"),
        (Role.OWNER, {"expires_in_days": 0}, "malformed_request"),
    ],
)
async def test_nobody_makes_a_key_for_more_than_they_have(
    workspace: Workspace, role: Role, asked: dict[str, Any], code: str
) -> None:
    _, key = await workspace.member(role)

    refused = await workspace.send("POST", KEYS, key, {"name": "more", **asked})

    assert refused.json()["code"] == code


@requirement("SEC-2")
async def test_a_key_passes_on_its_own_limits_to_the_keys_it_makes(workspace: Workspace) -> None:
    narrow = await key_of(workspace, permissions=["keys", "read"], expires_in_days=1)

    made = (await workspace.send("POST", KEYS, narrow, {"name": "child"})).json()
    longer = {"name": "long", "expires_in_days": 300}
    long = (await workspace.send("POST", KEYS, narrow, longer)).json()
    wider = await workspace.send("POST", KEYS, narrow, {"name": "wide", "permissions": ["run"]})
    tomorrow = datetime.now(UTC) + timedelta(days=1)

    assert made["permissions"] == ["keys", "read"]
    assert all(datetime.fromisoformat(one["expires_at"]) <= tomorrow for one in (made, long))
    assert (wider.status_code, wider.json()["code"]) == (403, "forbidden")


@requirement("SEC-2")
async def test_a_demoted_person_can_do_less_with_the_keys_they_have(workspace: Workspace) -> None:
    user, key = await workspace.member(Role.ADMIN)
    member = f"/api/v1/members/{user}"
    before = await codes(workspace, key, ("GET", "/api/v1/audit"))

    await workspace.send("PATCH", member, body={"role": "viewer"})
    after = await codes(workspace, key, ("GET", "/api/v1/audit"), ("GET", "/api/v1/agents"))

    assert (before, after) == ([200], ["forbidden", 200])


@requirement("SEC-2")
async def test_admins_make_keys_for_services_and_never_for_people(workspace: Workspace) -> None:
    _, admin = await workspace.member(Role.ADMIN)
    person, _ = await workspace.member(Role.VIEWER)
    service = {"name": "robot", "role": "operator"}
    robot = (await workspace.send("POST", "/api/v1/members", admin, service)).json()["user_id"]

    made = await workspace.send("POST", f"/api/v1/members/{robot}/keys", admin, {"name": "r"})
    me = (await workspace.send("GET", "/api/v1/me", made.json()["key"])).json()
    refused = await workspace.send("POST", f"/api/v1/members/{person}/keys", admin, {"name": "p"})
    path = f"/api/v1/members/{robot}/keys/{made.json()['id']}"
    revoked = await workspace.send("DELETE", path, admin)
    owning = {"name": "boss", "role": "owner"}
    too_high = await workspace.send("POST", "/api/v1/members", body=owning)

    assert (me["user_id"], me["role"]) == (robot, "operator")
    assert (refused.status_code, revoked.status_code) == (403, 204)
    assert too_high.json()["code"] == "scope_invalid"


@requirement("SEC-2")
async def test_an_admin_cannot_touch_the_keys_of_an_owner(workspace: Workspace) -> None:
    _, admin = await workspace.member(Role.ADMIN)
    owner = f"/api/v1/members/{workspace.owner.user_id}/keys"
    first = (await workspace.send("GET", owner, admin)).json()["keys"][0]["id"]

    assert (await workspace.send("DELETE", f"{owner}/{first}", admin)).status_code == 403


async def test_the_last_use_of_a_key_is_written_behind_the_requests(workspace: Workspace) -> None:
    store = workspace.platform.store
    uses = KeyUses(store)
    caller = await store.authenticate(workspace.key)

    async def last_used() -> Any:
        return (await workspace.send("GET", KEYS)).json()["keys"][0]["last_used_at"]

    before = await last_used()
    uses.note(caller)
    unwritten = await last_used()
    await uses.write()
    written = await last_used()
    await uses.write()

    assert (before, unwritten) == (None, None)
    assert written is not None
    assert await last_used() == written
