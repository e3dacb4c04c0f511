"""The tool with which a skill reads single files of skills, when a text sends it there."""

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from omniforge.errors import TryAgain
from omniforge.execution.disclosure import READ_SKILL_FILE
from omniforge.journal.steps import EffectClass, Json
from omniforge.skills.document import Skill
from omniforge.tools.parameters import parameters, text
from omniforge.tools.protocol import ToolCallContext, ToolSpec
from omniforge.tools.wording import did_you_mean, listed


class ReadSkillFile:
    """Reads from the folders that the run pinned, so it never sees a later edit."""

    def __init__(self, own: Skill, others: Sequence[Skill] = ()) -> None:
        """`others` are the skills that can be loaded; their files are read by naming them."""
        self._own, self._others = own, {skill.name: skill for skill in others}
        which = {}
        if self._others:
            which["skill"] = text(
                "The skill whose file it is; without it, the one you carry out.",
                enum=sorted({own.name, *self._others}),
            )
        self.spec = ToolSpec(
            name=READ_SKILL_FILE,
            description="Read a text file that belongs to a skill, by its path in the skill's folder.",
            parameters=parameters(
                required=["path"], path=text("Such as references/form.md"), **which
            ),
            effect=EffectClass.READ,
        )

    def effect_of(self, arguments: Mapping[str, Any]) -> EffectClass:
        return EffectClass.READ

    async def run(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        skill = self._others.get(arguments.get("skill", ""), self._own)
        path = posixpath.normpath(arguments["path"])
        if (content := skill.files.get(path)) is None:
            known = sorted(skill.files)
            raise TryAgain(
                f"The skill has no file {path!r}.{did_you_mean(path, known)} It has: {listed(known)}."
            )
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise TryAgain(f"{path} is not text.") from None
