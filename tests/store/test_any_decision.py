"""Whatever people decide and whenever the worker dies: a call is made with the arguments that were
allowed, at most once, or not at all."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omniforge.agents.permissions import Action
from omniforge.journal.asking import PersonNeeded
from omniforge.journal.blobs import BlobStore
from omniforge.journal.events import Wait
from omniforge.journal.journal import Interrupted, Journal
from omniforge.journal.memory import MemoryBlobs
from omniforge.journal.ports import Decision, Verdict
from omniforge.journal.steps import EffectClass, Fence, Json, NodeKey, Step, effect_id
from omniforge.tools.executor import Call, Ruling, ToolExecutor
from omniforge.tools.protocol import ToolCallContext, ToolResult, ToolSpec
from omniforge.tools.registry import ToolRegistry
from omniforge.tools.workspace import Workspace
from tests.journal.mortal import Killed, Life, MortalStore
from tests.store.desks import Desk, a_desk
from tests.support.requirements import requirement

OF_A_CALL = [
    Decision.APPROVE,
    Decision.EDIT,
    Decision.REJECT,
    Decision.ASK,
    Decision.NO_ANSWER,
]

# The class of a call follows from its arguments, so an edit may change it.
kinds = st.sampled_from(list(EffectClass))
turns = st.lists(st.lists(kinds, min_size=1, max_size=3), min_size=1, max_size=3)
answers = st.lists(st.tuples(st.sampled_from(OF_A_CALL), kinds), max_size=9)


class AlwaysAsks:
    def ruling(self, tool: str, arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> Ruling:
        return Ruling(Action.ASK)


class Post:
    """Posts under the effect id; the world keeps what it was told."""

    spec = ToolSpec(
        name="post",
        description="Post.",
        parameters={"type": "object", "properties": {"text": {"type": "string"}}},
        timeout=timedelta(milliseconds=20),
        key_lifetime=timedelta(hours=1),
        visible_after=timedelta(milliseconds=1),
    )

    def __init__(self) -> None:
        self.life = Life(None)
        self.calls: list[tuple[str, Json]] = []
        self.done: Counter[str] = Counter()

    def effect_of(self, arguments: Mapping[str, Any]) -> EffectClass:
        return EffectClass(arguments["kind"])

    async def run(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        self.life.moment()
        self.calls.append((context.effect_id, dict(arguments)))
        kind = self.effect_of(arguments)
        if kind is not EffectClass.KEYED or not self.done[context.effect_id]:
            self.done[context.effect_id] += kind is not EffectClass.READ
        self.life.moment()
        return {"posted": arguments["text"]}

    async def find(
        self, effect_id: str, arguments: Mapping[str, Any], context: ToolCallContext
    ) -> Json | None:
        return {"posted": arguments["text"]} if self.done[effect_id] else None


@dataclass
class Person:
    """Says what is next on a list, and approves when it has come to its end."""

    answers: list[tuple[Decision, EffectClass]]
    allowed: dict[str, Json]
    """By the id of the question: the arguments with which its call may be made."""

    def decides(self, wait: Wait, post: Post) -> Verdict:
        if wait.kind == "effect":
            has_happened = post.done[wait.id.partition(".")[0]] > 0
            return Verdict(Decision.HAPPENED if has_happened else Decision.RESEND, "us_anna")
        decision, kind = self.answers.pop(0) if self.answers else (Decision.APPROVE, None)
        edited = {"text": f"edited {wait.arguments['text']}", "kind": kind}
        if decision is Decision.APPROVE:
            self.allowed[wait.id] = wait.arguments
        elif decision is Decision.EDIT:
            self.allowed[wait.id] = edited
        arguments = edited if decision is Decision.EDIT else None
        return Verdict(decision, "us_anna", "so be it", arguments)


class Skill:
    """Makes its calls turn by turn, over as many lives as it takes."""

    def __init__(self, wanted: Sequence[Sequence[EffectClass]], desk: Desk, person: Person) -> None:
        self.wanted, self._desk, self._person = wanted, desk, person
        self.key = NodeKey(desk.run_id, "skill")
        self.post = Post()
        self.lives = 0
        self.steps: Sequence[Step] = ()
        blobs: BlobStore = MemoryBlobs()
        workspace = Workspace(Path("unused"), blobs)
        self._context = ToolCallContext("tenant", "task", "session", workspace)
        self._executor = ToolExecutor(ToolRegistry([self.post]))

    async def live(self, moments: int | None) -> bool:
        """One worker's life; True when it got to the end."""
        self.lives += 1
        self.post.life = Life(moments)
        store = MortalStore(self._desk.store, self.post.life, Counter())
        try:
            journal = await Journal.open(store, self.key, "skill", Fence(0, self.lives))
            for number, turn in enumerate(self.wanted):
                await self._take(number, turn, journal)
            self.steps = journal.recorded
        except (Killed, Interrupted):
            return False
        except PersonNeeded as needed:
            for wait in needed.waits:
                await self._desk.decide(self.key, wait.id, self._person.decides(wait, self.post))
            return False
        return True

    async def _take(
        self, number: int, turn: Sequence[EffectClass], journal: Journal
    ) -> list[ToolResult]:
        calls = [
            Call("post", {"text": f"{number}.{place}", "kind": kind})
            for place, kind in enumerate(turn)
        ]
        return await self._executor.execute(calls, self._context, journal, AlwaysAsks())


@requirement("DUR-2", "DUR-4")
@settings(
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(turns, answers, st.lists(st.integers(1, 14), max_size=6))
async def test_no_call_is_made_twice_or_with_other_arguments_than_were_allowed(
    journal_url: str | None,
    tmp_path: Path,
    wanted: list[list[EffectClass]],
    people: list[tuple[Decision, EffectClass]],
    lives: list[int],
) -> None:
    async with a_desk(journal_url, tmp_path, cap="10") as desk:
        person = Person(people, {})
        skill = Skill(wanted, desk, person)
        for moments in lives:
            await skill.live(moments)
        is_done = False
        for _ in range(40):
            is_done = is_done or await skill.live(None)

    assert is_done, "it never came to an end"
    allowed = {effect_id(skill.key, step.number): step.made_with for step in skill.steps}
    may_be_made = {
        effect_id(skill.key, step.number): person.allowed[question]
        for step in skill.steps
        if (question := f"ask-{step.hash[:32]}") in person.allowed
    }
    for made_for, arguments in skill.post.calls:
        assert arguments == may_be_made[made_for] == allowed[made_for]
    for step in skill.steps:
        was_allowed = effect_id(skill.key, step.number) in may_be_made
        assert (step.error is None) == was_allowed, step
    assert max(skill.post.done.values(), default=0) <= 1
