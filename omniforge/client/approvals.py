"""`client.approvals`."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from omniforge.client.models import Approval, ApprovalThread, Page
from omniforge.client.transport import Transport
from omniforge.journal.ports import ApprovalKind, Decision

_APPROVALS = "/api/v1/approvals"


class Approvals:
    """What runs wait for people to decide."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(
        self,
        *,
        open_only: bool = True,
        overdue: bool = False,
        escalated_to_me: bool = False,
        execution_id: str | None = None,
        agent_id: str | None = None,
        kind: ApprovalKind | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Approval]:
        """Newest first. Overdue is what people were reminded of, or what was escalated."""
        return await self._transport.page(
            _APPROVALS,
            "approvals",
            Approval,
            open=_asked(open_only),
            overdue=_asked(overdue),
            escalated_to_me=_asked(escalated_to_me),
            execution_id=execution_id,
            agent_id=agent_id,
            kind=kind,
            limit=limit,
            cursor=cursor,
        )

    async def get(self, approval_id: str) -> ApprovalThread:
        """One approval, with the questions and answers that led to it."""
        return await self._transport.get(_path(approval_id), ApprovalThread)

    async def decide(
        self,
        approval_id: str,
        decision: Decision,
        *,
        reason: str = "",
        arguments: Mapping[str, Any] | None = None,
    ) -> Approval:
        """Decide what a run waits for; it goes on at once.

        `reason` is the answer to a question, what the model is told of a refusal, or what it is asked.
        `arguments` are those with which an edited call is made.

        Raises:
            AlreadyDecided: Somebody was faster, or the time was over.
            EditRefused: The tool does not take these arguments, or its caller may not use them.
        """
        body: dict[str, Any] = {"decision": decision, "reason": reason}
        if arguments is not None:
            body["arguments"] = dict(arguments)
        return await self._transport.post(_path(approval_id), Approval, repeatable=True, json=body)


def _path(approval_id: str) -> str:
    return f"{_APPROVALS}/{quote(approval_id, safe='')}"


def _asked(wish: bool) -> str:
    return "true" if wish else "false"
