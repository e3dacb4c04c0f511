"""The mixed suite: what its runs do, and how each of them has to end.

A new kind of run is one more entry in `CASES`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

from omniforge.journal.ports import Decision
from omniforge.journal.steps import EffectClass
from tests.chaos.model import HANG, REFUSE, Call, script
from tests.support.platform import skill

CANCEL, RAISE = "cancel", "raise"
"""What a person may do in place of an answer: end the run, or let it spend more."""

EVERY_CLASS = tuple(EffectClass)
COMPLETED = ("completed", None)


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of run. `posts` are the places that have to be posted to exactly once, and no others."""

    name: str
    skills: tuple[dict[str, Any], ...]
    posts: tuple[str, ...] = ()
    end: tuple[str, str | None] = COMPLETED
    """Status and error code."""
    person: Mapping[str, str] = field(default_factory=dict)
    """What a person says to a question, by its kind, or to a run that waits for money (`budget`). Of
    effects in doubt people tell the truth."""
    agent: Mapping[str, Any] = field(default_factory=dict)
    """What else the agent has."""
    child: "Case | None" = None
    """Another agent, which this one's skills may run: its id is `{child}` in their scripts."""


def post(place: str, kind: EffectClass | str = EffectClass.KEYED) -> Call:
    return f"post_{kind}", {"world": "{world}", "place": f"{{run}}.{place}"}


def follow(name: str, *turns: Call | tuple[Call, ...], order: int = 1, **more: Any) -> Any:
    """A skill that makes these calls; those of a tuple side by side."""
    listed = [turn if isinstance(turn[0], tuple) else (turn,) for turn in turns]
    return skill(name, script(listed), order, **more)


def _classes(prefix: str) -> tuple[Call, ...]:
    return tuple(post(f"{prefix}-{kind}", kind) for kind in EVERY_CLASS)


def _once(prefix: str) -> tuple[str, ...]:
    """Reads may be repeated, so nobody counts them."""
    return tuple(f"{prefix}-{kind}" for kind in EVERY_CLASS if kind is not EffectClass.READ)


ASK: Call = ("ask_user", {"question": "Which colour?"})
LEAVE = {"permissions": [{"action": "ask", "tool": "post_*"}]}
POOR = {"limits": {"budget_usd": "0.000001"}}
DELEGATE: Call = (
    "run_agent",
    {"agent": "{child}", "input": {"run": "{run}", "world": "{world}"}},
)

ITEMS = "['p', 'q', 'r', 's', 't']"
GIVEN = "{'run': input.run, 'world': input.world}"
AN_ITEM = "{'run': input.run, 'world': input.world, 'item': item}"

CASES = (
    Case("single", (follow("one", ("clock", {}), post("a"), post("b")),), ("a", "b")),
    Case(
        "sequential",
        (
            follow("first", post("a")),
            follow("second", post("b", EffectClass.FINDABLE), order=2),
            follow("third", post("c", EffectClass.ASK), order=3),
        ),
        ("a", "b", "c"),
    ),
    Case(
        "parallel",
        (
            *(follow(f"side-{n}", post(f"{n}a"), post(f"{n}b")) for n in range(4)),
            follow("join", post("joined"), order=2),
        ),
        (*(f"{n}{part}" for n in range(4) for part in "ab"), "joined"),
    ),
    Case(
        "branched",
        (
            follow("first", post("a")),
            follow("taken", post("b"), order=2, when="input.run != ''"),
            follow("not-taken", post("c"), order=2, when="input.run == ''"),
            follow("after", post("d", EffectClass.ASK), order=3),
        ),
        ("a", "b", "d"),
    ),
    Case(
        "for-each",
        (
            follow("first", post("a")),
            follow("each", post("each-{item}"), order=2, for_each=ITEMS, input=AN_ITEM),
            follow("joined", post("b"), order=3),
        ),
        ("a", *(f"each-{item}" for item in "pqrst"), "b"),
    ),
    Case(
        "fallen-back",
        (
            skill("broken", script(REFUSE), on_failure="fallback:spare"),
            follow("spare", post("a"), input=GIVEN),
            follow("after", post("b"), order=2, input=GIVEN),
        ),
        ("a", "b"),
    ),
    Case(
        "effects",
        (follow("mixed", _classes("first"), _classes("second")),),
        (*_once("first"), *_once("second")),
    ),
    Case(
        "approved",
        (follow("careful", post("a"), post("b", EffectClass.ASK)),),
        ("a", "b"),
        person={"tool_call": Decision.APPROVE},
        agent=LEAVE,
    ),
    Case(
        "rejected",
        (follow("careful", post("a"), ("clock", {})),),
        person={"tool_call": Decision.REJECT},
        agent=LEAVE,
    ),
    Case(
        "answered",
        (follow("asking", post("a"), ASK, post("b")),),
        ("a", "b"),
        person={"input": Decision.ANSWER},
    ),
    Case(
        "delegated",
        (follow("leading", post("a"), DELEGATE, post("b")),),
        ("a", "b", "c"),
        child=Case("helper", (follow("helping", post("c", EffectClass.ASK)),)),
    ),
    Case(
        "raised",
        (follow("costly", post("a")),),
        ("a",),
        person={"budget": RAISE},
        agent=POOR,
    ),
    Case(
        "too-dear",
        (follow("costly", post("a")),),
        end=("cancelled", "cancelled"),
        person={"budget": CANCEL},
        agent=POOR,
    ),
    Case(
        "stopped-plan",
        (
            follow("first", post("a")),
            skill("second", script(REFUSE), 2),
            follow("third", post("b"), order=3),
        ),
        ("a",),
        end=("failed", "model_refused"),
    ),
    Case(
        "timed-out",
        # Short, so that a worker is hardly killed five times in a row in this very step.
        (follow("first", post("a")), skill("second", script(HANG), 2, timeout_s=1.5)),
        ("a",),
        end=("timed_out", "skill_timed_out"),
    ),
    Case(
        "cancelled",
        (follow("asking", post("a"), ASK, post("b")),),
        ("a",),
        end=("cancelled", "cancelled"),
        person={"input": CANCEL},
    ),
)

BARE = Case("bare", (follow("bare", post("a", "bare")),), ("a",))
"""Posts without a ledger, which a crash has to double: so the suite can fail."""

UNLEDGERED = (
    BARE,
    Case("bare-row", (follow("bare", *(post(p, "bare") for p in "abcd")),), tuple("abcd")),
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a case."""

    id: str
    case: Case


def mixed(cases: tuple[Case, ...], count: int) -> Iterator[Trial]:
    """So many runs, one of each case in turn."""
    for number, case in enumerate(islice(cycle(cases), count)):
        yield Trial(f"{number:04}-{case.name}", case)
