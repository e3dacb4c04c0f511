"""Tool calls while they come in, and what a whole one has to have."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from omniforge.llm.answers import call_arguments, unusable
from omniforge.llm.protocol import Completion, ToolCall


@dataclass(slots=True)
class IncomingCall:
    """A call as far as it has come: its arguments are pieces of a JSON text."""

    id: str
    name: str
    arguments: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join((self.name, *self.arguments))


def whole_calls(
    calls: Iterable[IncomingCall], request: Completion, said: str
) -> Iterator[ToolCall]:
    """The calls, each with an id that is not used in the conversation yet.

    Raises:
        AnswerUnusable: A call has no name, or its arguments are not a JSON object.
    """
    used = {call.id for message in request.messages for call in message.calls}
    fresh = (made for number in count(1) if (made := f"call_{number}") not in used)
    for call in calls:
        if not call.name:
            raise unusable("a call names no tool", said)
        call_id = next(fresh) if not call.id or call.id in used else call.id
        used.add(call_id)
        yield ToolCall(call_id, call.name, call_arguments(call.name, "".join(call.arguments), said))
