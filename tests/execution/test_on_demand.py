"""Skills that are read when they are needed: a catalogue, then a text, then single files."""

import json
from pathlib import Path
from typing import Any

import pytest

from omniforge.agents.config import SkillReference
from omniforge.agents.permissions import Action, PermissionRule
from omniforge.errors import ToolInvalid
from omniforge.execution.autonomous import AutonomousSkillExecutor
from omniforge.execution.disclosure.files import ReadSkillFile
from omniforge.execution.factory import ExecutorFactory
from omniforge.execution.model_call.reasoning import ReasoningEngine
from omniforge.tools.executor import ToolExecutor
from omniforge.tools.registry import ToolRegistry
from tests.execution.making import Bench, a_skill, echo
from tests.execution.office import Office
from tests.support.requirements import requirement
from tests.support.scripted import ScriptedLLM, answer, calling

FORM = {"SKILL.md": b"", "references/words.md": b"Say please.", "logo.png": b"\x89PNG\xff"}
TONE = a_skill(
    "Write to $ARGUMENTS[0] in the way of ${SKILL_DIR}/references/words.md.",
    name="tone",
    description="How we write.\nUse when writing to people.",
    files=FORM,
    allowed_tools=("send",),
)
MATHS = a_skill("Count twice.", name="maths", description="How we count. Use for sums.")


async def load(bench: Bench, *calls: tuple[str, Any], **config: Any) -> list[str]:
    bench.model.calls(*calls).answers("Done.")
    result = await bench.run(echo(), on_demand=(TONE, MATHS), **config)
    assert result.success, result.error
    return bench.observed()


@requirement("SKL-3")
async def test_a_prompt_has_the_catalogue_and_none_of_the_texts(bench: Bench) -> None:
    await load(bench, ("echo", {"text": "x"}))

    system = bench.model.asked[0].system
    assert "- tone: How we write. Use when writing to people.\n- maths: How we count." in system
    assert "Count twice." not in system
    assert [tool.name for tool in bench.model.asked[0].tools] == [
        "echo",
        "load_skill",
        "read_skill_file",
    ]


@requirement("SKL-3", "SKL-4")
async def test_a_skill_that_is_loaded_gives_its_prepared_text_and_its_files(bench: Bench) -> None:
    (told,) = await load(bench, ("load_skill", {"name": "tone", "arguments": "Ann Lee"}))

    assert json.loads(told) == {
        "skill": "tone",
        "instructions": "Write to Ann in the way of ./references/words.md.",
        "files": ["logo.png (5 bytes)", "references/words.md (11 bytes)"],
    }


@requirement("SKL-3")
async def test_its_files_are_read_one_by_one(bench: Bench) -> None:
    path = "./references/words.md"
    own, foreign, wrong = await load(
        bench,
        ("read_skill_file", {"path": path}),
        ("read_skill_file", {"path": path, "skill": "tone"}),
        ("read_skill_file", {"path": path, "skill": "other"}),
    )

    assert "The skill has no file 'references/words.md'" in own
    assert foreign == "Say please."
    assert "must be one of maths, report, tone" in wrong


async def test_a_skill_that_is_not_there_is_told_with_those_that_are(bench: Bench) -> None:
    (told,) = await load(bench, ("load_skill", {"name": "tones"}))

    assert "must be one of maths, tone" in told


@requirement("SKL-3", "SKL-5")
async def test_a_loaded_skill_gives_no_right_to_its_tools(bench: Bench) -> None:
    calls = [("load_skill", {"name": "tone"}), ("send", {"text": "x"})]
    for call in calls:
        bench.model.calls(call)
    bench.model.answers("Done.")

    await bench.run(echo(), echo("send"), skill=a_skill(allowed_tools=("echo",)), on_demand=(TONE,))

    assert "may not call 'send'" in bench.observed()[1]
    offered = [tool.name for tool in bench.model.asked[-1].tools]
    assert offered == ["echo", "load_skill", "read_skill_file"]


