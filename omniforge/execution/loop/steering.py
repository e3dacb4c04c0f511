"""What people say to a skill at work, on its way into the conversation."""

from omniforge.execution.loop.conversation import Conversation
from omniforge.execution.loop.progress import Progress
from omniforge.journal.events import EventBody, Steered
from omniforge.journal.journal import Journal
from omniforge.journal.steps import Performed, Request, Sending, Step, StepKind

_FRAMED = """\
# A message from a person

{by} follows this work and says:

{text}

Keep to it from here on. What has been done by now stays done."""


class Steering:
    """Of one segment. Each message is a step right before the turn that takes it into account, so that
    whoever plays the record takes it in at the same place."""

    def __init__(self, conversation: Conversation, journal: Journal, progress: Progress) -> None:
        self._conversation, self._journal, self._progress = conversation, journal, progress
        self.heard = 0

    async def is_to_go_on(self) -> bool:
        """Whether something was said to a skill that has its answer."""
        return self._journal.upcoming is not None or await self._journal.message() is not None

    async def listen(self) -> None:
        """Take in what people have said by now."""
        while (step := await self._message()) is not None:
            self.heard += 1
            self._conversation.heard(_FRAMED.format(**step.answer))
            self._progress.say(f"A person says: {step.answer['text']}")

    async def _message(self) -> Step | None:
        upcoming = self._journal.upcoming
        said = await self._journal.message() if upcoming is None else None
        if said is None and upcoming is not StepKind.MESSAGE:
            return None
        consumed = said.id if said else None
        request = Request(StepKind.MESSAGE, "message", consumes=consumed, tell=_told)
        answer = {"text": said.note, "by": said.decided_by} if said else None

        async def take_in(_: Sending) -> Performed:
            return Performed(answer=answer)

        return await self._journal.step(request, take_in)


def _told(step: Step, _: float) -> EventBody:
    return Steered(step=step.number, **step.answer)
