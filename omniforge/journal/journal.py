"""The journal of one node: the only way a skill reaches a model or a tool."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from omniforge import clock
from omniforge.agents.runs import ErrorInfo, TokenUsage
from omniforge.errors import BudgetHeld, JournalDiverged, OutcomeUnknown
from omniforge.journal.asking import (
    PersonNeeded,
    asked,
    edit_among,
    is_leave,
    question_id,
    spoken,
    unresolved,
)
from omniforge.journal.doubt import is_key_known, look_up, question_of, sleep_until, wait_id
from omniforge.journal.entries import (
    announcement,
    fence_name,
    new_event,
    seconds_of,
    settled,
    started,
)
from omniforge.journal.events import Edit, EventBody
from omniforge.journal.ports import (
    Decision,
    InboxItem,
    JournalStore,
    NodeState,
    NodeStatus,
    Outcome,
    Transition,
    Unheard,
    merged,
)
from omniforge.journal.recording import NOTHING_RECORDED, Recording
from omniforge.journal.steps import (
    Effect,
    EffectClass,
    Fence,
    Json,
    NodeKey,
    Origin,
    Perform,
    Performed,
    Request,
    Sending,
    Slot,
    Step,
    StepKind,
    StepStatus,
    as_recorded,
    effect_id,
    step_hash,
)

# A service that stays silent this often will not be mended by a machine; a person is asked.
MAX_SENDS = 4
RESEND_PAUSE = 0.25
# Model calls take seconds, so a second is soon enough to notice that one has settled.
FIRST_WAIT_FOR_MONEY, LONGEST_WAIT_FOR_MONEY = 0.05, 1.0


class Interrupted(Exception):
    """Someone asked the segment to stop before its next step. All that was begun is on record."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def never() -> str | None:
    """The default answer to "should this segment stop?"."""
    return None


