"""Members and invitations: coming, changing, leaving."""

import asyncio
from datetime import timedelta

import pytest

from omniforge import clock
from omniforge.errors import InvitationInvalid, LastOwner
from omniforge.identity import Role, new_id
from omniforge.store.invitations import Invitation, new_token
from omniforge.store.members import Member
from omniforge.store.store import Repositories
from tests.access.filling import Workspace
from tests.store.making import Tenant
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement

MEMBERS = "/api/v1/members"
INVITATIONS = "/api/v1/invitations"
ACCEPT = f"{INVITATIONS}/accept"


async def token_of(workspace: Workspace, role: str = "builder", by: str = "") -> str:
    made = await workspace.send("POST", INVITATIONS, by, {"role": role, "note": "for Carla"})
    assert made.status_code == 201, made.text
    return str(made.json()["token"])


@requirement("SEC-2")
async def test_an_invited_person_joins_once_under_a_name(workspace: Workspace) -> None:
    token = await token_of(workspace)
    http = workspace.platform.api

    joined = await http.post(
        ACCEPT, json={"token": token, "name": "Carla"}, headers={"Authorization": ""}
    )
    again = await http.post(
        ACCEPT, json={"token": token, "name": "Mallory"}, headers={"Authorization": ""}
    )
    me = (await workspace.send("GET", "/api/v1/me", joined.json()["key"])).json()
    members = (await workspace.send("GET", MEMBERS)).json()["members"]
    listed = (await workspace.send("GET", INVITATIONS)).json()["invitations"]

    assert (joined.status_code, me["role"]) == (201, "builder")
    assert (again.status_code, again.json()["code"]) == (400, "invitation_invalid")
    assert [one["name"] for one in members] == ["Carla", "Anna"]
    assert [one["accepted_by"] for one in listed] == [me["user_id"]]
    assert token not in str(listed)


@requirement("SEC-2")
async def test_who_has_a_key_joins_a_second_workspace_as_the_same_person(
    workspace: Workspace, platform: Platform
) -> None:
    home = await Workspace.new(platform, "Home")
    token = await token_of(workspace)

    joined = (await workspace.send("POST", ACCEPT, home.key, {"token": token})).json()
    twice = await workspace.send("POST", ACCEPT, home.key, {"token": await token_of(workspace)})

    assert joined["user_id"] == home.owner.user_id
    assert joined["tenant_id"] == workspace.owner.tenant_id
    assert (twice.status_code, twice.json()["code"]) == (409, "already_member")


@requirement("SEC-2")
async def test_a_withdrawn_a_removed_inviters_and_an_invented_invitation_let_nobody_in(
    workspace: Workspace,
) -> None:
    admin_id, admin = await workspace.member(Role.ADMIN)
    withdrawn, orphaned = await token_of(workspace), await token_of(workspace, by=admin)
    first = (await workspace.send("GET", INVITATIONS)).json()["invitations"][-1]["id"]
    await workspace.send("DELETE", f"{INVITATIONS}/{first}")
    await workspace.send("DELETE", f"{MEMBERS}/{admin_id}")

    answers = [
        await workspace.send("POST", ACCEPT, body={"token": token})
        for token in (withdrawn, orphaned, new_token(workspace.owner.tenant_id), "of_inv_x", "")
    ]

    assert [one.json()["code"] for one in answers] == ["invitation_invalid"] * 5


@requirement("SEC-2")
async def test_nobody_invites_or_promotes_above_themselves(workspace: Workspace) -> None:
    admin_id, admin = await workspace.member(Role.ADMIN)
    viewer, _ = await workspace.member(Role.VIEWER)
    owner = f"{MEMBERS}/{workspace.owner.user_id}"

    refused = [
        await workspace.send("POST", INVITATIONS, admin, {"role": "owner"}),
        await workspace.send("PATCH", f"{MEMBERS}/{viewer}", admin, {"role": "owner"}),
        await workspace.send("PATCH", f"{MEMBERS}/{admin_id}", admin, {"role": "owner"}),
        await workspace.send("PATCH", owner, admin, {"role": "viewer"}),
        await workspace.send("DELETE", owner, admin),
    ]
    promoted = await workspace.send("PATCH", f"{MEMBERS}/{viewer}", admin, {"role": "admin"})

    assert [one.status_code for one in refused] == [403] * 5
    assert promoted.json()["role"] == "admin"