async def test_the_owner_of_an_agent_may_forbid_loading(bench: Bench) -> None:
    bench.model.calls(("load_skill", {"name": "tone"})).answers("Done.")
    never = (PermissionRule(action=Action.DENY, tool="load_skill"),)

    await bench.run(echo(), on_demand=(TONE,), permissions=never)

    assert "How we write" not in bench.model.asked[0].system
    assert "its permissions" in bench.observed()[0]


@requirement("SKL-3")
async def test_without_further_skills_nothing_is_said_of_them(bench: Bench) -> None:
    bench.model.answers("Done.")
    await bench.run(echo())

    assert [tool.name for tool in bench.model.asked[0].tools] == ["echo"]
    assert "load_skill" not in bench.model.asked[0].system


async def test_text_that_is_too_long_with_its_arguments_is_told_to_the_model(bench: Bench) -> None:
    endless = a_skill("$ARGUMENTS " * 30_000, name="endless", description="Use when testing.")
    words = "x" * 1_000
    bench.model.calls(("load_skill", {"name": "endless", "arguments": words})).answers("Done.")

    await bench.run(on_demand=(endless,))

    assert "the skill is longer than" in bench.observed()[0]


@pytest.mark.parametrize("name", ["load_skill", "read_skill_file"])
def test_no_tool_may_take_the_name_under_which_skills_are_read(name: str) -> None:
    with pytest.raises(ToolInvalid, match=name):
        ExecutorFactory([echo(name)], ScriptedLLM())


# ---- how a skill's own text is prepared --------------------------------------------------------


@requirement("SKL-4")
@pytest.mark.parametrize(
    ("request_text", "prepared"),
    [
        ("fix 'two words'", "fix 'two words' | fix | two words | two words"),
        ('{"verb": "fix", "what": "two"}', '{"verb": "fix", "what": "two"} | fix | two | two'),
        ("42", "42 | 42 | $ARGUMENTS[1] | $what"),
    ],
)
async def test_what_a_caller_gives_reaches_every_kind_of_placeholder(
    bench: Bench, request_text: str, prepared: str
) -> None:
    bench.model.answers("Done.")
    body = "Do: $ARGUMENTS | $ARGUMENTS[0] | $ARGUMENTS[1] | $what"

    await bench.run(skill=a_skill(body, arguments=("verb", "what")), request=request_text)

    assert f"Do: {prepared}\n" in bench.model.asked[0].system


class _Shell:
    async def inject(self, text: str) -> str:
        return text.replace("!`whoami`", "anna $ARGUMENTS")


@requirement("SKL-4")
async def test_commands_come_before_placeholders_and_then_the_list_of_files(bench: Bench) -> None:
    model = ScriptedLLM().answers("Done.")
    skill = a_skill("By !`whoami`, for $ARGUMENTS, ${SESSION_ID}.", files=FORM)
    registry = ToolRegistry([ReadSkillFile(skill)])
    executor = AutonomousSkillExecutor(
        skill,
        registry,
        ToolExecutor(registry),
        dynamic_injector=_Shell(),
        reasoning=ReasoningEngine(model),
    )

    await executor.execute_sync("!`whoami`", "task-1", "session-1")

    system = model.asked[0].system
    assert "By anna !`whoami`, for !`whoami`, session-1." in system
    assert system.index("session-1.") < system.index("- references/words.md (11 bytes)")


# ---- an agent's skills without a platform ------------------------------------------------------


@requirement("SKL-3", "EXE-1")
async def test_an_agent_of_the_sdk_has_skills_on_demand(tmp_path: Path) -> None:
    office = Office(tmp_path)
    replies = iter([calling(("load_skill", {"name": "tone"}))])
    office.skill("report", lambda asked: next(replies, None) or asked_for(asked))
    office.skill("tone", None)

    events = await office.run(
        SkillReference(name="report"), SkillReference(name="tone", on_demand=True)
    )

    assert [(event.type, event.skill_name) for event in events] == [
        ("skill_started", "report"),
        ("skill_completed", "report"),
    ]
    assert "Do tone." in events[-1].data["output"]["answer"]


def asked_for(asked: Any) -> Any:
    """The text that was loaded, as the answer."""
    return answer(json.loads(asked.messages[-1].answers[0].content)["instructions"])
