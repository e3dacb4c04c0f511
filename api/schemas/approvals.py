"""Questions to people over HTTP."""

from typing import Any

from pydantic import BaseModel, Field

from api.schemas.agents import Text
from omniforge.journal.ports import Decision
from omniforge.store.approvals import Approval


class ApprovalList(BaseModel):
    approvals: list[Approval]
    next_cursor: str | None


class ApprovalThread(Approval, frozen=True):
    """An approval with those that led to it, oldest first: each was answered with a question."""

    thread: list[Approval]


class DecisionBody(BaseModel, extra="forbid"):
    """A decision. Of an effect in doubt: `happened`, `resend` or `skip`; to a question: `answer`, with the
    answer as `reason`.

    Of a call that needs leave: `approve`; `edit`, to have it made with these `arguments`; `reject`, with a
    `reason` that the model is told; `ask`, with a question as `reason`, which decides nothing yet.
    """

    decision: Decision
    reason: Text = Field(default="", max_length=20_000)
    arguments: dict[str, Any] | None = None


class AnswerBody(BaseModel, extra="forbid"):
    """The answer to a question that a run asks. `id` says which, where it asks more than one."""

    answer: Text = Field(min_length=1, max_length=20_000)
    id: str | None = None