class Journal:
    """Ask it for a step: recorded, it hands the answer back; new, it performs and records it.

    One `Journal` belongs to one claim of one node. After `Fenced` it must not be used again.
    """

    def __init__(
        self,
        store: JournalStore,
        key: NodeKey,
        fence: Fence,
        state: NodeState,
        should_stop: Callable[[], str | None] = never,
        recording: Recording = NOTHING_RECORDED,
    ) -> None:
        self._store, self.key, self.fence, self._drains = store, key, fence, should_stop
        self._word, self._heard = state.word, 0
        self._messages: deque[InboxItem] = deque()
        self._recording = recording
        self._steps = {step.number: step for step in state.steps}
        self._inbox = {item.wait_id: item for item in state.inbox}
        self.outcome = state.outcome
        self.workspace = recording.workspace_after(state)
        self._next = 0
        self._last_hash = ""
        self._held: list[Transition] = []
        self._shown = 0
        self._has_shown = False
        self._active_before = state.active
        self._opened = self._counted = time.monotonic()

    @classmethod
    async def open(
        cls,
        store: JournalStore,
        key: NodeKey,
        skill_name: str,
        fence: Fence = Fence(0, 1),
        should_stop: Callable[[], str | None] = never,
    ) -> "Journal":
        """Claim a node and read what is on record of it.

        `should_stop` is asked before every new step; a reason in its answer ends the segment there.

        Raises:
            Fenced: A later segment or attempt is already at work.
        """
        state = await store.claim(key, skill_name, fence, announcement(key, skill_name, fence))
        return cls(store, key, fence, state, should_stop)

    @property
    def active_seconds(self) -> float:
        """Working time of the node so far, over all its segments."""
        return self._active_before + time.monotonic() - self._opened

    @property
    def recorded(self) -> Sequence[Step]:
        """The steps on record, in order."""
        return [self._steps[number] for number in sorted(self._steps)]

    @property
    def known(self) -> Sequence[Step]:
        """The steps on record and those of an earlier run that will be played, in order."""
        steps = {**self._recording.steps, **self._steps}
        # A preamble that is to be made anew rests on nothing that was.
        return [steps[number] for number in sorted(steps)] if 0 in steps else []

    @property
    def upcoming(self) -> StepKind | None:
        """What the next step is, as it is on record or will be played; None where nothing is."""
        step = self._steps.get(self._next) or self._recording.steps.get(self._next)
        return step.kind if step else None

    @property
    def is_replay(self) -> bool:
        """Whether every step is played, so that neither a model nor any tool is needed."""
        return self._recording.outcome is not None

    @property
    def spent_turns(self) -> int:
        """Model turns of an earlier generation of this node, which count toward no limit of this one."""
        return self._recording.spent_turns

    @property
    def usage(self) -> TokenUsage:
        return sum((step.usage for step in self._steps.values()), TokenUsage())

    @property
    def cost(self) -> Decimal:
        return sum((step.cost for step in self._steps.values()), Decimal(0))

    async def preamble(self, make: Callable[[], Awaitable[Json]]) -> Json:
        """Step 0: what the node's work rests on, made once and read back by every later segment."""
        (slot,) = self.take([Request(StepKind.PREAMBLE, "preamble")])
        if (step := self._recorded_at(slot)) is not None:
            return step.answer
        played = self._recording.answer_at(slot)
        answer = played.answer if played else as_recorded(await make())
        at = clock.now()
        origin = Origin.RECORDED if self._recording.is_told(0) else Origin.REAL
        step = replace(started(slot, self.fence, at), answer=answer, origin=origin, ended_at=at)
        # Alone it promises nothing to anyone, so it shares the commit of the first real step.
        self._hold(Transition(steps=[replace(step, status=StepStatus.CONFIRMED)]))
        return answer

    def take(self, requests: Sequence[Request]) -> list[Slot]:
        """Number the steps of one turn before any of them starts, in the order given.

        Raises:
            JournalDiverged: The record holds another request at one of these places.
        """
        slots = []
        for request in requests:
            self._last_hash = step_hash(self.key, self._next, request, self._last_hash)
            slots.append(Slot(self._next, self._last_hash, request))
            self._next += 1
        for slot in slots:
            self._recorded_at(slot)
        return slots

    def edit_of(self, slot: Slot) -> Edit | None:
        """What a person made of the arguments of a call, as it is on record or has just been decided."""
        if (recorded := self._recorded_at(slot)) is not None:
            return recorded.edit
        return edit_among(self._key_of(slot), slot, self._inbox)

    async def step(self, request: Request, perform: Perform) -> Step:
        """Take the next number and run it."""
        (slot,) = self.take([request])
        return await self.run(slot, perform)

    async def run(self, slot: Slot, perform: Perform) -> Step:
        """The settled step of a slot, from the record or by doing its work now.

        Raises:
            JournalDiverged: The record holds another request at this place. Nothing was sent.
            PersonNeeded: A person must allow or answer this, or settle an effect in doubt.
            Interrupted: The segment was asked to stop before this step began.
            BudgetExceeded: The step's worst case does not fit under the cap.
            RecordEnded: This replays an earlier run, whose record ends here.
            Fenced: A successor has taken over.
        """
        recorded = self._recorded_at(slot)
        if recorded is not None and recorded.status.is_settled:
            return recorded
        if (reason := self._reason_to_stop()) is not None:
            raise Interrupted(reason)
        if recorded is None:
            played = self._recording.answer_at(slot)
            if played is None:
                return await self._first(slot, perform)
            if played.status.is_settled:
                return await self._play(slot, played)
            recorded = replace(played, hash=slot.hash, fence=self.fence)
        if recorded.effect_class is None:
            return await self._again(slot, recorded, perform)
        return await self._resolve(slot, recorded, perform)

    async def finish(self, outcome: Outcome, event: EventBody) -> None:
        """Record how this segment ended, together with its last event.

        Raises:
            Interrupted: A person has said something meanwhile, and the skill is to take it in.
        """
        is_done = outcome.status is NodeStatus.COMPLETED
        change = Transition(outcome=outcome, heard=self._heard if is_done else None)
        try:
            await self._commit(change, event, fence_name(self.fence))
        except Unheard as unheard:
            self._word = unheard.word
            await self._commit(Transition())  # what led here is on record all the same
            raise Interrupted("steered") from None
        self.outcome = outcome

    async def message(self) -> InboxItem | None:
        """What a person has said and the skill has not taken in. A step that `consumes` it does that."""
        if not self._messages and self._word.said > self._heard:
            self._heard = self._word.said
            self._messages.extend(await self._store.messages(self.key))
        return self._messages[0] if self._messages else None

    def note(self, event: EventBody) -> None:
        """Tell watchers something, once a node; it shares the commit of the next step."""
        self._hold(Transition(events=[new_event(self.key, event, "once")]))

    async def show(self, event: EventBody) -> None:
        """Tell watchers of the step under way. What they are shown goes when it is on record.

        Raises:
            Fenced: A successor has taken over.
        """
        self._shown, self._has_shown = self._shown + 1, True
        told = new_event(self.key, event, f"{fence_name(self.fence)}.{self._shown}")
        await self._store.commit(self.key, self.fence, Transition(events=[told]))

    def _reason_to_stop(self) -> str | None:
        return self._word.wish or self._drains()

    # ---- new work ----------------------------------------------------------------------------

    async def _first(self, slot: Slot, perform: Perform) -> Step:
        said = self._said(slot)
        step = started(slot, self.fence, clock.now())
        if said and not is_leave(said[-1]):
            return await self._settle(slot, step, spoken(said[-1]), consumed=self._consume(*said))
        if slot.request.effect is not None and not slot.request.is_held:
            return await self._send(slot, slot.request.effect, perform, said=said)
        if slot.request.reserve:
            step = replace(step, reserved=slot.request.reserve)
            await self._reserve(step)
        return await self._perform(slot, step, perform, self._consume(*said))

    def _said(self, slot: Slot) -> list[InboxItem]:
        """What was said to this step's questions, up to the first one that does not give leave.

        Raises:
            PersonNeeded: Nobody has answered one of them yet.
        """
        answers: list[InboxItem] = []
        key = self._key_of(slot)
        for place, _ in enumerate(slot.request.questions):
            said = self._inbox.get(question_id(key, slot, place))
            if said is None:
                raise PersonNeeded((asked(key, slot, place, self.recorded),))
            answers.append(said)
            if not is_leave(said):
                break
        return answers

    def _key_of(self, slot: Slot) -> NodeKey:
        """Under what a call is known in the world: the generation in which the model asked for it.

        So a run that it started before this generation is the one that it goes on to wait for.
        """
        turns = (step.number for step in self._steps.values() if step.kind is StepKind.MODEL)
        asked_in = max((number for number in turns if number < slot.number), default=-1)
        generation = self._recording.generation_of(asked_in, self.key.generation)
        return self.key._replace(generation=generation)

    async def _play(self, slot: Slot, played: Step) -> Step:
        """Take an answer over from the run that this one replays. It costs nothing and sends nothing."""
        performed = Performed(
            answer=played.answer,
            error=played.error,
            usage=played.usage,
            cost=played.cost,
            model=played.model,
            workspace=played.workspace,
            origin=Origin.INVENTED if played.origin is Origin.INVENTED else Origin.RECORDED,
        )
        begun = started(slot, self.fence, clock.now())
        step = replace(begun, effect_class=played.effect_class, edit=played.edit)
        return await self._settle(slot, step, performed, seconds_of(played), is_played=True)

    async def _again(self, slot: Slot, lost: Step, perform: Perform) -> Step:
        """A worker died between a model call and its record: count its worst case, then call again."""
        step = replace(
            started(slot, self.fence, clock.now()),
            reserved=slot.request.reserve,
            cost=lost.cost + lost.reserved,
            is_cost_assumed=True,
        )
        if lost.reserved:
            # On its own: it is owed whether or not there is money for another call.
            paid = replace(step, reserved=Decimal(0))
            change = Transition(steps=[paid], settle={step.number: lost.reserved})
            await self._commit(change)
        if step.reserved:
            await self._reserve(step)
        return await self._perform(slot, step, perform)

    async def _reserve(self, step: Step) -> None:
        """Write a step ahead with its worst case, once there is room for it.

        Calls under way hold more than most of them will cost, so for those it waits. It holds
        nothing meanwhile, so no two that wait can wait for each other.
        """
        pause = FIRST_WAIT_FOR_MONEY
        while True:
            try:
                change = Transition(steps=[step], reserve={step.number: step.reserved})
                return await self._commit(change)
            except BudgetHeld:
                await asyncio.sleep(pause)
            if (reason := self._reason_to_stop()) is not None:
                raise Interrupted(reason)
            pause = min(2 * pause, LONGEST_WAIT_FOR_MONEY)

    async def _perform(
        self, slot: Slot, step: Step, perform: Perform, consumed: Sequence[str] = ()
    ) -> Step:
        """Do the work and record what it came to. `step.cost` may hold what lost attempts cost."""
        began = time.monotonic()
        try:
            performed = await perform(Sending(effect_id(self._key_of(slot), slot.number)))
        except BaseException:
            # The caller ends the segment or the run; a held reservation must not outlive the call.
            if step.reserved:
                await asyncio.shield(self._release(step))
            raise
        seconds = time.monotonic() - began
        return await self._settle(slot, step, performed, seconds, consumed=consumed)

    async def _settle(
        self,
        slot: Slot,
        step: Step,
        performed: Performed,
        seconds: float = 0.0,
        *,
        consumed: Sequence[str] = (),
        is_played: bool = False,
    ) -> Step:
        """Record what a step came to, with its event and its money, in one commit."""
        entry = settled(step, performed, clock.now())
        cost = Decimal(0) if is_played else performed.cost
        wrote = performed.workspace is not None
        change = Transition(
            steps=[entry],
            settle={step.number: cost} if step.reserved or cost else {},
            workspace=self._recording.workspace if is_played and wrote else performed.workspace,
            consumed=[*consumed, *self._taken_in(slot)],
        )
        if slot.request.tell is not None and not (
            is_played and self._recording.is_told(step.number)
        ):
            told = slot.request.tell(entry, seconds)
            change.events.append(new_event(self.key, told, f"step/{step.number}"))
        if performed.is_last:
            self._hold(change)
        else:
            await self._commit(change)
        return entry

    async def _release(self, step: Step) -> None:
        """The call failed for good before it answered. It may still have been billed: assume so."""
        failed = replace(
            step,
            status=StepStatus.PLANNED,
            cost=step.cost + step.reserved,
            reserved=Decimal(0),
            is_cost_assumed=True,
        )
        await self._commit(Transition(steps=[failed], settle={step.number: step.reserved}))

    # ---- effects -----------------------------------------------------------------------------

    async def _send(
        self,
        slot: Slot,
        effect: Effect,
        perform: Perform,
        *,
        earlier: Step | None = None,
        said: Sequence[InboxItem] = (),
    ) -> Step:
        """Write `sent` first, then send.

        `earlier` is the same step, sent before and in doubt; `said` are the decisions to send it.
        """
        at = clock.now()
        step = replace(
            started(slot, self.fence, at),
            status=StepStatus.SENT,
            effect_class=effect.kind,
            effect_id=earlier.effect_id if earlier else effect_id(self.key, slot.number),
            sent_at=earlier.sent_at if earlier else at,
            send_by=at + effect.timeout,
            sends=earlier.sends + 1 if earlier else 1,
        )
        await self._commit(Transition(steps=[step], consumed=self._consume(*said)))
        sending, began = Sending(step.effect_id or "", step.send_by), time.monotonic()
        try:
            async with asyncio.timeout(effect.timeout.total_seconds()):
                performed = await perform(sending)
        except PersonNeeded:
            await self._take_back(step, earlier)
            raise
        except (OutcomeUnknown, TimeoutError) as error:
            doubtful = await self._doubt(step, str(error) or "no answer in time")
            return await self._resolve(slot, doubtful, perform)
        if performed.error and earlier and effect.kind is EffectClass.KEYED and not said:
            # The service refused this sending, and nobody knows yet what became of the one before.
            doubtful = await self._doubt(step, performed.error.message)
            return await self._resolve(slot, doubtful, perform)
        return await self._settle(slot, step, performed, time.monotonic() - began)

    async def _take_back(self, step: Step, earlier: Step | None) -> None:
        """Nothing left this machine: the step is as it was, and people's leave for it still holds."""
        unsent = replace(step, status=StepStatus.PLANNED, sends=0)
        if earlier is not None:
            unsent = replace(step, status=earlier.status, error=earlier.error, sends=earlier.sends)
        await self._commit(Transition(steps=[replace(unsent, send_by=clock.now())]))

    async def _doubt(self, step: Step, reason: str) -> Step:
        error = ErrorInfo(code=OutcomeUnknown.code, message=reason)
        # The sender gave up, so from here on the wire is quiet.
        doubtful = replace(step, status=StepStatus.UNKNOWN, error=error, send_by=clock.now())
        await self._commit(Transition(steps=[doubtful]))
        return doubtful

    async def _resolve(self, slot: Slot, step: Step, perform: Perform) -> Step:
        """Find out what became of an effect that was sent, by the rule of its class."""
        if (decided := self._inbox.get(wait_id(step))) is not None:
            return await self._obey(slot, step, decided, perform)
        if step.status is StepStatus.SENT:
            # Its sender may still be alive until then; only afterwards is the wire quiet.
            await sleep_until(step.send_by)
        effect = slot.request.effect
        if step.status is StepStatus.PLANNED and effect is not None:
            return await self._send(slot, effect, perform)
        # Without it the tool, or the right to call it, went away while its effect was in doubt.
        if effect is None or step.sends >= MAX_SENDS:
            raise PersonNeeded((question_of(step),))
        pause = RESEND_PAUSE * 2 ** (step.sends - 1)
        if effect.kind is EffectClass.KEYED and is_key_known(step, effect):
            await asyncio.sleep(pause)
            return await self._send(slot, effect, perform, earlier=step)
        if effect.kind is EffectClass.FINDABLE and effect.find and effect.visible_after:
            await asyncio.sleep(pause)
            found = await look_up(step, effect, effect.find, effect.visible_after)
            if found is not None:
                return await self._settle(slot, step, found)
            return await self._send(slot, effect, perform, earlier=step)
        raise PersonNeeded((question_of(step),))

    async def _obey(self, slot: Slot, step: Step, decided: InboxItem, perform: Perform) -> Step:
        if decided.decision is Decision.RESEND and slot.request.effect is not None:
            return await self._send(
                slot, slot.request.effect, perform, earlier=step, said=[decided]
            )
        if decided.decision is Decision.RESEND:
            # Its tool is gone: what is performed now is the refusal, and that is the answer.
            performed = await perform(Sending(step.effect_id or ""))
        elif decided.decision is Decision.NO_ANSWER:
            performed = unresolved(decided)
        else:
            performed = spoken(decided)
        return await self._settle(slot, step, performed, consumed=self._consume(decided))

    def _taken_in(self, slot: Slot) -> list[str]:
        """The message that a step took in."""
        if slot.request.consumes is None:
            return []
        self._messages.popleft()
        return [slot.request.consumes]

    def _consume(self, *said: InboxItem) -> list[str]:
        """Take decisions out of the inbox; their ids go into the commit of the step they decide."""
        for item in said:
            self._inbox.pop(item.wait_id, None)
        return [item.id for item in said]

    # ---- the record --------------------------------------------------------------------------

    def _recorded_at(self, slot: Slot) -> Step | None:
        step = self._steps.get(slot.number)
        if step is not None and step.hash != slot.hash:
            raise JournalDiverged(
                f"Step {slot.number} of {self.key.node!r} is on record as {step.kind} {step.name!r}, but"
                f" the skill now asks for {slot.request.kind} {slot.request.name!r}. Nothing was sent.",
                step=slot.number,
            )
        return step

    def _hold(self, change: Transition) -> None:
        self._held.append(change)
        self._steps.update((step.number, step) for step in change.steps)

    async def _commit(
        self, change: Transition, event: EventBody | None = None, suffix: str = ""
    ) -> None:
        """Write a transition, and with it whatever was held back for the next commit."""
        if event is not None:
            change.events.append(new_event(self.key, event, suffix))
        held, self._held = self._held, []
        whole = merged([*held, change])
        whole.clears = self._has_shown
        now = time.monotonic()
        whole.active, self._counted = now - self._counted, now
        try:
            word = await self._store.commit(self.key, self.fence, whole)
        except BaseException:
            self._held = held
            self._counted -= whole.active
            raise
        self._has_shown = False
        self._word = word or self._word
        self._steps.update((step.number, step) for step in change.steps)
