"""`client.approvals`."""

from urllib.parse import quote

from omniforge.client.models import Approval, Page
from omniforge.client.transport import Transport
from omniforge.journal.ports import Decision

_APPROVALS = "/api/v1/approvals"


class Approvals:
    """What runs wait for people to decide."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(
        self, *, open_only: bool = True, limit: int = 50, cursor: str | None = None
    ) -> Page[Approval]:
        asked = "true" if open_only else "false"
        return await self._transport.page(
            _APPROVALS, "approvals", Approval, open=asked, limit=limit, cursor=cursor
        )

    async def decide(self, approval_id: str, decision: Decision, *, reason: str = "") -> Approval:
        """Decide what a run waits for; it goes on at once. `reason` is the answer to a question.

        Raises:
            AlreadyDecided: Somebody was faster.
        """
        return await self._transport.post(
            f"{_APPROVALS}/{quote(approval_id, safe='')}",
            Approval,
            json={"decision": decision, "reason": reason},
        )
