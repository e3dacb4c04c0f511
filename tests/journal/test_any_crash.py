"""Whatever is killed and whenever: nothing lost, nothing twice, never more than the cap."""

import asyncio
import contextlib
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from omniforge.errors import BudgetExceeded
from omniforge.journal.memory import MemoryJournalStore, MemoryStream
from omniforge.journal.steps import EffectClass, NodeKey, StepStatus
from tests.journal.mortal import Skill, Task
from tests.support.requirements import requirement

EFFECTS = [EffectClass.KEYED, EffectClass.FINDABLE, EffectClass.ASK]

tasks = st.one_of(
    st.booleans().map(lambda asks: Task("look", needs_leave=asks)),
    st.tuples(st.sampled_from(EFFECTS), st.booleans()).map(
        lambda post: Task(f"post-{post[0]}", post[0], needs_leave=post[1])
    ),
    st.integers(1, 9).map(lambda cents: Task("model", reserve=Decimal(cents) / 100)),
)


@requirement("DUR-1", "DUR-2")
@settings(deadline=None, max_examples=120)
@given(st.lists(tasks, min_size=1, max_size=5), st.lists(st.integers(1, 12), max_size=6))
async def test_a_run_killed_at_any_moments_does_everything_once_and_says_the_same(
    wanted: list[Task], lives: list[int]
) -> None:
    skill = Skill(wanted, NodeKey("run", "skill"), MemoryJournalStore())
    for moments in lives:
        await skill.live(moments)
    done = None
    for _ in range(20):
        done = done or await skill.live(None)

    assert done is not None, "the run never came to an end"
    assert [step.status for step in done] == [StepStatus.CONFIRMED] * len(wanted)
    assert [step.name for step in done] == [task.name for task in wanted]
    assert skill.settled == dict.fromkeys(range(len(wanted) + 1), 1)
    posted = [step.effect_id for step in done if step.effect_id is not None]
    assert sorted(skill.village.posts) == sorted(posted)


@requirement("DUR-1")
@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.just(Task("look"))
        | st.integers(1, 9).map(lambda cents: Task("model", reserve=Decimal(cents) / 100)),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 25),
)
async def test_answers_are_the_same_as_those_of_a_run_that_nobody_killed(
    wanted: list[Task], moments: int
) -> None:
    calm = await Skill(wanted, NodeKey("run", "skill"), MemoryJournalStore()).live(None)
    shaken = Skill(wanted, NodeKey("run", "skill"), MemoryJournalStore())
    done = await shaken.live(moments) or await shaken.live(None)

    assert calm is not None
    assert done is not None
    assert [(step.hash, step.answer) for step in done] == [
        (step.hash, step.answer) for step in calm
    ]


class Purse(RuleBasedStateMachine):
    """Skills of one run, side by side, under one cap; their workers die as they please."""

    @initialize(cents=st.integers(1, 60))
    def open(self, cents: int) -> None:
        self.runner = asyncio.Runner()
        self.store = MemoryJournalStore()
        self.money.cap = Decimal(cents) / 100
        self.skills: list[Skill] = []

    @property
    def money(self) -> MemoryStream:
        return self.store.streams["run"]

    @rule(wanted=st.lists(tasks, min_size=1, max_size=4))
    def begin(self, wanted: list[Task]) -> None:
        key = NodeKey("run", f"skill-{len(self.skills)}")
        self.skills.append(Skill(wanted, key, self.store))

    @precondition(lambda self: self.skills)
    @rule(place=st.integers(0, 9), moments=st.integers(1, 12) | st.none())
    def work(self, place: int, moments: int | None) -> None:
        self._live(self.skills[place % len(self.skills)], moments)

    @precondition(lambda self: self.skills)
    @rule(cents=st.integers(1, 20))
    def raise_the_cap(self, cents: int) -> None:
        assert self.money.cap is not None
        self.money.cap += Decimal(cents) / 100

    @invariant()
    def the_cap_holds(self) -> None:
        if hasattr(self, "store"):
            assert self.money.reserved >= 0
            assert self.money.settled >= 0
            assert self.money.cap is not None
            assert self.money.settled + self.money.reserved <= self.money.cap

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        for skill in self.skills * 10:
            self._live(skill, None)
        self.runner.close()
        costs = [step.cost for node in self.store._nodes.values() for step in node.steps.values()]
        assert self.money.reserved == 0
        assert self.money.settled == sum(costs)
        self.the_cap_holds()

    def _live(self, skill: Skill, moments: int | None) -> None:
        with contextlib.suppress(
            BudgetExceeded
        ):  # and when it is asked again it still does not fit
            self.runner.run(skill.live(moments))


@requirement("BUD-2")
def test_what_is_settled_and_reserved_never_exceeds_the_cap_in_any_state() -> None:
    run_state_machine_as_test(
        Purse, settings=settings(deadline=None, max_examples=30, stateful_step_count=12)
    )
