"""Commands in a skill's text."""

import pytest

from omniforge.execution.autonomous import AutonomousConfig
from omniforge.execution.disclosure.injection import MAX_COMMANDS, SandboxInjector
from omniforge.execution.events import Ending as Result
from omniforge.execution.factory import ExecutorFactory
from omniforge.journal.journal import Journal
from omniforge.journal.memory import MemoryJournalStore
from omniforge.journal.steps import Fence
from omniforge.tools.sandbox.backends import Native
from omniforge.tools.sandbox.probe import Mode, ProbedSandbox
from omniforge.tools.sandbox.protocol import Ending, Limits, Program
from omniforge.tools.sandbox.running import BackendSandbox
from tests.execution.making import KEY, a_skill
from tests.support.requirements import requirement
from tests.support.scripted import ScriptedLLM

pytestmark = requirement("SKL-4")

FILES = {
    "SKILL.md": b"-",
    "references/words.txt": b"one two",
    "scripts/hello.py": b"import sys; print('hello', *sys.argv[1:])",
}


async def injected(text: str) -> str:
    sandbox = BackendSandbox(Native(), Limits(wall_s=10))
    return await SandboxInjector(FILES, sandbox).inject(text)


async def test_a_command_is_replaced_by_its_output() -> None:
    text = "Words: !`cat references/words.txt`.\n!`scripts/hello.py 'a b' $HOME`\nEnd."

    assert await injected(text) == "Words: one two.\nhello a b $HOME\nEnd."


async def test_no_shell_reads_a_command() -> None:
    said = await injected("!`cat references/words.txt | wc; id > x`")

    assert said.startswith("[The command")
    assert "cat: '|'" in said or "cat: |" in said


async def test_a_skills_folder_is_all_there_is_and_can_only_be_read() -> None:
    assert await injected("!`ls`") == "SKILL.md\nreferences\nscripts"
    assert "Read-only" in await injected("!`touch here`")
    assert "No such file" in await injected("!`ls /workspace`")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-program", "not in the sandbox"),
        ("scripts/none.py", "There is no script"),
        ("cat 'open", "No closing quotation"),
        ("false", "exit code 1"),
        ("   ", "it is empty"),
    ],
)
async def test_a_command_that_fails_leaves_a_note(command: str, said: str) -> None:
    text = await injected(f"before !`{command}` after")

    assert text.startswith(f"before [The command {command!r} could not be run: ")
    assert said in text
    assert text.endswith("] after")


async def test_prose_and_plain_code_are_left_alone() -> None:
    text = "Wow!`ls` and `ls` and ! `ls`, !``, \n``` \n!x\n```"

    assert await injected(text) == text


async def test_a_text_runs_a_few_commands_and_no_more() -> None:
    said = await injected(" ".join(["!`no-such-program`"] * (MAX_COMMANDS + 1)))

    assert said.count("not in the sandbox") == MAX_COMMANDS
    assert said.endswith(f"a skill may run {MAX_COMMANDS} commands]")


async def test_long_output_is_cut() -> None:
    said = await injected("!`python3 -c \"print('x' * 50000)\"`")

    assert said.endswith("characters]")
    assert len(said) < 10_100


async def test_without_a_sandbox_each_command_says_so() -> None:
    injector = SandboxInjector(FILES, ProbedSandbox(Mode.OFF, Limits()))

    assert "OMNIFORGE_SANDBOX=off" in await injector.inject("!`ls`")


class Counting:
    """A sandbox that counts what it was asked to run."""

    limits = Limits()

    def __init__(self) -> None:
        self.asked = 0

    async def run(self, program: Program) -> Ending:
        self.asked += 1
        return Ending(f"run {self.asked}".encode(), b"", exit_code=0)


async def test_a_resume_reads_what_the_command_said_and_does_not_run_it_again() -> None:
    store, sandbox, model = MemoryJournalStore(), Counting(), ScriptedLLM()
    factory = ExecutorFactory([], model, sandbox, permits_commands=True)
    skill, config = a_skill("Today: !`ls`", files=FILES), AutonomousConfig()
    model.calls(("clock_now", {})).answers("done")
    reasons = iter([None, None])

    journal = await Journal.open(store, KEY, "report", Fence(0, 1), lambda: next(reasons, "drain"))
    interrupted = await factory.make(skill, config, journal).execute_sync("go")
    journal = await Journal.open(store, KEY, "report", Fence(1, 1))
    done = await factory.make(skill, config, journal).execute_sync("go")

    assert (interrupted.ending, done.ending) == (Result.INTERRUPTED, Result.COMPLETED)
    assert sandbox.asked == 1
    assert ["Today: run 1" in asked.system for asked in model.asked] == [True, True]
