"""The tool with which a skill reads further skills, when it finds that it needs one."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from omniforge import clock
from omniforge.errors import SkillInvalid, TryAgain
from omniforge.execution.disclosure import LOAD_SKILL
from omniforge.execution.disclosure.preparing import Occasion, prepared
from omniforge.journal.steps import EffectClass, Json
from omniforge.skills.document import Skill
from omniforge.skills.preprocessing import (
    Arguments,
    ContextLoader,
    DynamicInjector,
    StringSubstitutor,
)
from omniforge.tools.parameters import parameters, text
from omniforge.tools.protocol import ToolCallContext, ToolSpec

# Commands in its text are run, each within the limits of the sandbox.
_TIMEOUT = timedelta(minutes=5)

InjectorOf = Callable[[Skill], DynamicInjector | None]


class LoadSkill:
    """Gives a skill's instructions and the list of its files. It gives no right to any tool."""

    def __init__(self, skills: Sequence[Skill], injector_of: InjectorOf) -> None:
        self._skills = {skill.name: skill for skill in skills}
        self._injector_of = injector_of
        self.spec = ToolSpec(
            name=LOAD_SKILL,
            description=(
                "Read the instructions of a further skill. Answers with its text and the list of its"
                " files, which read_skill_file reads."
            ),
            parameters=parameters(
                required=["name"],
                name=text("The skill's name.", enum=sorted(self._skills)),
                arguments=text("What its text asks to be given, as words or a JSON object."),
            ),
            timeout=_TIMEOUT,
            effect=EffectClass.READ,
        )

    def effect_of(self, arguments: Mapping[str, Any]) -> EffectClass:
        return EffectClass.READ

    async def run(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        skill = self._skills[arguments["name"]]
        given = Arguments.of(arguments.get("arguments", ""), skill.arguments)
        occasion = Occasion(context.session_id, clock.now().date())
        injector = self._injector_of(skill)
        try:
            body = await prepared(skill, given, occasion, injector, StringSubstitutor())
        except SkillInvalid as error:
            raise TryAgain(error.message) from error
        files = [f"{file.path} ({file.size} bytes)" for file in ContextLoader().load(skill)]
        return {"skill": skill.name, "instructions": body, "files": files}


def catalogue(skills: Sequence[Skill]) -> str:
    """One line a skill, for the prompt; empty without any."""
    lines = (f"- {skill.name}: {' '.join(skill.description.split())}" for skill in skills)
    return "\n".join(lines)
