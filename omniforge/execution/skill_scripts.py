"""The tool with which a skill runs its own scripts: in the sandbox, or not at all."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from omniforge.errors import TryAgain
from omniforge.journal.steps import EffectClass, Json
from omniforge.tools import trees
from omniforge.tools.parameters import parameters, several, text
from omniforge.tools.protocol import ToolCallContext, ToolSpec
from omniforge.tools.sandbox.commands import command_of
from omniforge.tools.sandbox.protocol import Ending, Limits, Program, Sandbox
from omniforge.tools.sandbox.wording import explained, shown
from omniforge.tools.wording import listed

NAME = "run_skill_script"

# Beyond the script's own time: starting the sandbox, ending it, and clearing up.
_AROUND = timedelta(seconds=20)
_MAX_ARGUMENTS = 100

_PARAMETERS = parameters(
    required=["script"],
    script=text("Path of the script in the skill's folder, such as scripts/report.py."),
    args=several(
        "Its arguments, one string each. They reach it as they are; no shell reads them.",
        {"type": "string"},
        maxItems=_MAX_ARGUMENTS,
    ),
    stdin=text("What it reads from its standard input."),
)

_DESCRIPTION = (
    "Run a script of this skill. It works in the workspace's folder, where it finds and leaves files,"
    " has no network, and is stopped after {wall_s:g} seconds. Answers with its exit code and output."
)


class RunSkillScript:
    """Runs what the version pinned. A crash runs a script again, on the files as they were before it."""

    def __init__(self, files: Mapping[str, bytes], sandbox: Sandbox) -> None:
        self._files, self._sandbox = files, sandbox
        self.spec = _spec(sandbox.limits)

    def effect_of(self, arguments: Mapping[str, Any]) -> EffectClass:
        return self.spec.effect

    async def run(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        """
        Raises:
            TryAgain: The script cannot be run, or left more than a workspace may hold.
        """
        program = self._program(arguments, context.workspace.root)
        before = _state(context.workspace.root)
        ending = await self._sandbox.run(program)
        swept = trees.sweep(context.workspace.root)
        return _answer(ending, self._sandbox.limits) | _changes(
            before, _state(context.workspace.root), swept
        )

    def _program(self, arguments: Mapping[str, Any], workspace: Path) -> Program:
        own = tuple(arguments.get("args", ()))
        if any("\0" in argument for argument in own):
            raise TryAgain("An argument holds a NUL character, which no program can be given.")
        argv = (*command_of(arguments["script"], self._files), *own)
        workspace.mkdir(parents=True, exist_ok=True)
        stdin = str(arguments.get("stdin", "")).encode(errors="replace")
        return Program(argv, self._files, workspace, stdin)


def _spec(limits: Limits) -> ToolSpec:
    return ToolSpec(
        name=NAME,
        description=_DESCRIPTION.format(wall_s=limits.wall_s),
        parameters=_PARAMETERS,
        # Without a network it changes nothing but files, which have versions. With one, who knows?
        effect=EffectClass.ASK if limits.network else EffectClass.READ,
        writes_workspace=True,
        timeout=timedelta(seconds=limits.wall_s) + _AROUND,
    )


def _answer(ending: Ending, limits: Limits) -> dict[str, Json]:
    answer: dict[str, Json] = {
        "exit_code": ending.exit_code,
        "stdout": shown(ending.stdout),
        "stderr": shown(ending.stderr),
    }
    note = explained(ending, limits)
    return answer | {"note": note} if note else answer


_State = dict[str, tuple[int, int]]


def _state(workspace: Path) -> _State:
    files = (entry for entry in trees.walk(workspace) if entry.is_file)
    return {entry.path: (entry.stat.st_size, entry.stat.st_mtime_ns) for entry in files}


def _changes(before: _State, after: _State, swept: Mapping[str, str]) -> dict[str, Json]:
    changed = sorted(path for path, state in after.items() if before.get(path) != state)
    changes: dict[str, Json] = {"files_changed": changed[:100]}
    if swept:
        lost = (f"{path!r} ({reason})" for path, reason in sorted(swept.items()))
        changes["not_kept"] = listed(lost)
    return changes
