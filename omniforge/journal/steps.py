"""The entries of a journal."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from omniforge.agents.runs import ErrorInfo, TokenUsage
from omniforge.journal.blobs import Manifest
from omniforge.journal.events import Edit, EventBody

Json = Any
"""Whatever `json.dumps` takes. Answers of models and tools have no narrower type."""


class NodeKey(NamedTuple):
    """One skill of a run. `generation` rises when a finished node is run again from its failure."""

    stream_id: str
    node: str
    generation: int = 0


class Fence(NamedTuple):
    """Who may write for a node: the highest (segment, attempt) that has claimed it, and nobody else."""

    segment: int
    attempt: int


class StepKind(StrEnum):
    PREAMBLE = "preamble"
    MODEL = "model"
    TOOL = "tool"
    COMPACTION = "compaction"
    MESSAGE = "message"
    """What a person said to a skill at work, at the place where it was taken in."""


class Origin(StrEnum):
    """Where an answer comes from: the world now, an earlier run's record, or nobody (a rehearsal)."""

    REAL = "real"
    RECORDED = "recorded"
    INVENTED = "invented"


Wish = Literal["pause", "stop"]
"""What people ask the executors of a stream to do before their next step."""


class StepStatus(StrEnum):
    """`planned` and `sent` are written ahead; `unknown` is an effect that may or may not have happened."""

    PLANNED = "planned"
    SENT = "sent"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def is_settled(self) -> bool:
        return self in {StepStatus.CONFIRMED, StepStatus.FAILED}


IN_DOUBT = frozenset({StepStatus.SENT, StepStatus.UNKNOWN})
"""Of an effect with one of these, nobody knows yet whether it happened."""


class EffectClass(StrEnum):
    """What may be done when nobody knows whether a call reached the outside world.

    read: it changes nothing, call again. keyed: send again with the same idempotency key.
    findable: look it up first. ask: a person decides.
    """

    READ = "read"
    KEYED = "keyed"
    FINDABLE = "findable"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Sending:
    """What a step's work is told about itself. `effect_id` is the same on every attempt of the step."""

    effect_id: str
    send_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class Performed:
    """What a step's work came to. With `error` set it failed, and that is its recorded answer."""

    answer: Json = None
    error: ErrorInfo | None = None
    usage: TokenUsage = TokenUsage()
    cost: Decimal = Decimal(0)
    model: str | None = None
    workspace: Manifest | None = None
    origin: Origin = Origin.REAL
    is_last: bool = False
    """Nothing follows but the node's end, so the record shares the commit of that."""


Perform = Callable[[Sending], Awaitable[Performed]]
Find = Callable[[str], Awaitable[Performed | None]]
Tell = Callable[["Step", float], EventBody]
"""Words a settled step, which took so many seconds, for those who watch."""


@dataclass(frozen=True, slots=True)
class Question:
    """What must come from elsewhere before a step is done.

    approval: a person's leave. input: a person's answer, which is the step's. child: the end of the
    run that the step started, whose result the step's work then reads. `said` is what the model said
    when it asked for the step.
    """

    kind: Literal["approval", "input", "child"]
    text: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """How a tool's call changes the outside world, and what the journal may do when it is in doubt."""

    kind: EffectClass
    timeout: timedelta
    key_lifetime: timedelta | None = None
    """How long the provider remembers an idempotency key; None means it says nothing, so not at all."""
    visible_after: timedelta | None = None
    """When a lookup is sure to see what was sent; None means never sure."""
    find: Find | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a step is asked to do. Kind, name and arguments make its hash; the rest is how to do it."""

    kind: StepKind
    name: str
    arguments: Json = None
    effect: Effect | None = None
    reserve: Decimal = Decimal(0)
    """The most this step can cost, in dollars."""
    questions: tuple[Question, ...] = ()
    """Asked one after another, before anything of the step is done."""
    edit: Edit | None = None
    """What a person made of the arguments. The step stays the one that was asked for."""
    is_held: bool = False
    """A rehearsal: the effect is not sent, so nothing of it has to be written ahead."""
    consumes: str | None = None
    """The id of the message in the inbox that this step takes in."""
    tell: Tell | None = None

    @property
    def made_with(self) -> Json:
        """The arguments with which it is really done."""
        return self.edit.arguments if self.edit else self.arguments


@dataclass(frozen=True, slots=True)
class Slot:
    """A numbered place in the journal, taken before any work of its turn starts."""

    number: int
    hash: str
    request: Request


@dataclass(frozen=True, slots=True)
class Step:
    """One entry. A settled step never changes again."""

    number: int
    kind: StepKind
    name: str
    hash: str
    status: StepStatus
    arguments: Json = None
    edit: Edit | None = None
    """What a person made of the arguments, which are those that were asked for."""
    answer: Json = None
    error: ErrorInfo | None = None
    effect_class: EffectClass | None = None
    effect_id: str | None = None
    sent_at: datetime | None = None
    send_by: datetime | None = None
    sends: int = 0
    usage: TokenUsage = field(default_factory=TokenUsage)
    cost: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    is_cost_assumed: bool = False
    """The worker died in mid-call: the reservation's worst case stands in for the unknown cost."""
    model: str | None = None
    workspace: Manifest | None = None
    origin: Origin = Origin.REAL
    generation: int = 0
    """Of its node, as far as a store has read it from there."""
    fence: Fence = Fence(0, 0)
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def made_with(self) -> Json:
        """The arguments with which it was really done."""
        return self.edit.arguments if self.edit else self.arguments


# Far deeper than any data; the libraries that write JSON give up at a few hundred.
MAX_NESTING = 100


def is_nested_too_deep(value: Json) -> bool:
    """Whether lists and objects lie in each other more than a hundred times."""
    level = [value]
    for _ in range(MAX_NESTING):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return any(isinstance(each, dict | list) for each in level)


def as_recorded(answer: Json) -> Json:
    """An answer as a store gives it back, so that a first run and a resumed one see the same.

    Tuples become lists, keys become text, and what JSON has no number for becomes null. Halves of
    surrogate pairs, which models and pages do send, become question marks: no wire takes them.
    """
    text = json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")
    return json.loads(text, parse_constant=lambda _: None)


def step_hash(key: NodeKey, number: int, request: Request, previous: str) -> str:
    """Covers what was asked and all that came before, never a prompt's text: a deploy may reword those."""
    parts = [*key, number, request.kind, request.name, request.arguments, previous]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def effect_id(key: NodeKey, number: int) -> str:
    """The idempotency key of a step's effect: the same on every attempt, on any machine."""
    return "of-" + hashlib.sha256(json.dumps([*key, number]).encode()).hexdigest()[:32]
