"""The tool with which a skill reads the files it came with, when its text sends it there."""

from collections.abc import Mapping
from typing import Any

from omniforge.errors import TryAgain
from omniforge.journal.steps import EffectClass, Json
from omniforge.tools.protocol import ToolCallContext, ToolSpec


class ReadSkillFile:
    """Reads from the folder that the run pinned, so it never sees a later edit."""

    spec = ToolSpec(
        name="read_skill_file",
        description="Read a text file that belongs to this skill, by its path in the skill's folder.",
        parameters={
            "type": "object",
            "properties": {"path": {"type": "string", "description": "Such as references/form.md"}},
            "required": ["path"],
            "additionalProperties": False,
        },
    )

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def effect_of(self, arguments: Mapping[str, Any]) -> EffectClass:
        return EffectClass.READ

    async def run(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        path = arguments["path"]
        if path not in self._files:
            raise TryAgain(
                f"The skill has no file {path!r}. It has: {', '.join(sorted(self._files))}."
            )
        try:
            return self._files[path].decode()
        except UnicodeDecodeError:
            raise TryAgain(f"{path} is not text.") from None
