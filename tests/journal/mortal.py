"""Workers that die at a chosen moment, as kill -9 would have it: nothing of them runs afterwards."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from omniforge.errors import BudgetHeld
from omniforge.journal.asking import PersonNeeded
from omniforge.journal.events import Wait
from omniforge.journal.journal import Interrupted, Journal
from omniforge.journal.memory import MemoryJournalStore
from omniforge.journal.ports import (
    Announce,
    Decision,
    InboxItem,
    JournalStore,
    NodeState,
    Transition,
)
from omniforge.journal.steps import (
    Effect,
    EffectClass,
    Fence,
    Json,
    NodeKey,
    Performed,
    Question,
    Request,
    Sending,
    Step,
    StepKind,
)


class Killed(BaseException):
    """The process is gone."""


class Life:
    """Counts moments, before and after everything that leaves a trace; ends at the chosen one."""

    def __init__(self, moments: int | None) -> None:
        self._left = moments

    def moment(self) -> None:
        if self._left is None:
            return
        self._left -= 1
        if self._left <= 0:
            raise Killed


class MortalStore:
    """The store as one worker reaches it. Counts how often each step was settled."""

    def __init__(self, store: JournalStore, life: Life, settled: Counter[int]) -> None:
        self._store, self._life, self._settled = store, life, settled
        self._refused = False

    def should_stop(self) -> str | None:
        """Who waits for other skills' money would wait for ever: here they live one after another."""
        return "drain" if self._refused else None

    async def claim(
        self, key: NodeKey, skill_name: str, fence: Fence, announce: Announce
    ) -> NodeState:
        self._life.moment()
        return await self._store.claim(key, skill_name, fence, announce)

    async def commit(self, key: NodeKey, fence: Fence, change: Transition) -> None:
        self._life.moment()
        try:
            await self._store.commit(key, fence, change)
        except BudgetHeld:
            self._refused = True
            raise
        self._settled.update(step.number for step in change.steps if step.status.is_settled)
        self._life.moment()

    async def messages(self, key: NodeKey) -> Sequence[InboxItem]:
        return await self._store.messages(key)


@dataclass(frozen=True)
class Task:
    """One thing a skill does: look something up, ask a model, or post (with a class of safety).

    With `needs_leave` a person is asked first.
    """

    name: str
    effect: EffectClass | None = None
    reserve: Decimal = Decimal(0)
    needs_leave: bool = False


class Village:
    """The world outside: everything posted, with the id it was posted under."""

    def __init__(self) -> None:
        self.posts: list[str] = []

    def post(self, effect_id: str, is_keyed: bool) -> None:
        if not (is_keyed and effect_id in self.posts):
            self.posts.append(effect_id)


class Skill:
    """Does its tasks in order, over as many lives as it takes."""

    def __init__(self, tasks: Sequence[Task], key: NodeKey, store: MemoryJournalStore) -> None:
        self.tasks, self._key, self._store = tasks, key, store
        self.village = Village()
        self.settled: Counter[int] = Counter()
        self.lives = 0

    async def live(self, moments: int | None) -> list[Step] | None:
        """One worker's life. The steps when it got to the end; None when it was killed or must ask."""
        self.lives += 1
        life = Life(moments)
        store = MortalStore(self._store, life, self.settled)
        try:
            fence = Fence(0, self.lives)
            journal = await Journal.open(store, self._key, "skill", fence, store.should_stop)
            await journal.preamble(self._prompt)
            return [await self._do(task, journal, life) for task in self.tasks]
        except (Killed, Interrupted):
            return None
        except PersonNeeded as needed:
            self._decide(needed.waits[0])
            return None

    async def _prompt(self) -> Json:
        return "prompt"

    async def _do(self, task: Task, journal: Journal, life: Life) -> Step:
        async def perform(sending: Sending) -> Performed:
            life.moment()
            if task.effect is not None:
                self.village.post(sending.effect_id, task.effect is EffectClass.KEYED)
            life.moment()
            return Performed(f"{task.name} done", cost=task.reserve / 2)

        return await journal.step(self._request(task), perform)

    def _request(self, task: Task) -> Request:
        if task.reserve:
            return Request(StepKind.MODEL, "model", reserve=task.reserve)
        questions = (Question("approval", "May I?"),) if task.needs_leave else ()
        if task.effect is None:
            return Request(StepKind.TOOL, task.name, questions=questions)
        moment = timedelta(milliseconds=2)
        rules = Effect(task.effect, moment, timedelta(hours=1), moment, self._find)
        return Request(StepKind.TOOL, task.name, effect=rules, questions=questions)

    async def _find(self, effect_id: str) -> Performed | None:
        return Performed("found") if effect_id in self.village.posts else None

    def _decide(self, wait: Wait) -> None:
        """A person gives leave, or looks at the village and says what is there."""
        decision = Decision.APPROVE
        if wait.kind == "effect":
            happened = wait.id.partition(".")[0] in self.village.posts
            decision = Decision.HAPPENED if happened else Decision.RESEND
        item = InboxItem(f"{wait.id}/{self.lives}", wait.id, decision, "us_anna")
        self._store.inbox.setdefault(self._key, []).append(item)
