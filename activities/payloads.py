"""What travels through Temporal's history: ids, statuses and sizes; never inputs, outputs or transcripts."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel

from omniforge.agents.config import Patience, SkillReference
from omniforge.agents.plan import NodeEnd
from omniforge.agents.runs import ErrorInfo, RunStatus, RunTrigger
from omniforge.integrations.oauth.connection import ConnectionStatus
from omniforge.journal.events import WaitKind
from omniforge.journal.ports import Decision
from omniforge.journal.steps import Wish


class AgentRun(BaseModel, frozen=True):
    """The input of a run's workflow. What the run works on lies in its row.

    A schedule starts its runs without an id: theirs is the tail of the workflow's.
    """

    execution_id: str
    tenant_id: str
    agent_id: str
    trigger_type: RunTrigger = RunTrigger.ON_DEMAND
    triggered_by: str
    trigger_id: str | None = None
    """The schedule or event trigger that starts it."""
    fired_at: datetime | None = None
    """When its schedule started it."""
    parent_id: str | None = None
    generation: int = 0
    """How often the run was taken up again after it had failed."""


class Child(BaseModel, frozen=True):
    """A run that a skill of another run waits for. With `refusal` it is not to be started."""

    parent_id: str
    tenant_id: str
    execution_id: str
    agent_id: str = ""
    triggered_by: str = ""
    refusal: str = ""
    generation: int = 0
    is_known: bool = False
    """Whether it may have been started before, because its parent is taken up again."""
    is_done: bool = False
    """It has its result from before its parent was taken up again."""


class RecordedEnd(BaseModel, frozen=True):
    """How the run ended that this one replays."""

    status: RunStatus
    error: ErrorInfo


class Beginning(BaseModel, frozen=True):
    """What `begin` found. In a final status the run has ended before and there is nothing to do.

    With `refusal` what fired leads to no run; after `later_s` seconds it is to be asked again.
    """

    status: RunStatus
    agent_name: str = ""
    skills: tuple[SkillReference, ...] = ()
    skill_timeout_s: float = 0
    refusal: ErrorInfo | None = None
    later_s: float = 0
    max_parallel: int = 10
    patience: Patience = Patience()
    recorded_end: RecordedEnd | None = None
    """Of a replay whose original did not complete: this one ends so, once all of it is played."""
    ends: dict[str, NodeEnd] = {}
    items: dict[str, int] = {}
    """Of a run that is taken up again: the nodes that have ended, and how many items each list has."""
    wish: Wish | None = None


class RunSkill(BaseModel, frozen=True):
    """One segment of one skill."""

    execution_id: str
    tenant_id: str
    node: str
    segment: int
    generation: int = 0


class OpenWait(BaseModel, frozen=True):
    """What a skill waits for, without the words: those are in the database."""

    id: str
    kind: WaitKind | Literal["pause"]
    tool: str = ""


class SegmentResult(BaseModel, frozen=True):
    """How a segment ended. `active_s` is the skill's working time so far, over all its segments."""

    status: Literal["done", "waiting", "interrupted", "failed", "timed_out"]
    waits: tuple[OpenWait, ...] = ()
    interruption: str | None = None
    error: ErrorInfo | None = None
    active_s: float = 0.0


class NodeRef(BaseModel, frozen=True):
    """One node of a run. With `error` it is one that its workers could not end."""

    execution_id: str
    tenant_id: str
    node: str
    generation: int = 0
    error: ErrorInfo | None = None


class Waiting(BaseModel, frozen=True):
    """What a run waits for; None when it goes on."""

    execution_id: str
    tenant_id: str
    waiting_for: str | None


class Wished(BaseModel, frozen=True):
    """What someone asks of a run: to pause, to stop after its steps under way, to go on (None)."""

    execution_id: str
    tenant_id: str
    wish: Wish | None
    by: str
    note: str = ""


class Steer(BaseModel, frozen=True):
    """A message of a person to the nodes of a run that are at work; `id` is its sender's."""

    execution_id: str
    tenant_id: str
    id: str
    text: str
    by: str
    nodes: tuple[str, ...] = ()


class Raise(BaseModel, frozen=True):
    """More money for a run, in dollars in all."""

    execution_id: str
    tenant_id: str
    cap_usd: Decimal
    by: str
    request_id: str


class MoneyWanted(BaseModel, frozen=True):
    """A run that waits for money."""

    execution_id: str
    tenant_id: str


class InFunds(BaseModel, frozen=True):
    """Waits for money that there is room for now."""

    wait_ids: tuple[str, ...] = ()


class ConnectionsWanted(BaseModel, frozen=True):
    """A run that waits until somebody connects an account."""

    execution_id: str
    tenant_id: str


class Reconnected(BaseModel, frozen=True):
    """Waits for accounts that are connected now."""

    wait_ids: tuple[str, ...] = ()


class Admitted(BaseModel, frozen=True):
    """Runs that were queued and may begin, because another one has made room."""

    execution_ids: tuple[str, ...] = ()


class Overdue(BaseModel, frozen=True):
    """A question that people have not answered in the time that the agent's owner set."""

    tenant_id: str
    approval_id: str
    what: Literal["remind", "escalate", "give_up"]


class Decided(BaseModel, frozen=True):
    """A person's decision, on its way through the run's workflow into the inbox."""

    tenant_id: str
    approval_id: str
    decision: Decision
    decided_by: str
    note: str = ""
    arguments: Any = None
    """Of an edit: a person's words, as a note is, and so no larger than people write."""


class Finish(BaseModel, frozen=True):
    execution_id: str
    tenant_id: str
    status: RunStatus
    error: ErrorInfo | None = None
    generation: int = 0


class RunOutcome(BaseModel, frozen=True):
    """What the workflow returns, for the one who looks at it in the Web UI."""

    status: RunStatus
    error: ErrorInfo | None = None
    cost_usd: str = "0"
    admitted: tuple[str, ...] = ()
    """Runs that were queued behind this one and may begin."""


class ConnectionRef(BaseModel, frozen=True):
    """The input of a connection's workflow. Its tokens lie encrypted in its row."""

    tenant_id: str
    connection_id: str


class ConnectionState(BaseModel, frozen=True):
    """Where a connection's tokens stand. `version` counts its pairs of tokens."""

    version: int
    status: ConnectionStatus
    expires_at: datetime | None = None
    is_refreshed: bool = False
    """Whether its service gives it new tokens for old ones."""


class Freshen(BaseModel, frozen=True):
    """A newer pair than version `known` is needed."""

    connection: ConnectionRef
    known: int
    is_refused: bool = False
    """Whether its service has refused the access token of that version."""
