"""What a tool is, and what it is told when it is called."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol

from omniforge.agents.runs import ErrorInfo
from omniforge.journal.blobs import Manifest
from omniforge.journal.events import Edit
from omniforge.journal.steps import EffectClass, Json, Origin
from omniforge.tools.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool's contract. `parameters` is a JSON schema; calls that break it never reach the tool."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    effect: EffectClass = EffectClass.ASK
    """A tool that does not say is taken for one that changes the world and cannot be repeated."""
    writes_workspace: bool = False
    timeout: timedelta = timedelta(seconds=30)
    key_lifetime: timedelta | None = None
    visible_after: timedelta | None = None
    is_outside: bool = False
    """Its answers are made of text from outside, which a model must take as data."""
    waits_for: Literal["input", "child"] | None = None
    """input: a person answers the argument `question`, and that is the call's answer. child: the
    platform runs the argument `agent` first, and the tool then reads what came of it."""


@dataclass(frozen=True, slots=True)
class ToolCallContext:
    """Who calls, for which task, and where its files are. `effect_id` is the idempotency key to send."""

    tenant_id: str
    task_id: str
    session_id: str
    workspace: Workspace
    user_id: str = ""
    effect_id: str = ""


@dataclass(frozen=True, slots=True)
class WithFiles:
    """An answer of a tool that laid files down by itself, holding `workspace.writing`."""

    answer: Json
    workspace: Manifest


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The answer to one call: `result` is JSON, `error` says what to do differently.

    With an edit the call was made with the arguments of that.
    """

    success: bool
    result: Json = None
    error: ErrorInfo | None = None
    edit: Edit | None = None


class Tool(Protocol):
    """A tool. Raises `TryAgain` for what the model can mend, `OutcomeUnknown` when an effect is in doubt."""

    @property
    def spec(self) -> ToolSpec: ...

    def effect_of(self, arguments: Mapping[str, Any]) -> EffectClass:
        """The class of this very call; most tools answer with their spec's."""
        ...

    async def run(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json: ...


class Findable(Protocol):
    """What a tool of class `findable` has besides: it can look up what it sent."""

    async def find(
        self, effect_id: str, arguments: Mapping[str, Any], context: ToolCallContext
    ) -> Json | None:
        """The answer of the call that carried this effect id, or None when it never arrived."""
        ...


class Rehearsed(Protocol):
    """What a tool may have besides: it can say what a call would come to, without making it."""

    async def rehearse(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json: ...


class StandIn(Protocol):
    """Answers a call in the place of its tool."""

    @property
    def spec(self) -> ToolSpec: ...

    @property
    def origin(self) -> Origin:
        """Where its answers come from."""
        ...

    def effect_of(self, arguments: Mapping[str, Any]) -> EffectClass: ...

    async def run(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json: ...


class Casting(Protocol):
    """Decides which calls of a rehearsal are answered by a stand-in."""

    def stand_in(
        self, tool: Tool, arguments: Mapping[str, Any], *, is_harmless: bool
    ) -> StandIn | None:
        """Called once for each call of a skill, in their order. None lets the tool itself answer,
        which is for harmless calls only."""
        ...
