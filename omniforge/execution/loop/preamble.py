"""Step 0 of a skill: what all of its turns rest on, as it is on record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from omniforge.llm.protocol import ToolSchema

LOOP_VERSION = 2

# A fifth of the window stays free for what is estimated too low: tokenizers differ.
COMPACT_AT = 0.8
# Five failures in a row of one kind are more than a model needs to find out that it does not work.
MAX_FAILURES = 5


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds in a process for the turns of every skill."""

    context_window: int = 64_000
    """In tokens, of models whose window is not known."""
    compact_at: float = COMPACT_AT
    """The share of the window at which older turns give way to notes; the answer needs room besides."""
    max_failures: int = MAX_FAILURES
    """Failures of one tool in one way, with no success between, before it is not called again."""


USUAL = Rules()


@dataclass(frozen=True, slots=True)
class Preamble:
    """Made once a node and read back ever after, so neither a deploy nor a setting changes a run
    under way."""

    system: str
    task: str
    model: str
    max_tokens: int
    tools: Sequence[Mapping[str, Any]] = ()
    fallbacks: Sequence[str] = ()
    date: str = ""
    loop: int = LOOP_VERSION
    mark: str = ""
    """What the lines around text from outside hold; empty: there are none."""
    compact_at: int = 0
    """Tokens of a request above which older turns give way to notes; 0: never."""
    max_failures: int = MAX_FAILURES
    output_schema: Any = None
    """JSON schema of the final answer, when the skill declares one."""

    @classmethod
    def of(cls, recorded: Mapping[str, Any]) -> Self:
        """The record may be of an older or a newer release."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in recorded.items() if name in known})

    def document(self) -> dict[str, Any]:
        """What is put on record. Its parts are not copied: they are JSON already."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def schemas(self) -> tuple[ToolSchema, ...]:
        return tuple(ToolSchema(**tool) for tool in self.tools)


def compaction_point(window: int, max_tokens: int, share: float) -> int:
    """How large a request may become in a window that has to hold the answer, too."""
    return max(int(window * share) - max_tokens, window // 4)
