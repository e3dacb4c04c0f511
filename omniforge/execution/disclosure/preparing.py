"""From a skill's text to instructions."""

from dataclasses import dataclass
from datetime import date

from omniforge.skills.document import Skill
from omniforge.skills.preprocessing import (
    Arguments,
    DynamicInjector,
    StringSubstitutor,
    standard_variables,
)

# Where a skill's files are, as its text speaks of them and as `read_skill_file` takes them.
SKILL_DIR = "."


@dataclass(frozen=True, slots=True)
class Occasion:
    """When and in which session a skill's text is prepared."""

    session_id: str
    today: date


async def prepared(
    skill: Skill,
    arguments: Arguments,
    occasion: Occasion,
    injector: DynamicInjector | None,
    substitutor: StringSubstitutor,
) -> str:
    """The text with its commands replaced by what they say, and then its placeholders filled in.

    In this order, so that nothing a caller passes in can become a command.

    Raises:
        SkillInvalid: With its arguments filled in, the text is too long.
    """
    body = skill.body if injector is None else await injector.inject(skill.body)
    variables = standard_variables(SKILL_DIR, occasion.session_id, occasion.today)
    return substitutor.substitute(body, arguments, variables)
