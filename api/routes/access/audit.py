"""The audit log."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from api.access.bodies import AuditEntryBody, AuditList
from api.dependencies import Cursor, Limit, Mine
from api.errors import responses
from omniforge.errors import Forbidden, Unauthenticated
from omniforge.store.audit import Act, Outcome, Sought

router = APIRouter(
    prefix="/api/v1/audit", tags=["access"], responses=responses(Unauthenticated, Forbidden)
)


def _sought(
    action: Annotated[Act | None, Query(description="Only this kind of act.")] = None,
    actor: Annotated[str | None, Query(max_length=64, description="Only of this user.")] = None,
    subject: Annotated[
        str | None, Query(max_length=255, description="Only on this id: of a key, an agent, ...")
    ] = None,
    outcome: Outcome | None = None,
    since: Annotated[AwareDatetime | None, Query(description="From this moment on.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Before this moment.")] = None,
) -> Sought:
    return Sought(action, actor, subject, outcome, since, until)


@router.get("")
async def list_audit(
    sought: Annotated[Sought, Depends(_sought)],
    mine: Mine,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AuditList:
    """Who did what to the workspace's security, and from where, newest first."""
    page = await mine.read(lambda db: db.audit.page(limit, cursor, sought))
    entries = [AuditEntryBody.model_validate(one.model_dump()) for one in page.items]
    return AuditList(entries=entries, next_cursor=page.next_cursor)
