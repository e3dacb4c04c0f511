"""Long conversations whose worker is lost: what was compacted is compacted in the same place again."""

import asyncio
import re
from collections import Counter
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from omniforge.agents.runs import TokenUsage
from omniforge.errors import Fenced
from omniforge.execution.events import Ending
from omniforge.llm.protocol import Completion, Turn
from tests.execution.making import Bench
from tests.execution.reading import (
    NOTES,
    SMALL,
    a_book,
    compactions,
    is_summing_up,
    reading,
    tokens_of,
)
from tests.journal.mortal import Killed, Life, MortalStore
from tests.support.requirements import requirement
from tests.support.scripted import Reply, answer, calling


@requirement("RAC-5", "DUR-1")
async def test_a_resumed_skill_compacts_where_the_record_did_and_goes_on(bench: Bench) -> None:
    bench.model.takes(SMALL).decides(reading(24))
    left = iter(range(30))
    executor = await bench.executor(
        a_book(),
        should_stop=lambda: None if next(left, None) is not None else "drain",
        max_tokens=1_000,
    )
    assert (await executor.execute_sync("go")).ending is Ending.INTERRUPTED
    before, asked = bench.steps, bench.asked
    assert ("compaction", "confirmed") in before

    bench.model.takes(10_000_000)  # by now the estimate would never come to it
    rest = reading(1)
    bench.model.decides(rest)
    result = await bench.run(a_book(), max_tokens=1_000)

    assert result.success
    assert bench.steps[: len(before)] == before
    assert NOTES in bench.model.asked[asked].messages[0].text


@requirement("RAC-5", "DUR-1")
async def test_a_worker_lost_in_the_middle_of_a_compaction_changes_nothing(bench: Bench) -> None:
    summing, released = asyncio.Event(), asyncio.Event()
    pages = reading(20)

    async def hang() -> Reply:
        summing.set()
        await released.wait()
        return answer("Notes of a worker that was lost.")

    bench.model.takes(SMALL).decides(
        lambda asked: hang() if is_summing_up(asked) and not summing.is_set() else pages(asked)
    )
    lost = await bench.executor(a_book(), max_tokens=1_000)
    working = asyncio.create_task(lost.execute_sync("go"))
    await asyncio.wait_for(summing.wait(), 10)

    result = await bench.run(a_book(), max_tokens=1_000)
    released.set()
    with pytest.raises(Fenced):
        await working

    assert result.final_answer == "All read."
    assert all("was lost" not in str(asked.messages) for asked in bench.model.asked)
    assert len(compactions(bench)) == bench.steps.count(("compaction", "confirmed"))


# ---- a worker that dies at any moment ----------------------------------------------------------


def looking(asked: Completion) -> Reply:
    """A reader that goes by what it sees, so that it can be asked twice: page by page to the last."""
    if is_summing_up(asked):
        return answer(f"Read so far: {pages_in(asked.messages[0].text)[-1]}.")
    seen = pages_in(str(asked.messages))
    page = max(map(int, seen), default=0) + 1
    return reading_page(asked, page) if page <= 14 else answer("All read.")


def pages_in(text: str) -> list[str]:
    return re.findall(r"(?:page|Read so far:) (\d+)[:.]", text)


def reading_page(asked: Completion, page: int) -> Turn:
    said = calling(("read_page", {"text": str(page)}))
    return replace(said, usage=TokenUsage(input_tokens=tokens_of(asked), model_calls=1))


async def lives(
    folder: Path, moment: int | None
) -> tuple[list[tuple[str, str]], Counter[int], bool]:
    """What is on record after a worker that died at some moment and one that did not."""
    bench, settled, life = Bench(folder), Counter[int](), Life(moment)
    bench.model.takes(SMALL).decides(looking)
    has_died = False
    store = bench.store
    bench.store = MortalStore(store, life, settled)  # type: ignore[assignment]  # it is one
    try:
        await bench.run(a_book(), max_tokens=1_000)
    except Killed:
        has_died = True
        bench.store = MortalStore(store, Life(None), settled)  # type: ignore[assignment]
        again = await bench.run(a_book(), max_tokens=1_000)
        assert again.output == {"answer": "All read."}
    bench.store = store
    return bench.steps, settled, has_died


@requirement("RAC-5", "DUR-1")
async def test_a_worker_may_die_at_any_moment_of_a_skill_that_is_compacted(tmp_path: Path) -> None:
    undisturbed, _, _ = await lives(tmp_path, None)
    assert ("compaction", "confirmed") in undisturbed

    for moment in count(1):
        recorded, settled, has_died = await lives(tmp_path, moment)
        assert recorded == undisturbed
        assert set(settled.values()) == {1}, "no step is recorded twice"
        if not has_died:
            break
