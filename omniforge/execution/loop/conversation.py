"""What has been said so far, and how large it is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from omniforge.agents.runs import TokenUsage
from omniforge.execution.loop.preamble import Preamble
from omniforge.llm.protocol import Author, Completion, Message, ToolAnswer, Turn
from omniforge.llm.tokens import BYTES_PER_TOKEN, estimate_tokens, message_tokens

# English prose has at most six bytes a token, three times as many as the estimate takes.
_LEAST_SHARE = 3


@dataclass(frozen=True, slots=True)
class Cut:
    """Which messages give way: those before `until`. Answers in the others are cut to `cap` characters."""

    until: int
    cap: int | None = None


class Conversation:
    """The task, and then turn by turn what the model said and what it was told."""

    def __init__(self, preamble: Preamble) -> None:
        self._preamble = preamble
        tools = preamble.schemas
        self._empty = Completion(preamble.model, preamble.system, (), tools, preamble.max_tokens)
        self._fixed = estimate_tokens(self._empty)
        self._messages: list[Message] = []
        self._sizes: list[int] = []
        self._measured: tuple[int, int] | None = None
        self._say(Message(Author.USER, text=preamble.task))
        self._task = self._sizes[0]

    @property
    def completion(self) -> Completion:
        return replace(self._empty, messages=tuple(self._messages))

    @property
    def fixed_tokens(self) -> int:
        """What no compaction can take away, in estimated tokens: prompt, tools and task."""
        return self._fixed + self._task

    @property
    def overestimate(self) -> float:
        """How many estimated tokens there are to one that the provider counts, 1 to 3."""
        return (self._fixed + sum(self._sizes)) / self.tokens

    @property
    def messages(self) -> Sequence[Message]:
        return self._messages

    @property
    def tokens(self) -> int:
        """The size of the next request.

        As far as the provider has counted, by its count, within what the estimate lets be true.
        """
        estimate = self._fixed + sum(self._sizes)
        if self._measured is None:
            return estimate
        counted, tokens = self._measured
        guess = tokens + sum(self._sizes[counted:])
        return min(max(guess, estimate // _LEAST_SHARE), estimate)

    def took(self, turn: Turn, answers: Sequence[ToolAnswer], note: str = "") -> None:
        """A turn of the model, and the answers to its calls."""
        said = Message(Author.ASSISTANT, text=turn.text, calls=turn.calls, native=turn.native)
        self._say(said)
        self._measured = (len(self._messages), _counted(turn.usage))
        self._say(Message(Author.USER, text=note, answers=tuple(answers)))

    def corrected(self, said: str, problem: str) -> None:
        """An answer of no use, and what was wrong with it."""
        self._say(Message(Author.ASSISTANT, text=said or "(nothing)"))
        self._say(Message(Author.USER, text=problem))

    def answered(self, turn: Turn) -> None:
        """An answer that would have been the last one."""
        self._say(Message(Author.ASSISTANT, text=turn.text, native=turn.native))

    def heard(self, message: str) -> None:
        """What a person says to the model at work."""
        self._say(Message(Author.USER, text=message))

    def cut_for(self, room: int) -> Cut | None:
        """What has to give way so that the rest takes about `room` estimated tokens; None when that
        would not be worth it.

        The last turn stays in any case; when it is too large by itself, its answers are cut.
        """
        turns = [at for at, each in enumerate(self._messages) if each.author is Author.ASSISTANT]
        if not turns:
            return None
        until = turns[-1]
        for start in reversed(turns):
            if sum(self._sizes[start:]) > room:
                break
            until = start
        kept, answers = sum(self._sizes[until:]), self._messages[until:]
        count = sum(len(message.answers) for message in answers)
        cap = max(500, room * BYTES_PER_TOKEN // count) if count and kept > 2 * room else None
        saved = sum(self._sizes[1:until]) + (kept - room if cap is not None else 0)
        return Cut(until, cap) if saved > room // 3 else None

    def turns_before(self, until: int) -> int:
        return sum(each.author is Author.ASSISTANT for each in self._messages[:until])

    def compact(self, cut: Cut, notes: str) -> None:
        """Let notes, said with the task, stand for what gives way."""
        kept = [_shortened(message, cut.cap) for message in self._messages[cut.until :]]
        self._messages, self._sizes, self._measured = [], [], None
        for message in (Message(Author.USER, text=f"{self._preamble.task}\n\n{notes}"), *kept):
            self._say(message)

    def _say(self, message: Message) -> None:
        self._messages.append(message)
        self._sizes.append(message_tokens(message))


def _counted(usage: TokenUsage) -> int:
    read = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    return read + usage.output_tokens


def _shortened(message: Message, cap: int | None) -> Message:
    if cap is None:
        return message
    return replace(
        message,
        answers=tuple(
            replace(answer, content=shortened(answer.content, cap)) for answer in message.answers
        ),
    )


def shortened(text: str, limit: int) -> str:
    """The beginning and the end of a text; the end of a framed one closes its frame."""
    if len(text) <= limit:
        return text
    head, tail = limit * 3 // 4, limit // 4
    note = f"[{len(text) - head - tail} characters cut to make room; call again to see them]"
    return f"{text[:head]}\n{note}\n{text[-tail:]}"
