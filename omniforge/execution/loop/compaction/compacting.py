"""Keeps a conversation within the model's window: notes take the place of its older turns.

When to compact, and what gives way, is decided once and goes on record with the notes. A later segment
takes both from there, so no other estimate, setting or wording can make it go another way.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

from omniforge.execution.loop.compaction.kept import kept
from omniforge.execution.loop.compaction.notes import extract, references, transcript
from omniforge.execution.loop.conversation import Conversation, Cut
from omniforge.execution.loop.preamble import Preamble
from omniforge.execution.loop.prompt import SUMMARISER, to_be_summed_up
from omniforge.execution.model_call.asking import Asking
from omniforge.execution.model_call.reasoning import ReasoningEngine
from omniforge.journal.events import ConversationCompacted, EventBody
from omniforge.journal.journal import Journal
from omniforge.journal.steps import Perform, Performed, Request, Sending, Step, StepKind
from omniforge.llm.protocol import Author, Completion, Message
from omniforge.llm.sections import outside_block, skill_section
from omniforge.llm.tokens import BYTES_PER_TOKEN, tokens_in
from omniforge.tools.registry import ToolRegistry

# Shares of the room beside prompt and task. The latest turns stay as they are: what the model is at
# right now is in them. What is left over is for the turns that follow.
_TURNS, _NOTES, _NAMES = 0.25, 0.15, 0.05
_LOADED_SKILLS, _DECISIONS_AND_EFFECTS = 0.2, 0.1
# After a request that was too long in spite of the estimate, stay well below its size.
_SHARE_OF_REFUSED = 0.6
# A conversation that can hardly be made smaller is left alone until it has grown by so much.
_GROWTH = 1.25
# 800 words of notes have some 1,200 tokens, with ids and addresses more.
_TOKENS_OF_NOTES = 4_000
_MAX_NOTES = 16_000

_EARLIER = """\
Your older turns have been taken out of this conversation to make room. What was done in them stays done: \
do not do it again. This is what is left of them."""


class Compaction:
    """Of one conversation, for one segment."""

    def __init__(
        self,
        conversation: Conversation,
        preamble: Preamble,
        journal: Journal,
        reasoning: ReasoningEngine,
        registry: ToolRegistry,
    ) -> None:
        self._conversation, self._preamble = conversation, preamble
        self._journal, self._reasoning, self._registry = journal, reasoning, registry
        self._limit = self._due = preamble.compact_at
        self._notes = ""
        self._names: dict[str, None] = {}

    async def make_room(self) -> str | None:
        """Compact when the next request would be too large; what watchers are told when it was."""
        upcoming = self._journal.upcoming
        if upcoming is not None:
            return await self._compact() if upcoming is StepKind.COMPACTION else None
        is_due = 0 < self._due < self._conversation.tokens
        return await self._compact() if is_due else None

    async def shrink(self) -> str | None:
        """After a request that was refused as too long; None when there is nothing to take away."""
        limit = int(self._conversation.tokens * _SHARE_OF_REFUSED)
        self._limit = min(self._limit or limit, limit)
        if self._journal.upcoming not in {None, StepKind.COMPACTION}:
            return None
        return await self._compact()

    async def _compact(self) -> str | None:
        cut = self._conversation.cut_for(self._room(_TURNS))
        if cut is None and self._journal.upcoming is None:
            return None
        step = await self._step(cut or Cut(1))
        record: dict[str, Any] = step.answer
        self._apply(Cut(**record["cut"]), record["notes"], step.number)
        return f"Older turns were taken out to make room: {record['turns']} of them."

    # ---- the notes ---------------------------------------------------------------------------

    async def _step(self, cut: Cut) -> Step:
        older = self._conversation.messages[1 : cut.until]
        by_rule = {
            "cut": asdict(cut),
            "turns": self._conversation.turns_before(cut.until),
            "tokens": self._conversation.tokens,
            "by": "rule",
            "notes": extract(older, self._notes, self._notes_room),
        }
        reserve, perform = self._summing_up(older, by_rule) if older else _recording(by_rule)
        request = Request(StepKind.COMPACTION, "compaction", reserve=reserve, tell=_told)
        return await self._journal.step(request, perform)

    def _summing_up(
        self, older: Sequence[Message], by_rule: dict[str, Any]
    ) -> tuple[Decimal, Perform]:
        """The model's notes, or those by rule when it has none of use. It is asked as for any turn."""
        completion = self._to_be_summed_up(older)
        models, reserve = self._reasoning.offer(completion, self._preamble.fallbacks)

        async def perform(_: Sending) -> Performed:
            asked = await Asking(self._reasoning.llm, completion).first_answer(models, reserve)
            said: dict[str, Any] = asked.answer or {}
            notes = "" if "try_again" in said else str(said.get("text", "")).strip()
            by_model = {**by_rule, "by": "model", "notes": notes[: self._notes_room]}
            return replace(asked, answer=by_model if notes else by_rule, error=None)

        return reserve, perform

    def _to_be_summed_up(self, older: Sequence[Message]) -> Completion:
        preamble = self._preamble
        skill, task = skill_section(preamble.system), preamble.task[:_MAX_NOTES]
        used = tokens_in(skill + task + self._notes) + _TOKENS_OF_NOTES
        turns = transcript(older, max(self._estimated(self._limit) - used, _TOKENS_OF_NOTES))
        text = to_be_summed_up(skill, task, self._notes, turns)
        return Completion(
            model=preamble.model,
            system=SUMMARISER.format(mark=preamble.mark),
            messages=(Message(Author.USER, text=text),),
            max_tokens=min(_TOKENS_OF_NOTES, preamble.max_tokens),
        )

    # ---- what is left ------------------------------------------------------------------------

    def _apply(self, cut: Cut, notes: str, number: int) -> None:
        older = self._conversation.messages[1 : cut.until]
        for name in references(older):
            self._names.pop(name, None)  # the latest mention counts
            self._names[name] = None
        self._notes = notes
        before = [step for step in self._journal.recorded if step.number < number]
        of_skills = self._characters(_LOADED_SKILLS)
        parts = [
            _EARLIER,
            kept(before, self._registry, self._characters(_DECISIONS_AND_EFFECTS), of_skills),
            self._framed("Your notes", notes, "notes"),
            self._framed("Names that came up", "\n".join(self._latest_names()), "older turns"),
        ]
        self._conversation.compact(cut, "\n\n".join(filter(None, parts)))
        self._due = max(self._limit, int(self._conversation.tokens * _GROWTH))

    def _framed(self, title: str, text: str, source: str) -> str:
        """Notes are made of what came from outside, so they have no more say than that."""
        mark = self._preamble.mark or "notes"
        return f"## {title}\n\n{outside_block(text, mark, source)}" if text else ""

    def _latest_names(self) -> list[str]:
        room, latest = self._characters(_NAMES), list[str]()
        for name in reversed(self._names):
            room -= len(name)
            if room < 0:
                break
            latest.append(name)
        return latest[::-1]

    @property
    def _notes_room(self) -> int:
        return min(_MAX_NOTES, self._characters(_NOTES))

    def _characters(self, share: float) -> int:
        return self._room(share) * BYTES_PER_TOKEN

    def _room(self, share: float) -> int:
        """A share of the room that can be used freely, in estimated tokens."""
        limit = self._estimated(self._limit)
        return int(share * max(limit - self._conversation.fixed_tokens, limit // 4))

    def _estimated(self, tokens: int) -> int:
        return int(tokens * self._conversation.overestimate)


def _recording(answer: dict[str, Any]) -> tuple[Decimal, Perform]:
    async def perform(_: Sending) -> Performed:
        return Performed(answer=answer)

    return Decimal(0), perform


def _told(step: Step, seconds: float) -> EventBody:
    record: dict[str, Any] = step.answer
    return ConversationCompacted(
        step=step.number,
        turns=record["turns"],
        tokens=record["tokens"],
        by=record["by"],
        usage=step.usage,
        cost_usd=step.cost,
        duration_ms=round(seconds * 1000),
    )
