"""Under which id and search attributes a run is found in Temporal.

The attributes are few, because the server has few slots for them.
"""

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

AGENT_RUN = "AgentRun"
"""The workflow's type: what a run is called in Temporal."""

CONNECTION = "Connection"
"""The workflow's type that keeps a connection's tokens fresh."""

FRESHEN, DISCONNECT, LOOK_AGAIN = "freshen", "disconnect", "look_again"
"""What a connection can be told: by update, and by signal when it was connected anew."""

DECIDE, WISH, STEER, RAISE_BUDGET = "decide", "wish", "steer", "raise_budget"
ADMIT, FOLLOW, LOOK_FOR_MONEY = "admit", "follow", "look_for_money"
LOOK_FOR_CONNECTION = "look_for_connection"
"""What a run can be told: by update, and by signal."""

OF_TENANT = SearchAttributeKey.for_keyword("OfTenant")
OF_AGENT = SearchAttributeKey.for_keyword("OfAgent")
# Set where it says more than Temporal's own status: waiting, failed, cancelled, timed_out. Each change
# costs the server a write, so the plain way from running to completed has none.
OF_STATUS = SearchAttributeKey.for_keyword("OfStatus")
OF_KIND = SearchAttributeKey.for_keyword("OfKind")


def run_workflow_id(tenant_id: str, execution_id: str) -> str:
    return f"run/{tenant_id}/{execution_id}"


def connection_workflow_id(tenant_id: str, connection_id: str) -> str:
    return f"connection/{tenant_id}/{connection_id}"


def run_attributes(tenant_id: str, agent_id: str) -> TypedSearchAttributes:
    """What operators filter runs by in the Web UI. Not encrypted, so no personal data."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(OF_TENANT, tenant_id),
            SearchAttributePair(OF_AGENT, agent_id),
            SearchAttributePair(OF_KIND, "run"),
        ]
    )


def connection_attributes(tenant_id: str) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [
            SearchAttributePair(OF_TENANT, tenant_id),
            SearchAttributePair(OF_KIND, "connection"),
        ]
    )
