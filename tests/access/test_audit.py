"""What is written down, with whom and from where, and that nothing secret is in it."""

import ast
import json
from datetime import datetime, timedelta
from typing import Any

from omniforge.identity import Role
from omniforge.store.audit import Act
from tests.access.filling import Workspace, filled
from tests.architecture.source import PRODUCT, modules
from tests.e2e.asking import asking, decide
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.triggers.hooked import Hooked

AUDIT = "/api/v1/audit"


async def entries(workspace: Workspace, **sought: Any) -> list[dict[str, Any]]:
    query = "&".join(f"{name}={value}" for name, value in sought.items())
    answer = await workspace.send("GET", f"{AUDIT}?limit=200&{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


async def test_who_did_what_on_what_from_where_and_when(workspace: Workspace) -> None:
    key = (await workspace.send("POST", "/api/v1/keys", body={"name": "ci"})).json()
    me = (await workspace.send("GET", "/api/v1/me")).json()

    (entry,) = await entries(workspace, action="key.created")

    assert entry["actor"] == me["user_id"]
    assert entry["credential"] == me["credential"]
    assert entry["address"] == "127.0.0.1"
    assert (entry["subject"], entry["outcome"]) == (key["id"], "done")
    assert entry["created_at"][:10] == key["created_at"][:10]
    assert entry["details"] == {"name": "ci", "owner": me["user_id"]}


async def test_every_kind_of_act_is_written_down(guarded: Hooked) -> None:
    platform = guarded.platform
    workspace, ids = await Workspace.of(platform), await filled(guarded)
    agent, user = f"/api/v1/agents/{ids['agent_id']}", f"/api/v1/members/{ids['user_id']}"
    question = {"id": ids["approval_id"]}
    rules = {"permissions": [{"action": "deny", "tool": "post_*"}]}
    limits = {"max_concurrent_runs": None, "fairness_weight": 1}
    budget = f"/api/v1/budgets/agent/{ids['agent_id']}/day"
    token = (await workspace.send("POST", "/api/v1/invitations", body={"role": "viewer"})).json()

    await decide(platform, question, "reject")
    accepted = {"token": token["token"], "name": "New"}
    await guarded.outside.post("/api/v1/invitations/accept", json=accepted)
    capped = await asking(platform, limits={"budget_usd": "1"})
    key = await workspace.send("POST", "/api/v1/keys", body={"name": "gone"})
    secret = key.json()["key"]
    for method, path, body in [
        ("POST", f"/api/v1/executions/{capped['execution_id']}/budget", {"budget_usd": "2"}),
        ("PUT", budget, {"cap_usd": "1"}),
        ("DELETE", budget, None),
        ("PUT", "/api/v1/workspace/limits", limits),
        ("PATCH", agent, rules),
        ("POST", f"{agent}/pause", None),
        ("POST", f"{agent}/activate", None),
        ("POST", f"/api/v1/triggers/{ids['trigger_id']}/rotate-secret", {}),
        ("POST", f"{agent}/archive", None),
        ("DELETE", f"/api/v1/mcp-servers/{ids['name']}", None),
        ("PATCH", user, {"role": "operator"}),
        ("DELETE", f"{user}/keys/{ids['key_id']}", None),
        ("DELETE", user, None),
        ("DELETE", f"/api/v1/invitations/{ids['invitation_id']}", None),
        ("DELETE", f"/api/v1/keys/{key.json()['id']}", None),
    ]:
        answer = await workspace.send(method, path, body=body)
        assert answer.is_success, (path, answer.text)
    await workspace.send("GET", "/api/v1/me", secret)

    found = await entries(workspace)

    # Connections have tests of their own.
    here = {act for act in Act if not act.startswith(("connection.", "app."))}
    assert {one["action"] for one in found} == here
    assert {one["outcome"] for one in found if one["action"] == "sign_in.refused"} == {"refused"}
    text = json.dumps(found)
    for hidden in (secret, token["token"], workspace.key):
        assert hidden not in text


@requirement("SEC-3")
async def test_the_log_is_searched_paged_and_nobody_elses(
    workspace: Workspace, platform: Platform
) -> None:
    other = await Workspace.new(platform, "Other")
    for name in ("a", "b", "c"):
        await workspace.send("POST", "/api/v1/keys", body={"name": name})
    _, viewer = await workspace.member(Role.VIEWER)

    first = (await workspace.send("GET", f"{AUDIT}?limit=2")).json()
    rest = (await workspace.send("GET", f"{AUDIT}?limit=2&cursor={first['next_cursor']}")).json()
    newest = datetime.fromisoformat(first["entries"][0]["created_at"])
    after = (newest + timedelta(seconds=1)).isoformat().replace("+", "%2B")
    refused = await workspace.send("GET", AUDIT, viewer)

    names = [one["details"]["name"] for one in first["entries"] + rest["entries"]]
    assert (names, rest["next_cursor"]) == (["c", "b", "a"], None)
    assert await entries(workspace, since=after) == []
    assert len(await entries(workspace, actor=workspace.owner.user_id)) == 3
    assert await entries(other) == []
    assert refused.status_code == 403


async def test_an_act_that_fails_leaves_no_entry(workspace: Workspace) -> None:
    me = f"/api/v1/members/{workspace.owner.user_id}"

    refused = await workspace.send("DELETE", me)

    assert refused.status_code == 409
    assert await entries(workspace) == []


async def test_refused_sign_ins_are_written_once_a_minute(workspace: Workspace) -> None:
    made = (await workspace.send("POST", "/api/v1/keys", body={"name": "old"})).json()
    await workspace.send("DELETE", f"/api/v1/keys/{made['id']}")

    for _ in range(5):
        await workspace.send("GET", "/api/v1/me", made["key"])

    (entry,) = await entries(workspace, action="sign_in.refused")
    assert (entry["subject"], entry["outcome"]) == (made["id"], "refused")


async def test_an_agent_that_is_created_active_is_on_record(workspace: Workspace) -> None:
    agent = {"name": "busy", "status": "active", "skills": [skill("one")]}
    made = (await workspace.send("POST", "/api/v1/agents", body=agent)).json()["id"]

    assert [one["subject"] for one in await entries(workspace)] == [made]


def test_no_code_changes_or_deletes_what_was_written() -> None:
    """The table is append-only because nothing in the product does anything else with it."""
    changing = [
        module.path
        for module in modules(*PRODUCT)
        for call in ast.walk(module.tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in {"update", "delete"}
        and any(isinstance(each, ast.Name) and each.id == "audit" for each in call.args)
    ]
    assert changing == []
