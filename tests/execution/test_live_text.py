"""A model's text is shown while it comes, and is gone when its step is on record."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from omniforge.errors import Fenced, ModelOverloaded, StorageUnavailable
from omniforge.execution.model_call import live_text
from omniforge.journal.events import EPHEMERAL, EventBody, TextDelta, TextReset
from omniforge.journal.memory import MemoryJournalStore
from omniforge.journal.ports import Transition
from omniforge.journal.steps import Fence, NodeKey
from omniforge.llm.protocol import Completion, OnDelta, Turn
from tests.execution.making import Bench, echo
from tests.support.requirements import requirement
from tests.support.scripted import ScriptedLLM, answer, calling


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_text, "INTERVAL", 0.001)


class Killed(BaseException):
    """The worker's end, in the middle of a call."""


class Writing(ScriptedLLM):
    """Writes what it is told to, and does not go on before watchers see it."""

    _delta: OnDelta | None = None

    async def complete(self, request: Completion, on_delta: OnDelta | None = None) -> Turn:
        self._delta = on_delta
        return await super().complete(request, on_delta)

    def writes(self, *texts: str) -> None:
        assert self._delta is not None
        for text in texts:
            self._delta(text)

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not seen():
                await asyncio.sleep(0.001)


@pytest.fixture
def writing(bench: Bench) -> Writing:
    model = bench.model = Writing()
    return model


def shown(bench: Bench) -> list[EventBody]:
    return [each.body for each in bench.stream.events if each.body.type in EPHEMERAL]


def text_shown(bench: Bench) -> str:
    return "".join(body.text for body in shown(bench) if isinstance(body, TextDelta))


@requirement("RAC-1")
async def test_text_is_shown_while_it_comes_and_gone_when_it_is_on_record(
    bench: Bench, writing: Writing
) -> None:
    turns = iter([calling(("echo", {"text": "x"}), text="Let me see."), answer("Done.")])

    async def write(request: Completion) -> Turn:
        turn = next(turns)
        writing.writes(*turn.text)
        await writing.until(lambda: text_shown(bench) == turn.text)
        return turn

    writing.decides(write)
    result = await bench.run(echo())

    assert result.success
    assert shown(bench) == []
    numbers = [event.seq for event in bench.stream.events]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] > len(numbers)  # the numbers of what was shown are not used again


async def test_an_answer_that_comes_at_once_costs_no_write(
    bench: Bench, writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_text, "INTERVAL", 60)

    def write(_: Completion) -> Turn:
        writing.writes("Done.")
        return answer("Done.")

    writing.decides(write)
    await bench.run()

    assert [event.seq for event in bench.stream.events] == [1, 2, 3]


@requirement("RAC-3")
async def test_watchers_are_told_to_drop_half_a_message(bench: Bench, writing: Writing) -> None:
    seen: list[list[EventBody]] = []

    async def write(_: Completion) -> Turn:
        if seen:
            seen.append(shown(bench))
            return answer("Done.")
        writing.writes("Half an ans")
        await writing.until(lambda: text_shown(bench) == "Half an ans")
        seen.append(shown(bench))
        raise ModelOverloaded("busy")

    writing.decides(write)
    await bench.run()

    half = TextDelta(step=1, text="Half an ans")
    assert seen == [[half], [half, TextReset(step=1)]]
    assert shown(bench) == []


async def test_nothing_is_dropped_where_nothing_was_shown(bench: Bench, writing: Writing) -> None:
    writing.fails(ModelOverloaded("busy")).answers("Done.")

    await bench.run()

    assert [event.seq for event in bench.stream.events] == [1, 2, 3]


class Troubled(MemoryJournalStore):
    """Does not take what is only shown."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error
        self.refused = 0

    async def commit(self, key: NodeKey, fence: Fence, change: Transition) -> None:
        if any(event.body.type in EPHEMERAL for event in change.events):
            self.refused += 1
            raise self._error
        await super().commit(key, fence, change)


@pytest.mark.parametrize("error", [StorageUnavailable("disk full"), ValueError("a bug")])
async def test_a_text_that_cannot_be_shown_costs_no_call(
    bench: Bench, writing: Writing, error: Exception
) -> None:
    store = _in_trouble(bench, error)

    async def write(_: Completion) -> Turn:
        writing.writes("Done.")
        await writing.until(lambda: store.refused > 0)
        return answer("Done.")

    writing.decides(write)

    assert (await bench.run()).success


@requirement("DUR-2")
async def test_a_fenced_worker_stops_in_the_middle_of_an_answer(
    bench: Bench, writing: Writing
) -> None:
    store = _in_trouble(bench, Fenced("taken over"))

    async def write(_: Completion) -> Turn:
        writing.writes("Half")
        await writing.until(lambda: store.refused > 0)
        writing.writes("must not be taken")
        raise AssertionError("it went on")

    writing.decides(write)

    with pytest.raises(Fenced):
        await bench.run()
    assert [event.body.type for event in bench.stream.events] == ["skill_started"]


def _in_trouble(bench: Bench, error: Exception) -> Troubled:
    store = Troubled(error)
    bench.store, bench.stream = store, store.streams["run-1"]
    return store


@requirement("DUR-1")
async def test_a_successor_takes_away_what_a_lost_worker_was_showing(
    bench: Bench, writing: Writing
) -> None:
    async def write(_: Completion) -> Any:
        writing.writes("Half an answer")
        await writing.until(lambda: text_shown(bench) == "Half an answer")
        raise Killed

    writing.decides(write)
    with pytest.raises(Killed):
        await bench.run()
    assert text_shown(bench) == "Half an answer"

    writing.forget()
    writing.answers("Done.")
    await bench.run()

    assert bench.told == ["skill_started", "skill_resumed", "model_answered", "skill_completed"]
