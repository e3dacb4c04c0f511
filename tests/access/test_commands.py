"""`omniforge keys`, `omniforge members` and `omniforge audit`."""

import pytest

from tests.access.filling import Workspace
from tests.cli.driving import CommandLine
from tests.support.platform import Platform
from tests.support.requirements import requirement


@pytest.fixture
def own(workspace: Workspace, platform: Platform) -> CommandLine:
    """A command line that is signed in to a workspace of its own."""
    url = str(platform.api.base_url)
    return CommandLine({"OMNIFORGE_API_URL": url, "OMNIFORGE_API_KEY": workspace.key})


@requirement("SDK-3")
async def test_a_key_is_made_shown_once_listed_and_revoked(own: CommandLine) -> None:
    made = await own("keys", "create", "ci", "--may", "read", "--days", "30")
    key = made.out.strip()
    me = await own("keys", "me", OMNIFORGE_API_KEY=key)
    listed = await own("keys", "list")
    key_id = listed.lines[0][0]
    revoked = await own("keys", "revoke", key_id)
    refused = await own("agents", "list", OMNIFORGE_API_KEY=key)
    after = await own("keys", "list")

    assert key.startswith("of_sk_")
    assert "may        read" in me.out
    assert listed.lines[0][1:5] == ["ci", f"{key[:11]}…", "read", "all"]
    assert listed.lines[0][5].startswith("until 20")
    assert (revoked.status, refused.status, after.lines[0][5]) == (0, 3, "revoked")


@requirement("SDK-3")
async def test_members_come_change_and_leave(own: CommandLine, platform: Platform) -> None:
    home = await Workspace.new(platform, "Home")
    token = (await own("members", "invite", "builder", "--note", "Carla")).out.strip()
    joined = await own("members", "accept", token, OMNIFORGE_API_KEY=home.key)
    user = home.owner.user_id
    invited = await own("members", "invitations")
    changed = await own("members", "role", user, "viewer")
    members = await own("members", "list")
    gone = await own("members", "remove", user)
    refused = await own("agents", "list", OMNIFORGE_API_KEY=joined.out.strip())

    assert "You are builder of" in joined.err
    assert invited.lines[0][2:] == ["Carla", invited.lines[0][3], user]
    assert "Anna is viewer now." in changed.err
    assert [user, "Anna", "viewer", "person"] in [line[:4] for line in members.lines]
    assert (gone.status, refused.status) == (0, 3)


@requirement("SDK-3")
async def test_a_service_gets_a_key_from_an_admin_and_all_of_it_is_on_record(
    own: CommandLine,
) -> None:
    robot = (await own("members", "add-service", "robot", "operator")).out.strip()
    key = (await own("keys", "create", "blue", "--member", robot)).out.strip()
    me = (await own("keys", "me", "--json", OMNIFORGE_API_KEY=key)).document
    inv = (await own("members", "invite", "viewer", "--json")).document["id"]
    await own("members", "withdraw", inv)

    log = await own("audit")
    keys = await own("audit", "--action", "key.created", "--json")

    assert (me["user_id"], me["role"]) == (robot, "operator")
    assert [line[3] for line in log.lines] == [
        "invitation.withdrawn",
        "invitation.created",
        "key.created",
        "member.added",
    ]
    assert [one["details"]["owner"] for one in keys.document["entries"]] == [robot]
    assert key not in log.out + keys.out
