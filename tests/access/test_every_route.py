"""Every route, as every role and as somebody from another workspace."""

from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import APIRouter

from api.access.permissions import NEEDS, OPEN, refuse_unlisted, routes_of
from api.app import create_app
from api.dependencies import Caller, caller_of
from omniforge.identity import PERMISSIONS, Role
from omniforge.settings import Settings
from tests.access.filling import Workspace, filled, path_with
from tests.support.requirements import requirement
from tests.triggers.hooked import Hooked

APP = create_app(Settings(_env_file=None))
ROUTES = sorted(name for name, _ in routes_of(APP) if name in NEEDS)

BODIES: Mapping[str, Any] = {
    "PATCH /api/v1/agents/{agent_id}": {"description": "changed"},
    "POST /api/v1/executions/{execution_id}/steer": {"message": "hello"},
    "POST /api/v1/executions/{execution_id}/answer": {"answer": "yes"},
    "POST /api/v1/executions/{execution_id}/budget": {"budget_usd": "5"},
    "POST /api/v1/executions/{execution_id}/fork": {"node": "poster", "step": 0},
    "POST /api/v1/approvals/{approval_id}": {"decision": "ask", "reason": "Why?"},
    "POST /api/v1/schedules/preview": {"cron_expression": "@daily"},
    "PATCH /api/v1/schedules/{schedule_id}": {"name": "changed"},
    "POST /api/v1/schedules/{schedule_id}/backfill": {
        "start": "2026-01-01T00:00:00Z",
        "end": "2026-01-02T00:00:00Z",
    },
    "PATCH /api/v1/triggers/{trigger_id}": {"name": "changed"},
    "PUT /api/v1/budgets/{scope}/{subject}/{period}": {"cap_usd": "100"},
    "PUT /api/v1/workspace/limits": {"max_concurrent_runs": None, "fairness_weight": 1},
    "POST /api/v1/members": {"name": "Another", "role": "viewer"},
    "PATCH /api/v1/members/{user_id}": {"role": "viewer"},
    "POST /api/v1/members/{user_id}/keys": {"name": "another"},
    "POST /api/v1/keys": {"name": "mine"},
    "PUT /api/v1/oauth/apps/{integration_id}": {"client_id": "x", "client_secret": "y"},
    "POST /api/v1/oauth/init": {"integration_id": "github"},
    "POST /api/v1/oauth/links": {"integration_id": "github"},
    "POST /api/v1/invitations": {"role": "viewer"},
}

# What ends something comes last, so that the others find it as it was.
LAST = ("cancel", "archive", "DELETE")


def in_order(routes: list[str]) -> list[str]:
    return sorted(routes, key=lambda route: any(word in route for word in LAST))


async def statuses(
    workspace: Workspace, ids: Mapping[str, str], key: str, routes: list[str]
) -> dict[str, int]:
    """What each route answers to the owner of a key."""
    found = {}
    for route in in_order(routes):
        method, path = route.split()
        has_body = method in {"POST", "PUT", "PATCH"}
        body = BODIES.get(route, {}) if has_body else None
        answer = await workspace.send(method, path_with(path, ids), key, body)
        found[route] = answer.status_code
    return found


@requirement("SEC-2")
async def test_every_route_lets_in_whom_the_table_says(guarded: Hooked) -> None:
    ids = await filled(guarded)
    workspace = await Workspace.of(guarded.platform)

    for role in reversed(Role):
        _, key = await workspace.member(role)
        found = await statuses(workspace, ids, key, ROUTES)

        refused = {route for route, status in found.items() if status == 403}
        assert refused == {
            route for route in ROUTES if (need := NEEDS[route]) and need not in PERMISSIONS[role]
        }
        assert {route: s for route, s in found.items() if s >= 500} == {}


@requirement("SEC-3")
async def test_to_a_stranger_every_id_of_another_workspace_is_not_there(guarded: Hooked) -> None:
    ids = await filled(guarded)
    stranger = await Workspace.new(guarded.platform, "Strangers")
    # The name of an integration is everybody's.
    with_ids = [route for route in ROUTES if "{" in route.replace("{integration_id}", "")]

    found = await statuses(stranger, ids, stranger.key, with_ids)

    assert {route: status for route, status in found.items() if status != 404} == {}
    assert len(with_ids) > 40


@requirement("SEC-2")
async def test_no_route_answers_to_nobody(guarded: Hooked) -> None:
    for route in ROUTES:
        method, path = route.split()
        answer = await guarded.outside.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), route


def test_the_table_speaks_of_no_route_that_is_not_there() -> None:
    assert set(NEEDS) | set(OPEN) == {name for name, _ in routes_of(APP)}


@pytest.mark.parametrize(
    ("asks", "words"),
    [(True, "add a line to NEEDS"), (False, "let it depend on `Caller`, or add a line to OPEN")],
)
def test_an_app_with_a_route_that_the_table_does_not_know_does_not_start(
    asks: bool, words: str
) -> None:
    app, router = create_app(Settings(_env_file=None)), APIRouter()

    async def known(caller: Caller) -> str:
        return caller.user_id

    async def anybody() -> str:
        return ""

    router.get("/api/v1/new")(known if asks else anybody)
    app.include_router(router)

    with pytest.raises(
        RuntimeError, match=r"permissions\.py: the route 'GET /api/v1/new'"
    ) as error:
        refuse_unlisted(app, caller_of)
    assert words in str(error.value)
