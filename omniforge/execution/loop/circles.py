"""A model that does the same again and again."""

import json
from collections import deque
from collections.abc import Sequence

from omniforge.llm.protocol import ToolAnswer, ToolCall

# The same call with the same answer teaches a model nothing; the third time it is going in circles.
MAX_REPEATS = 3
# Longer circles are rare, and the limit of turns ends them.
LONGEST_CIRCLE = 4


class Circles:
    """Watches turns, each by its calls and their answers; the model's text does not count."""

    def __init__(self) -> None:
        self._turns: deque[tuple[str, str]] = deque(maxlen=MAX_REPEATS * LONGEST_CIRCLE)

    def closed_by(self, calls: Sequence[ToolCall], answers: Sequence[ToolAnswer]) -> str | None:
        """What a person is told when this turn closes a circle for the third time."""
        made = [(call.name, dict(call.arguments)) for call in calls]
        heard = [answer.content for answer in answers]
        names = ", ".join(dict.fromkeys(call.name for call in calls))
        self._turns.append((names, json.dumps([made, heard], sort_keys=True)))
        for length in range(1, LONGEST_CIRCLE + 1):
            if self._is_circle(length):
                return _told([names for names, _ in self._turns][-length:])
        return None

    def _is_circle(self, length: int) -> bool:
        turns = [turn for _, turn in self._turns][-length * MAX_REPEATS :]
        return len(turns) == length * MAX_REPEATS and turns == turns[:length] * MAX_REPEATS


def _told(turns: Sequence[str]) -> str:
    if len(turns) == 1:
        made = f"{turns[0]} was called {MAX_REPEATS} times"
    else:
        made = f"{' and then '.join(turns)} were called in turn, {MAX_REPEATS} times over,"
    return f"{made} with the same arguments and the same answer."
