"""What each route asks of its caller: one table, and nobody gets past it.

A route that asks for a caller has a line in `NEEDS`, one that does not a line in `OPEN`. An app with a
route in neither does not start.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from omniforge.errors import Forbidden
from omniforge.identity import PERMISSIONS, Permission, Principal

NEEDS: Mapping[str, Permission | None] = {
    "GET /api/v1/me": None,
    "GET /api/v1/keys": Permission.KEYS,
    "POST /api/v1/keys": Permission.KEYS,
    "DELETE /api/v1/keys/{key_id}": Permission.KEYS,
    #
    "GET /api/v1/agents": Permission.READ,
    "POST /api/v1/agents": Permission.AGENTS,
    "GET /api/v1/agents/{agent_id}": Permission.READ,
    "PATCH /api/v1/agents/{agent_id}": Permission.AGENTS,
    "GET /api/v1/agents/{agent_id}/plan": Permission.READ,
    "GET /api/v1/agents/{agent_id}/executions": Permission.READ,
    "GET /api/v1/agents/{agent_id}/history": Permission.READ,
    "GET /api/v1/agents/{agent_id}/statistics": Permission.READ,
    "GET /api/v1/agents/{agent_id}/estimate": Permission.READ,
    "POST /api/v1/agents/{agent_id}/activate": Permission.AGENTS,
    "POST /api/v1/agents/{agent_id}/pause": Permission.AGENTS,
    "POST /api/v1/agents/{agent_id}/archive": Permission.AGENTS,
    "POST /api/v1/agents/{agent_id}/run": Permission.RUN,
    "POST /api/v1/agents/{agent_id}/test": Permission.TESTS,
    #
    "GET /api/v1/executions": Permission.READ,
    "GET /api/v1/executions/{execution_id}": Permission.READ,
    "GET /api/v1/executions/{execution_id}/steps": Permission.READ,
    "GET /api/v1/executions/{execution_id}/events": Permission.READ,
    "GET /api/v1/executions/{execution_id}/artifacts": Permission.READ,
    "GET /api/v1/executions/{execution_id}/artifacts/{path:path}": Permission.READ,
    "GET /api/v1/executions/{execution_id}/held": Permission.READ,
    "GET /api/v1/executions/{execution_id}/comparison": Permission.READ,
    "POST /api/v1/executions/{execution_id}/cancel": Permission.CONTROL,
    "POST /api/v1/executions/{execution_id}/pause": Permission.CONTROL,
    "POST /api/v1/executions/{execution_id}/resume": Permission.CONTROL,
    "POST /api/v1/executions/{execution_id}/interrupt": Permission.CONTROL,
    "POST /api/v1/executions/{execution_id}/steer": Permission.CONTROL,
    "POST /api/v1/executions/{execution_id}/retry": Permission.RETRY,
    "POST /api/v1/executions/{execution_id}/replay": Permission.TESTS,
    "POST /api/v1/executions/{execution_id}/fork": Permission.TESTS,
    "POST /api/v1/executions/{execution_id}/answer": Permission.DECIDE,
    "POST /api/v1/executions/{execution_id}/budget": Permission.BUDGETS,
    "GET /api/v1/history": Permission.READ,
    #
    "GET /api/v1/approvals": Permission.READ,
    "GET /api/v1/approvals/{approval_id}": Permission.READ,
    "POST /api/v1/approvals/{approval_id}": Permission.DECIDE,
    #
    "GET /api/v1/schedules": Permission.READ,
    "POST /api/v1/schedules": Permission.SCHEDULES,
    "POST /api/v1/schedules/preview": Permission.READ,
    "GET /api/v1/schedules/{schedule_id}": Permission.READ,
    "PATCH /api/v1/schedules/{schedule_id}": Permission.SCHEDULES,
    "DELETE /api/v1/schedules/{schedule_id}": Permission.SCHEDULES,
    "POST /api/v1/schedules/{schedule_id}/pause": Permission.SCHEDULES,
    "POST /api/v1/schedules/{schedule_id}/resume": Permission.SCHEDULES,
    "POST /api/v1/schedules/{schedule_id}/skip-next": Permission.SCHEDULES,
    "POST /api/v1/schedules/{schedule_id}/run": Permission.RUN,
    "POST /api/v1/schedules/{schedule_id}/backfill": Permission.SCHEDULES,
    "GET /api/v1/schedules/{schedule_id}/fires": Permission.READ,
    #
    "GET /api/v1/triggers": Permission.READ,
    "POST /api/v1/triggers": Permission.TRIGGERS,
    "GET /api/v1/triggers/{trigger_id}": Permission.READ,
    "PATCH /api/v1/triggers/{trigger_id}": Permission.TRIGGERS,
    "DELETE /api/v1/triggers/{trigger_id}": Permission.TRIGGERS,
    "POST /api/v1/triggers/{trigger_id}/rotate-secret": Permission.TRIGGERS,
    "GET /api/v1/triggers/{trigger_id}/verification-token": Permission.TRIGGERS,
    "GET /api/v1/triggers/{trigger_id}/deliveries": Permission.READ,
    "POST /api/v1/triggers/{trigger_id}/redeliver": Permission.RETRY,
    "GET /api/v1/deliveries/{delivery_id}": Permission.READ,
    "POST /api/v1/deliveries/{delivery_id}/redeliver": Permission.RETRY,
    #
    "GET /api/v1/budgets": Permission.READ,
    "PUT /api/v1/budgets/{scope}/{subject}/{period}": Permission.BUDGETS,
    "DELETE /api/v1/budgets/{scope}/{subject}/{period}": Permission.BUDGETS,
    "GET /api/v1/costs": Permission.READ,
    "GET /api/v1/workspace/limits": Permission.READ,
    "PUT /api/v1/workspace/limits": Permission.LIMITS,
    "GET /api/v1/mcp-servers": Permission.READ,
    "POST /api/v1/mcp-servers": Permission.MCP_SERVERS,
    "GET /api/v1/mcp-servers/{name}": Permission.READ,
    "DELETE /api/v1/mcp-servers/{name}": Permission.MCP_SERVERS,
    #
    "GET /api/v1/integrations": Permission.READ,
    "GET /api/v1/connections": Permission.READ,
    "POST /api/v1/connections": Permission.RUN,
    "GET /api/v1/connections/{connection_id}": Permission.READ,
    "DELETE /api/v1/connections/{connection_id}": Permission.RUN,
    "POST /api/v1/connections/{connection_id}/reconnect": Permission.RUN,
    "POST /api/v1/oauth/init": Permission.RUN,
    "POST /api/v1/oauth/links": Permission.RUN,
    "GET /api/v1/oauth/apps": Permission.READ,
    "GET /api/v1/oauth/apps/{integration_id}": Permission.READ,
    "PUT /api/v1/oauth/apps/{integration_id}": Permission.CONNECTIONS,
    "DELETE /api/v1/oauth/apps/{integration_id}": Permission.CONNECTIONS,
    #
    "GET /api/v1/members": Permission.READ,
    "POST /api/v1/members": Permission.MEMBERS,
    "PATCH /api/v1/members/{user_id}": Permission.MEMBERS,
    "DELETE /api/v1/members/{user_id}": Permission.MEMBERS,
    "GET /api/v1/members/{user_id}/keys": Permission.MEMBERS,
    "POST /api/v1/members/{user_id}/keys": Permission.MEMBERS,
    "DELETE /api/v1/members/{user_id}/keys/{key_id}": Permission.MEMBERS,
    "GET /api/v1/invitations": Permission.MEMBERS,
    "POST /api/v1/invitations": Permission.MEMBERS,
    "DELETE /api/v1/invitations/{invitation_id}": Permission.MEMBERS,
    "GET /api/v1/audit": Permission.AUDIT,
}
"""What the caller of a route must be permitted; None: nothing, any caller will do."""

OPEN: Mapping[str, str] = {
    "GET /healthz": "tells that the process is there",
    "GET /readyz": "tells whether the database and Temporal answer",
    "POST /api/v1/hooks/{trigger_id}": "the delivery's signature is its credential",
    "GET /api/v1/oauth/start/{ticket}": "the link's ticket is its credential",
    "POST /api/v1/oauth/start/{ticket}": "the link's ticket is its credential",
    "GET /api/v1/oauth/callback": "the state and the browser's cookie are its credential",
    "POST /api/v1/oauth/callback": "the state and the browser's cookie are its credential",
    "POST /api/v1/invitations/accept": "the invitation's token is its credential",
}
"""Routes that ask for no caller, and why."""


def refuse_unpermitted(caller: Principal, needed: Permission | None) -> None:
    """
    Raises:
        Forbidden: It says which roles may.
    """
    if needed is None or needed in caller.permissions:
        return
    roles = [role.value for role, granted in PERMISSIONS.items() if needed in granted]
    by_role = needed not in PERMISSIONS[caller.role]
    reason = f"Your role is {caller.role}" if by_role else "Your key does not include it"
    raise Forbidden(
        f"This needs the permission {needed.value!r}. {reason}; the roles that have it:"
        f" {', '.join(roles)}.",
        permission=needed,
        roles=roles,
    )


def refuse_unlisted(app: FastAPI, caller: Callable[..., Any]) -> None:
    """Check that the table speaks of every route of an app. `caller` is the dependency it speaks for.

    Raises:
        RuntimeError: It does not; the message says what to add, and where.
    """
    for name, dependant in routes_of(app):
        asks = _depends_on(dependant, caller)
        if asks == (name in NEEDS) and asks != (name in OPEN):
            continue
        wanted = (
            "asks for a caller: add a line to NEEDS that says which permission it needs"
            if asks
            else "asks for no caller: let it depend on `Caller`, or add a line to OPEN that says why not"
        )
        raise RuntimeError(f"api/access/permissions.py: the route {name!r} {wanted}.")


def routes_of(app: FastAPI) -> Iterator[tuple[str, Dependant]]:
    """`METHOD /path` of each route of an app, and what it depends on."""
    for context in iter_route_contexts(app.routes):
        if isinstance(context.route, APIRoute):
            for method in sorted(context.methods or ()):
                yield f"{method} {context.path}", context.route.dependant


def _depends_on(dependant: Dependant, call: Callable[..., Any]) -> bool:
    return dependant.call is call or any(_depends_on(one, call) for one in dependant.dependencies)
