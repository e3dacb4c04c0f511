"""A model that reads a long book: more than its window takes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from omniforge.agents.runs import TokenUsage
from omniforge.execution.loop.prompt import SUMMARISER
from omniforge.journal.events import ConversationCompacted
from omniforge.llm.protocol import Completion
from tests.execution.making import Bench, a_tool
from tests.support.scripted import Reply, answer, calling

NOTES = "Pages 1 to 4 are read; the total so far is 17."
SMALL = 16_000


def is_summing_up(asked: Completion) -> bool:
    return asked.system.startswith(SUMMARISER.split("{")[0])


def a_book(page: Callable[[str], Any] = lambda number: f"page {number}: " + "word " * 800) -> Any:
    async def read(number: str) -> Any:
        return page(number)

    return a_tool("read_page", read, is_outside=True)


def reading(pages: int, notes: Reply | None = None) -> Callable[[Completion], Reply]:
    """A model that reads one page after another, wherever its older turns have gone."""
    number = iter(range(1, pages + 1))

    def decide(asked: Completion) -> Reply:
        if is_summing_up(asked):
            return notes or answer(NOTES)
        if (page := next(number, None)) is None:
            return answer("All read.")
        said = calling(("read_page", {"text": str(page)}), text=f"Now page {page}.")
        return replace(said, usage=TokenUsage(input_tokens=tokens_of(asked), model_calls=1))

    return decide


def tokens_of(asked: Completion) -> int:
    """As a provider counts words of four letters."""
    return (len(asked.system) + len(str(asked.messages)) + len(str(asked.tools))) // 5


def compactions(bench: Bench) -> list[ConversationCompacted]:
    return [e.body for e in bench.stream.events if isinstance(e.body, ConversationCompacted)]


def questions(bench: Bench) -> list[Completion]:
    return [asked for asked in bench.model.asked if not is_summing_up(asked)]
