"""One segment of one skill of a run, as a worker runs it."""

from pathlib import Path
from typing import Any

import pytest

from omniforge.execution.events import Ending
from omniforge.execution.factory import ExecutorFactory
from omniforge.execution.segments import SegmentRunner
from omniforge.execution.work import SkillWork
from omniforge.journal.journal import Journal, never
from omniforge.journal.memory import MemoryBlobs, MemoryJournalStore
from omniforge.journal.steps import Fence
from omniforge.tools.builtin.files import file_tools
from tests.execution.making import KEY, a_skill, observations, writing
from tests.support.requirements import requirement
from tests.support.scripted import ScriptedLLM


class Machine:
    """A worker's machine; `elsewhere` is another one on the same store."""

    def __init__(self, root: Path, first: "Machine | None" = None) -> None:
        self.root = root
        self.model: ScriptedLLM = first.model if first else ScriptedLLM()
        self.store: MemoryJournalStore = first.store if first else MemoryJournalStore()
        self.blobs: MemoryBlobs = first.blobs if first else MemoryBlobs()

    async def run(self, attempt: int, should_stop: Any = never, **more: Any) -> Ending:
        values: dict[str, Any] = {
            "tenant_id": "tn_1",
            "task_id": KEY.stream_id,
            "user_id": "us_anna",
            "input": {"week": 27},
            "files": {},
            "timeout_s": 10,
            "max_iterations": 9,
            "model": "",
            "has_cap": False,
        }
        skill = more.pop("skill", a_skill())
        journal = await Journal.open(self.store, KEY, skill.name, Fence(0, attempt), should_stop)
        tools = [*file_tools(), writing("good")]
        runner = SegmentRunner(ExecutorFactory(tools, self.model), self.blobs, self.root)
        return (await runner.run(skill, SkillWork(**{**values, **more}), journal)).ending

    def left(self) -> list[Path]:
        return [path for path in self.root.rglob("*") if path.is_file()]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "one")


async def test_a_segment_works_on_the_files_it_was_given(machine: Machine) -> None:
    digest = await machine.blobs.put(b"a,b\n1,2\n")
    machine.model.calls(("read_file", {"path": "tasks.csv"})).answers("Done.")

    ending = await machine.run(1, files={"tasks.csv": digest})

    assert ending is Ending.COMPLETED
    assert "a,b" in observations(machine.model.asked[-1])[0]


@requirement("DUR-1")
async def test_another_machine_goes_on_with_the_files_as_they_were_recorded(
    machine: Machine, tmp_path: Path
) -> None:
    machine.model.calls(("good", {"text": "kept"}))
    stop = iter([None, None, "drain"])
    assert await machine.run(1, lambda: next(stop)) is Ending.INTERRUPTED
    elsewhere = Machine(tmp_path / "two", first=machine)

    elsewhere.model.calls(("read_file", {"path": "good.txt"})).answers("Done.")
    assert await elsewhere.run(2) is Ending.COMPLETED

    assert "kept" in observations(machine.model.asked[-1])[-1]


async def test_nothing_is_left_on_the_machine(machine: Machine) -> None:
    machine.model.calls(("good", {"text": "kept"})).answers("Done.")
    await machine.run(1)

    assert machine.left() == []


@pytest.mark.parametrize(
    ("wired", "written", "asked"),
    [("", None, "scripted-1"), ("", "m-skill", "m-skill"), ("m-wired", "m-skill", "m-wired")],
)
async def test_the_model_of_the_wiring_wins_over_that_of_the_skill(
    machine: Machine, wired: str, written: str | None, asked: str
) -> None:
    machine.model.answers("Done.")
    await machine.run(1, model=wired, skill=a_skill(model=written))

    assert machine.model.asked[0].model == asked
