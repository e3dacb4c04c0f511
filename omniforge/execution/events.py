"""What an executor tells the one who iterates over it, and what it comes to in the end."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from omniforge.agents.runs import ErrorInfo, TokenUsage
from omniforge.journal.events import Wait
from omniforge.journal.steps import Json


class Ending(StrEnum):
    """How one segment of a skill ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    WAITING = "waiting"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """What a skill came to. Without `success`, `output` keeps what there was when it ended.

    `final_answer` is the model's text; `output` the same as JSON: the object in it when it is one,
    else `{"answer": text}`.
    """

    ending: Ending
    output: Json = None
    final_answer: str = ""
    error: ErrorInfo | None = None
    waits: tuple[Wait, ...] = ()
    interruption: str | None = None
    iterations: int = 0
    usage: TokenUsage = TokenUsage()
    cost: Decimal = Decimal(0)

    @property
    def success(self) -> bool:
        return self.ending is Ending.COMPLETED


@dataclass(frozen=True, slots=True)
class TaskStatusEvent:
    task_id: str
    state: str


@dataclass(frozen=True, slots=True)
class TaskMessageEvent:
    """What the model said, or what became of a tool call, in one line."""

    task_id: str
    iteration: int
    text: str


@dataclass(frozen=True, slots=True)
class TaskErrorEvent:
    """A failure. The loop goes on where the model can mend it; otherwise `TaskDoneEvent` follows."""

    task_id: str
    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class TaskDoneEvent:
    task_id: str
    result: ExecutionResult


TaskEvent = TaskStatusEvent | TaskMessageEvent | TaskErrorEvent | TaskDoneEvent