@requirement("SEC-2")
async def test_a_key_for_members_alone_cannot_raise_anyone_above_itself(
    workspace: Workspace,
) -> None:
    body = {"name": "onboarding", "permissions": ["members", "read", "keys"]}
    narrow = (await workspace.send("POST", "/api/v1/keys", body=body)).json()["key"]

    admin = await workspace.send("POST", MEMBERS, narrow, {"name": "x", "role": "admin"})
    viewer = await workspace.send("POST", MEMBERS, narrow, {"name": "x", "role": "viewer"})

    assert (admin.status_code, viewer.status_code) == (403, 201)


@requirement("SEC-2")
async def test_what_a_removed_member_made_stays_and_their_keys_stop(
    platform: Platform, workspace: Workspace
) -> None:
    user, key = await workspace.member(Role.BUILDER)
    agent = {"name": "theirs", "skills": [skill("one")]}
    made = (await workspace.send("POST", "/api/v1/agents", key, agent)).json()["id"]

    removed = await workspace.send("DELETE", f"{MEMBERS}/{user}")
    refused = await workspace.send("GET", "/api/v1/me", key)
    stayed = await workspace.send("GET", f"/api/v1/agents/{made}")
    back = await workspace.send(
        "POST", ACCEPT, body={"token": await token_of(workspace), "name": "Bob"}
    )

    assert (removed.status_code, refused.status_code, stayed.status_code) == (204, 401, 200)
    assert back.json()["code"] == "already_member"  # the owner's own key went along


async def test_the_last_owner_stays_one(workspace: Workspace) -> None:
    me = f"{MEMBERS}/{workspace.owner.user_id}"

    demoted = await workspace.send("PATCH", me, body={"role": "admin"})
    removed = await workspace.send("DELETE", me)

    assert [one.json()["code"] for one in (demoted, removed)] == ["last_owner"] * 2
    assert demoted.status_code == 409


# ---- on both databases, at once --------------------------------------------------------------


async def joined(tenant: Tenant, role: Role) -> str:
    member = await tenant.mine.write(lambda db: db.members.add("Bob", role, is_service=False))
    return member.user_id


@requirement("SEC-2")
@pytest.mark.parametrize("how", ["remove", "demote"])
async def test_owners_who_unmake_each_other_at_once_leave_one(tenant: Tenant, how: str) -> None:
    owners = [tenant.owner.user_id, *[await joined(tenant, Role.OWNER) for _ in range(4)]]

    async def unmake(user_id: str) -> object:
        if how == "remove":
            return await tenant.mine.write(lambda db: db.members.remove(user_id))
        return await tenant.mine.write(lambda db: db.members.set_role(user_id, Role.VIEWER))

    outcomes = await asyncio.gather(*map(unmake, owners), return_exceptions=True)
    page = await tenant.mine.read(lambda db: db.members.page(50, None))

    assert [type(one) for one in outcomes if isinstance(one, Exception)] == [LastOwner]
    assert [one.role for one in page.items].count(Role.OWNER) == 1


@requirement("SEC-2")
async def test_of_many_who_bring_one_token_at_once_one_comes_in(tenant: Tenant) -> None:
    token, at = new_token(tenant.id), clock.now()
    invitation = Invitation(
        id=new_id("inv"),
        role=Role.VIEWER,
        note="",
        created_by=tenant.owner.user_id,
        created_at=at,
        expires_at=at + timedelta(days=1),
    )
    await tenant.mine.write(lambda db: db.invitations.add(invitation, token))

    async def enter() -> Member:
        def work(db: Repositories) -> Member:
            found = db.invitations.open(token)
            member = db.members.add("One", found.role, is_service=False)
            db.invitations.accept(found.id, member.user_id, clock.now())
            return member

        return await tenant.mine.write(work)

    outcomes = await asyncio.gather(*(enter() for _ in range(8)), return_exceptions=True)
    page = await tenant.mine.read(lambda db: db.members.page(50, None))

    assert sum(isinstance(one, InvitationInvalid) for one in outcomes) == 7
    assert len(page.items) == 2


async def test_an_invitation_ends(tenant: Tenant) -> None:
    token, at = new_token(tenant.id), clock.now()
    over = Invitation(
        id=new_id("inv"),
        role=Role.VIEWER,
        note="",
        created_by=tenant.owner.user_id,
        created_at=at - timedelta(days=2),
        expires_at=at - timedelta(seconds=1),
    )
    await tenant.mine.write(lambda db: db.invitations.add(over, token))

    with pytest.raises(InvitationInvalid):
        await tenant.mine.read(lambda db: db.invitations.open(token))
